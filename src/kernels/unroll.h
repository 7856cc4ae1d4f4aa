/* SPDX-License-Identifier: Apache-2.0
 * kernels/unroll.h -- loops over registers. */
#ifndef VQ_KERNELS_UNROLL_H
#define VQ_KERNELS_UNROLL_H

/* Sums live in registers only where the loops over them are unrolled. Clang unrolls
 * loops of fixed length by itself and warns of gcc's pragma. */
#if defined(__clang__)
#define VQ_UNROLL(n)
#else
#define VQ_PRAGMA(text) _Pragma(#text)
#define VQ_UNROLL(n) VQ_PRAGMA(GCC unroll n)
#endif

#endif
