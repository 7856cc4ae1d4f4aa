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

const vq_backend *vq_backend_named(const char *name)
{
    const bool automatic = !name || strcmp(name, "auto") == 0;
#ifdef VQ_HAVE_ONEDNN
    if (automatic || strcmp(name, vq_backend_onednn.name) == 0) return &vq_backend_onednn;
#endif
    if (automatic || strcmp(name, vq_backend_portable.name) == 0) return &vq_backend_portable;
    return NULL;
}
