/* SPDX-License-Identifier: Apache-2.0
 * tensor/npy_read.c -- .npy files as row-major arrays in the machine's byte order. */
#include "base/context.h"
#include "base/file.h"
#include "tensor/npy.h"
#include "tensor/shape.h"
#include <string.h>

/* Fortran order is the row-major order of the reversed shape: walks the result row by row and
 * keeps the place in the source up to date. */
static void copy_fortran(const vq_npy_header *h, const unsigned char *from, unsigned char *to)
{
    const size_t size = vq_dtype_size(h->dtype), count = vq_shape_count(&h->shape);
    size_t stride[VQ_MAX_RANK], place = 0;
    int64_t index[VQ_MAX_RANK] = {0};
    size_t next = size;
    for (int d = 0; d < h->shape.rank; d++) {
        stride[d] = next;
        next *= (size_t)h->shape.dim[d];
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(to + i * size, from + place, size);
        for (int d = h->shape.rank - 1; d >= 0; d--) {
            place += stride[d];
            if (++index[d] < h->shape.dim[d]) break;
            place -= stride[d] * (size_t)h->shape.dim[d];
            index[d] = 0;
        }
    }
}

static void swap_bytes(unsigned char *data, size_t bytes, size_t size)
{
    for (unsigned char *at = data; at < data + bytes; at += size) {
        for (size_t i = 0; i < size / 2; i++) {
            const unsigned char kept = at[i];
            at[i] = at[size - 1 - i];
            at[size - 1 - i] = kept;
        }
    }
}

static void copy_data(const vq_npy_header *h, const unsigned char *from, unsigned char *to)
{
    if (h->bytes == 0) return;
    if (h->fortran) copy_fortran(h, from, to);
    else memcpy(to, from, h->bytes);
    if (h->swap) swap_bytes(to, h->bytes, vq_dtype_size(h->dtype));
}

vq_status vq_npy_parse(vq_context *ctx, const void *bytes, size_t size, vq_array *out)
{
    vq_status status = VQ_OK;
    vq_npy_header h;
    *out = (vq_array){0};
    VQ_TRY(vq_npy_header_read(ctx, bytes, size, &h));
    /* Other readers pass over what follows the array; silence about it would lose data. */
    VQ_CHECK(ctx, size - h.data_at == h.bytes, VQ_E_FORMAT,
             "the .npy array takes %zu bytes, but %zu follow the header", h.bytes,
             size - h.data_at);
    out->dtype = h.dtype;
    out->shape = h.shape;
    VQ_TRY_TO(vq_strdup(ctx, "", &out->name));
    VQ_TRY_TO(vq_alloc(ctx, h.bytes, 1, &out->data));
    copy_data(&h, (const unsigned char *)bytes + h.data_at, out->data);
done:
    if (status != VQ_OK) vq_array_clear(ctx, out);
    return status;
}

vq_status vq_npy_load(vq_context *ctx, const char *path, vq_array *out)
{
    vq_bytes file;
    *out = (vq_array){0};
    VQ_TRY(vq_file_read(ctx, path, SIZE_MAX, &file));
    const vq_status status = vq_npy_parse(ctx, file.data, file.size, out);
    vq_release(ctx, file.data);
    return status == VQ_OK ? VQ_OK : vq_fail(ctx, status, "%s: %s", path, ctx->error);
}
