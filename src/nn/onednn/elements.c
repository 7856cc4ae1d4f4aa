/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/elements.c -- biases around a convolution.
 *
 * Both layouts are units of `runs` runs of `width` numbers that lie side by side; unit u holds
 * the channels from (u % groups) * width on:
 *   rows        N*H units of W runs of C
 *   blocked16   N*C/16 units of H*W runs of 16 */
#include "nn/onednn/elements.h"

#include "base/parallel.h"
#include "base/sizes.h"
#include "nn/ops/common.h"

typedef struct element_layout {
    size_t units, runs, width, groups;
} element_layout;

static element_layout layout_of(const vq_view *view)
{
    const int64_t *dim = view->desc.shape.dim;
    const size_t n = (size_t)dim[0], h = (size_t)dim[1], w = (size_t)dim[2], c = (size_t)dim[3];
    if (view->layout == VQ_LAYOUT_BLOCKED16)
        return (
            element_layout){.units = n * (c / 16), .runs = h * w, .width = 16, .groups = c / 16};
    return (element_layout){.units = n * h, .runs = w, .width = c, .groups = 1};
}

/* Units that are worth a thread. */
static size_t unit_grain(const element_layout *layout)
{
    return 1 + VQ_ELEMENT_GRAIN / (layout->runs * layout->width + 1);
}

/* ---- bias and relu ------------------------------------------------------------ */

typedef struct finish_job {
    element_layout layout;
    vq_finish finish;
    float *y;
} finish_job;

static void finish_run(const float *bias, bool relu, size_t width, float *y)
{
    if (bias)
        for (size_t i = 0; i < width; i++) y[i] += bias[i];
    /* Written so that a NaN stays one. */
    if (relu)
        for (size_t i = 0; i < width; i++) y[i] = y[i] < 0.0f ? 0.0f : y[i];
}

static void finish_units(void *arg, size_t begin, size_t end, int thread)
{
    const finish_job *job = arg;
    const element_layout *l = &job->layout;
    (void)thread;
    for (size_t unit = begin; unit < end; unit++) {
        const float *bias = job->finish.bias;
        if (bias) bias += unit % l->groups * l->width;
        for (size_t run = 0; run < l->runs; run++)
            finish_run(bias, job->finish.relu, l->width,
                       job->y + (unit * l->runs + run) * l->width);
    }
}

void vq_elements_finish(vq_context *ctx, const vq_view *y, const vq_finish *finish)
{
    finish_job job = {.layout = layout_of(y), .finish = *finish, .y = y->data};
    if (!finish->bias && !finish->relu) return;
    vq_parallel_for(ctx, job.layout.units, unit_grain(&job.layout), finish_units, &job);
}

/* ---- gradient of the bias ----------------------------------------------------- */

typedef struct bias_job {
    element_layout layout;
    const float *dy;
    float *d_bias;
} bias_job;

enum { BIAS_LANES = 16 };

/* Channels [first, first + lanes) of the rows of one group. */
static void sum_lanes(const bias_job *job, size_t group, size_t first, size_t lanes)
{
    const element_layout *l = &job->layout;
    double sum[BIAS_LANES] = {0};
    for (size_t unit = group; unit < l->units; unit += l->groups) {
        const float *row = job->dy + unit * l->runs * l->width + first;
        for (size_t run = 0; run < l->runs; run++, row += l->width)
            for (size_t i = 0; i < lanes; i++) sum[i] += (double)row[i];
    }
    for (size_t i = 0; i < lanes; i++) job->d_bias[group * l->width + first + i] = (float)sum[i];
}

/* A piece is some blocks of lanes: each sum is made by one thread, in the order of memory. */
static void bias_blocks(void *arg, size_t begin, size_t end, int thread)
{
    const bias_job *job = arg;
    const size_t width = job->layout.width;
    const size_t blocks = vq_ceil_div(width, BIAS_LANES); /* in one group */
    (void)thread;
    for (size_t block = begin; block < end; block++) {
        const size_t first = block % blocks * BIAS_LANES, left = width - first;
        sum_lanes(job, block / blocks, first, vq_smaller(left, BIAS_LANES));
    }
}

void vq_elements_bias_gradient(vq_context *ctx, const vq_view *dy, float *d_bias)
{
    bias_job job = {.layout = layout_of(dy), .dy = dy->data, .d_bias = d_bias};
    const size_t blocks = vq_ceil_div(job.layout.width, BIAS_LANES);
    vq_parallel_for(ctx, blocks * job.layout.groups, 1, bias_blocks, &job);
}
