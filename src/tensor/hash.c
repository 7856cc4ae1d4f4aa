/* SPDX-License-Identifier: Apache-2.0
 * tensor/hash.c -- checksums of arrays. */
#include "tensor/hash.h"
#include <xxhash.h>

uint64_t vq_array_hash(const vq_array *array)
{
    return XXH3_64bits(array->data, vq_shape_count(&array->shape) * vq_dtype_size(array->dtype));
}
