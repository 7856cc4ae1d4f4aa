/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx512_tile.h -- the beginning and the end of the chains of a tile, for AVX-512.
 *
 * `panels` (1 to 4) is a constant wherever these are used, so that sums stay in registers. */
#ifndef VQ_KERNELS_AVX512_TILE_H
#define VQ_KERNELS_AVX512_TILE_H

#include "kernels/correlate.h"
#include "kernels/unroll.h"
#include <immintrin.h>

#define VQ_TILE_AVX512                                                                             \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"),                          \
                   always_inline)) static inline

VQ_TILE_AVX512 void vq_start_avx512(const vq_correlate_tile *t, size_t panels,
                                    __m512 sum[VQ_PLACES][VQ_PANELS_MAX])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < panels; v++) sum[i][v] = _mm512_loadu_ps(t->start[i] + 16 * v);
    }
}

/** Masks, adds and stores the sums. */
VQ_TILE_AVX512 void vq_finish_avx512(const vq_correlate_tile *t, size_t panels,
                                     __m512 sum[VQ_PLACES][VQ_PANELS_MAX])
{
    const __m512 zero = _mm512_setzero_ps();
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < panels; v++) {
            __m512 x = sum[i][v];
            if (t->mask[0])
                x = _mm512_maskz_mov_ps(
                    _mm512_cmp_ps_mask(_mm512_loadu_ps(t->mask[i] + 16 * v), zero, _CMP_GT_OQ), x);
            if (t->residual[0]) x = _mm512_add_ps(x, _mm512_loadu_ps(t->residual[i] + 16 * v));
            if (t->relu) x = _mm512_max_ps(zero, x); /* x where it is not a number */
            _mm512_storeu_ps(t->out[i] + 16 * v, x);
        }
    }
}

VQ_TILE_AVX512 void vq_load_avx512(const vq_outer_tile *t, size_t panels,
                                   __m512 sum[VQ_PLACES][VQ_PANELS_MAX])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < panels; v++)
            sum[i][v] = _mm512_loadu_ps(t->c + i * t->c_step + 16 * v);
    }
}

VQ_TILE_AVX512 void vq_store_avx512(const vq_outer_tile *t, size_t panels,
                                    __m512 sum[VQ_PLACES][VQ_PANELS_MAX])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < panels; v++)
            _mm512_storeu_ps(t->c + i * t->c_step + 16 * v, sum[i][v]);
    }
}

#endif
