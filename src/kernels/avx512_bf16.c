/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx512_bf16.c -- products of bf16 by the instruction of AVX-512 for them. */
#include "kernels/bf16.h"

#if defined(__x86_64__)
#include "kernels/avx512_tile.h"
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE __m512bh broadcast(const float *pair)
{
    return (__m512bh)_mm512_set1_epi32((int32_t) * (const vq_pair *)pair);
}

/* A word of each row times `panels` (a constant wherever this is used) panels of them. */
INLINE void add_products(const float *const row[VQ_PLACES], const float *factors, size_t step,
                         size_t panels, __m512 sum[VQ_PLACES][VQ_PANELS_MAX])
{
    __m512bh factor[VQ_PANELS_MAX];
    VQ_UNROLL(4)
    for (size_t v = 0; v < panels; v++)
        factor[v] = (__m512bh)_mm512_loadu_si512(factors + v * step);
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        const __m512bh pair = broadcast(row[i]);
        VQ_UNROLL(4)
        for (size_t v = 0; v < panels; v++)
            sum[i][v] = _mm512_dpbf16_ps(sum[i][v], pair, factor[v]);
    }
}

INLINE void correlate_panels(const vq_correlate_tile *t, size_t panels)
{
    __m512 sum[VQ_PLACES][VQ_PANELS_MAX];
    vq_start_avx512(t, panels, sum);
    for (size_t tap = 0; tap < t->taps; tap++) {
        const float *in[VQ_PLACES];
        VQ_UNROLL(6)
        for (size_t i = 0; i < VQ_PLACES; i++) in[i] = t->in[i] + tap * t->tap_step;
        const float *line = t->weights + tap * t->line_step;
        for (size_t q = 0; q < t->run; q++, line += VQ_PANEL) {
            add_products(in, line, t->panel_step, panels, sum);
            VQ_UNROLL(6)
            for (size_t i = 0; i < VQ_PLACES; i++) in[i]++;
        }
    }
    vq_finish_avx512(t, panels, sum);
}

TARGET void vq_correlate_bf16_avx512(const vq_correlate_tile *t)
{
    if (t->panels == 4) correlate_panels(t, 4);
    else if (t->panels == 3) correlate_panels(t, 3);
    else if (t->panels == 2) correlate_panels(t, 2);
    else correlate_panels(t, 1);
}

INLINE void outer_panels(const vq_outer_tile *t, size_t panels)
{
    __m512 sum[VQ_PLACES][VQ_PANELS_MAX];
    vq_load_avx512(t, panels, sum);
    for (size_t n = 0; n < t->count[0]; n++)
        for (size_t y = 0; y < t->count[1]; y++) {
            const float *a = t->a + n * t->a_step[0] + y * t->a_step[1];
            const float *b = t->b + n * t->b_step[0] + y * t->b_step[1];
            for (size_t x = 0; x < t->count[2]; x++, a += t->a_step[2], b += t->b_step[2]) {
                const float *const row[VQ_PLACES] = {a, a + 1, a + 2, a + 3, a + 4, a + 5};
                add_products(row, b, VQ_PANEL, panels, sum);
            }
        }
    vq_store_avx512(t, panels, sum);
}

TARGET void vq_outer_bf16_avx512(const vq_outer_tile *t)
{
    if (t->panels == 4) outer_panels(t, 4);
    else if (t->panels == 3) outer_panels(t, 3);
    else if (t->panels == 2) outer_panels(t, 2);
    else outer_panels(t, 1);
}

#endif
