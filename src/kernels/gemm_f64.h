/* SPDX-License-Identifier: Apache-2.0
 * kernels/gemm_f64.h -- the matrix product in double, in which gradients are checked. */
#ifndef VQ_KERNELS_GEMM_F64_H
#define VQ_KERNELS_GEMM_F64_H

#include <stddef.h>

/** As vq_gemm, in double. */
typedef struct vq_gemm_double {
    size_t m, n, k;
    const double *a;
    size_t a_row, a_col;
    const double *b;
    size_t b_row, b_col;
    double *c;
    size_t ldc;
    int accumulate;
} vq_gemm_double;

/** C = or += A * B by plain loops, in one thread and without a workspace. */
void vq_gemm_f64(const vq_gemm_double *g);

#endif
