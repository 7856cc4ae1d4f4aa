/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/backend.c -- the backend whose convolutions are oneDNN's; its memory is the host's. */
#include "nn/onednn/onednn.h"

static const vq_impl *find(const vq_op *op)
{
    if (vq_dnn_is(op, "conv2d")) return &vq_conv2d_onednn;
    if (vq_dnn_is(op, "conv_transpose2d")) return &vq_conv_transpose2d_onednn;
    return NULL;
}

static vq_status allocate(vq_context *ctx, size_t size, vq_buffer *out)
{
    out->size = size;
    return vq_alloc(ctx, 1, size, &out->handle);
}

static void release(vq_context *ctx, vq_buffer *buffer)
{
    vq_release(ctx, buffer->handle);
    *buffer = (vq_buffer){0};
}

static void *map(const vq_buffer *buffer)
{
    return buffer->handle;
}

const vq_backend vq_backend_onednn = {
    .name = "onednn",
    .allocate = allocate,
    .release = release,
    .map = map,
    .find = find,
    .arithmetic = vq_dnn_arithmetic,
};
