/* SPDX-License-Identifier: Apache-2.0
 * kernels/avx512_bf16.h -- what tables with AVX-512's and AMX's products of bf16 share. */
#ifndef VQ_KERNELS_AVX512_BF16_H
#define VQ_KERNELS_AVX512_BF16_H

#include "kernels/bf16.h"

/** They take subnormal numbers for zeros, as the products do. */
vq_round_bf16_fn vq_round_bf16_avx512;
vq_pair_rows_fn vq_pair_rows_avx512;

#endif
