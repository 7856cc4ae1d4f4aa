/* SPDX-License-Identifier: Apache-2.0
 * kernels/portable.c -- the specification of every kernel, in plain C.
 *
 * fmaf() rounds once on every machine, so these loops fix the bits that the other
 * instruction sets must give. No product that is rounded may feed a plain sum here: a
 * compiler could contract the two into one operation, or not. */
#include "kernels/kernels.h"
#include <math.h>

enum { ROWS = 4, COLS = 16 };

/* Whole tiles are computed, zeros and all, so that the loops have fixed lengths. */
static void gemm_tile(size_t depth, const float *a, const float *b, float *c, size_t ldc, size_t m,
                      size_t n, int start)
{
    float tile[ROWS][COLS] = {{0.0f}};
    if (start)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) tile[i][j] = c[i * ldc + j];
    for (size_t p = 0; p < depth; p++)
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < COLS; j++)
                tile[i][j] = fmaf(a[p * ROWS + i], b[p * COLS + j], tile[i][j]);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) c[i * ldc + j] = tile[i][j];
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

static void adam(size_t count, const vq_adam_step *s, float *parameter, const float *gradient,
                 float *moment1, float *moment2, float *average)
{
    const float take1 = 1.0f - s->decay1, take2 = 1.0f - s->decay2;
    for (size_t i = 0; i < count; i++) {
        const float g = fmaf(s->l2, parameter[i], s->scale * gradient[i]);
        const float m = fmaf(take1, g - moment1[i], moment1[i]);
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
    .tile_rows = ROWS,
    .tile_cols = COLS,
    .search_lanes = 1,
    .gemm_tile = gemm_tile,
    .pack = pack,
    .argmin = argmin,
    .dots = dots,
    .halves = halves,
    .search = search,
    .adam = adam,
    .squares = squares,
};
