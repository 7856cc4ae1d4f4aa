/* SPDX-License-Identifier: Apache-2.0
 * kernels/winograd_avx512.c -- the transforms for AVX-512. */
#include "kernels/winograd.h"

#if defined(__x86_64__)
#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512dq")))
#define TABLE vq_winograd_avx512
#include "kernels/winograd_lanes.inc"
#endif
