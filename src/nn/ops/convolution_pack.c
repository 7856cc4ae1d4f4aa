/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_pack.c -- weights and bias as correlations read them: the bias in whole
 * panels, then for each class its panels of weights, in bf16 as words of two input channels. */
#include <string.h>

#include "base/parallel.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution_sides.h"
#include "nn/ops/correlate.h"

/* Numbers or words of a place that are packed at a time, for all taps: their weights stay in the
 * first-level cache meanwhile. */
enum { UNITS = 16 };

typedef struct pack_job {
    const vq_kernels *kernels;
    const vq_sides *sides;
    vq_class axes;
    const real *from;
    real *to;
} pack_job;

static size_t depth_of(const pack_job *job)
{
    return vq_class_depth(job->sides, &job->axes);
}

/* The weights of output channel 0 and input channel 0 under a tap of the places that are `cell` in
 * their cells; NULL: they have no such tap. */
static const real *tap_weights(const pack_job *job, size_t cell, size_t tap)
{
    const vq_sides *s = job->sides;
    const ptrdiff_t r =
        vq_kernel_tap(s, 0, &job->axes.rows, cell / s->cell[1], tap / job->axes.columns.taps);
    const ptrdiff_t q =
        vq_kernel_tap(s, 1, &job->axes.columns, cell % s->cell[1], tap % job->axes.columns.taps);
    return r < 0 || q < 0 ? NULL : job->from + (size_t)r * s->c->kernel[1] + (size_t)q;
}

/* Input channels [first, first + count) of some lanes, whose output channels begin with o. */
static void pack_lanes(const vq_sides *s, const real *weights, size_t o, size_t lanes, size_t first,
                       size_t count, real *to)
{
    const size_t area = s->c->kernel[0] * s->c->kernel[1];
    const bool apply = s->direction == VQ_CONV_APPLY;
    const size_t out_step = apply ? s->in * area : area, in_step = apply ? area : s->out * area;
    for (size_t lane = 0; lane < lanes; lane++)
        for (size_t i = 0; i < count; i++)
            to[i * VQ_PANEL + lane] =
                weights ? weights[(o + lane) * out_step + (first + i) * in_step] : 0;
}

/* Those of all lanes of a panel under one tap, a line for each input channel. */
static void pack_lines(const pack_job *job, size_t panel, size_t tap, size_t first, size_t count,
                       real *to)
{
    const vq_sides *s = job->sides;
    for (size_t lane = 0, some; lane < VQ_PANEL; lane += some) {
        const size_t at = panel * VQ_PANEL + lane, o = at % s->out;
        const bool there = at < s->lanes;
        some = vq_smaller(VQ_PANEL - lane, there ? s->out - o : VQ_PANEL);
        pack_lanes(s, there ? tap_weights(job, at / s->out, tap) : NULL, o, some, first, count,
                   to + lane);
    }
}

/* Likewise words of two channels each; a channel that is not there is 0. */
static void pack_words(const pack_job *job, size_t panel, size_t tap, size_t first, size_t count,
                       real *to)
{
    real lines[2 * UNITS * VQ_PANEL];
    const size_t some = vq_smaller(2 * count, job->sides->in - 2 * first);
    pack_lines(job, panel, tap, 2 * first, some, lines);
    if (some < 2 * count) memset(lines + some * VQ_PANEL, 0, VQ_PANEL * sizeof *lines);
    vq_pair_lines(job->kernels, lines, count, to);
}

/* Item: some of a place's numbers or words, for all taps of a panel, whose weights lie side by
 * side. */
static void pack_range(void *arg, size_t begin, size_t end, int thread)
{
    const pack_job *job = arg;
    const vq_sides *s = job->sides;
    const size_t taps = job->axes.rows.taps * job->axes.columns.taps,
                 parts = vq_ceil_div(s->unit, UNITS);
    const size_t depth = depth_of(job), used = taps * s->unit;
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t panel = item / parts, first = item % parts * UNITS;
        const size_t count = vq_smaller(UNITS, s->unit - first);
        real *to = job->to + panel * depth * VQ_PANEL;
        for (size_t tap = 0; tap < taps; tap++) {
            real *lines = to + (tap * s->unit + first) * VQ_PANEL;
            if (s->c->bf16) pack_words(job, panel, tap, first, count, lines);
            else pack_lines(job, panel, tap, first, count, lines);
        }
        if (first == 0) /* the rest of the last block of words */
            memset(to + used * VQ_PANEL, 0, (depth - used) * VQ_PANEL * sizeof *to);
    }
}

size_t vq_convolution_packed_size(const vq_convolution *c, vq_conv_direction direction)
{
    const vq_sides s = vq_sides_of(c, direction);
    size_t depth = 1; /* the bias */
    for (size_t class = 0; class < s.classes[0] * s.classes[1]; class ++) {
        const vq_class axes = vq_class_of(&s, class);
        depth += vq_class_depth(&s, &axes);
    }
    return vq_panels_size(s.lanes, depth) * sizeof(real);
}

/* Takes so many numbers of the room for `to`. */
static vq_status take(vq_context *ctx, vq_arena *arena, size_t count, real **to)
{
    *to = vq_arena_get(arena, count, sizeof(real));
    return vq_arena_check(ctx, arena, "packed weights");
}

vq_status vq_convolution_pack(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                              const real *weight, const real *bias, vq_room packed)
{
    const vq_sides s = vq_sides_of(c, direction);
    pack_job job = {.kernels = vq_kernels_of(ctx), .sides = &s, .from = weight};
    vq_arena arena = vq_arena_in(packed);
    const size_t padded = vq_sides_panels(&s) * VQ_PANEL;
    VQ_TRY(take(ctx, &arena, padded, &job.to));
    for (size_t o = 0; o < padded; o++) job.to[o] = bias && o < s.lanes ? bias[o % s.out] : 0;
    for (size_t class = 0; class < s.classes[0] * s.classes[1]; class ++) {
        job.axes = vq_class_of(&s, class);
        const size_t items = vq_sides_panels(&s) * vq_ceil_div(s.unit, UNITS);
        const size_t each = VQ_PANEL * UNITS * job.axes.rows.taps * job.axes.columns.taps;
        VQ_TRY(take(ctx, &arena, vq_panels_size(s.lanes, depth_of(&job)), &job.to));
        vq_parallel_for(ctx, items, 1 + VQ_ELEMENT_GRAIN / (each + 1), pack_range, &job);
    }
    return VQ_OK;
}
