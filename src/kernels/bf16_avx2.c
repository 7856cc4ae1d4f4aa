/* SPDX-License-Identifier: Apache-2.0
 * kernels/bf16_avx2.c -- products of bf16 in f32 for AVX2. */
#include "kernels/bf16.h"

#if defined(__x86_64__)
#include "kernels/unroll.h"
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* Rows and vectors of a tile, whose sums stay in registers. */
enum { ROWS = 4, VECTORS = 2 };

INLINE __m256 high_numbers(__m256i pairs)
{
    const __m256i halves = _mm256_set1_epi32((int32_t)0xffff0000u);
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, halves));
}

INLINE __m256 low_numbers(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

/* Word p of each row times 16 words: first all high numbers, then all low ones, so that the factors
 * of one half at a time take registers. */
INLINE void add_products(const vq_pair *row, const vq_pair *factors, __m256 sum[ROWS][VECTORS])
{
    const __m256i f0 = _mm256_loadu_si256((const __m256i *)(const void *)factors);
    const __m256i f1 = _mm256_loadu_si256((const __m256i *)(const void *)(factors + 8));
    const __m256 high0 = high_numbers(f0), high1 = high_numbers(f1);
    const __m256 low0 = low_numbers(f0), low1 = low_numbers(f1);
    VQ_UNROLL(4)
    for (size_t i = 0; i < ROWS; i++) {
        const __m256i pair = _mm256_set1_epi32((int32_t)row[i * VQ_BLOCK]);
        const __m256 high = high_numbers(pair), low = low_numbers(pair);
        sum[i][0] = _mm256_fmadd_ps(high, high0, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(high, high1, sum[i][1]);
        sum[i][0] = _mm256_fmadd_ps(low, low0, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(low, low1, sum[i][1]);
    }
}

/* Rows from row i on, times a panel. */
TARGET static void multiply_rows(const vq_bf16_product *m, size_t i, size_t panel)
{
    const vq_pair *a = m->a + i / VQ_BLOCK * m->deep * VQ_BLOCK_WORDS + i % VQ_BLOCK * VQ_BLOCK;
    const vq_pair *b = m->b + panel * m->b_step;
    const float *start = m->start + i * m->start_step + panel * VQ_BLOCK;
    float *to = m->sum + i * m->sum_step + panel * VQ_BLOCK;
    __m256 sum[ROWS][VECTORS];
    VQ_UNROLL(4)
    for (size_t row = 0; row < ROWS; row++) {
        sum[row][0] = _mm256_loadu_ps(start + row * m->start_step);
        sum[row][1] = _mm256_loadu_ps(start + row * m->start_step + 8);
    }
    for (size_t k = 0; k < m->deep; k++, a += VQ_BLOCK_WORDS)
        for (size_t p = 0; p < VQ_BLOCK; p++, b += VQ_BLOCK) add_products(a + p, b, sum);
    VQ_UNROLL(4)
    for (size_t row = 0; row < ROWS; row++) {
        _mm256_storeu_ps(to + row * m->sum_step, sum[row][0]);
        _mm256_storeu_ps(to + row * m->sum_step + 8, sum[row][1]);
    }
}

TARGET static void multiply(const vq_bf16_product *m)
{
    for (size_t panel = 0; panel < m->wide; panel++)
        for (size_t i = 0; i < m->tall * VQ_BLOCK; i += ROWS) multiply_rows(m, i, panel);
}

#include "kernels/correlate_bf16.inc"

/* ---- rounding ------------------------------------------------------------------- */

/* As vq_bf16_round(), in the high halves. */
INLINE __m256i round_vector(const float *from, __m256 least)
{
    const __m256 x = _mm256_max_ps(least, _mm256_loadu_ps(from)); /* x where it is not a number */
    const __m256i bits = _mm256_castps_si256(x), one = _mm256_set1_epi32(1);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), one);
    const __m256i nearest =
        _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256 not_number = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
    const __m256 rounded =
        _mm256_blendv_ps(_mm256_castsi256_ps(nearest), _mm256_castsi256_ps(quiet), not_number);
    return _mm256_and_si256(_mm256_castps_si256(rounded), _mm256_set1_epi32((int32_t)0xffff0000u));
}

INLINE __m256 least_of(bool relu)
{
    return _mm256_set1_ps(relu ? 0.0f : -__builtin_inff());
}

/* Eight words are 16 numbers: packing takes the halves of registers apart, a permutation mends
 * that. */
TARGET static void round_numbers(const float *from, size_t count, bool relu, vq_pair *to)
{
    const __m256 least = least_of(relu);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m256i first = _mm256_srli_epi32(round_vector(from + i, least), 16);
        const __m256i second = _mm256_srli_epi32(round_vector(from + i + 8, least), 16);
        const __m256i packed = _mm256_packus_epi32(first, second);
        _mm256_storeu_si256((__m256i *)(void *)(to + i / 2),
                            _mm256_permute4x64_epi64(packed, 0xd8));
    }
    vq_bf16_portable.round(from + i, count - i, relu, to + i / 2);
}

TARGET static void pair_rows(const vq_pair_rows *r)
{
    const __m256 least = least_of(r->relu);
    for (size_t i = 0; i < r->rows; i++)
        for (size_t j = 0; j < VQ_BLOCK; j += 8) {
            const size_t at = i * r->step + j;
            __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
            if (r->low) low = _mm256_srli_epi32(round_vector(r->low + at, least), 16);
            if (r->high) high = round_vector(r->high + at, least);
            _mm256_storeu_si256((__m256i *)(void *)(r->to + i * VQ_BLOCK + j),
                                _mm256_or_si256(low, high));
        }
}

const vq_bf16_kernels vq_bf16_avx2 = {"portable bf16 in f32", correlate, multiply, round_numbers,
                                      pair_rows};

#endif
