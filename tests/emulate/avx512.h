/* SPDX-License-Identifier: Apache-2.0
 * tests/emulate/avx512.h -- stands in for <immintrin.h> in the kernels for AVX-512 where they are
 * tested on a processor that has AVX2 alone: SIMDe's intrinsics, and here those that it lacks.
 *
 * Modelled is what each lane becomes, to the bit, rounding to nearest even as processors do by
 * default. Masked loads and stores touch no lane that their mask leaves out. Not modelled are
 * exceptions, faults of alignment, and time.
 *
 * The bf16 products are as Intel's manual defines VDPBF16PS (Software Developer's Manual, volume
 * 2): to each lane the product of the pair's high numbers is added by one fused multiply-add, then
 * that of its low numbers by another. Each rounds to nearest even, takes subnormal operands as
 * zeros, and gives a zero in place of a subnormal result. VCVTNEPS2BF16 rounds to nearest even,
 * takes subnormal numbers as zeros, and makes what is not a number quiet. Which of several such
 * operands of a product survives is not modelled. */
#ifndef VQ_TESTS_EMULATE_AVX512_H
#define VQ_TESTS_EMULATE_AVX512_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

#include <string.h>

/* A register, lane by lane. */
typedef union vq_lanes {
    __m512 all;
    __m512i whole;
    __m256 half[2];
    __m256i whole_half[2];
    float f[16];
    uint32_t u[16];
} vq_lanes;

static inline __m512 vq_emulate_maskz_loadu_ps(__mmask16 mask, const float *from)
{
    vq_lanes x;
    for (int i = 0; i < 16; i++) x.f[i] = mask >> i & 1 ? from[i] : 0.0f;
    return x.all;
}

static inline void vq_emulate_mask_storeu_ps(void *to, __mmask16 mask, __m512 from)
{
    const vq_lanes x = {.all = from};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy((float *)to + i, &x.u[i], sizeof x.u[i]);
}

static inline void vq_emulate_mask_storeu_epi32(void *to, __mmask16 mask, __m512i from)
{
    const vq_lanes x = {.whole = from};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) memcpy((char *)to + 4 * i, &x.u[i], 4);
}

static inline float vq_emulate_reduce_min_ps(__m512 from)
{
    /* Halves over halves, and the second operand where one is not a number. */
    vq_lanes x = {.all = from};
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++) x.f[i] = x.f[i] < x.f[i + half] ? x.f[i] : x.f[i + half];
    return x.f[0];
}

static inline int32_t vq_emulate_mask_reduce_min_epi32(__mmask16 mask, __m512i from)
{
    const vq_lanes x = {.whole = from};
    int32_t least = INT32_MAX;
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1 && (int32_t)x.u[i] < least) least = (int32_t)x.u[i];
    return least;
}

static inline int32_t vq_emulate_mask_reduce_max_epi32(__mmask16 mask, __m512i from)
{
    const vq_lanes x = {.whole = from};
    int32_t most = INT32_MIN;
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1 && (int32_t)x.u[i] > most) most = (int32_t)x.u[i];
    return most;
}

static inline __m512d vq_emulate_cvtps_pd(__m256 from)
{
    float x[8];
    double wide[8];
    __m512d to;
    memcpy(x, &from, sizeof x);
    for (int i = 0; i < 8; i++) wide[i] = (double)x[i];
    memcpy(&to, wide, sizeof to);
    return to;
}

static inline __m256 vq_emulate_cvtpd_ps(__m512d from)
{
    double wide[8];
    float x[8];
    __m256 to;
    memcpy(wide, &from, sizeof wide);
    for (int i = 0; i < 8; i++) x[i] = (float)wide[i];
    memcpy(&to, x, sizeof to);
    return to;
}

static inline __m256 vq_emulate_extractf32x8_ps(__m512 from, int half)
{
    const vq_lanes x = {.all = from};
    return x.half[half];
}

static inline __m512i vq_emulate_cvtepu16_epi32(__m256i from)
{
    uint16_t narrow[16];
    vq_lanes to;
    memcpy(narrow, &from, sizeof narrow);
    for (int i = 0; i < 16; i++) to.u[i] = narrow[i];
    return to.whole;
}

/* ---- bf16 -------------------------------------------------------------------------- */

static inline __m256i vq_emulate_cvtneps_pbh(__m512 from)
{
    const vq_lanes x = {.all = from};
    uint16_t narrow[16];
    __m256i to;
    for (int i = 0; i < 16; i++) {
        const uint32_t exponent = x.u[i] & 0x7f800000u, sign = x.u[i] & 0x80000000u;
        uint32_t bits = x.u[i];
        if (exponent == 0) bits = sign;
        else if (exponent == 0x7f800000u) bits |= bits & 0x7fffffu ? 0x400000u : 0;
        else bits += 0x7fffu + (bits >> 16 & 1);
        narrow[i] = (uint16_t)(bits >> 16);
    }
    memcpy(&to, narrow, sizeof to);
    return to;
}

static inline __m512i vq_emulate_cvtne2ps_pbh(__m512 upper, __m512 lower)
{
    const vq_lanes to = {
        .whole_half = {vq_emulate_cvtneps_pbh(lower), vq_emulate_cvtneps_pbh(upper)}};
    return to.whole;
}

/* Subnormal numbers become zeros of their sign. */
static inline __m256 vq_emulate_flush(__m256 x)
{
    const __m256i bits = _mm256_castps_si256(x), exponents = _mm256_set1_epi32(0x7f800000);
    const __m256i tiny =
        _mm256_cmpeq_epi32(_mm256_and_si256(bits, exponents), _mm256_setzero_si256());
    const __m256i lost = _mm256_and_si256(tiny, _mm256_set1_epi32(0x7fffff));
    return _mm256_castsi256_ps(_mm256_andnot_si256(lost, bits));
}

static inline __m256 vq_emulate_product(__m256i x, __m256i y, __m256 sum)
{
    const __m256 a = vq_emulate_flush(_mm256_castsi256_ps(x));
    const __m256 b = vq_emulate_flush(_mm256_castsi256_ps(y));
    return vq_emulate_flush(_mm256_fmadd_ps(a, b, vq_emulate_flush(sum)));
}

static inline __m512 vq_emulate_dpbf16_ps(__m512 start, __m512i x, __m512i y)
{
    const __m256i high = _mm256_set1_epi32((int)0xffff0000u);
    const vq_lanes a = {.whole = x}, b = {.whole = y};
    vq_lanes sum = {.all = start};
    for (int i = 0; i < 2; i++) {
        const __m256i a_half = a.whole_half[i], b_half = b.whole_half[i];
        sum.half[i] = vq_emulate_product(_mm256_and_si256(a_half, high),
                                         _mm256_and_si256(b_half, high), sum.half[i]);
        sum.half[i] = vq_emulate_product(_mm256_slli_epi32(a_half, 16),
                                         _mm256_slli_epi32(b_half, 16), sum.half[i]);
    }
    return sum.all;
}

/* ---- names ------------------------------------------------------------------------- */

#undef _mm512_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#undef _mm512_mask_storeu_epi32
#undef _mm512_reduce_min_ps
#undef _mm512_mask_reduce_min_epi32
#undef _mm512_mask_reduce_max_epi32
#undef _mm512_mask_cmp_ps_mask
#undef _mm512_cvtps_pd
#undef _mm512_cvtpd_ps
#undef _mm512_extractf32x8_ps
#undef _mm512_cvtepu16_epi32
#undef _mm512_cvtneps_pbh
#undef _mm512_cvtne2ps_pbh
#undef _mm512_dpbf16_ps
#define _mm512_maskz_loadu_ps vq_emulate_maskz_loadu_ps
#define _mm512_mask_storeu_ps vq_emulate_mask_storeu_ps
#define _mm512_mask_storeu_epi32 vq_emulate_mask_storeu_epi32
#define _mm512_reduce_min_ps vq_emulate_reduce_min_ps
#define _mm512_mask_reduce_min_epi32 vq_emulate_mask_reduce_min_epi32
#define _mm512_mask_reduce_max_epi32 vq_emulate_mask_reduce_max_epi32
#define _mm512_mask_cmp_ps_mask(mask, a, b, how)                                                   \
    ((__mmask16)((mask)&_mm512_cmp_ps_mask((a), (b), (how))))
#define _mm512_cvtps_pd vq_emulate_cvtps_pd
#define _mm512_cvtpd_ps vq_emulate_cvtpd_ps
#define _mm512_extractf32x8_ps vq_emulate_extractf32x8_ps
#define _mm512_cvtepu16_epi32 vq_emulate_cvtepu16_epi32
#define _mm512_cvtneps_pbh vq_emulate_cvtneps_pbh
#define _mm512_cvtne2ps_pbh vq_emulate_cvtne2ps_pbh
#define _mm512_dpbf16_ps(sum, x, y) vq_emulate_dpbf16_ps((sum), (__m512i)(x), (__m512i)(y))

#endif
