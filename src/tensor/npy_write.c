/* SPDX-License-Identifier: Apache-2.0
 * tensor/npy_write.c -- arrays as .npy files, byte for byte as numpy.save writes them. */
#include "base/context.h"
#include "base/file.h"
#include "tensor/npy.h"
#include "tensor/shape.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PREFIX = 10, /* magic, version, length */
    SHAPE_SIZE = 128,
    DATA_ALIGNMENT = 64,
    FIRST_EXTENT_DIGITS = 21 /* room that numpy leaves to lengthen the first extent in place */
};

/* NULL for bf16, which numpy does not have. */
static const char *const descr[VQ_DTYPE_COUNT] = {
    [VQ_F16] = "<f2", [VQ_F32] = "<f4", [VQ_F64] = "<f8", [VQ_I8] = "|i1",
    [VQ_I16] = "<i2", [VQ_I32] = "<i4", [VQ_I64] = "<i8", [VQ_U8] = "|u1",
    [VQ_U16] = "<u2", [VQ_U32] = "<u4", [VQ_U64] = "<u8", [VQ_BOOL] = "|b1",
};

bool vq_npy_holds(vq_dtype dtype)
{
    return descr[dtype] != NULL;
}

/* "()", "(3,)", "(2, 3)"; returns the digits of the first extent. */
static int write_shape(const vq_shape *shape, char *to)
{
    int at = 0, digits = 0;
    for (int i = 0; i < shape->rank; i++) {
        const int added = snprintf(to + at, (size_t)(SHAPE_SIZE - at), "%s%" PRId64,
                                   i == 0 ? "(" : ", ", shape->dim[i]);
        if (i == 0) digits = added - 1;
        at += added;
    }
    const char *close = shape->rank == 0 ? "()" : shape->rank == 1 ? ",)" : ")";
    snprintf(to + at, (size_t)(SHAPE_SIZE - at), "%s", close);
    return digits;
}

/* Spaces and a newline bring the data to a multiple of 64. */
size_t vq_npy_header_write(const vq_array *array, char header[VQ_NPY_OWN_HEADER_MAX])
{
    char shape[SHAPE_SIZE];
    const int digits = write_shape(&array->shape, shape);
    const int room = array->shape.rank > 0 ? FIRST_EXTENT_DIGITS - digits : 0;
    const int length = snprintf(header + PREFIX, VQ_NPY_OWN_HEADER_MAX - PREFIX,
                                "{'descr': '%s', 'fortran_order': False, 'shape': %s, }%*s",
                                descr[array->dtype], shape, room, "");
    const size_t end = PREFIX + (size_t)length + 1;
    const size_t size = (end + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    memset(header + end - 1, ' ', size - end);
    header[size - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((size - PREFIX) & 0xff);
    header[9] = (char)((size - PREFIX) >> 8);
    return size;
}

vq_status vq_npy_save(vq_context *ctx, const char *path, const vq_array *array)
{
    size_t bytes;
    vq_replacement file;
    char header[VQ_NPY_OWN_HEADER_MAX];
    VQ_CHECK(ctx, vq_shape_bytes(&array->shape, array->dtype, &bytes), VQ_E_ARG,
             "%s: the array has an impossible type or shape", path);
    VQ_CHECK(ctx, vq_npy_holds(array->dtype), VQ_E_UNSUPPORTED,
             "%s: .npy has no %s numbers; save them as f32 or as .safetensors", path,
             vq_dtype_name(array->dtype));
    const size_t header_size = vq_npy_header_write(array, header);
    VQ_TRY(vq_replace_begin(ctx, path, &file));
    vq_status status = vq_replace_write(&file, header, header_size);
    if (status == VQ_OK) status = vq_replace_write(&file, array->data, bytes);
    if (status == VQ_OK) return vq_replace_commit(&file);
    vq_replace_abandon(&file);
    return status;
}
