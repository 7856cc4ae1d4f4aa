/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/pixels.c -- bytes to numbers: y = x/255 - 0.5. In f32 only, and without gradient. */
#include "nn/ops/common.h"

#ifndef VQ_REAL_DOUBLE

#include "base/parallel.h"
#include "nn/ops.h"

static void forward_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const uint8_t *x = run->in[0].data;
    float *y = run->out[0].data;
    (void)thread;
    for (size_t i = begin; i < end; i++) y[i] = (float)x[i] / 255.0f - 0.5f;
}

static vq_status forward(vq_step *run)
{
    vq_parallel_for(run->ctx, vq_shape_count(&run->in[0].desc.shape), VQ_ELEMENT_GRAIN,
                    forward_range, run);
    return VQ_OK;
}

const vq_impl vq_pixels_portable_f32 = {.name = "portable", .forward = forward};

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    VQ_CHECK(ctx, in[0].dtype == VQ_U8, VQ_E_SHAPE, "%s: pixels are u8, not %s", node->name,
             vq_dtype_name(in[0].dtype));
    out[0] = (vq_desc){.dtype = VQ_F32, .shape = in[0].shape};
    return VQ_OK;
}

const vq_op vq_op_pixels = {
    .name = "pixels",
    .n_in = 1,
    .n_out = 1,
    .infer = infer,
    .portable_f32 = &vq_pixels_portable_f32,
};

#endif
