/* SPDX-License-Identifier: Apache-2.0
 * kernels/portable.c -- the specification of every kernel, in plain C.
 *
 * fmaf() rounds once on every machine, so these loops fix the bits that the other
 * instruction sets must give. No product that is rounded may feed a plain sum here: a
 * compiler could contract the two into one operation, or not. */
#include "kernels/bf16.h"
#include "kernels/kernels.h"
#include "kernels/winograd.h"
#include <float.h>
#include <math.h>

/* One panel of a tile. Loops have fixed lengths, so that compilers keep the sums in registers. */
static void correlate_panel(const vq_correlate_tile *t, size_t at, const float *weights)
{
    float sum[VQ_PLACES][VQ_PANEL];
    for (size_t i = 0; i < VQ_PLACES; i++)
        for (size_t j = 0; j < VQ_PANEL; j++) sum[i][j] = t->start[i][at + j];
    for (size_t tap = 0; tap < t->taps; tap++) {
        const float *line = weights + tap * t->line_step;
        for (size_t q = 0; q < t->run; q++, line += VQ_PANEL)
            for (size_t i = 0; i < VQ_PLACES; i++) {
                const float number = t->in[i][tap * t->tap_step + q];
                for (size_t j = 0; j < VQ_PANEL; j++) sum[i][j] = fmaf(number, line[j], sum[i][j]);
            }
    }
    for (size_t i = 0; i < VQ_PLACES; i++)
        for (size_t j = 0; j < VQ_PANEL; j++)
            t->out[i][at + j] = vq_correlate_finish(t, i, at + j, sum[i][j]);
}

static void correlate(const vq_correlate_tile *t)
{
    for (size_t panel = 0; panel < t->panels; panel++)
        correlate_panel(t, panel * VQ_PANEL, t->weights + panel * t->panel_step);
}

static void outer_place(const vq_outer_tile *t, const float *a, const float *b)
{
    for (size_t i = 0; i < VQ_PLACES; i++) {
        float *c = t->c + i * t->c_step;
        for (size_t j = 0; j < VQ_PANEL * t->panels; j++) c[j] = fmaf(a[i], b[j], c[j]);
    }
}

static void outer(const vq_outer_tile *t)
{
    for (size_t n = 0; n < t->count[0]; n++)
        for (size_t y = 0; y < t->count[1]; y++)
            for (size_t x = 0; x < t->count[2]; x++)
                outer_place(t, t->a + n * t->a_step[0] + y * t->a_step[1] + x * t->a_step[2],
                            t->b + n * t->b_step[0] + y * t->b_step[1] + x * t->b_step[2]);
}

static void pack(const vq_panel *s, size_t width, float *to)
{
    for (size_t p = 0; p < s->depth; p++) {
        const float *from = s->from + p * s->depth_step;
        const float shift = s->shift ? s->shift[p] : 0.0f;
        float *line = to + p * width;
        for (size_t i = 0; i < s->lanes; i++) line[i] = from[i * s->lane_step] - shift;
        for (size_t i = s->lanes; i < width; i++) line[i] = 0.0f;
    }
}

static void argmin(const float *dot, const float *half, size_t count, int32_t first, float *best,
                   int32_t *at)
{
    for (size_t j = 0; j < count; j++) {
        const float score = half[j] - dot[j];
        if (score < *best) {
            *best = score;
            *at = first + (int32_t)j;
        }
    }
}

static void dots(size_t depth, const float *x, const float *codes, size_t panels, float *dot)
{
    for (size_t panel = 0; panel < panels; panel++, dot += VQ_CODE_PANEL) {
        for (size_t j = 0; j < VQ_CODE_PANEL; j++) dot[j] = 0.0f;
        for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL)
            for (size_t j = 0; j < VQ_CODE_PANEL; j++) dot[j] = fmaf(x[p], codes[j], dot[j]);
    }
}

static void halves(size_t depth, const float *codes, float *half)
{
    double sum[VQ_CODE_PANEL] = {0.0};
    for (size_t p = 0; p < depth; p++, codes += VQ_CODE_PANEL)
        for (size_t j = 0; j < VQ_CODE_PANEL; j++) {
            const double number = (double)codes[j];
            sum[j] += number * number;
        }
    for (size_t j = 0; j < VQ_CODE_PANEL; j++) half[j] = (float)(0.5 * sum[j]);
}

/* One vector at a time, as its lanes are one. */
static void search(size_t depth, const float *x, const float *codes, const float *half,
                   size_t count, int32_t first, float *best, int32_t *at)
{
    for (size_t j = 0; j < count; j += VQ_CODE_PANEL, codes += VQ_CODE_PANEL * depth) {
        const size_t left = count - j;
        float dot[VQ_CODE_PANEL];
        dots(depth, x, codes, 1, dot);
        argmin(dot, half + j, left < VQ_CODE_PANEL ? left : VQ_CODE_PANEL, first + (int32_t)j, best,
               at);
    }
}

static void search_rows(const vq_row_search *s, const float *codes, const float *half,
                        int32_t first)
{
    for (size_t i = 0; i < s->count; i++) {
        const uint32_t row = s->rows[i];
        float dot[VQ_CODE_PANEL], least = INFINITY;
        int32_t at = first;
        dots(s->depth, s->x + row * s->depth, codes, 1, dot);
        argmin(dot, half, VQ_CODE_PANEL, first, &least, &at);
        if (least < s->best[row] || (least <= s->best[row] && at < s->at[row])) {
            s->best[row] = least;
            s->at[row] = at;
        }
    }
}

static int32_t low_half(uint32_t pair)
{
    return (int16_t)(uint16_t)(pair & 0xffffu);
}

static int32_t high_half(uint32_t pair)
{
    return (int16_t)(uint16_t)(pair >> 16);
}

static int32_t most_of_panel(size_t pairs, const uint32_t *x, const uint32_t *codes,
                             const int32_t *start)
{
    int32_t sum[VQ_CODE_PANEL], most = INT32_MIN;
    for (size_t j = 0; j < VQ_CODE_PANEL; j++) sum[j] = start[j];
    for (size_t p = 0; p < pairs; p++, codes += VQ_CODE_PANEL)
        for (size_t j = 0; j < VQ_CODE_PANEL; j++)
            sum[j] += low_half(x[p]) * low_half(codes[j]) + high_half(x[p]) * high_half(codes[j]);
    for (size_t j = 0; j < VQ_CODE_PANEL; j++)
        if (sum[j] > most) most = sum[j];
    return most;
}

static void screen_rows(const vq_row_screen *s, const uint32_t *codes, const int32_t *start,
                        size_t panels)
{
    for (size_t i = 0; i < s->count; i++) s->least[i] = INT32_MAX;
    for (size_t panel = 0; panel < panels; panel++)
        for (size_t i = 0; i < s->count; i++) {
            const uint32_t *x = s->x + s->rows[i] * (s->pairs + 1);
            const int32_t least =
                (int32_t)x[s->pairs] - most_of_panel(s->pairs, x,
                                                     codes + panel * VQ_CODE_PANEL * s->pairs,
                                                     start + panel * VQ_CODE_PANEL);
            if (least < s->least[i]) s->least[i] = least;
        }
}

static size_t list_rows(const vq_reach *s, const float *lower, float moved, uint32_t group,
                        uint32_t *rows)
{
    size_t found = 0;
    for (size_t i = 0; i < s->count; i++) {
        const int beyond = lower[i] > (s->reach[i] + moved) * (1.0f + 0x1p-20f);
        rows[found] = (uint32_t)i;
        found += (size_t)(!beyond & (s->own[i] != group));
    }
    return found;
}

static void adam(size_t count, const vq_adam_step *s, float *parameter, const float *gradient,
                 float *moment1, float *moment2, float *average)
{
    const float take1 = 1.0f - s->decay1, take2 = 1.0f - s->decay2;
    for (size_t i = 0; i < count; i++) {
        const float g = fmaf(s->l2, parameter[i], s->scale * gradient[i]);
        const float moved = fmaf(take1, g - moment1[i], moment1[i]);
        const float m = fabsf(moved) < FLT_MIN ? 0.0f : moved;
        const float v = fmaf(take2, fmaf(g, g, -moment2[i]), moment2[i]);
        const float step = m / fmaf(sqrtf(v), s->correction2, s->epsilon);
        moment1[i] = m;
        moment2[i] = v;
        parameter[i] = fmaf(-s->rate, step, s->weight_decay * parameter[i]);
        if (average) average[i] = fmaf(s->follow, parameter[i] - average[i], average[i]);
    }
}

static double squares(size_t count, const float *x, const float *y, float scale, float *to)
{
    double sum[VQ_SUM_LANES] = {0.0};
    for (size_t i = 0; i < count; i++) {
        const double gap = (double)x[i] - (y ? (double)y[i] : 0.0);
        sum[i % VQ_SUM_LANES] = fma(gap, gap, sum[i % VQ_SUM_LANES]);
        if (to) to[i] = scale * (x[i] - (y ? y[i] : 0.0f));
    }
    return vq_sum_lanes(sum);
}

const vq_kernels vq_kernels_portable = {
    .name = "portable",
    .search_lanes = 1,
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
