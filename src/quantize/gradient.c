/* SPDX-License-Identifier: Apache-2.0
 * quantize/gradient.c -- a codebook moved by the optimiser (arXiv:1711.00937, eq. 3):
 *   de_k = codebook * 2 (n_k e_k - S_k) / (n D) = codebook * 2/(n D) * sum over k_i = k of
 *          (e_k - z_i)
 * summed in the second form, which does not cancel. */
#include <math.h>

#include "base/parallel.h"
#include "nn/ops/common.h"
#include "quantize/quantize_parts.h"

enum { COLUMNS = 16 }; /* least columns of a thread: a cache line */

/* Threads share columns, not rows, so that every sum is taken in the order of the rows. */
static void pull_codes(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    const real *z = run->in[0].data, *q = run->out[0].data;
    const int32_t *codes = run->out[1].data;
    real *d_codebook = run->d_param[VQ_CODEBOOK].data;
    const real scale = (real)(run->weights[1] * 2.0 / ((double)s.n * (double)s.dim));
    (void)thread;
    for (size_t i = 0; i < s.n; i++) {
        real *to = d_codebook + (size_t)codes[i] * s.dim;
        for (size_t d = begin; d < end; d++) to[d] += scale * (q[i * s.dim + d] - z[i * s.dim + d]);
    }
}

static vq_status backward(vq_step *run)
{
    if (run->d_param[VQ_CODEBOOK].data)
        vq_parallel_for(run->ctx, vq_quantize_sizes_of(run).dim, COLUMNS, pull_codes, run);
    return vq_quantize_backward(run);
}

const vq_impl VQ_REAL(vq_quantize_gradient_portable) = {
    .name = "portable",
    .prepare = vq_quantize_prepare,
    .forward = vq_quantize_forward,
    .backward = backward,
    .reads_in = true,
    .reads_out = true,
};

#ifndef VQ_REAL_DOUBLE

static vq_status declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    const vq_quantize_attrs *attrs = node->attrs;
    VQ_CHECK(ctx, isfinite(attrs->codebook) && attrs->codebook >= 0.0, VQ_E_ARG,
             "%s: the weight %g of the codebook term must be 0 or more", node->name,
             attrs->codebook);
    VQ_TRY(vq_quantize_declare(ctx, graph, node, VQ_PARAM_TRAINED));
    return vq_graph_term(ctx, graph, node, "codebook", attrs->codebook);
}

const vq_op vq_op_quantize_gradient = {
    .name = "quantize_gradient",
    .attrs_size = sizeof(vq_quantize_attrs),
    .n_in = 1,
    .n_out = 2,
    .declare = declare,
    .infer = vq_quantize_infer,
    .flops = vq_quantize_flops,
    .portable_f32 = &vq_quantize_gradient_portable_f32,
    .portable_f64 = &vq_quantize_gradient_portable_f64,
    .start = vq_quantize_start,
    .differentiable = true,
};

#endif
