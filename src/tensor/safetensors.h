/* SPDX-License-Identifier: Apache-2.0
 * tensor/safetensors.h -- what the reader and the writer of safetensors agree on.
 *
 * A file is the header's length N (u64, little-endian), N bytes of JSON, then the data. */
#ifndef VQ_TENSOR_SAFETENSORS_H
#define VQ_TENSOR_SAFETENSORS_H

#include <stdbool.h>

#include "base/file.h"
#include <vqvae/tensor.h>

enum { VQ_SAFETENSORS_PREFIX = 8, VQ_SAFETENSORS_HEADER_MAX = 100000000 };
#define VQ_SAFETENSORS_METADATA "__metadata__"

/** The format's name of an element type ("F32"). */
const char *vq_safetensors_dtype_name(vq_dtype dtype);
/** Place of the type in the order in which the writer puts tensors; wide types come first. */
int vq_safetensors_dtype_rank(vq_dtype dtype);
/** The type of that name; false where this library has none. */
bool vq_safetensors_dtype_named(const char *name, vq_dtype *dtype);
/** Whether the format knows the name, though this library holds no such numbers. */
bool vq_safetensors_dtype_foreign(const char *name);

/** Writes the data of one array of the archive, as many bytes as its shape says. */
typedef vq_status vq_safetensors_put(void *user, const vq_array *array, vq_replacement *to);
/** vq_safetensors_save() with data that lie elsewhere than in the arrays. */
VQ_MUST_USE vq_status vq_safetensors_write(vq_context *ctx, const char *path,
                                           const vq_archive *archive, vq_safetensors_put *put,
                                           void *user);

#endif
