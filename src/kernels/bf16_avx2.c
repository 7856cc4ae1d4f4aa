/* SPDX-License-Identifier: Apache-2.0
 * kernels/bf16_avx2.c -- products of bf16 in f32 for AVX2. */
#include "kernels/bf16.h"

#if defined(__x86_64__)
#include "kernels/avx2_tile.h"

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE __m256 high_numbers(__m256 pairs)
{
    const __m256 halves = _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)0xffff0000u));
    return _mm256_and_ps(pairs, halves);
}

INLINE __m256 low_numbers(__m256 pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs), 16));
}

/* Pair q of each row times 16 pairs: first all high numbers, then all low ones, so that the factors
 * of one half at a time take registers. */
INLINE void add_products(const float *const row[VQ_PLACES], size_t q, const float *factors,
                         __m256 sum[VQ_PLACES][2])
{
    const __m256 f0 = _mm256_loadu_ps(factors), f1 = _mm256_loadu_ps(factors + 8);
    const __m256 high0 = high_numbers(f0), high1 = high_numbers(f1);
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        const __m256 number = high_numbers(_mm256_broadcast_ss(row[i] + q));
        sum[i][0] = _mm256_fmadd_ps(number, high0, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(number, high1, sum[i][1]);
    }
    const __m256 low0 = low_numbers(f0), low1 = low_numbers(f1);
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        const __m256 number = low_numbers(_mm256_broadcast_ss(row[i] + q));
        sum[i][0] = _mm256_fmadd_ps(number, low0, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(number, low1, sum[i][1]);
    }
}

TARGET static void correlate_panel(const vq_correlate_tile *t, size_t at, const float *weights)
{
    __m256 sum[VQ_PLACES][2];
    vq_start_avx2(t, at, sum);
    for (size_t tap = 0; tap < t->taps; tap++) {
        const float *in[VQ_PLACES];
        VQ_UNROLL(6)
        for (size_t i = 0; i < VQ_PLACES; i++) in[i] = t->in[i] + tap * t->tap_step;
        const float *line = weights + tap * t->line_step;
        for (size_t q = 0; q < t->run; q++, line += VQ_PANEL) add_products(in, q, line, sum);
    }
    vq_finish_avx2(t, at, sum);
}

TARGET void vq_correlate_bf16_avx2(const vq_correlate_tile *t)
{
    for (size_t panel = 0; panel < t->panels; panel++)
        correlate_panel(t, panel * VQ_PANEL, t->weights + panel * t->panel_step);
}

TARGET static void outer_panel(const vq_outer_tile *t, size_t at)
{
    __m256 sum[VQ_PLACES][2];
    vq_load_avx2(t, at, sum);
    for (size_t n = 0; n < t->count[0]; n++)
        for (size_t y = 0; y < t->count[1]; y++) {
            const float *a = t->a + n * t->a_step[0] + y * t->a_step[1];
            const float *b = t->b + n * t->b_step[0] + y * t->b_step[1] + at;
            for (size_t x = 0; x < t->count[2]; x++, a += t->a_step[2], b += t->b_step[2]) {
                const float *const row[VQ_PLACES] = {a, a + 1, a + 2, a + 3, a + 4, a + 5};
                add_products(row, 0, b, sum);
            }
        }
    vq_store_avx2(t, at, sum);
}

TARGET void vq_outer_bf16_avx2(const vq_outer_tile *t)
{
    for (size_t panel = 0; panel < t->panels; panel++) outer_panel(t, panel * VQ_PANEL);
}

#endif
