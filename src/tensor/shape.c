/* SPDX-License-Identifier: Apache-2.0
 * tensor/shape.c -- element types and shapes. */
#include "tensor/shape.h"
#include "base/context.h"
#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[VQ_DTYPE_COUNT] = {
    [VQ_F32] = {"f32", 4},   [VQ_F64] = {"f64", 8}, [VQ_BF16] = {"bf16", 2}, [VQ_F16] = {"f16", 2},
    [VQ_I8] = {"i8", 1},     [VQ_I16] = {"i16", 2}, [VQ_I32] = {"i32", 4},   [VQ_I64] = {"i64", 8},
    [VQ_U8] = {"u8", 1},     [VQ_U16] = {"u16", 2}, [VQ_U32] = {"u32", 4},   [VQ_U64] = {"u64", 8},
    [VQ_BOOL] = {"bool", 1},
};

static bool known(vq_dtype dtype)
{
    return (unsigned)dtype < VQ_DTYPE_COUNT;
}

size_t vq_dtype_size(vq_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].size : 0;
}

const char *vq_dtype_name(vq_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].name : "unknown";
}

size_t vq_shape_count(const vq_shape *shape)
{
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++) count *= (size_t)shape->dim[i];
    return count;
}

bool vq_shape_bytes(const vq_shape *shape, vq_dtype dtype, size_t *bytes)
{
    if (shape->rank < 0 || shape->rank > VQ_MAX_RANK || !known(dtype)) return false;
    *bytes = vq_dtype_size(dtype);
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0 || shape->dim[i] > VQ_MAX_EXTENT) return false;
        if (!vq_mul_size(*bytes, (size_t)shape->dim[i], bytes)) return false;
    }
    return true;
}

void vq_shape_text(const vq_shape *shape, char *to, size_t size)
{
    size_t used = 0;
    to[0] = '\0';
    for (int i = 0; i < shape->rank && used < size; i++) {
        const int more =
            snprintf(to + used, size - used, i ? "x%" PRId64 : "%" PRId64, shape->dim[i]);
        if (more > 0) used += (size_t)more;
    }
}
