/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx512_bf16.c -- products of bf16 by the instruction of AVX-512 for them, and rounding,
 * which tiles share. */
#include "kernels/avx512_bf16.h"

#if defined(__x86_64__)
#include "kernels/unroll.h"
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* A block of rows times a panel: 16 sums in registers. */
TARGET static void multiply_panel(const vq_bf16_product *m, size_t row, size_t panel)
{
    const vq_pair *a = m->a + row * m->deep * VQ_BLOCK_WORDS, *b = m->b + panel * m->b_step;
    const float *start = m->start + row * VQ_BLOCK * m->start_step + panel * VQ_BLOCK;
    float *to = m->sum + row * VQ_BLOCK * m->sum_step + panel * VQ_BLOCK;
    __m512 sum[VQ_BLOCK];
    VQ_UNROLL(16)
    for (size_t i = 0; i < VQ_BLOCK; i++) sum[i] = _mm512_loadu_ps(start + i * m->start_step);
    for (size_t k = 0; k < m->deep; k++, a += VQ_BLOCK_WORDS)
        for (size_t p = 0; p < VQ_BLOCK; p++, b += VQ_BLOCK) {
            const __m512bh factors = (__m512bh)_mm512_loadu_si512(b);
            VQ_UNROLL(16)
            for (size_t i = 0; i < VQ_BLOCK; i++) {
                const __m512i pair = _mm512_set1_epi32((int32_t)a[i * VQ_BLOCK + p]);
                sum[i] = _mm512_dpbf16_ps(sum[i], factors, (__m512bh)pair);
            }
        }
    VQ_UNROLL(16)
    for (size_t i = 0; i < VQ_BLOCK; i++) _mm512_storeu_ps(to + i * m->sum_step, sum[i]);
}

TARGET static void multiply(const vq_bf16_product *m)
{
    for (size_t i = 0; i < m->tall; i++)
        for (size_t panel = 0; panel < m->wide; panel++) multiply_panel(m, i, panel);
}

#include "kernels/correlate_bf16.inc"

/* ---- rounding ------------------------------------------------------------------- */

INLINE __m512 least_of(bool relu)
{
    return _mm512_set1_ps(relu ? 0.0f : -__builtin_inff());
}

INLINE __m512 read(__mmask16 mask, const float *from, __m512 least)
{
    return _mm512_max_ps(least, _mm512_maskz_loadu_ps(mask, from)); /* x where not a number */
}

static inline __mmask16 first_lanes(size_t count)
{
    return (__mmask16)(count >= 16 ? 0xffffu : (1u << count) - 1u);
}

/* Conversion of two vectors puts the second one's numbers into the low half. */
TARGET void vq_round_bf16_avx512(const float *from, size_t count, bool relu, vq_pair *to)
{
    const __m512 least = least_of(relu);
    for (size_t i = 0; i < count; i += 32) {
        const size_t left = count - i, more = left > 16 ? left - 16 : 0;
        __m512 first = read(first_lanes(left), from + i, least), second = _mm512_setzero_ps();
        if (more) second = read(first_lanes(more), from + i + 16, least);
        const __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(second, first);
        _mm512_mask_storeu_epi32(to + i / 2, first_lanes(left / 2 + left % 2), pairs);
    }
}

INLINE __m512i round_vector(__m512 x)
{
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
}

TARGET void vq_pair_rows_avx512(const vq_pair_rows *r)
{
    const __m512 least = least_of(r->relu);
    for (size_t i = 0; i < r->rows; i++) {
        __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();
        if (r->low) low = round_vector(read(0xffff, r->low + i * r->step, least));
        if (r->high) high = round_vector(read(0xffff, r->high + i * r->step, least));
        _mm512_storeu_si512(r->to + i * VQ_BLOCK,
                            _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

const vq_bf16_kernels vq_bf16_avx512 = {"portable bf16 by AVX-512", correlate, multiply,
                                        vq_round_bf16_avx512, vq_pair_rows_avx512};

#endif
