/* SPDX-License-Identifier: Apache-2.0
 * kernels/amx.c -- products of bf16 by tile registers: tiles 0 to 3 hold sums, 4 and 5 blocks of
 * rows, 6 and 7 blocks of columns. */
#include "kernels/avx512_bf16.h"

#if defined(__x86_64__)
#include "kernels/amx_tile.h"

#define TARGET VQ_AMX

enum { LINE = VQ_BLOCK * sizeof(vq_pair) }; /* bytes of a row of a block */

/* Blocks as vq_bf16_product has them, from some column of blocks on. */
typedef struct blocks {
    const vq_pair *a[2], *b[2];
    const float *start[2]; /* of each row of blocks, as the next */
    float *sum[2];
    size_t deep, start_step, step; /* bytes from row to row of start and of sum */
} blocks;

TARGET static void multiply_2x2(const blocks *m)
{
    VQ_TILE_LOAD(0, m->start[0], m->start_step);
    VQ_TILE_LOAD(1, m->start[0] + VQ_BLOCK, m->start_step);
    VQ_TILE_LOAD(2, m->start[1], m->start_step);
    VQ_TILE_LOAD(3, m->start[1] + VQ_BLOCK, m->start_step);
    for (size_t k = 0; k < m->deep * VQ_BLOCK_WORDS; k += VQ_BLOCK_WORDS) {
        VQ_TILE_LOAD(4, m->a[0] + k, LINE);
        VQ_TILE_LOAD(6, m->b[0] + k, LINE);
        VQ_TILE_LOAD(7, m->b[1] + k, LINE);
        VQ_TILE_LOAD(5, m->a[1] + k, LINE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    VQ_TILE_STORE(0, m->sum[0], m->step);
    VQ_TILE_STORE(1, m->sum[0] + VQ_BLOCK, m->step);
    VQ_TILE_STORE(2, m->sum[1], m->step);
    VQ_TILE_STORE(3, m->sum[1] + VQ_BLOCK, m->step);
}

TARGET static void multiply_2x1(const blocks *m)
{
    VQ_TILE_LOAD(0, m->start[0], m->start_step);
    VQ_TILE_LOAD(2, m->start[1], m->start_step);
    for (size_t k = 0; k < m->deep * VQ_BLOCK_WORDS; k += VQ_BLOCK_WORDS) {
        VQ_TILE_LOAD(4, m->a[0] + k, LINE);
        VQ_TILE_LOAD(5, m->a[1] + k, LINE);
        VQ_TILE_LOAD(6, m->b[0] + k, LINE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(2, 5, 6);
    }
    VQ_TILE_STORE(0, m->sum[0], m->step);
    VQ_TILE_STORE(2, m->sum[1], m->step);
}

TARGET static void multiply_1x1(const blocks *m)
{
    VQ_TILE_LOAD(0, m->start[0], m->start_step);
    for (size_t k = 0; k < m->deep * VQ_BLOCK_WORDS; k += VQ_BLOCK_WORDS) {
        VQ_TILE_LOAD(4, m->a[0] + k, LINE);
        VQ_TILE_LOAD(6, m->b[0] + k, LINE);
        _tile_dpbf16ps(0, 4, 6);
    }
    VQ_TILE_STORE(0, m->sum[0], m->step);
}

/* Blocks of a row that are multiplied with all columns before the next ones: two rows of so many
 * stay in the first-level cache, and with them what b brings by (2.3 TFLOP/s instead of 1.4 where
 * rows have 36, measured). */
enum { DEEP_MAX = 12 };

/* Blocks [first, first + deep) of each row, for all columns. */
TARGET static void multiply_part(const vq_bf16_product *p, size_t first, size_t deep)
{
    const float *start = first ? p->sum : p->start;
    const size_t start_step = first ? p->sum_step : p->start_step;
    const vq_pair *a = p->a + first * VQ_BLOCK_WORDS;
    size_t wide = 0;
    for (size_t panel = 0; panel < p->wide; panel += wide) {
        const float *from = start + panel * VQ_BLOCK;
        float *sum = p->sum + panel * VQ_BLOCK;
        const vq_pair *b = p->b + panel * p->b_step + first * VQ_BLOCK_WORDS;
        wide = p->tall == 2 && panel + 1 < p->wide ? 2 : 1;
        const size_t row = p->tall == 2 ? 1 : 0, column = wide - 1; /* what there is a second of */
        const blocks m = {.a = {a, a + row * p->deep * VQ_BLOCK_WORDS},
                          .b = {b, b + column * p->b_step},
                          .start = {from, from + row * VQ_BLOCK * start_step},
                          .sum = {sum, sum + row * VQ_BLOCK * p->sum_step},
                          .deep = deep,
                          .start_step = start_step * sizeof(float),
                          .step = p->sum_step * sizeof(float)};
        if (wide == 2) multiply_2x2(&m);
        else if (p->tall == 2) multiply_2x1(&m);
        else multiply_1x1(&m);
    }
}

TARGET static void multiply(const vq_bf16_product *p)
{
    const size_t parts = vq_ceil_div(vq_larger(p->deep, 1), DEEP_MAX);
    const size_t deep = vq_ceil_div(p->deep, parts);
    const vq_tile_shapes whole = vq_tiles_whole();
    vq_tiles_begin(&whole);
    multiply_part(p, 0, deep);
    for (size_t first = deep; first < p->deep; first += deep)
        multiply_part(p, first, vq_smaller(deep, p->deep - first));
    _tile_release();
}

#include "kernels/correlate_bf16.inc"

const vq_bf16_kernels vq_bf16_amx = {"portable bf16 by tiles", correlate, multiply,
                                     vq_round_bf16_avx512, vq_pair_rows_avx512};

#endif
