/* SPDX-License-Identifier: Apache-2.0
 * tensor/npy_read.c -- .npy files as row-major arrays in the machine's byte order. */
#include "base/context.h"
#include "base/input.h"
#include "tensor/npy.h"
#include "tensor/numbers.h"
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

/* Fills the array's memory; only what stands in another order needs a second copy for a while. */
static vq_status take_data(const vq_input *input, const vq_npy_header *h, unsigned char *to)
{
    unsigned char *other = NULL;
    vq_status status = VQ_OK;
    if (h->fortran) VQ_TRY(VQ_NEW(input->ctx, h->bytes, &other));
    VQ_TRY_TO(vq_input_take(input, h->data_at, other ? other : to, h->bytes));
    if (other && h->bytes > 0) copy_fortran(h, other, to);
    const size_t size = vq_dtype_size(h->dtype);
    if (h->swap) vq_numbers_swap(to, h->bytes / size, size);
done:
    vq_release(input->ctx, other);
    return status;
}

vq_status vq_npy_header_take(const vq_input *input, vq_npy_header *h)
{
    unsigned char start[VQ_NPY_HEADER_MAX];
    const size_t size = input->size < sizeof start ? (size_t)input->size : sizeof start;
    VQ_TRY(vq_input_take(input, 0, start, size));
    VQ_TRY(vq_npy_header_read(input->ctx, start, size, h));
    const uint64_t rest = input->size - h->data_at;
    VQ_CHECK(
        input->ctx, rest >= h->bytes, VQ_E_FORMAT,
        "the .npy array takes %zu bytes, but only %ju follow the header: the file is cut short",
        h->bytes, (uintmax_t)rest);
    /* Other readers pass over what follows the array; silence about it would lose data. */
    VQ_CHECK(input->ctx, rest == h->bytes, VQ_E_FORMAT,
             "the .npy array takes %zu bytes, but %ju follow the header; only files of one array "
             "are read",
             h->bytes, (uintmax_t)rest);
    return VQ_OK;
}

/* Everything but the data. */
static vq_status describe(const vq_input *input, vq_npy_header *h, vq_array *out)
{
    *out = (vq_array){0};
    VQ_TRY(vq_npy_header_take(input, h));
    out->dtype = h->dtype;
    out->shape = h->shape;
    return vq_strdup(input->ctx, "", &out->name);
}

static vq_status parse(vq_context *ctx, const vq_input *input, vq_array *out)
{
    vq_status status = VQ_OK;
    vq_npy_header h;
    VQ_TRY_TO(describe(input, &h, out));
    VQ_TRY_TO(vq_alloc(ctx, h.bytes, 1, &out->data));
    VQ_TRY_TO(take_data(input, &h, out->data));
done:
    if (status != VQ_OK) vq_array_clear(ctx, out);
    return status;
}

vq_status vq_npy_parse(vq_context *ctx, const void *bytes, size_t size, vq_array *out)
{
    const vq_input input = vq_input_memory(ctx, bytes, size);
    return parse(ctx, &input, out);
}

vq_status vq_npy_load(vq_context *ctx, const char *path, vq_array *out)
{
    vq_input input;
    *out = (vq_array){0};
    vq_status status = vq_input_open(ctx, path, &input);
    if (status == VQ_OK) status = vq_input_blame(&input, parse(ctx, &input, out));
    vq_input_close(&input);
    return status;
}

vq_status vq_npy_describe(vq_context *ctx, const char *path, vq_array *out)
{
    vq_input input;
    vq_npy_header h;
    *out = (vq_array){0};
    vq_status status = vq_input_open(ctx, path, &input);
    if (status == VQ_OK) status = vq_input_blame(&input, describe(&input, &h, out));
    vq_input_close(&input);
    return status;
}
