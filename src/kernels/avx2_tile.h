/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx2_tile.h -- the beginning and the end of the chains of a tile, for AVX2: 16 channels
 * from `at` on. */
#ifndef VQ_KERNELS_AVX2_TILE_H
#define VQ_KERNELS_AVX2_TILE_H

#include "kernels/correlate.h"
#include "kernels/unroll.h"
#include <immintrin.h>

#define VQ_TILE_AVX2 __attribute__((target("avx2,fma"), always_inline)) static inline

VQ_TILE_AVX2 void vq_start_avx2(const vq_correlate_tile *t, size_t at, __m256 sum[VQ_PLACES][2])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        sum[i][0] = _mm256_loadu_ps(t->start[i] + at);
        sum[i][1] = _mm256_loadu_ps(t->start[i] + at + 8);
    }
}

/** Masks, adds and stores the sums. */
VQ_TILE_AVX2 void vq_finish_avx2(const vq_correlate_tile *t, size_t at, __m256 sum[VQ_PLACES][2])
{
    const __m256 zero = _mm256_setzero_ps();
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(2)
        for (size_t v = 0; v < 2; v++) {
            const size_t j = at + 8 * v;
            __m256 x = sum[i][v];
            if (t->mask[0])
                x = _mm256_and_ps(x,
                                  _mm256_cmp_ps(_mm256_loadu_ps(t->mask[i] + j), zero, _CMP_GT_OQ));
            if (t->residual[0]) x = _mm256_add_ps(x, _mm256_loadu_ps(t->residual[i] + j));
            if (t->relu) x = _mm256_max_ps(zero, x); /* x where it is not a number */
            _mm256_storeu_ps(t->out[i] + j, x);
        }
    }
}

VQ_TILE_AVX2 void vq_load_avx2(const vq_outer_tile *t, size_t at, __m256 sum[VQ_PLACES][2])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        sum[i][0] = _mm256_loadu_ps(t->c + i * t->c_step + at);
        sum[i][1] = _mm256_loadu_ps(t->c + i * t->c_step + at + 8);
    }
}

VQ_TILE_AVX2 void vq_store_avx2(const vq_outer_tile *t, size_t at, __m256 sum[VQ_PLACES][2])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        _mm256_storeu_ps(t->c + i * t->c_step + at, sum[i][0]);
        _mm256_storeu_ps(t->c + i * t->c_step + at + 8, sum[i][1]);
    }
}

#endif
