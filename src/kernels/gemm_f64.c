/* SPDX-License-Identifier: Apache-2.0
 * kernels/gemm_f64.c -- the matrix product in double. */
#include "kernels/gemm_f64.h"

void vq_gemm_f64(const vq_gemm_double *g)
{
    for (size_t i = 0; i < g->m; i++) {
        double *c = g->c + i * g->ldc;
        if (!g->accumulate)
            for (size_t j = 0; j < g->n; j++) c[j] = 0.0;
        for (size_t p = 0; p < g->k; p++) {
            const double a = g->a[i * g->a_row + p * g->a_col];
            for (size_t j = 0; j < g->n; j++) c[j] += a * g->b[p * g->b_row + j * g->b_col];
        }
    }
}
