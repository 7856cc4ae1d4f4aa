/* SPDX-License-Identifier: Apache-2.0
 * tensor/hash.h -- checksums of arrays, which safetensors itself lacks. */
#ifndef VQ_TENSOR_HASH_H
#define VQ_TENSOR_HASH_H

#include <stdint.h>
#include <vqvae/tensor.h>

/** XXH3 (64 bits, seed 0) of the array's bytes as a file holds them; name and shape are not
 *  part of it. */
uint64_t vq_array_hash(const vq_array *array);

#endif
