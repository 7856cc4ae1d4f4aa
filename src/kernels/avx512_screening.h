/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx512_screening.h -- what the ways of screening on processors with AVX-512 share: all
 * but the products. */
#ifndef VQ_KERNELS_AVX512_SCREENING_H
#define VQ_KERNELS_AVX512_SCREENING_H

#include "kernels/screening.h"
#include "kernels/unroll.h"
#include <immintrin.h>

#define VQ_SCREENING                                                                               \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,popcnt")))

enum { VQ_SCREENING_LANES = 32 };

/** A vq_screen_pack_fn for any number of words. */
void vq_screen_round_avx512(size_t depth, size_t words, size_t width, const float *from,
                            uint32_t *to, float *length, float *gap);
vq_screen_pass_fn vq_screen_pass_avx512;
vq_screen_again_fn vq_screen_again_avx512;

/** What vq_screen_fn makes of the least score of a group. */
VQ_SCREENING static inline __attribute__((always_inline)) void vq_screen_bound(
    const vq_screen_tile *x, const vq_screen_group *group, const __m512 least[2], float *low,
    __m512 limit[2])
{
    VQ_UNROLL(2)
    for (size_t v = 0; v < 2; v++) {
        const __m512 gap = _mm512_loadu_ps(x->gap + 16 * v);
        const __m512 length = _mm512_loadu_ps(x->length + 16 * v);
        __m512 bound = _mm512_set1_ps(group->fixed);
        bound = _mm512_fmadd_ps(length, _mm512_set1_ps(group->gap), bound);
        bound = _mm512_fmadd_ps(gap, _mm512_set1_ps(group->length), bound);
        limit[v] = _mm512_min_ps(_mm512_add_ps(least[v], bound), limit[v]);
        _mm512_storeu_ps(low + 16 * v, _mm512_sub_ps(least[v], bound));
    }
}

#endif
