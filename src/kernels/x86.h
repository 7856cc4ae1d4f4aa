/* SPDX-License-Identifier: Apache-2.0
 * kernels/x86.h -- what the instruction sets of x86-64 share. */
#ifndef VQ_KERNELS_X86_H
#define VQ_KERNELS_X86_H

#include "kernels/kernels.h"
#include "kernels/unroll.h"

/** vq_pack_fn for AVX2; 8 x 8 blocks are as fast as wider ones where AVX-512 is built of
 *  two halves, and no slower than the rest of packing elsewhere. */
vq_pack_fn vq_pack_x86;

/** For AVX2. */
vq_screen_rows_fn vq_screen_rows_x86;
vq_list_rows_fn vq_list_rows_x86;

/** For processors with AVX-512 BF16, and for those with AMX besides; their tiles have 32 lanes. */
extern const struct vq_screening vq_screening_avx512, vq_screening_amx;

#endif
