/* SPDX-License-Identifier: Apache-2.0
 * base/input.c -- bytes to parse, from a file or from memory. */
#include "base/input.h"
#include "base/file.h"
#include <fcntl.h>
#include <string.h>

vq_input vq_input_memory(vq_context *ctx, const void *bytes, size_t size)
{
    /* Nothing writes through the pointer; it is not const because a file's bytes are released. */
    union {
        const void *from;
        unsigned char *to;
    } borrowed = {.from = bytes};
    return (vq_input){.ctx = ctx, .fd = -1, .bytes = borrowed.to, .size = size};
}

vq_status vq_input_open(vq_context *ctx, const char *path, vq_input *out)
{
    vq_bytes whole;
    *out = (vq_input){.ctx = ctx, .path = path};
    out->fd = vq_file_descriptor(ctx, path, O_RDONLY);
    if (out->fd < 0) return vq_file_failed(ctx, path, "be opened");
    if (vq_file_size(out->fd, &out->size)) return VQ_OK;
    const vq_status status = vq_file_read_all(ctx, path, out->fd, SIZE_MAX, &whole);
    ctx->files.close(ctx->files.user, out->fd);
    out->fd = -1;
    out->bytes = whole.data;
    out->owned = true;
    out->size = whole.size;
    return status;
}

vq_status vq_input_take(const vq_input *input, uint64_t at, void *to, size_t size)
{
    if (input->fd < 0) {
        if (size > 0) memcpy(to, input->bytes + at, size);
        return VQ_OK;
    }
    const vq_status status = vq_file_read_at(input->ctx, input->path, input->fd, at, to, size);
    VQ_CHECK(input->ctx, status != VQ_E_FORMAT, VQ_E_IO, "%s: became shorter while it was read",
             input->path);
    return status;
}

void vq_input_close(vq_input *input)
{
    if (input->fd >= 0) input->ctx->files.close(input->ctx->files.user, input->fd);
    if (input->owned) vq_release(input->ctx, input->bytes);
    input->fd = -1;
    input->bytes = NULL;
}

vq_status vq_input_blame(const vq_input *input, vq_status status)
{
    if (status == VQ_OK || status == VQ_E_IO || !input->path) return status;
    return vq_fail(input->ctx, status, "%s: %s", input->path, input->ctx->error);
}
