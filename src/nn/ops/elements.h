/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/elements.h -- passes over gradients beside a convolution. Two of them are here whole: the
 * plug-in with oneDNN's backend takes them too and cannot call the library's own functions. */
#ifndef VQ_NN_OPS_ELEMENTS_H
#define VQ_NN_OPS_ELEMENTS_H

#include <string.h>

#include "base/parallel.h"
#include "nn/op.h"
#include "nn/ops/common.h"
#include "nn/real.h"

typedef struct vq_pass_job {
    const real *from;
    real *to;
    bool add;
} vq_pass_job;

static inline void vq_mask_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_pass_job *job = arg;
    (void)thread;
    for (size_t i = begin; i < end; i++) job->to[i] = job->from[i] > 0 ? job->to[i] : 0;
}

/** gradient = out > 0 ? gradient : 0. */
static inline void vq_gradient_mask(vq_context *ctx, size_t count, const real *out, real *gradient)
{
    vq_pass_job job = {.from = out, .to = gradient};
    vq_parallel_for(ctx, count, VQ_ELEMENT_GRAIN, vq_mask_range, &job);
}

static inline void vq_pass_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_pass_job *job = arg;
    (void)thread;
    if (job->add)
        for (size_t i = begin; i < end; i++) job->to[i] += job->from[i];
    else memcpy(job->to + begin, job->from + begin, (end - begin) * sizeof *job->to);
}

/** to = from, or to += from where `add`. */
static inline void vq_gradient_pass(vq_context *ctx, size_t count, const real *from, bool add,
                                    real *to)
{
    vq_pass_job job = {.from = from, .to = to, .add = add};
    vq_parallel_for(ctx, count, VQ_ELEMENT_GRAIN, vq_pass_range, &job);
}

#define vq_bias_gradient VQ_REAL(vq_bias_gradient)

/** Bytes of scratch for the gradient of the bias of an output of this shape. */
size_t vq_bias_scratch(const vq_shape *shape);
/** d_bias[j] += sum of d_out over all places, in double over fixed chunks of places. */
VQ_MUST_USE vq_status vq_bias_gradient(vq_context *ctx, const vq_shape *shape, const real *d_out,
                                       real *d_bias, vq_room scratch);

#endif
