/* SPDX-License-Identifier: Apache-2.0
 * nn/backend.c -- the portable backend, and finding a backend by name. */
#include "nn/backend.h"

#include <stdio.h>
#include <string.h>

static vq_status host_allocate(vq_context *ctx, size_t size, vq_buffer *out)
{
    out->size = size;
    return vq_alloc(ctx, 1, size, &out->handle);
}

static void host_release(vq_context *ctx, vq_buffer *buffer)
{
    vq_release(ctx, buffer->handle);
    *buffer = (vq_buffer){0};
}

static void *host_map(const vq_buffer *buffer)
{
    return buffer->handle;
}

static const vq_impl *find_portable(const vq_op *op)
{
    return op->portable_f32;
}

static void portable_arithmetic(const vq_context *ctx, char *to, size_t size)
{
    (void)snprintf(to, size, "portable %s", vq_context_cpu(ctx));
}

const vq_backend vq_backend_portable = {
    .name = "portable",
    .allocate = host_allocate,
    .release = host_release,
    .map = host_map,
    .find = find_portable,
    .arithmetic = portable_arithmetic,
};

vq_status vq_backend_find(vq_context *ctx, const char *name, const vq_backend **out)
{
    *out = &vq_backend_portable;
    if (!name || strcmp(name, "auto") == 0 || strcmp(name, vq_backend_portable.name) == 0)
        return VQ_OK;
    *out = NULL;
    VQ_CHECK(ctx, strcmp(name, "onednn") == 0, VQ_E_ARG,
             "there is no backend named %s; there are onednn and portable", name);
    VQ_CHECK(ctx, vq_onednn_fetch(ctx, out) == VQ_OK, VQ_E_ARG,
             "the backend onednn cannot be used: %s", ctx->error);
    return VQ_OK;
}
