/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/product.h -- the matrix product over `real`. */
#ifndef VQ_NN_OPS_PRODUCT_H
#define VQ_NN_OPS_PRODUCT_H

#include "kernels/gemm_f64.h"
#include "kernels/kernels.h"
#include "nn/real.h"

#ifdef VQ_REAL_DOUBLE

typedef vq_gemm_double vq_product;

static inline size_t vq_product_workspace(const vq_context *ctx, size_t m, size_t n, size_t k)
{
    (void)ctx, (void)m, (void)n, (void)k;
    return 0;
}

static inline void vq_product_run(vq_context *ctx, const vq_product *product, void *workspace)
{
    (void)ctx, (void)workspace;
    vq_gemm_f64(product);
}

#else

typedef vq_gemm vq_product;

static inline size_t vq_product_workspace(const vq_context *ctx, size_t m, size_t n, size_t k)
{
    return vq_gemm_workspace(ctx, m, n, k);
}

static inline void vq_product_run(vq_context *ctx, const vq_product *product, void *workspace)
{
    vq_gemm_run(ctx, product, workspace);
}

#endif
#endif
