/* SPDX-License-Identifier: Apache-2.0
 * data/npy_source.c -- images in one .npy array of bytes. */
#include <string.h>
#include <vqvae/tensor.h>

#include "data/source.h"

bool vq_npy_is(const unsigned char *bytes, size_t size)
{
    return size >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0;
}

static vq_status take_shape(vq_context *ctx, const vq_array *array, vq_source *source)
{
    const vq_shape *shape = &array->shape;
    VQ_CHECK(ctx, array->dtype == VQ_U8, VQ_E_UNSUPPORTED,
             "%s holds %s numbers; images are u8 of shape (N,H,W,C) or (N,H,W)", source->path,
             vq_dtype_name(array->dtype));
    VQ_CHECK(ctx, shape->rank == 3 || shape->rank == 4, VQ_E_UNSUPPORTED,
             "%s is an array of rank %d; images are (N,H,W,C) or (N,H,W)", source->path,
             shape->rank);
    const int64_t channels = shape->rank == 4 ? shape->dim[3] : 1;
    VQ_CHECK(ctx, channels == 1 || channels == 3, VQ_E_UNSUPPORTED,
             "%s has %lld channels as its last extent; images have 1 or 3", source->path,
             (long long)channels);
    VQ_CHECK(ctx, shape->dim[1] > 0 && shape->dim[2] > 0, VQ_E_FORMAT,
             "%s holds images %lld high and %lld wide", source->path, (long long)shape->dim[1],
             (long long)shape->dim[2]);
    source->size[0] = shape->dim[1];
    source->size[1] = shape->dim[2];
    source->size[2] = channels;
    return VQ_OK;
}

vq_status vq_npy_open(vq_context *ctx, vq_source *source)
{
    vq_array array = {0};
    VQ_TRY(vq_npy_load(ctx, source->path, &array));
    vq_status status = VQ_OK;
    VQ_TRY_TO(take_shape(ctx, &array, source));
    VQ_TRY_TO(vq_entries_number(ctx, &source->entries, (size_t)array.shape.dim[0]));
    source->memory = array.data; /* changes hands */
    source->pixels = array.data;
    array.data = NULL;
done:
    vq_array_clear(ctx, &array);
    return status;
}
