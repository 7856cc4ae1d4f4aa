/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/add.c -- y = a + b; both get dy. */
#include <string.h>

#include "base/parallel.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

static void forward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const real *a = run->in[0].data, *b = run->in[1].data;
    real *y = run->out[0].data;
    (void)thread;
    for (size_t i = begin; i < end; i++) y[i] = a[i] + b[i];
}

/* y is what d_in is masked by, or NULL. */
static void pass(const real *dy, const real *y, bool add, size_t count, real *dx)
{
    if (!y && !add) {
        memcpy(dx, dy, count * sizeof *dx);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const real sum = dy[i] + (add ? dx[i] : 0);
        dx[i] = !y || y[i] > 0 ? sum : 0;
    }
}

static void backward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const real *dy = run->d_out[0].data;
    (void)thread;
    for (int k = 0; k < 2; k++) {
        const real *y = run->mask[k] ? run->in[k].data : NULL;
        real *dx = run->d_in[k].data;
        if (dx) pass(dy + begin, y ? y + begin : NULL, run->add[k], end - begin, dx + begin);
    }
}

static vq_status forward(vq_step *run)
{
    vq_parallel_for(run->ctx, vq_shape_count(&run->out[0].desc.shape), VQ_ELEMENT_GRAIN,
                    forward_range, run);
    return VQ_OK;
}

static vq_status backward(vq_step *run)
{
    vq_parallel_for(run->ctx, vq_shape_count(&run->out[0].desc.shape), VQ_ELEMENT_GRAIN,
                    backward_range, run);
    return VQ_OK;
}

const vq_impl VQ_REAL(vq_add_portable) = {
    .name = "portable",
    .forward = forward,
    .backward = backward,
    .folds = VQ_FOLD_MASK,
    .any_layout = true,
};

#ifndef VQ_REAL_DOUBLE

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    VQ_TRY(vq_check_real(ctx, node, 0, &in[0]));
    VQ_TRY(vq_check_same_shape(ctx, node, in));
    out[0] = in[0];
    return VQ_OK;
}

const vq_op vq_op_add = {
    .name = "add",
    .n_in = 2,
    .n_out = 1,
    .infer = infer,
    .portable_f32 = &vq_add_portable_f32,
    .portable_f64 = &vq_add_portable_f64,
    .elementwise = true,
    .differentiable = true,
};

#endif
