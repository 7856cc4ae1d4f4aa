/* SPDX-License-Identifier: Apache-2.0
 * kernels/bf16.h -- products of bf16, numbers that are the upper half of a float, with sums in f32.
 *
 * Two such numbers lie in a word, and a word of one factor times a word of the other adds two
 * products to a sum. All products are those of matrices in blocks of 16 rows, words or columns,
 * filled up with zeros. In which order they are added is an instruction's affair:
 *   - AMX's, for a block of 16 words at a time, as amx_tile.h says;
 *   - AVX-512's, VDPBF16PS, and everywhere else, for each word
 *       sum = fma(high of x, high of y, sum), then sum = fma(low of x, low of y, sum).
 * Both instructions take subnormal numbers for zeros; but for those, all tables without AMX give
 * the same bits. Processors without either compute in f32, so that training in bf16 runs and can be
 * judged on them; it is slower there than training in f32. */
#ifndef VQ_KERNELS_BF16_H
#define VQ_KERNELS_BF16_H

#include "base/sizes.h"
#include "kernels/correlate.h"
#include <stdint.h>
#include <string.h>

/** A word of two numbers, the first in the low half. */
typedef uint32_t __attribute__((may_alias)) vq_pair;

/** The nearest bf16, of two the even one; what is not a number stays so. */
static inline uint32_t vq_bf16_round(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t nearest = bits + 0x7fffu + (bits >> 16 & 1u);
    return ((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : nearest) >> 16;
}

static inline uint32_t vq_pair_of(float low, float high)
{
    return vq_bf16_round(low) | vq_bf16_round(high) << 16;
}

static inline float vq_pair_low(uint32_t pair)
{
    const uint32_t bits = pair << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float vq_pair_high(uint32_t pair)
{
    const uint32_t bits = pair & 0xffff0000u;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/** A number as it is read, through max(0, .) with `relu`; what is not a number stays so. */
static inline float vq_bf16_read(float x, bool relu)
{
    return relu && x < 0.0f ? 0.0f : x;
}

/** Blocks are of VQ_BLOCK rows by VQ_BLOCK words, or VQ_BLOCK words by VQ_BLOCK columns. */
enum { VQ_BLOCK = 16, VQ_BLOCK_WORDS = VQ_BLOCK * VQ_BLOCK };
/** Rows of blocks that are multiplied at a time: as many as tile registers serve. */
enum { VQ_BLOCKS_TALL = 2 };

/** Words of blocks that hold `words` a row. */
static inline size_t vq_blocks_deep(size_t words)
{
    return vq_ceil_div(words, VQ_BLOCK);
}

/** sum[i * sum_step + j] = start[i * start_step + j] + sum over words p of a[i][p] * b[p][j]. */
typedef struct vq_bf16_product {
    size_t tall;      /* rows of blocks of a, 1..VQ_BLOCKS_TALL */
    size_t deep;      /* blocks in each of them */
    size_t wide;      /* columns of blocks of b, which are panels as those of weights */
    const vq_pair *a; /* word p of row i at [((i/16 * deep) + p/16) * 256 + i%16 * 16 + p%16] */
    const vq_pair *b; /* column j of word p at [j/16 * b_step + p * 16 + j%16] */
    size_t b_step;
    const float *start; /* may be `sum` */
    size_t start_step;  /* 0: all rows begin alike */
    float *sum;
    size_t sum_step;
} vq_bf16_product;
typedef void vq_multiply_bf16_fn(const vq_bf16_product *product);

/** Words of `count` numbers, neighbours together, an odd last one with a zero; with `relu` they are
 *  read through max(0, .). */
typedef void vq_round_bf16_fn(const float *from, size_t count, bool relu, vq_pair *to);

/** Rows of VQ_BLOCK words: of number j of row i of `low`, at low[i * step + j], and of `high`.
 *  Either may be NULL, for zeros. */
typedef struct vq_pair_rows {
    const float *low, *high;
    size_t step, rows;
    bool relu; /* they are read through max(0, .) */
    vq_pair *to;
} vq_pair_rows;
typedef void vq_pair_rows_fn(const vq_pair_rows *rows);

/** As vq_correlate(), of words: `in` and `weights` hold pairs, run, tap_step, depth and in_at count
 *  them, and the weights are all of a kernel's, line = run. A panel of weights has whole blocks of
 *  words, the last ones 0. `gathered` has room for vq_gathered_size() words. */
typedef void vq_correlate_bf16_fn(const vq_correlation *c, vq_pair *gathered);
static inline size_t vq_gathered_size(size_t depth)
{
    return VQ_BLOCKS_TALL * vq_blocks_deep(depth) * VQ_BLOCK_WORDS;
}

/** What a table of kernels has for bf16. */
typedef struct vq_bf16_kernels {
    const char *name; /* as plans tell it */
    vq_correlate_bf16_fn *correlate;
    vq_multiply_bf16_fn *multiply;
    vq_round_bf16_fn *round;
    vq_pair_rows_fn *pair_rows;
} vq_bf16_kernels;
extern const vq_bf16_kernels vq_bf16_portable, vq_bf16_avx2, vq_bf16_avx512, vq_bf16_amx;

#endif
