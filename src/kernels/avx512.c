/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx512.c -- the kernels for x86-64 with AVX-512 F, BW, DQ and VL. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
#include "kernels/avx512_tile.h"
#include "kernels/bf16.h"
#include "kernels/screening.h"
#include "kernels/winograd.h"
#include "kernels/x86.h"
#include <float.h>
#include <immintrin.h>
#include <math.h>

#define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE TARGET static inline __attribute__((always_inline))

static inline __mmask16 first_lanes(size_t count)
{
    return (__mmask16)(count >= 16 ? 0xffffu : (1u << count) - 1u);
}

/* `panels` (1 to 4) is a constant wherever this is used: 6 x 4 vectors keep 24 of the 32 registers
 * busy as sums. */
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
            __m512 w[VQ_PANELS_MAX];
            VQ_UNROLL(4)
            for (size_t v = 0; v < panels; v++) w[v] = _mm512_loadu_ps(line + v * t->panel_step);
            VQ_UNROLL(6)
            for (size_t i = 0; i < VQ_PLACES; i++) {
                const __m512 number = _mm512_set1_ps(in[i][q]);
                VQ_UNROLL(4)
                for (size_t v = 0; v < panels; v++)
                    sum[i][v] = _mm512_fmadd_ps(number, w[v], sum[i][v]);
            }
        }
    }
    vq_finish_avx512(t, panels, sum);
}

TARGET static void correlate(const vq_correlate_tile *t)
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
                __m512 line[VQ_PANELS_MAX];
                VQ_UNROLL(4)
                for (size_t v = 0; v < panels; v++) line[v] = _mm512_loadu_ps(b + 16 * v);
                VQ_UNROLL(6)
                for (size_t i = 0; i < VQ_PLACES; i++) {
                    const __m512 number = _mm512_set1_ps(a[i]);
                    VQ_UNROLL(4)
                    for (size_t v = 0; v < panels; v++)
                        sum[i][v] = _mm512_fmadd_ps(number, line[v], sum[i][v]);
                }
            }
        }
    vq_store_avx512(t, panels, sum);
}

TARGET static void outer(const vq_outer_tile *t)
{
    if (t->panels == 4) outer_panels(t, 4);
    else if (t->panels == 3) outer_panels(t, 3);
    else if (t->panels == 2) outer_panels(t, 2);
    else outer_panels(t, 1);
}

/* Least scores so far and their indices, lane by lane, and the indices that come next. */
typedef struct lanes {
    __m512 least;
    __m512i where, index;
} lanes;

TARGET static inline void see(lanes *l, const float *dot, const float *half, __mmask16 mask)
{
    const __m512 score =
        _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, half), _mm512_maskz_loadu_ps(mask, dot));
    const __mmask16 less = _mm512_mask_cmp_ps_mask(mask, score, l->least, _CMP_LT_OQ);
    l->where = _mm512_mask_mov_epi32(l->where, less, l->index);
    /* The minimum of a score that is not a number is the second operand. */
    l->least = _mm512_mask_min_ps(l->least, mask, score, l->least);
    l->index = _mm512_add_epi32(l->index, _mm512_set1_epi32(16));
}

/* Every lane starts from the caller's best, whose index is the lowest. */
TARGET static void argmin(const float *dot, const float *half, size_t count, int32_t first,
                          float *best, int32_t *at)
{
    const __m512i counting =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    lanes l = {
        .least = _mm512_set1_ps(*best),
        .where = _mm512_set1_epi32(*at),
        .index = _mm512_add_epi32(_mm512_set1_epi32(first), counting),
    };
    size_t j = 0;
    for (; j + 16 <= count; j += 16) see(&l, dot + j, half + j, 0xffff);
    if (j < count) see(&l, dot + j, half + j, first_lanes(count - j));
    *best = _mm512_reduce_min_ps(l.least);
    const __mmask16 equal = _mm512_cmp_ps_mask(l.least, _mm512_set1_ps(*best), _CMP_EQ_OQ);
    *at = _mm512_mask_reduce_min_epi32(equal, l.where);
}

/* Eight panels give as many chains as cover the latency. */
enum { CHAINS = 8 };

INLINE void dots_of(size_t depth, const float *x, const float *codes, size_t panels, float *dot)
{
    __m512 sum[CHAINS];
    VQ_UNROLL(8)
    for (size_t i = 0; i < panels; i++) sum[i] = _mm512_setzero_ps();
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        const __m512 line = _mm512_set1_ps(x[p]);
        VQ_UNROLL(8)
        for (size_t i = 0; i < panels; i++)
            sum[i] =
                _mm512_fmadd_ps(line, _mm512_loadu_ps(codes + i * VQ_CODE_PANEL * depth), sum[i]);
    }
    VQ_UNROLL(8)
    for (size_t i = 0; i < panels; i++) _mm512_storeu_ps(dot + i * VQ_CODE_PANEL, sum[i]);
}

TARGET static void dots(size_t depth, const float *x, const float *codes, size_t panels, float *dot)
{
    const size_t panel = VQ_CODE_PANEL * depth;
    for (; panels >= CHAINS; panels -= CHAINS, codes += CHAINS * panel) {
        dots_of(depth, x, codes, CHAINS, dot);
        dot += CHAINS * VQ_CODE_PANEL;
    }
    for (; panels > 0; panels--, codes += panel, dot += VQ_CODE_PANEL)
        dots_of(depth, x, codes, 1, dot);
}

TARGET static void halves(size_t depth, const float *codes, float *half)
{
    __m512d sum[2] = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        VQ_UNROLL(2)
        for (size_t i = 0; i < 2; i++) {
            const __m512d number = _mm512_cvtps_pd(_mm256_loadu_ps(codes + 8 * i));
            sum[i] = _mm512_fmadd_pd(number, number, sum[i]);
        }
    }
    VQ_UNROLL(2)
    for (size_t i = 0; i < 2; i++)
        _mm256_storeu_ps(half + 8 * i, _mm512_cvtpd_ps(_mm512_mul_pd(_mm512_set1_pd(0.5), sum[i])));
}

enum { LANES = 32 }; /* vectors of a search */

/* Half a panel, 8 codes, by `width` (1 or 2) registers of vectors. width is a constant where this
 * is used, and so is depth where it is small, so that the vectors stay in registers from one
 * panel to the next. */
INLINE void search_half(size_t depth, const float *x, size_t width, const float *codes,
                        const float *half, __m512i index, __m512 least[2], __m512i where[2])
{
    __m512 sum[8][2];
    VQ_UNROLL(8)
    for (size_t j = 0; j < 8; j++) sum[j][0] = sum[j][1] = _mm512_setzero_ps();
    for (size_t p = 0; p < depth; p++) {
        __m512 numbers[2];
        VQ_UNROLL(2)
        for (size_t v = 0; v < width; v++) numbers[v] = _mm512_loadu_ps(x + (p * width + v) * 16);
        VQ_UNROLL(8)
        for (size_t j = 0; j < 8; j++) {
            const __m512 number = _mm512_set1_ps(codes[p * VQ_CODE_PANEL + j]);
            VQ_UNROLL(2)
            for (size_t v = 0; v < width; v++)
                sum[j][v] = _mm512_fmadd_ps(number, numbers[v], sum[j][v]);
        }
    }
    VQ_UNROLL(8)
    for (size_t j = 0; j < 8; j++) {
        VQ_UNROLL(2)
        for (size_t v = 0; v < width; v++) {
            const __m512 score = _mm512_sub_ps(_mm512_set1_ps(half[j]), sum[j][v]);
            const __mmask16 less = _mm512_cmp_ps_mask(score, least[v], _CMP_LT_OQ);
            where[v] = _mm512_mask_mov_epi32(where[v], less, index);
            least[v] = _mm512_min_ps(score, least[v]); /* the old one where not a number */
        }
        index = _mm512_add_epi32(index, _mm512_set1_epi32(1));
    }
}

INLINE void search_any(size_t depth, const float *x, size_t width, const float *codes,
                       const float *half, size_t count, int32_t first, float *best, int32_t *at)
{
    __m512 least[2];
    __m512i where[2], index = _mm512_set1_epi32(first);
    VQ_UNROLL(2)
    for (size_t v = 0; v < width; v++) {
        least[v] = _mm512_loadu_ps(best + 16 * v);
        where[v] = _mm512_loadu_si512(at + 16 * v);
    }
    for (size_t j = 0; j < count; j += 8) {
        search_half(depth, x, width,
                    codes + j / VQ_CODE_PANEL * VQ_CODE_PANEL * depth + j % VQ_CODE_PANEL, half + j,
                    index, least, where);
        index = _mm512_add_epi32(index, _mm512_set1_epi32(8));
    }
    VQ_UNROLL(2)
    for (size_t v = 0; v < width; v++) {
        _mm512_storeu_ps(best + 16 * v, least[v]);
        _mm512_storeu_si512(at + 16 * v, where[v]);
    }
}

TARGET static void search(size_t depth, const float *x, const float *codes, const float *half,
                          size_t count, int32_t first, float *best, int32_t *at)
{
    switch (depth) {
    case 1: search_any(1, x, 2, codes, half, count, first, best, at); break;
    case 2: search_any(2, x, 2, codes, half, count, first, best, at); break;
    case 3: search_any(3, x, 2, codes, half, count, first, best, at); break;
    case 4: search_any(4, x, 2, codes, half, count, first, best, at); break;
    case 8: search_any(8, x, 2, codes, half, count, first, best, at); break;
    default: search_any(depth, x, 2, codes, half, count, first, best, at);
    }
}

TARGET static void search_narrow(size_t depth, const float *x, const float *codes,
                                 const float *half, size_t count, int32_t first, float *best,
                                 int32_t *at)
{
    search_any(depth, x, 1, codes, half, count, first, best, at);
}

/* Twelve vectors by the codes of a panel, which lie in the lanes. */
enum { TEAM = 12 };

INLINE void score_team(size_t depth, const float *const x[TEAM], const float *codes,
                       const float *half, __m512 score[TEAM])
{
    VQ_UNROLL(12)
    for (size_t i = 0; i < TEAM; i++) score[i] = _mm512_setzero_ps();
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        const __m512 numbers = _mm512_loadu_ps(codes);
        VQ_UNROLL(12)
        for (size_t i = 0; i < TEAM; i++)
            score[i] = _mm512_fmadd_ps(_mm512_set1_ps(x[i][p]), numbers, score[i]);
    }
    /* The minimum of a score that is not a number is the second operand. */
    VQ_UNROLL(12)
    for (size_t i = 0; i < TEAM; i++)
        score[i] =
            _mm512_min_ps(_mm512_sub_ps(_mm512_loadu_ps(half), score[i]), _mm512_set1_ps(INFINITY));
}

/* The last team is filled up with copies of its last vector. */
TARGET static void search_rows(const vq_row_search *s, const float *codes, const float *half,
                               int32_t first)
{
    for (size_t i = 0; i < s->count; i += TEAM) {
        const size_t left = s->count - i, count = left < TEAM ? left : TEAM;
        const float *x[TEAM];
        __m512 score[TEAM];
        for (size_t j = 0; j < TEAM; j++)
            x[j] = s->x + s->rows[i + (j < count ? j : count - 1)] * s->depth;
        score_team(s->depth, x, codes, half, score);
        for (size_t j = 0; j < count; j++) {
            const uint32_t row = s->rows[i + j];
            const float least = _mm512_reduce_min_ps(score[j]);
            if (!(least <= s->best[row])) continue;
            const __mmask16 equal = _mm512_cmp_ps_mask(score[j], _mm512_set1_ps(least), _CMP_EQ_OQ);
            const int32_t at = first + __builtin_ctz((unsigned)equal);
            if (!(least < s->best[row] || at < s->at[row])) continue;
            s->best[row] = least;
            s->at[row] = at;
        }
    }
}

TARGET static void adam(size_t count, const vq_adam_step *s, float *parameter,
                        const float *gradient, float *moment1, float *moment2, float *average)
{
    const __m512 take1 = _mm512_set1_ps(1.0f - s->decay1);
    const __m512 take2 = _mm512_set1_ps(1.0f - s->decay2);
    const __m512 normal = _mm512_set1_ps(FLT_MIN);
    const __m512 scale = _mm512_set1_ps(s->scale), l2 = _mm512_set1_ps(s->l2);
    const __m512 correction2 = _mm512_set1_ps(s->correction2);
    const __m512 epsilon = _mm512_set1_ps(s->epsilon), rate = _mm512_set1_ps(s->rate);
    const __m512 weight_decay = _mm512_set1_ps(s->weight_decay), follow = _mm512_set1_ps(s->follow);
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 mask = first_lanes(count - i);
        __m512 w = _mm512_maskz_loadu_ps(mask, parameter + i);
        const __m512 gradients = _mm512_maskz_loadu_ps(mask, gradient + i);
        __m512 m = _mm512_maskz_loadu_ps(mask, moment1 + i);
        __m512 v = _mm512_maskz_loadu_ps(mask, moment2 + i);
        const __m512 g = _mm512_fmadd_ps(l2, w, _mm512_mul_ps(scale, gradients));
        m = _mm512_fmadd_ps(take1, _mm512_sub_ps(g, m), m);
        m = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(_mm512_abs_ps(m), normal, _CMP_NLT_UQ), m);
        v = _mm512_fmadd_ps(take2, _mm512_fmsub_ps(g, g, v), v);
        const __m512 root = _mm512_fmadd_ps(_mm512_sqrt_ps(v), correction2, epsilon);
        const __m512 step = _mm512_div_ps(m, root);
        _mm512_mask_storeu_ps(moment1 + i, mask, m);
        _mm512_mask_storeu_ps(moment2 + i, mask, v);
        w = _mm512_fnmadd_ps(rate, step, _mm512_mul_ps(weight_decay, w));
        _mm512_mask_storeu_ps(parameter + i, mask, w);
        if (!average) continue;
        const __m512 before = _mm512_maskz_loadu_ps(mask, average + i);
        _mm512_mask_storeu_ps(average + i, mask,
                              _mm512_fmadd_ps(follow, _mm512_sub_ps(w, before), before));
    }
}

INLINE __m512d square_gaps(__m256 x, __m256 y, __m512d sum)
{
    const __m512d gap = _mm512_sub_pd(_mm512_cvtps_pd(x), _mm512_cvtps_pd(y));
    return _mm512_fmadd_pd(gap, gap, sum);
}

/* What a mask leaves out is 0, as is its square. */
TARGET static double squares(size_t count, const float *x, const float *y, float scale, float *to)
{
    __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
    double lane[VQ_SUM_LANES];
    for (size_t i = 0; i < count; i += VQ_SUM_LANES) {
        const __mmask16 mask = first_lanes(count - i);
        const __m512 a = _mm512_maskz_loadu_ps(mask, x + i);
        const __m512 b = y ? _mm512_maskz_loadu_ps(mask, y + i) : _mm512_setzero_ps();
        low = square_gaps(_mm512_castps512_ps256(a), _mm512_castps512_ps256(b), low);
        high = square_gaps(_mm512_extractf32x8_ps(a, 1), _mm512_extractf32x8_ps(b, 1), high);
        if (to)
            _mm512_mask_storeu_ps(to + i, mask,
                                  _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_sub_ps(a, b)));
    }
    _mm512_storeu_pd(lane, low);
    _mm512_storeu_pd(lane + 8, high);
    return vq_sum_lanes(lane);
}

/* What every processor with these instructions runs; some have products of bf16 besides. */
#define KERNELS                                                                                    \
    .search_lanes = LANES, .correlate_panels = VQ_PANELS_MAX, .correlate = correlate,              \
    .outer = outer, .pack = vq_pack_x86, .argmin = argmin, .dots = dots, .halves = halves,         \
    .search = search, .search_narrow = search_narrow, .search_rows = search_rows,                  \
    .screen_rows = vq_screen_rows_x86, .list_rows = vq_list_rows_x86, .adam = adam,                \
    .squares = squares, .winograd = vq_winograd_avx512

const vq_kernels vq_kernels_avx512 = {.name = "avx512", KERNELS, .bf16 = &vq_bf16_avx2};
const vq_kernels vq_kernels_avx512bf16 = {
    .name = "avx512bf16", KERNELS, .bf16 = &vq_bf16_avx512, .screening = &vq_screening_avx512};
const vq_kernels vq_kernels_amx = {
    .name = "amx", KERNELS, .bf16 = &vq_bf16_amx, .screening = &vq_screening_amx};

#endif
