/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_pack.c -- weights and bias as correlations read them: the bias in whole
 * panels, then for each class its panels of weights, in bf16
 * pairs of input channels. */
#include <string.h>

#include "base/parallel.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution_sides.h"
#include "nn/ops/correlate.h"

typedef struct pack_job {
    const vq_sides *sides;
    vq_axis rows, columns;
    const real *from;
    real *to;
} pack_job;

static size_t depth_of(const pack_job *job)
{
    return vq_class_depth(job->sides, &job->rows, &job->columns);
}

/* Where the weights of a lane under one tap begin, those of input channel 0; NULL: they are 0. */
static const real *lane_weights(const pack_job *job, size_t lane, size_t tap)
{
    const vq_sides *s = job->sides;
    const size_t *kernel = s->c->kernel, area = kernel[0] * kernel[1];
    const size_t o = lane % s->out, cell = lane / s->out;
    if (lane >= s->lanes) return NULL;
    const ptrdiff_t r = vq_kernel_tap(s, 0, &job->rows, cell / s->cell[1], tap / job->columns.taps);
    const ptrdiff_t q =
        vq_kernel_tap(s, 1, &job->columns, cell % s->cell[1], tap % job->columns.taps);
    if (r < 0 || q < 0) return NULL;
    const size_t step = s->direction == VQ_CONV_APPLY ? s->in * area : area;
    return job->from + o * step + (size_t)r * kernel[1] + (size_t)q;
}

/* The weights of a lane under one tap, `step` apart, one to a line of `to`. */
static void pack_lane(const vq_sides *s, const real *from, size_t step, real *to)
{
    if (!from)
        for (size_t i = 0; i < s->unit; i++) to[i * VQ_PANEL] = 0;
    else if (!s->c->bf16)
        for (size_t i = 0; i < s->in; i++) to[i * VQ_PANEL] = from[i * step];
    else
        for (size_t i = 0; i < s->in; i += 2)
            *(vq_pair *)&to[i / 2 * VQ_PANEL] =
                vq_pair_of((float)from[i * step],
                           i + 1 < s->in ? (float)from[(i + 1) * step] : 0.0f);
}

/* Item: a tap of a panel. */
static void pack_range(void *arg, size_t begin, size_t end, int thread)
{
    const pack_job *job = arg;
    const vq_sides *s = job->sides;
    const size_t taps = job->rows.taps * job->columns.taps;
    const size_t area = s->c->kernel[0] * s->c->kernel[1];
    const size_t step = s->direction == VQ_CONV_APPLY ? area : s->out * area;
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t panel = item / taps, tap = item % taps;
        real *to = job->to + (panel * depth_of(job) + tap * s->unit) * VQ_PANEL;
        for (size_t lane = 0; lane < VQ_PANEL; lane++)
            pack_lane(s, lane_weights(job, panel * VQ_PANEL + lane, tap), step, to + lane);
        if (tap + 1 < taps) continue;
        const size_t used = taps * s->unit; /* the rest of the last block is 0 */
        memset(to + s->unit * VQ_PANEL, 0, (depth_of(job) - used) * VQ_PANEL * sizeof *to);
    }
}

static size_t class_depth(const vq_sides *s, size_t class)
{
    const vq_axis rows = vq_axis_of(s, 0, class / s->classes[1]);
    const vq_axis columns = vq_axis_of(s, 1, class % s->classes[1]);
    return vq_class_depth(s, &rows, &columns);
}

size_t vq_convolution_packed_size(const vq_convolution *c, vq_conv_direction direction)
{
    const vq_sides s = vq_sides_of(c, direction);
    size_t depth = 1; /* the bias */
    for (size_t class = 0; class < s.classes[0] * s.classes[1]; class ++)
        depth += class_depth(&s, class);
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
    pack_job job = {.sides = &s, .from = weight};
    vq_arena arena = vq_arena_in(packed);
    const size_t padded = vq_sides_panels(&s) * VQ_PANEL;
    VQ_TRY(take(ctx, &arena, padded, &job.to));
    for (size_t o = 0; o < padded; o++) job.to[o] = bias && o < s.lanes ? bias[o % s.out] : 0;
    for (size_t class = 0; class < s.classes[0] * s.classes[1]; class ++) {
        job.rows = vq_axis_of(&s, 0, class / s.classes[1]);
        job.columns = vq_axis_of(&s, 1, class % s.classes[1]);
        const size_t items = vq_sides_panels(&s) * job.rows.taps * job.columns.taps;
        VQ_TRY(take(ctx, &arena, vq_panels_size(s.lanes, depth_of(&job)), &job.to));
        vq_parallel_for(ctx, items, 1 + VQ_ELEMENT_GRAIN / (VQ_PANEL * s.in), pack_range, &job);
    }
    return VQ_OK;
}
