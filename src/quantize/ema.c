/* SPDX-License-Identifier: Apache-2.0
 * quantize/ema.c -- a codebook by exponential moving averages (arXiv:1711.00937, appendix A.1):
 *   c = decay c + (1-decay) n,  m = decay m + (1-decay) S,  N = sum c
 *   e_k = m_k / ((c_k + eps) / (N + K eps) * N)
 * The three starts are those of vq-vae-2-pytorch (zero), sonnet (debias) and
 * vector-quantize-pytorch (one). */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "nn/ops/common.h"
#include "quantize/quantize_parts.h"

const vq_impl VQ_REAL(vq_quantize_ema_portable) = {
    .name = "portable",
    .prepare = vq_quantize_prepare,
    .forward = vq_quantize_forward,
    .backward = vq_quantize_backward,
    .reads_in = true,
    .reads_out = true,
};

#ifndef VQ_REAL_DOUBLE

static vq_status declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    const vq_quantize_attrs *attrs = node->attrs;
    VQ_CHECK(ctx, attrs->decay >= 0.0 && attrs->decay < 1.0, VQ_E_ARG,
             "%s: the decay %g must be at least 0 and less than 1", node->name, attrs->decay);
    VQ_CHECK(ctx, attrs->epsilon > 0.0 && isfinite(attrs->epsilon), VQ_E_ARG,
             "%s: the epsilon %g must be greater than 0", node->name, attrs->epsilon);
    VQ_TRY(vq_quantize_declare(ctx, graph, node, VQ_PARAM_STATE));
    /* VQ_INIT_COPY copies the codebook, declared just before. */
    const vq_param_spec sums = {
        .suffix = "sums",
        .shape = {2, {attrs->codes, attrs->dim}},
        .kind = VQ_PARAM_STATE,
        .group = VQ_GROUP_CODEBOOKS,
        .init = attrs->start == VQ_EMA_DEBIAS ? VQ_INIT_ZERO : VQ_INIT_COPY,
    };
    const vq_param_spec counts = {
        .suffix = "counts",
        .shape = {1, {attrs->codes}},
        .kind = VQ_PARAM_STATE,
        .group = VQ_GROUP_CODEBOOKS,
        .init = attrs->start == VQ_EMA_ONE ? VQ_INIT_ONE : VQ_INIT_ZERO,
    };
    VQ_TRY(vq_graph_param(ctx, graph, node, &sums));
    return vq_graph_param(ctx, graph, node, &counts);
}

/* Gives a codebook drawn from the data the averages that a drawn codebook starts with. */
static vq_status start(vq_step *run, uint64_t seed)
{
    const vq_quantize_attrs *attrs = run->node->attrs;
    VQ_TRY(vq_quantize_start(run, seed));
    if (attrs->init != VQ_CODEBOOK_DATA) return VQ_OK;
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    float *counts = run->param[VQ_EMA_COUNTS].data;
    for (size_t k = 0; k < s.n_codes; k++) counts[k] = attrs->start == VQ_EMA_ONE ? 1.0f : 0.0f;
    if (attrs->start == VQ_EMA_DEBIAS)
        memset(run->param[VQ_EMA_SUMS].data, 0, s.n_codes * s.dim * sizeof(float));
    else
        memcpy(run->param[VQ_EMA_SUMS].data, run->param[VQ_CODEBOOK].data,
               s.n_codes * s.dim * sizeof(float));
    return VQ_OK;
}

typedef struct update_job {
    const vq_quantize_attrs *attrs;
    const float *batch; /* n_k, then S_k */
    float *codebook, *counts, *sums;
    double correction; /* 1 - decay^step, or 1: averages are divided by it */
    double total;      /* N */
} update_job;

static float blend(double decay, float average, float value)
{
    return (float)(decay * (double)average + (1.0 - decay) * (double)value);
}

static void update_codes(void *arg, size_t begin, size_t end, int thread)
{
    const update_job *job = arg;
    const vq_quantize_attrs *attrs = job->attrs;
    const size_t n_codes = (size_t)attrs->codes, dim = (size_t)attrs->dim;
    const float *batch = job->batch + n_codes;
    (void)thread;
    for (size_t k = begin; k < end; k++) {
        const double count = (double)job->counts[k] / job->correction;
        const double smooth =
            (count + attrs->epsilon) / (job->total + (double)n_codes * attrs->epsilon) * job->total;
        const double scale = job->correction * smooth;
        for (size_t at = k * dim; at < (k + 1) * dim; at++) {
            job->sums[at] = blend(attrs->decay, job->sums[at], batch[at]);
            job->codebook[at] = (float)((double)job->sums[at] / scale);
        }
    }
}

static vq_status update(vq_context *ctx, const vq_node *node, const vq_graph *graph, float *state,
                        const float *batch, int64_t step)
{
    const vq_quantize_attrs *attrs = node->attrs;
    update_job job = {
        .attrs = attrs,
        .batch = batch,
        .codebook = state + graph->params[node->param[VQ_CODEBOOK]].at,
        .sums = state + graph->params[node->param[VQ_EMA_SUMS]].at,
        .counts = state + graph->params[node->param[VQ_EMA_COUNTS]].at,
        .correction = attrs->start == VQ_EMA_DEBIAS ? 1.0 - pow(attrs->decay, (double)step) : 1.0,
    };
    for (size_t k = 0; k < (size_t)attrs->codes; k++) {
        job.counts[k] = blend(attrs->decay, job.counts[k], batch[k]);
        job.total += (double)job.counts[k] / job.correction;
    }
    VQ_CHECK(ctx, job.total > 0.0 && isfinite(job.total), VQ_E_NUMERIC,
             "%s: the moving counts of its codes add up to %g", node->name, job.total);
    vq_parallel_for(ctx, (size_t)attrs->codes, 1 + VQ_ELEMENT_GRAIN / (size_t)attrs->dim,
                    update_codes, &job);
    return VQ_OK;
}

const vq_op vq_op_quantize_ema = {
    .name = "quantize_ema",
    .attrs_size = sizeof(vq_quantize_attrs),
    .n_in = 1,
    .n_out = 2,
    .declare = declare,
    .infer = vq_quantize_infer,
    .flops = vq_quantize_flops,
    .portable_f32 = &vq_quantize_ema_portable_f32,
    .portable_f64 = &vq_quantize_ema_portable_f64,
    .update = update,
    .start = start,
    .differentiable = true,
};

#endif
