/* SPDX-License-Identifier: Apache-2.0
 * tensor/numbers.h -- floats of every width as f32. */
#ifndef VQ_TENSOR_NUMBERS_H
#define VQ_TENSOR_NUMBERS_H

#include <stdbool.h>
#include <vqvae/tensor.h>

/** Whether the type is f64, f32, f16 or bf16. */
bool vq_dtype_is_float(vq_dtype dtype);
/** The nearest f32 of each of `count` floats; what f32 cannot hold becomes infinite. `from` needs
 *  no alignment and does not overlap `to`. */
void vq_numbers_to_f32(vq_dtype dtype, const void *from, size_t count, float *to);
/** Turns the bytes of each of `count` elements of `size` bytes round. */
void vq_numbers_swap(void *numbers, size_t count, size_t size);

#endif
