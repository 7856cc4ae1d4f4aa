/* SPDX-License-Identifier: Apache-2.0
 * tensor/shape.h -- sizes of arrays, checked before anything is allocated. */
#ifndef VQ_TENSOR_SHAPE_H
#define VQ_TENSOR_SHAPE_H

#include <stdbool.h>
#include <vqvae/tensor.h>

/* Files hold little-endian numbers, which are copied as they stand. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the readers and writers of files need a little-endian machine");

/** No extent is larger: the ceiling of safetensors' own schema. */
#define VQ_MAX_EXTENT (INT64_C(1) << 48)

/** Bytes of all elements; false where rank, an extent or the product is out of range. */
bool vq_shape_bytes(const vq_shape *shape, vq_dtype dtype, size_t *bytes);
/** Writes the extents as "2x16x16x3", cut to `size`; "" for a scalar. */
void vq_shape_text(const vq_shape *shape, char *to, size_t size);

#endif
