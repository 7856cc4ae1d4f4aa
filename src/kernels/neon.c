/* SPDX-License-Identifier: Apache-2.0
 * kernels/neon.c -- the kernels for 64-bit ARM, whose every processor has these instructions. */
#include "kernels/bf16.h"
#include "kernels/kernels.h"

#if defined(__aarch64__)
#include "kernels/unroll.h"
#include "kernels/winograd.h"
#include <arm_neon.h>
#include <float.h>
#include <math.h>

enum { QUARTERS = VQ_PANEL / 4 }; /* vectors of a panel */

/* 6 x 4 vectors keep 24 of the 32 registers busy as sums. */
static void correlate_panel(const vq_correlate_tile *t, size_t at, const float *weights)
{
    float32x4_t sum[VQ_PLACES][QUARTERS];
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < QUARTERS; v++) sum[i][v] = vld1q_f32(t->start[i] + at + 4 * v);
    }
    for (size_t tap = 0; tap < t->taps; tap++) {
        const float *in[VQ_PLACES];
        VQ_UNROLL(6)
        for (size_t i = 0; i < VQ_PLACES; i++) in[i] = t->in[i] + tap * t->tap_step;
        const float *line = weights + tap * t->line_step;
        for (size_t q = 0; q < t->run; q++, line += VQ_PANEL) {
            float32x4_t w[QUARTERS];
            VQ_UNROLL(4)
            for (size_t v = 0; v < QUARTERS; v++) w[v] = vld1q_f32(line + 4 * v);
            VQ_UNROLL(6)
            for (size_t i = 0; i < VQ_PLACES; i++) {
                const float32x4_t number = vld1q_dup_f32(in[i] + q);
                VQ_UNROLL(4)
                for (size_t v = 0; v < QUARTERS; v++)
                    sum[i][v] = vfmaq_f32(sum[i][v], number, w[v]);
            }
        }
    }
    const float32x4_t zero = vdupq_n_f32(0.0f);
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < QUARTERS; v++) {
            const size_t j = at + 4 * v;
            float32x4_t x = sum[i][v];
            if (t->mask[0]) x = vbslq_f32(vcgtq_f32(vld1q_f32(t->mask[i] + j), zero), x, zero);
            if (t->residual[0]) x = vaddq_f32(x, vld1q_f32(t->residual[i] + j));
            if (t->relu) x = vbslq_f32(vcltq_f32(x, zero), zero, x);
            vst1q_f32(t->out[i] + j, x);
        }
    }
}

static void correlate(const vq_correlate_tile *t)
{
    for (size_t panel = 0; panel < t->panels; panel++)
        correlate_panel(t, panel * VQ_PANEL, t->weights + panel * t->panel_step);
}

static void outer_panel(const vq_outer_tile *t, size_t at)
{
    float32x4_t sum[VQ_PLACES][QUARTERS];
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < QUARTERS; v++)
            sum[i][v] = vld1q_f32(t->c + i * t->c_step + at + 4 * v);
    }
    for (size_t n = 0; n < t->count[0]; n++)
        for (size_t y = 0; y < t->count[1]; y++) {
            const float *a = t->a + n * t->a_step[0] + y * t->a_step[1];
            const float *b = t->b + n * t->b_step[0] + y * t->b_step[1] + at;
            for (size_t x = 0; x < t->count[2]; x++, a += t->a_step[2], b += t->b_step[2]) {
                float32x4_t line[QUARTERS];
                VQ_UNROLL(4)
                for (size_t v = 0; v < QUARTERS; v++) line[v] = vld1q_f32(b + 4 * v);
                VQ_UNROLL(6)
                for (size_t i = 0; i < VQ_PLACES; i++) {
                    const float32x4_t number = vld1q_dup_f32(a + i);
                    VQ_UNROLL(4)
                    for (size_t v = 0; v < QUARTERS; v++)
                        sum[i][v] = vfmaq_f32(sum[i][v], number, line[v]);
                }
            }
        }
    VQ_UNROLL(6)
    for (size_t i = 0; i < VQ_PLACES; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < QUARTERS; v++)
            vst1q_f32(t->c + i * t->c_step + at + 4 * v, sum[i][v]);
    }
}

static void outer(const vq_outer_tile *t)
{
    for (size_t panel = 0; panel < t->panels; panel++) outer_panel(t, panel * VQ_PANEL);
}

/* ---- packing -------------------------------------------------------------------- */

/* Rows of a 4 x 4 block become columns: pairs, then halves. */
static inline void transpose4(float32x4_t r[4])
{
    const float32x4_t t0 = vtrn1q_f32(r[0], r[1]), t1 = vtrn2q_f32(r[0], r[1]);
    const float32x4_t t2 = vtrn1q_f32(r[2], r[3]), t3 = vtrn2q_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(t0), vget_low_f32(t2));
    r[1] = vcombine_f32(vget_low_f32(t1), vget_low_f32(t3));
    r[2] = vcombine_f32(vget_high_f32(t0), vget_high_f32(t2));
    r[3] = vcombine_f32(vget_high_f32(t1), vget_high_f32(t3));
}

/* Lines one after another, in blocks of four numbers of four lines; returns how many numbers of
 * every line it packed. */
static size_t pack_across(const vq_panel *s, size_t width, float *to)
{
    size_t p = 0;
    if (width % 4) return 0;
    for (; p + 4 <= s->depth; p += 4) {
        const float32x4_t shift = s->shift ? vld1q_f32(s->shift + p) : vdupq_n_f32(0.0f);
        for (size_t lane = 0; lane < width; lane += 4) {
            float32x4_t r[4];
            VQ_UNROLL(4)
            for (size_t i = 0; i < 4; i++) {
                r[i] = vdupq_n_f32(0.0f);
                if (lane + i < s->lanes)
                    r[i] = vsubq_f32(vld1q_f32(s->from + (lane + i) * s->lane_step + p), shift);
            }
            transpose4(r);
            VQ_UNROLL(4)
            for (size_t i = 0; i < 4; i++) vst1q_f32(to + (p + i) * width + lane, r[i]);
        }
    }
    return p;
}

/* Every other way of lying, and the ends, are left to the specification, whose inner loop over
 * lines side by side the compiler makes into vectors. */
static void pack(const vq_panel *panel, size_t width, float *to)
{
    vq_panel rest = *panel;
    const size_t done = panel->depth_step == 1 ? pack_across(panel, width, to) : 0;
    rest.from += done;
    rest.depth -= done;
    if (rest.shift) rest.shift += done;
    vq_kernels_portable.pack(&rest, width, to + done * width);
}

/* ---- searching ------------------------------------------------------------------- */

/* The least scores so far and where they are, lane by lane. A score that is not a number is less
 * than none. */
typedef struct found {
    float32x4_t least;
    uint32x4_t where;
} found;

static inline void see(found *f, float32x4_t score, uint32x4_t index)
{
    const uint32x4_t less = vcltq_f32(score, f->least);
    f->least = vbslq_f32(less, score, f->least);
    f->where = vbslq_u32(less, index, f->where);
}

/* Joins the lanes: the least value, of equal ones the lowest index. Every lane starts from the
 * caller's best, whose index is the lowest. */
static void argmin(const float *dot, const float *half, size_t count, int32_t first, float *best,
                   int32_t *at)
{
    static const uint32_t counting[4] = {0, 1, 2, 3};
    found f = {vdupq_n_f32(*best), vdupq_n_u32((uint32_t)*at)};
    uint32x4_t index = vaddq_u32(vdupq_n_u32((uint32_t)first), vld1q_u32(counting));
    size_t j = 0;
    for (; j + 4 <= count; j += 4) {
        see(&f, vsubq_f32(vld1q_f32(half + j), vld1q_f32(dot + j)), index);
        index = vaddq_u32(index, vdupq_n_u32(4));
    }
    for (int i = 0; i < 4; i++) {
        const float value = f.least[i];
        const int32_t where = (int32_t)f.where[i];
        if (value < *best || (value <= *best && where < *at)) {
            *best = value;
            *at = where;
        }
    }
    vq_kernels_portable.argmin(dot + j, half + j, count - j, first + (int32_t)j, best, at);
}

enum { CHAINS = 8 }; /* of one vector: two panels, enough to cover the latency */

static void dots(size_t depth, const float *x, const float *codes, size_t panels, float *dot)
{
    for (size_t panel = 0; panel < panels; panel += 2, dot += 2 * VQ_CODE_PANEL) {
        /* The last of an odd number is taken twice. */
        const size_t next = panel + 1 < panels ? VQ_CODE_PANEL : 0;
        const float *code = codes + panel * VQ_CODE_PANEL * depth;
        float32x4_t sum[CHAINS];
        VQ_UNROLL(8)
        for (size_t i = 0; i < CHAINS; i++) sum[i] = vdupq_n_f32(0.0f);
        for (size_t p = 0; p < depth; p++, code += VQ_CODE_PANEL) {
            const float32x4_t line = vdupq_n_f32(x[p]);
            VQ_UNROLL(8)
            for (size_t i = 0; i < CHAINS; i++)
                sum[i] =
                    vfmaq_f32(sum[i], vld1q_f32(code + i / 4 * next * depth + i % 4 * 4), line);
        }
        VQ_UNROLL(8)
        for (size_t i = 0; i < CHAINS; i++) vst1q_f32(dot + i / 4 * next + i % 4 * 4, sum[i]);
    }
}

static void halves(size_t depth, const float *codes, float *half)
{
    float64x2_t sum[8];
    VQ_UNROLL(8)
    for (size_t i = 0; i < 8; i++) sum[i] = vdupq_n_f64(0.0);
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        VQ_UNROLL(8)
        for (size_t i = 0; i < 8; i++) {
            const float64x2_t number = vcvt_f64_f32(vld1_f32(codes + 2 * i));
            sum[i] = vfmaq_f64(sum[i], number, number);
        }
    }
    VQ_UNROLL(8)
    for (size_t i = 0; i < 8; i++) vst1_f32(half + 2 * i, vcvt_f32_f64(vmulq_n_f64(sum[i], 0.5)));
}

/* sum[row] += number `lane` of `line` times the vectors of `column`. The lane is part of the
 * instruction and so must be a constant in every build, which an unrolled loop is not. */
#define MULTIPLY(sum, row, count, line, lane, column)                                              \
    do {                                                                                           \
        VQ_UNROLL(3)                                                                               \
        for (size_t v = 0; v < (count); v++)                                                       \
            (sum)[row][v] = vfmaq_laneq_f32((sum)[row][v], (column)[v], line, lane);               \
    } while (0)
/* Eight rows by the numbers of two vectors. */
#define MULTIPLY_EIGHT(sum, count, line0, line1, column)                                           \
    do {                                                                                           \
        MULTIPLY(sum, 0, count, line0, 0, column);                                                 \
        MULTIPLY(sum, 1, count, line0, 1, column);                                                 \
        MULTIPLY(sum, 2, count, line0, 2, column);                                                 \
        MULTIPLY(sum, 3, count, line0, 3, column);                                                 \
        MULTIPLY(sum, 4, count, line1, 0, column);                                                 \
        MULTIPLY(sum, 5, count, line1, 1, column);                                                 \
        MULTIPLY(sum, 6, count, line1, 2, column);                                                 \
        MULTIPLY(sum, 7, count, line1, 3, column);                                                 \
    } while (0)

/* Half a panel at a time: 8 codes by 8 vectors leave registers for what was found. */
enum { LANES = 8, PART = 8 };

static inline void search_part(size_t depth, const float *x, const float *codes, const float *half,
                               uint32_t first, found f[2])
{
    float32x4_t sum[PART][2];
    VQ_UNROLL(8)
    for (size_t j = 0; j < PART; j++) sum[j][0] = sum[j][1] = vdupq_n_f32(0.0f);
    for (size_t p = 0; p < depth; p++, x += LANES, codes += VQ_CODE_PANEL) {
        const float32x4_t vectors[2] = {vld1q_f32(x), vld1q_f32(x + 4)};
        const float32x4_t codes0 = vld1q_f32(codes), codes1 = vld1q_f32(codes + 4);
        MULTIPLY_EIGHT(sum, 2, codes0, codes1, vectors);
    }
    VQ_UNROLL(8)
    for (size_t j = 0; j < PART; j++) {
        const float32x4_t length = vdupq_n_f32(half[j]);
        const uint32x4_t index = vdupq_n_u32(first + (uint32_t)j);
        see(&f[0], vsubq_f32(length, sum[j][0]), index);
        see(&f[1], vsubq_f32(length, sum[j][1]), index);
    }
}

static void search(size_t depth, const float *x, const float *codes, const float *half,
                   size_t count, int32_t first, float *best, int32_t *at)
{
    found f[2];
    VQ_UNROLL(2)
    for (size_t v = 0; v < 2; v++) {
        f[v].least = vld1q_f32(best + 4 * v);
        f[v].where = vreinterpretq_u32_s32(vld1q_s32(at + 4 * v));
    }
    for (size_t j = 0; j < count; j += PART)
        search_part(depth, x, codes + j / VQ_CODE_PANEL * VQ_CODE_PANEL * depth + j % VQ_CODE_PANEL,
                    half + j, (uint32_t)first + (uint32_t)j, f);
    VQ_UNROLL(2)
    for (size_t v = 0; v < 2; v++) {
        vst1q_f32(best + 4 * v, f[v].least);
        vst1q_s32(at + 4 * v, vreinterpretq_s32_u32(f[v].where));
    }
}

/* Four vectors by the codes of a panel, which lie in the lanes. */
enum { TEAM = 4 };

static inline void score_team(size_t depth, const float *const x[TEAM], const float *codes,
                              const float *half, float32x4_t score[TEAM][4])
{
    VQ_UNROLL(4)
    for (size_t i = 0; i < TEAM; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < 4; v++) score[i][v] = vdupq_n_f32(0.0f);
    }
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < 4; v++) {
            const float32x4_t numbers = vld1q_f32(codes + 4 * v);
            VQ_UNROLL(4)
            for (size_t i = 0; i < TEAM; i++)
                score[i][v] = vfmaq_n_f32(score[i][v], numbers, x[i][p]);
        }
    }
    /* Of a number and what is none, this is the number. */
    VQ_UNROLL(4)
    for (size_t i = 0; i < TEAM; i++) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < 4; v++)
            score[i][v] =
                vminnmq_f32(vsubq_f32(vld1q_f32(half + 4 * v), score[i][v]), vdupq_n_f32(INFINITY));
    }
}

/* The first code of a panel that has the given score. */
static inline int32_t first_with(float least, const float32x4_t score[4])
{
    int32_t at = 0;
    while (score[at / 4][at % 4] != least) at++;
    return at;
}

/* The last team is filled up with copies of its last vector. */
static void search_rows(const vq_row_search *s, const float *codes, const float *half,
                        int32_t first)
{
    for (size_t i = 0; i < s->count; i += TEAM) {
        const size_t left = s->count - i, count = left < TEAM ? left : TEAM;
        const float *x[TEAM];
        float32x4_t score[TEAM][4];
        for (size_t j = 0; j < TEAM; j++)
            x[j] = s->x + s->rows[i + (j < count ? j : count - 1)] * s->depth;
        score_team(s->depth, x, codes, half, score);
        for (size_t j = 0; j < count; j++) {
            const uint32_t row = s->rows[i + j];
            const float least = vminvq_f32(vminq_f32(vminq_f32(score[j][0], score[j][1]),
                                                     vminq_f32(score[j][2], score[j][3])));
            if (!(least <= s->best[row])) continue;
            const int32_t at = first + first_with(least, score[j]);
            if (!(least < s->best[row] || at < s->at[row])) continue;
            s->best[row] = least;
            s->at[row] = at;
        }
    }
}

/* One vector by the codes of a panel: each pair of numbers is two products and their sum. */
static inline int32_t most_of_panel(size_t pairs, const uint32_t *x, const uint32_t *codes,
                                    const int32_t *start)
{
    int32x4_t sum[4];
    VQ_UNROLL(4)
    for (size_t v = 0; v < 4; v++) sum[v] = vld1q_s32(start + 4 * v);
    for (size_t p = 0; p < pairs; p++, codes += VQ_CODE_PANEL) {
        const int16x8_t pair = vreinterpretq_s16_u32(vdupq_n_u32(x[p]));
        VQ_UNROLL(4)
        for (size_t v = 0; v < 4; v++) {
            const int16x8_t numbers = vreinterpretq_s16_u32(vld1q_u32(codes + 4 * v));
            const int32x4_t low = vmull_s16(vget_low_s16(pair), vget_low_s16(numbers));
            const int32x4_t high = vmull_high_s16(pair, numbers);
            sum[v] = vaddq_s32(sum[v], vpaddq_s32(low, high));
        }
    }
    return vmaxvq_s32(vmaxq_s32(vmaxq_s32(sum[0], sum[1]), vmaxq_s32(sum[2], sum[3])));
}

static void screen_rows(const vq_row_screen *s, const uint32_t *codes, const int32_t *start,
                        size_t panels)
{
    for (size_t i = 0; i < s->count; i++) {
        const uint32_t *x = s->x + s->rows[i] * (s->pairs + 1);
        int32_t most = INT32_MIN;
        for (size_t panel = 0; panel < panels; panel++) {
            const int32_t of_panel =
                most_of_panel(s->pairs, x, codes + panel * VQ_CODE_PANEL * s->pairs,
                              start + panel * VQ_CODE_PANEL);
            if (of_panel > most) most = of_panel;
        }
        s->least[i] = (int32_t)x[s->pairs] - most;
    }
}

static size_t list_rows(const vq_reach *s, const float *lower, float moved, uint32_t group,
                        uint32_t *rows)
{
    return vq_kernels_portable.list_rows(s, lower, moved, group, rows);
}

/* ---- Adam ------------------------------------------------------------------------ */

static void adam(size_t count, const vq_adam_step *s, float *parameter, const float *gradient,
                 float *moment1, float *moment2, float *average)
{
    const float32x4_t take1 = vdupq_n_f32(1.0f - s->decay1), take2 = vdupq_n_f32(1.0f - s->decay2);
    const float32x4_t scale = vdupq_n_f32(s->scale), l2 = vdupq_n_f32(s->l2);
    const float32x4_t correction2 = vdupq_n_f32(s->correction2);
    const float32x4_t epsilon = vdupq_n_f32(s->epsilon), rate = vdupq_n_f32(s->rate);
    const float32x4_t weight_decay = vdupq_n_f32(s->weight_decay), follow = vdupq_n_f32(s->follow);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        float32x4_t w = vld1q_f32(parameter + i);
        float32x4_t m = vld1q_f32(moment1 + i), v = vld1q_f32(moment2 + i);
        const float32x4_t g = vfmaq_f32(vmulq_f32(scale, vld1q_f32(gradient + i)), l2, w);
        m = vfmaq_f32(m, take1, vsubq_f32(g, m));
        const uint32x4_t tiny = vcltq_f32(vabsq_f32(m), vdupq_n_f32(FLT_MIN));
        m = vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(m), tiny));
        v = vfmaq_f32(v, take2, vfmaq_f32(vnegq_f32(v), g, g));
        const float32x4_t root = vfmaq_f32(epsilon, vsqrtq_f32(v), correction2);
        const float32x4_t step = vdivq_f32(m, root);
        vst1q_f32(moment1 + i, m);
        vst1q_f32(moment2 + i, v);
        w = vfmsq_f32(vmulq_f32(weight_decay, w), rate, step);
        vst1q_f32(parameter + i, w);
        if (!average) continue;
        const float32x4_t before = vld1q_f32(average + i);
        vst1q_f32(average + i, vfmaq_f32(before, follow, vsubq_f32(w, before)));
    }
    vq_kernels_portable.adam(count - i, s, parameter + i, gradient + i, moment1 + i, moment2 + i,
                             average ? average + i : NULL);
}

/* Lanes 2v and 2v+1 of the sums are those of sum[v]. */
static double squares(size_t count, const float *x, const float *y, float scale, float *to)
{
    float64x2_t sum[8];
    double lane[VQ_SUM_LANES];
    size_t i = 0;
    for (size_t v = 0; v < 8; v++) sum[v] = vdupq_n_f64(0.0);
    for (; i + VQ_SUM_LANES <= count; i += VQ_SUM_LANES) {
        VQ_UNROLL(4)
        for (size_t v = 0; v < 8; v += 2) {
            const float32x4_t a = vld1q_f32(x + i + 2 * v);
            const float32x4_t b = y ? vld1q_f32(y + i + 2 * v) : vdupq_n_f32(0.0f);
            const float64x2_t low =
                vsubq_f64(vcvt_f64_f32(vget_low_f32(a)), vcvt_f64_f32(vget_low_f32(b)));
            const float64x2_t high = vsubq_f64(vcvt_high_f64_f32(a), vcvt_high_f64_f32(b));
            sum[v] = vfmaq_f64(sum[v], low, low);
            sum[v + 1] = vfmaq_f64(sum[v + 1], high, high);
            if (to) vst1q_f32(to + i + 2 * v, vmulq_f32(vdupq_n_f32(scale), vsubq_f32(a, b)));
        }
    }
    for (size_t v = 0; v < 8; v++) vst1q_f64(lane + 2 * v, sum[v]);
    for (size_t l = 0; i < count; i++, l++) {
        const double gap = (double)x[i] - (y ? (double)y[i] : 0.0);
        lane[l] = fma(gap, gap, lane[l]);
        if (to) to[i] = scale * (x[i] - (y ? y[i] : 0.0f));
    }
    return vq_sum_lanes(lane);
}

const vq_kernels vq_kernels_neon = {
    .name = "neon",
    .search_lanes = LANES,
    .correlate_panels = 1,
    .correlate = correlate,
    .outer = outer,
    .bf16 = &vq_bf16_portable,
    .pack = pack,
    .argmin = argmin,
    .dots = dots,
    .halves = halves,
    .search = search,
    .search_rows = search_rows,
    .screen_rows = screen_rows,
    .list_rows = list_rows,
    .adam = adam,
    .squares = squares,
    .winograd = vq_winograd_portable,
};

#endif
