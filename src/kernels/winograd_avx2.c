/* SPDX-License-Identifier: Apache-2.0
 * kernels/winograd_avx2.c -- the transforms for AVX2. */
#include "kernels/winograd.h"

#if defined(__x86_64__)
#define LANES 8
#define TARGET __attribute__((target("avx2")))
#define TABLE vq_winograd_avx2
#include "kernels/winograd_lanes.inc"
#endif
