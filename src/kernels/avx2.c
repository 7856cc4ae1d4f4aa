/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx2.c -- the kernels for x86-64 with AVX2 and FMA. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
#include "kernels/avx2_tile.h"
#include "kernels/bf16.h"
#include "kernels/winograd.h"
#include "kernels/x86.h"
#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* 6 x 2 vectors keep twelve of the sixteen registers busy as sums. */
TARGET static void correlate_panel(const vq_correlate_tile *t, size_t at, const float *weights)
{
    __m256 sum[VQ_PLACES][2];
    vq_start_avx2(t, at, sum);
    for (size_t tap = 0; tap < t->taps; tap++) {
        const float *in[VQ_PLACES];
        VQ_UNROLL(6)
        for (size_t i = 0; i < VQ_PLACES; i++) in[i] = t->in[i] + tap * t->tap_step;
        const float *line = weights + tap * t->line_step;
        for (size_t q = 0; q < t->run; q++, line += VQ_PANEL) {
            const __m256 w0 = _mm256_loadu_ps(line), w1 = _mm256_loadu_ps(line + 8);
            VQ_UNROLL(6)
            for (size_t i = 0; i < VQ_PLACES; i++) {
                const __m256 number = _mm256_broadcast_ss(in[i] + q);
                sum[i][0] = _mm256_fmadd_ps(number, w0, sum[i][0]);
                sum[i][1] = _mm256_fmadd_ps(number, w1, sum[i][1]);
            }
        }
    }
    vq_finish_avx2(t, at, sum);
}

TARGET static void correlate(const vq_correlate_tile *t)
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
                const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
                VQ_UNROLL(6)
                for (size_t i = 0; i < VQ_PLACES; i++) {
                    const __m256 number = _mm256_broadcast_ss(a + i);
                    sum[i][0] = _mm256_fmadd_ps(number, b0, sum[i][0]);
                    sum[i][1] = _mm256_fmadd_ps(number, b1, sum[i][1]);
                }
            }
        }
    vq_store_avx2(t, at, sum);
}

TARGET static void outer(const vq_outer_tile *t)
{
    for (size_t panel = 0; panel < t->panels; panel++) outer_panel(t, panel * VQ_PANEL);
}

/* Joins the lanes of a search: the least value, of equal ones the lowest index. */
static void join_lanes(const float *value, const int32_t *index, float *best, int32_t *at)
{
    for (size_t i = 0; i < 8; i++) {
        if (value[i] < *best || (value[i] <= *best && index[i] < *at)) {
            *best = value[i];
            *at = index[i];
        }
    }
}

/* Lane by lane the least score so far and its index. Every lane starts from the caller's
 * best, whose index is the lowest. */
TARGET static void argmin(const float *dot, const float *half, size_t count, int32_t first,
                          float *best, int32_t *at)
{
    float lane_best[8];
    int32_t lane_at[8];
    __m256 least = _mm256_set1_ps(*best);
    __m256i where = _mm256_set1_epi32(*at);
    __m256i index =
        _mm256_add_epi32(_mm256_set1_epi32(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    size_t j = 0;
    for (; j + 8 <= count; j += 8) {
        const __m256 score = _mm256_sub_ps(_mm256_loadu_ps(half + j), _mm256_loadu_ps(dot + j));
        const __m256 less = _mm256_cmp_ps(score, least, _CMP_LT_OQ);
        where = _mm256_blendv_epi8(where, index, _mm256_castps_si256(less));
        least = _mm256_min_ps(score, least); /* `least` where the score is not a number */
        index = _mm256_add_epi32(index, _mm256_set1_epi32(8));
    }
    _mm256_storeu_ps(lane_best, least);
    _mm256_storeu_si256((__m256i *)lane_at, where);
    join_lanes(lane_best, lane_at, best, at);
    vq_kernels_portable.argmin(dot + j, half + j, count - j, first + (int32_t)j, best, at);
}

/* Panels of half width interleave four chains, enough to cover a good part of the latency while
 * the codes come from the cache. */
TARGET static void dots(size_t depth, const float *x, const float *codes, size_t panels, float *dot)
{
    for (size_t panel = 0; panel < panels; panel += 2, dot += 2 * VQ_CODE_PANEL) {
        /* The last of an odd number is taken twice. */
        const size_t next = panel + 1 < panels ? VQ_CODE_PANEL : 0;
        const float *code = codes + panel * VQ_CODE_PANEL * depth;
        __m256 sum[4];
        VQ_UNROLL(4)
        for (size_t i = 0; i < 4; i++) sum[i] = _mm256_setzero_ps();
        for (size_t p = 0; p < depth; p++, code += VQ_CODE_PANEL) {
            const __m256 line = _mm256_broadcast_ss(x + p);
            VQ_UNROLL(4)
            for (size_t i = 0; i < 4; i++)
                sum[i] =
                    _mm256_fmadd_ps(line, _mm256_loadu_ps(code + i / 2 * next * depth + i % 2 * 8),
                                    sum[i]);
        }
        VQ_UNROLL(4)
        for (size_t i = 0; i < 4; i++) _mm256_storeu_ps(dot + i / 2 * next + i % 2 * 8, sum[i]);
    }
}

TARGET static void halves(size_t depth, const float *codes, float *half)
{
    __m256d sum[4];
    VQ_UNROLL(4)
    for (size_t i = 0; i < 4; i++) sum[i] = _mm256_setzero_pd();
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        VQ_UNROLL(4)
        for (size_t i = 0; i < 4; i++) {
            const __m256d number = _mm256_cvtps_pd(_mm_loadu_ps(codes + 4 * i));
            sum[i] = _mm256_fmadd_pd(number, number, sum[i]);
        }
    }
    VQ_UNROLL(4)
    for (size_t i = 0; i < 4; i++)
        _mm_storeu_ps(half + 4 * i, _mm256_cvtpd_ps(_mm256_mul_pd(_mm256_set1_pd(0.5), sum[i])));
}

/* ---- search of a tile: 16 vectors in the lanes of two registers ----------------------------- */

/* Least scores so far and where they are. */
typedef struct found {
    __m256 least[2];
    __m256i where[2];
} found;

/* A quarter of a panel at a time: 4 codes by 16 vectors leave registers for what was found. */
enum { QUARTER = 4, QUARTERS = VQ_CODE_PANEL / QUARTER, LANES = 16 };

/* Lets chains of products go on for so many numbers. */
INLINE void add_products(size_t depth, const float *x, const float *codes, __m256 sum[QUARTER][2])
{
    for (size_t p = 0; p < depth; p++, x += LANES, codes += VQ_CODE_PANEL) {
        const __m256 x0 = _mm256_loadu_ps(x), x1 = _mm256_loadu_ps(x + 8);
        VQ_UNROLL(4)
        for (size_t j = 0; j < QUARTER; j++) {
            const __m256 number = _mm256_broadcast_ss(codes + j);
            sum[j][0] = _mm256_fmadd_ps(number, x0, sum[j][0]);
            sum[j][1] = _mm256_fmadd_ps(number, x1, sum[j][1]);
        }
    }
}

INLINE void start_chains(__m256 sum[QUARTER][2])
{
    VQ_UNROLL(4)
    for (size_t j = 0; j < QUARTER; j++) sum[j][0] = sum[j][1] = _mm256_setzero_ps();
}

INLINE void see_scores(__m256 sum[QUARTER][2], const float *half, int32_t first, found *f)
{
    VQ_UNROLL(4)
    for (size_t j = 0; j < QUARTER; j++) {
        const __m256 length = _mm256_broadcast_ss(half + j);
        const __m256i index = _mm256_set1_epi32(first + (int32_t)j);
        VQ_UNROLL(2)
        for (size_t v = 0; v < 2; v++) {
            const __m256 score = _mm256_sub_ps(length, sum[j][v]);
            const __m256 less = _mm256_cmp_ps(score, f->least[v], _CMP_LT_OQ);
            f->where[v] = _mm256_blendv_epi8(f->where[v], index, _mm256_castps_si256(less));
            f->least[v] = _mm256_min_ps(score, f->least[v]); /* the old one where not a number */
        }
    }
}

INLINE void search_plainly(size_t depth, const float *x, const float *codes, const float *half,
                           size_t count, int32_t first, found *f)
{
    for (size_t j = 0; j < count; j += QUARTER) {
        __m256 sum[QUARTER][2];
        start_chains(sum);
        add_products(depth, x,
                     codes + j / VQ_CODE_PANEL * VQ_CODE_PANEL * depth + j % VQ_CODE_PANEL, sum);
        see_scores(sum, half + j, first + (int32_t)j, f);
    }
}

/* Long vectors are taken some numbers at a time, so that those of a tile and of a panel stay in the
 * first-level cache while several panels are gone through. Their sums wait in memory. */
enum { STRETCH = 128, SHELF = 4 };

INLINE void search_long(size_t depth, const float *x, const float *codes, const float *half,
                        size_t count, int32_t first, found *f)
{
    const size_t quarters = (count + QUARTER - 1) / QUARTER, shelf = SHELF * QUARTERS;
    __m256 kept[SHELF * QUARTERS][QUARTER][2];
    for (size_t begin = 0; begin < quarters; begin += shelf) {
        const size_t end = begin + shelf < quarters ? begin + shelf : quarters;
        for (size_t q = begin; q < end; q++) start_chains(kept[q - begin]);
        for (size_t p = 0; p < depth; p += STRETCH) {
            const size_t left = depth - p;
            for (size_t q = begin; q < end; q++) {
                const float *panel = codes + q / QUARTERS * VQ_CODE_PANEL * depth;
                __m256 sum[QUARTER][2];
                memcpy(sum, kept[q - begin], sizeof sum);
                add_products(left < STRETCH ? left : STRETCH, x + p * LANES,
                             panel + p * VQ_CODE_PANEL + q % QUARTERS * QUARTER, sum);
                memcpy(kept[q - begin], sum, sizeof sum);
            }
        }
        for (size_t q = begin; q < end; q++)
            see_scores(kept[q - begin], half + q * QUARTER, first + (int32_t)(q * QUARTER), f);
    }
}

/* The first code of a panel whose score for a vector is `least`. */
TARGET static int32_t find_in_panel(size_t depth, const float *x, const float *codes,
                                    const float *half, float least)
{
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    int equal = 0;
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        const __m256 number = _mm256_broadcast_ss(x + p * LANES);
        sum[0] = _mm256_fmadd_ps(number, _mm256_loadu_ps(codes), sum[0]);
        sum[1] = _mm256_fmadd_ps(number, _mm256_loadu_ps(codes + 8), sum[1]);
    }
    VQ_UNROLL(2)
    for (int v = 0; v < 2; v++) {
        const __m256 score = _mm256_sub_ps(_mm256_loadu_ps(half + 8 * v), sum[v]);
        equal |= _mm256_movemask_ps(_mm256_cmp_ps(score, _mm256_set1_ps(least), _CMP_EQ_OQ))
                 << 8 * v;
    }
    return __builtin_ctz((unsigned)equal);
}

/* Where vectors are short, to see which code a score is of costs as much as the products. Here only
 * the panel is seen, and the code found in it at the end. */
INLINE void search_short(size_t depth, const float *x, const float *codes, const float *half,
                         size_t count, int32_t first, float *best, int32_t *at)
{
    int32_t panel_of[LANES];
    __m256 least[2] = {_mm256_loadu_ps(best), _mm256_loadu_ps(best + 8)};
    __m256i where[2] = {_mm256_set1_epi32(-1), _mm256_set1_epi32(-1)};
    for (size_t j = 0; j < count; j += VQ_CODE_PANEL) {
        const __m256 before[2] = {least[0], least[1]};
        for (size_t q = j; q < j + VQ_CODE_PANEL; q += QUARTER) {
            __m256 sum[QUARTER][2];
            start_chains(sum);
            add_products(depth, x, codes + j * depth + (q - j), sum);
            VQ_UNROLL(4)
            for (size_t i = 0; i < QUARTER; i++) {
                const __m256 length = _mm256_broadcast_ss(half + q + i);
                least[0] = _mm256_min_ps(_mm256_sub_ps(length, sum[i][0]), least[0]);
                least[1] = _mm256_min_ps(_mm256_sub_ps(length, sum[i][1]), least[1]);
            }
        }
        VQ_UNROLL(2)
        for (size_t v = 0; v < 2; v++) {
            const __m256 less = _mm256_cmp_ps(least[v], before[v], _CMP_LT_OQ);
            where[v] = _mm256_blendv_epi8(where[v], _mm256_set1_epi32((int32_t)j),
                                          _mm256_castps_si256(less));
        }
    }
    VQ_UNROLL(2)
    for (size_t v = 0; v < 2; v++) {
        _mm256_storeu_ps(best + 8 * v, least[v]);
        _mm256_storeu_si256((__m256i *)(panel_of + 8 * v), where[v]);
    }
    for (size_t i = 0; i < LANES; i++) {
        const size_t j = (size_t)panel_of[i];
        if (panel_of[i] >= 0)
            at[i] = first + panel_of[i] +
                    find_in_panel(depth, x + i, codes + j * depth, half + j, best[i]);
    }
}

TARGET static void search(size_t depth, const float *x, const float *codes, const float *half,
                          size_t count, int32_t first, float *best, int32_t *at)
{
    enum { SHORT = 16, MANY = 128 }; /* fewer codes do not repay the search in the panel */
    enum { LONG = 256 };             /* shorter ones fit the cache as they are */
    found f;
    if (depth <= SHORT && count >= MANY) {
        search_short(depth, x, codes, half, count, first, best, at);
        return;
    }
    VQ_UNROLL(2)
    for (size_t v = 0; v < 2; v++) {
        f.least[v] = _mm256_loadu_ps(best + 8 * v);
        f.where[v] = _mm256_loadu_si256((const __m256i *)(at + 8 * v));
    }
    if (depth > LONG) search_long(depth, x, codes, half, count, first, &f);
    else search_plainly(depth, x, codes, half, count, first, &f);
    VQ_UNROLL(2)
    for (size_t v = 0; v < 2; v++) {
        _mm256_storeu_ps(best + 8 * v, f.least[v]);
        _mm256_storeu_si256((__m256i *)(at + 8 * v), f.where[v]);
    }
}

/* Six vectors by the codes of a panel, which lie in the lanes. */
enum { TEAM = 6 };

TARGET static inline __attribute__((always_inline)) void score_team(size_t depth,
                                                                    const float *const x[TEAM],
                                                                    const float *codes,
                                                                    const float *half,
                                                                    __m256 score[TEAM][2])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < TEAM; i++) score[i][0] = score[i][1] = _mm256_setzero_ps();
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        const __m256 code0 = _mm256_loadu_ps(codes), code1 = _mm256_loadu_ps(codes + 8);
        VQ_UNROLL(6)
        for (size_t i = 0; i < TEAM; i++) {
            const __m256 number = _mm256_broadcast_ss(x[i] + p);
            score[i][0] = _mm256_fmadd_ps(number, code0, score[i][0]);
            score[i][1] = _mm256_fmadd_ps(number, code1, score[i][1]);
        }
    }
    /* The minimum of a score that is not a number is the second operand. */
    const __m256 most = _mm256_set1_ps(INFINITY);
    VQ_UNROLL(6)
    for (size_t i = 0; i < TEAM; i++) {
        VQ_UNROLL(2)
        for (size_t v = 0; v < 2; v++)
            score[i][v] =
                _mm256_min_ps(_mm256_sub_ps(_mm256_loadu_ps(half + 8 * v), score[i][v]), most);
    }
}

/* Minima of even and odd pairs of a and b: a, b, a, b in either half. */
TARGET static inline __m256 least_of_pairs(__m256 a, __m256 b)
{
    return _mm256_min_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
}

/* The least score of each vector of a team. */
TARGET static inline void least_of_team(__m256 score[TEAM][2], float least[8])
{
    __m256 m[TEAM];
    VQ_UNROLL(6)
    for (size_t i = 0; i < TEAM; i++) m[i] = _mm256_min_ps(score[i][0], score[i][1]);
    const __m256 a = least_of_pairs(m[0], m[1]), b = least_of_pairs(m[2], m[3]);
    const __m256 c = least_of_pairs(m[4], m[5]);
    const __m256 ab = _mm256_min_ps(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
    const __m256 cc = _mm256_min_ps(_mm256_shuffle_ps(c, c, 0x44), _mm256_shuffle_ps(c, c, 0xee));
    _mm256_storeu_ps(least, _mm256_min_ps(_mm256_permute2f128_ps(ab, cc, 0x20),
                                          _mm256_permute2f128_ps(ab, cc, 0x31)));
}

/* Moves a row's best on to the first code that has the least score of the panel. */
TARGET static inline void take_best(const vq_row_search *s, uint32_t row, float least,
                                    const __m256 score[2], int32_t first)
{
    const __m256 wanted = _mm256_set1_ps(least);
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(score[0], wanted, _CMP_EQ_OQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(score[1], wanted, _CMP_EQ_OQ));
    const int32_t at = first + __builtin_ctz((unsigned)(low | high << 8));
    if (least < s->best[row] || at < s->at[row]) {
        s->best[row] = least;
        s->at[row] = at;
    }
}

/* The last team is filled up with copies of its last vector. */
TARGET static void search_rows(const vq_row_search *s, const float *codes, const float *half,
                               int32_t first)
{
    for (size_t i = 0; i < s->count; i += TEAM) {
        const size_t left = s->count - i, count = left < TEAM ? left : TEAM;
        const float *x[TEAM];
        __m256 score[TEAM][2];
        float least[8];
        for (size_t j = 0; j < TEAM; j++)
            x[j] = s->x + s->rows[i + (j < count ? j : count - 1)] * s->depth;
        score_team(s->depth, x, codes, half, score);
        least_of_team(score, least);
        for (size_t j = 0; j < count; j++) {
            const uint32_t row = s->rows[i + j];
            if (least[j] <= s->best[row]) take_best(s, row, least[j], score[j], first);
        }
    }
}

TARGET static void adam(size_t count, const vq_adam_step *s, float *parameter,
                        const float *gradient, float *moment1, float *moment2, float *average)
{
    const __m256 take1 = _mm256_set1_ps(1.0f - s->decay1);
    const __m256 take2 = _mm256_set1_ps(1.0f - s->decay2);
    const __m256 sign = _mm256_set1_ps(-0.0f), normal = _mm256_set1_ps(FLT_MIN);
    const __m256 scale = _mm256_set1_ps(s->scale), l2 = _mm256_set1_ps(s->l2);
    const __m256 correction2 = _mm256_set1_ps(s->correction2);
    const __m256 epsilon = _mm256_set1_ps(s->epsilon), rate = _mm256_set1_ps(s->rate);
    const __m256 weight_decay = _mm256_set1_ps(s->weight_decay), follow = _mm256_set1_ps(s->follow);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 w = _mm256_loadu_ps(parameter + i);
        __m256 m = _mm256_loadu_ps(moment1 + i), v = _mm256_loadu_ps(moment2 + i);
        const __m256 g =
            _mm256_fmadd_ps(l2, w, _mm256_mul_ps(scale, _mm256_loadu_ps(gradient + i)));
        m = _mm256_fmadd_ps(take1, _mm256_sub_ps(g, m), m);
        m = _mm256_and_ps(m, _mm256_cmp_ps(_mm256_andnot_ps(sign, m), normal, _CMP_NLT_UQ));
        v = _mm256_fmadd_ps(take2, _mm256_fmsub_ps(g, g, v), v);
        const __m256 root = _mm256_fmadd_ps(_mm256_sqrt_ps(v), correction2, epsilon);
        const __m256 step = _mm256_div_ps(m, root);
        _mm256_storeu_ps(moment1 + i, m);
        _mm256_storeu_ps(moment2 + i, v);
        w = _mm256_fnmadd_ps(rate, step, _mm256_mul_ps(weight_decay, w));
        _mm256_storeu_ps(parameter + i, w);
        if (!average) continue;
        const __m256 before = _mm256_loadu_ps(average + i);
        _mm256_storeu_ps(average + i, _mm256_fmadd_ps(follow, _mm256_sub_ps(w, before), before));
    }
    vq_kernels_portable.adam(count - i, s, parameter + i, gradient + i, moment1 + i, moment2 + i,
                             average ? average + i : NULL);
}

/* Lanes 4v to 4v+3 of the sums are those of sum[v]. */
TARGET static double squares(size_t count, const float *x, const float *y, float scale, float *to)
{
    __m256d sum[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                      _mm256_setzero_pd()};
    double lane[VQ_SUM_LANES];
    size_t i = 0;
    for (; i + VQ_SUM_LANES <= count; i += VQ_SUM_LANES) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < 4; v++) {
            const __m128 a = _mm_loadu_ps(x + i + 4 * v);
            const __m128 b = y ? _mm_loadu_ps(y + i + 4 * v) : _mm_setzero_ps();
            const __m256d gap = _mm256_sub_pd(_mm256_cvtps_pd(a), _mm256_cvtps_pd(b));
            sum[v] = _mm256_fmadd_pd(gap, gap, sum[v]);
            if (to) _mm_storeu_ps(to + i + 4 * v, _mm_mul_ps(_mm_set1_ps(scale), _mm_sub_ps(a, b)));
        }
    }
    for (size_t v = 0; v < 4; v++) _mm256_storeu_pd(lane + 4 * v, sum[v]);
    for (size_t l = 0; i < count; i++, l++) {
        const double gap = (double)x[i] - (y ? (double)y[i] : 0.0);
        lane[l] = fma(gap, gap, lane[l]);
        if (to) to[i] = scale * (x[i] - (y ? y[i] : 0.0f));
    }
    return vq_sum_lanes(lane);
}

const vq_kernels vq_kernels_avx2 = {
    .name = "avx2",
    .search_lanes = LANES,
    .correlate_panels = 1,
    .correlate = correlate,
    .outer = outer,
    .bf16 = &vq_bf16_avx2,
    .pack = vq_pack_x86,
    .argmin = argmin,
    .dots = dots,
    .halves = halves,
    .search = search,
    .search_rows = search_rows,
    .screen_rows = vq_screen_rows_x86,
    .list_rows = vq_list_rows_x86,
    .adam = adam,
    .squares = squares,
    .winograd = vq_winograd_avx2,
};

#endif
