/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx512_screening.c -- screening (screening.h) with the bf16 products of AVX-512. */
#include "kernels/screening.h"

#if defined(__x86_64__)
#include "kernels/avx512_screening.h"
#include "kernels/x86.h"

#define TARGET VQ_SCREENING
#define INLINE VQ_SCREENING static inline __attribute__((always_inline))

enum { LANES = VQ_SCREENING_LANES, HALF = 8 };

/* Beyond this length products might overflow; see screening.h. */
static const float longest = 0x1p60f;

/* ---- rounding ----------------------------------------------------------------- */

typedef struct measure {
    __m512 squares, gaps; /* of the rounded numbers, of what rounding took */
} measure;

/* One number of 16 columns as bf16 in the high halves of its lanes. Subnormal numbers become
 * zero, as the products take them. */
INLINE __m512i round_numbers(__m512 number, measure *m)
{
    const __m256i half = (__m256i)_mm512_cvtneps_pbh(number);
    const __m512i rounded = _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
    const __m512 kept = _mm512_castsi512_ps(rounded);
    const __m512 lost = _mm512_sub_ps(number, kept); /* exact: what is lost has fewer bits */
    m->squares = _mm512_fmadd_ps(kept, kept, m->squares);
    m->gaps = _mm512_fmadd_ps(lost, lost, m->gaps);
    return rounded;
}

/* Lengths are rounded up: a sum of `depth` squares and its root are off by less than half of
 * what is added, and squares that underflow by less than 2^-60 in all. |x| <= |x~| + |x - x~|. */
INLINE void store_bounds(size_t depth, const measure *m, float *length, float *gap)
{
    const __m512 up = _mm512_set1_ps(1.0f + (float)(depth + 8) * 0x1p-23f);
    const __m512 small = _mm512_set1_ps(0x1p-60f);
    const __m512 kappa = _mm512_set1_ps((float)(depth + 8) * 0x1p-22f);
    const __m512 kept = _mm512_fmadd_ps(_mm512_sqrt_ps(m->squares), up, small);
    const __m512 lost = _mm512_fmadd_ps(_mm512_sqrt_ps(m->gaps), up, small);
    const __m512 bound = _mm512_fmadd_ps(kappa, _mm512_add_ps(kept, lost), lost);
    const __mmask16 sure = _mm512_cmp_ps_mask(kept, _mm512_set1_ps(longest), _CMP_LT_OQ);
    const __m512 infinite = _mm512_set1_ps(__builtin_inff());
    _mm512_storeu_ps(length, kept);
    _mm512_storeu_ps(gap, _mm512_mask_mov_ps(infinite, sure, _mm512_mul_ps(bound, up)));
}

TARGET void vq_screen_round_avx512(size_t depth, size_t words, size_t width, const float *from,
                                   uint32_t *to, float *length, float *gap)
{
    const size_t pairs = depth / 2 + depth % 2;
    for (size_t i = 0; i < width; i += 16) {
        measure m = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        for (size_t p = 0; p < depth; p += 2) {
            const __m512i low = round_numbers(_mm512_loadu_ps(from + p * width + i), &m);
            const __m512i high =
                p + 1 < depth ? round_numbers(_mm512_loadu_ps(from + (p + 1) * width + i), &m)
                              : _mm512_setzero_si512();
            _mm512_storeu_si512(to + p / 2 * width + i,
                                _mm512_or_si512(_mm512_srli_epi32(low, 16), high));
        }
        for (size_t p = pairs; p < words; p++)
            _mm512_storeu_si512(to + p * width + i, _mm512_setzero_si512());
        store_bounds(depth, &m, length + i, gap + i);
    }
}

/* No more words than hold the numbers. */
static size_t words_of(size_t depth)
{
    return depth / 2 + depth % 2;
}

static void pack(size_t depth, size_t width, const float *from, uint32_t *to, float *length,
                 float *gap)
{
    vq_screen_round_avx512(depth, words_of(depth), width, from, to, length, gap);
}

static void pack_codes(size_t depth, const float *from, uint32_t *to, float *length, float *gap)
{
    pack(depth, VQ_CODE_PANEL, from, to, length, gap);
}

/* ---- scores -------------------------------------------------------------------- */

/* The least scores of half a group, continued in `least`. */
INLINE void score_half(size_t words, const uint32_t *x, const uint32_t *codes, const float *half,
                       __m512 least[2])
{
    __m512 sum[HALF][2];
    VQ_UNROLL(8)
    for (size_t j = 0; j < HALF; j++) sum[j][0] = sum[j][1] = _mm512_setzero_ps();
    for (size_t p = 0; p < words; p++, x += LANES, codes += VQ_CODE_PANEL) {
        const __m512bh x0 = (__m512bh)_mm512_loadu_si512(x);
        const __m512bh x1 = (__m512bh)_mm512_loadu_si512(x + 16);
        VQ_UNROLL(8)
        for (size_t j = 0; j < HALF; j++) {
            const __m512bh pair = (__m512bh)_mm512_set1_epi32((int32_t)codes[j]);
            sum[j][0] = _mm512_dpbf16_ps(sum[j][0], x0, pair);
            sum[j][1] = _mm512_dpbf16_ps(sum[j][1], x1, pair);
        }
    }
    VQ_UNROLL(8)
    for (size_t j = 0; j < HALF; j++) {
        VQ_UNROLL(2)
        for (size_t v = 0; v < 2; v++)
            least[v] = _mm512_min_ps(_mm512_sub_ps(_mm512_set1_ps(half[j]), sum[j][v]), least[v]);
    }
}

TARGET static void screen(size_t words, const vq_screen_tile *x, const uint32_t *codes,
                          const float *half, const vq_screen_group *groups, size_t count,
                          float *low, float *threshold)
{
    const __m512 infinite = _mm512_set1_ps(__builtin_inff());
    __m512 limit[2] = {_mm512_loadu_ps(threshold), _mm512_loadu_ps(threshold + 16)};
    for (size_t g = 0; g < count; g++, half += VQ_CODE_PANEL, low += LANES) {
        __m512 least[2] = {infinite, infinite};
        score_half(words, x->pairs, codes, half, least);
        score_half(words, x->pairs, codes + HALF, half + HALF, least);
        codes += words * VQ_CODE_PANEL;
        vq_screen_bound(x, groups + g, least, low, limit);
    }
    _mm512_storeu_ps(threshold, limit[0]);
    _mm512_storeu_ps(threshold + 16, limit[1]);
}

TARGET size_t vq_screen_pass_avx512(size_t count, const float *low, const float *threshold,
                                    uint32_t *mask)
{
    const __m512 limit0 = _mm512_loadu_ps(threshold), limit1 = _mm512_loadu_ps(threshold + 16);
    size_t passed = 0;
    for (size_t g = 0; g < count; g++, low += LANES) {
        /* Not greater: what is not a number passes. */
        const uint32_t bits0 = _mm512_cmp_ps_mask(_mm512_loadu_ps(low), limit0, _CMP_NGT_UQ);
        const uint32_t bits1 = _mm512_cmp_ps_mask(_mm512_loadu_ps(low + 16), limit1, _CMP_NGT_UQ);
        mask[g] = bits0 | bits1 << 16;
        passed += (size_t)__builtin_popcount(mask[g]);
    }
    return passed;
}

/* ---- scoring again ------------------------------------------------------------- */

/* Groups that are scored side by side, to cover the latency. The addresses of more would not stay
 * in registers, which costs more than it covers. */
enum { TOGETHER = 6 };

typedef struct waiting {
    size_t count;
    size_t group[TOGETHER], lane[TOGETHER];
} waiting;

typedef struct again_job {
    size_t depth;
    const float *x, *codes, *half;
    int32_t first;
    float *best;
    int32_t *at;
} again_job;

/* Scores a group for a vector and keeps the least if it is less; groups of a vector come in the
 * order of the codes. */
INLINE void settle(const again_job *job, size_t group, size_t lane, __m512 dot)
{
    const __m512 score = _mm512_sub_ps(_mm512_loadu_ps(job->half + group * VQ_CODE_PANEL), dot);
    const __m512 best = _mm512_set1_ps(job->best[lane]);
    if (_mm512_cmp_ps_mask(score, best, _CMP_LT_OQ) == 0) return;
    const float least = _mm512_reduce_min_ps(_mm512_min_ps(score, best));
    const uint32_t equal = _mm512_cmp_ps_mask(score, _mm512_set1_ps(least), _CMP_EQ_OQ);
    job->best[lane] = least;
    job->at[lane] = job->first + (int32_t)(group * VQ_CODE_PANEL) + (int32_t)__builtin_ctz(equal);
}

INLINE void score_waiting(const again_job *job, const waiting *w, size_t count)
{
    __m512 sum[TOGETHER];
    const float *x[TOGETHER], *codes[TOGETHER];
    VQ_UNROLL(6)
    for (size_t i = 0; i < count; i++) {
        sum[i] = _mm512_setzero_ps();
        x[i] = job->x + w->lane[i];
        codes[i] = job->codes + w->group[i] * VQ_CODE_PANEL * job->depth;
    }
    for (size_t p = 0; p < job->depth; p++) {
        VQ_UNROLL(6)
        for (size_t i = 0; i < count; i++)
            sum[i] = _mm512_fmadd_ps(_mm512_set1_ps(x[i][p * LANES]),
                                     _mm512_loadu_ps(codes[i] + p * VQ_CODE_PANEL), sum[i]);
    }
    VQ_UNROLL(6)
    for (size_t i = 0; i < count; i++) settle(job, w->group[i], w->lane[i], sum[i]);
}

TARGET void vq_screen_again_avx512(size_t depth, const float *x, const float *codes,
                                   const float *half, size_t count, const uint32_t *mask,
                                   int32_t first, float *best, int32_t *at)
{
    const again_job job = {depth, x, codes, half, first, best, at};
    waiting w = {0};
    for (size_t g = 0; g < count; g++)
        for (uint32_t lanes = mask[g]; lanes != 0; lanes &= lanes - 1) {
            w.group[w.count] = g;
            w.lane[w.count++] = (size_t)__builtin_ctz(lanes);
            if (w.count < TOGETHER) continue;
            score_waiting(&job, &w, TOGETHER);
            w.count = 0;
        }
    for (size_t i = 0; i < w.count; i++) {
        const waiting one = {1, {w.group[i]}, {w.lane[i]}};
        score_waiting(&job, &one, 1);
    }
}

/* Elsewhere rounding the vectors and scoring survivors again eat up what the products save. With
 * fewer than 3 numbers neighbouring codes are so near that most pass; fewer vectors do not repay
 * what rounding the codes costs. */
static const vq_screen_sizes pays[] = {{3, 256, 64}, {8, 128, 64}, {0}};

const vq_screening vq_screening_avx512 = {
    false, pays, words_of, pack, pack_codes, screen, vq_screen_pass_avx512, vq_screen_again_avx512};

#endif
