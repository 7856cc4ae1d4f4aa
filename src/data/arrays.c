/* SPDX-License-Identifier: Apache-2.0
 * data/arrays.c -- images and labels in arrays of numbers, and the .npy file that holds one. */
#include <string.h>

#include "data/classes.h"
#include "data/source.h"

bool vq_npy_is(const unsigned char *bytes, size_t size)
{
    return size >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0;
}

static vq_status take_shape(vq_context *ctx, const char *what, const vq_array *array,
                            vq_source *source)
{
    const vq_shape *shape = &array->shape;
    VQ_CHECK(ctx, array->dtype == VQ_U8, VQ_E_UNSUPPORTED,
             "%s holds %s numbers; images are u8 of shape (N,H,W,C) or (N,H,W)", what,
             vq_dtype_name(array->dtype));
    VQ_CHECK(ctx, shape->rank == 3 || shape->rank == 4, VQ_E_UNSUPPORTED,
             "%s is an array of rank %d; images are (N,H,W,C) or (N,H,W)", what, shape->rank);
    const int64_t channels = shape->rank == 4 ? shape->dim[3] : 1;
    VQ_CHECK(ctx, channels == 1 || channels == 3, VQ_E_UNSUPPORTED,
             "%s has %lld channels as its last extent; images have 1 or 3", what,
             (long long)channels);
    VQ_CHECK(ctx, shape->dim[1] > 0 && shape->dim[2] > 0, VQ_E_FORMAT,
             "%s holds images %lld high and %lld wide", what, (long long)shape->dim[1],
             (long long)shape->dim[2]);
    source->size[0] = shape->dim[1];
    source->size[1] = shape->dim[2];
    source->size[2] = channels;
    return VQ_OK;
}

vq_status vq_source_take_images(vq_context *ctx, vq_source *source, const char *what,
                                vq_array *images)
{
    VQ_TRY(take_shape(ctx, what, images, source));
    VQ_TRY(vq_entries_number(ctx, &source->entries, (size_t)images->shape.dim[0]));
    source->memory = images->data;
    source->pixels = images->data;
    images->data = NULL;
    return VQ_OK;
}

/* The whole number at that place; -1 for one that is no label. */
static int64_t label_at(const vq_array *labels, size_t i)
{
    switch (labels->dtype) {
    case VQ_I8: return ((const int8_t *)labels->data)[i];
    case VQ_I16: return ((const int16_t *)labels->data)[i];
    case VQ_I32: return ((const int32_t *)labels->data)[i];
    case VQ_I64: return ((const int64_t *)labels->data)[i];
    case VQ_U8: return ((const uint8_t *)labels->data)[i];
    case VQ_U16: return ((const uint16_t *)labels->data)[i];
    case VQ_U32: return ((const uint32_t *)labels->data)[i];
    default: return -1;
    }
}

static bool holds_labels(const vq_array *array)
{
    const vq_shape *shape = &array->shape;
    const bool whole = (array->dtype >= VQ_I8 && array->dtype <= VQ_I64) ||
                       (array->dtype >= VQ_U8 && array->dtype <= VQ_U32);
    return whole && (shape->rank == 1 || (shape->rank == 2 && shape->dim[1] == 1));
}

vq_status vq_source_take_labels(vq_context *ctx, vq_source *source, const char *what,
                                const vq_array *labels)
{
    vq_entries *entries = &source->entries;
    VQ_CHECK(ctx, holds_labels(labels), VQ_E_UNSUPPORTED,
             "%s holds %s numbers in an array of rank %d; labels are whole numbers of shape (N) or "
             "(N,1)",
             what, vq_dtype_name(labels->dtype), labels->shape.rank);
    VQ_TRY(vq_labels_check(ctx, source->path, entries->count, what, (size_t)labels->shape.dim[0]));
    for (size_t i = 0; i < entries->count; i++) {
        const int64_t label = label_at(labels, i);
        VQ_CHECK(ctx, label >= 0 && label < VQ_LABELS_MAX, VQ_E_FORMAT,
                 "%s: label %zu is %lld; labels are 0 to %d", what, i, (long long)label,
                 VQ_LABELS_MAX - 1);
        entries->items[i].label = label;
    }
    return VQ_OK;
}

vq_status vq_npy_open(vq_context *ctx, vq_source *source)
{
    vq_array array = {0};
    VQ_TRY(vq_npy_describe(ctx, source->path, &array));
    vq_status status = take_shape(ctx, source->path, &array, source);
    vq_array_clear(ctx, &array);
    VQ_TRY(status);
    VQ_TRY(vq_npy_load(ctx, source->path, &array));
    status = vq_source_take_images(ctx, source, source->path, &array);
    vq_array_clear(ctx, &array);
    return status;
}
