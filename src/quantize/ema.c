/* SPDX-License-Identifier: Apache-2.0
 * quantize/ema.c -- a codebook by exponential moving averages (arXiv:1711.00937, appendix A.1):
 *   c = decay c + (1-decay) n,  m = decay m + (1-decay) S,  N = sum c
 *   e_k = m_k / ((c_k + eps) / (N + K eps) * N)
 * The three starts are those of vq-vae-2-pytorch (zero), sonnet (debias) and
 * vector-quantize-pytorch (one). */
#include <float.h>
#include <math.h>
#include <stdatomic.h>
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

vq_status vq_ema_check(vq_context *ctx, const char *name, const vq_quantize_attrs *attrs)
{
    VQ_CHECK(ctx, attrs->decay >= 0.0 && attrs->decay < 1.0, VQ_E_ARG,
             "%s: the decay %g must be at least 0 and less than 1", name, attrs->decay);
    VQ_CHECK(ctx, attrs->epsilon > 0.0 && isfinite(attrs->epsilon), VQ_E_ARG,
             "%s: the epsilon %g must be greater than 0", name, attrs->epsilon);
    return vq_quantize_check(ctx, name, attrs);
}

static vq_status declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    const vq_quantize_attrs *attrs = node->attrs;
    VQ_TRY(vq_ema_check(ctx, node->name, attrs));
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

void vq_ema_start_averages(const vq_quantize_attrs *attrs, const vq_ema_state *state)
{
    const size_t n_codes = (size_t)attrs->codes, numbers = n_codes * (size_t)attrs->dim;
    for (size_t k = 0; k < n_codes; k++)
        state->counts[k] = attrs->start == VQ_EMA_ONE ? 1.0f : 0.0f;
    if (attrs->start == VQ_EMA_DEBIAS) memset(state->sums, 0, numbers * sizeof(float));
    else memcpy(state->sums, state->codebook, numbers * sizeof(float));
}

static vq_status start(vq_step *run, uint64_t seed)
{
    const vq_quantize_attrs *attrs = run->node->attrs;
    const vq_ema_state state = {run->param[VQ_CODEBOOK].data, run->param[VQ_EMA_COUNTS].data,
                                run->param[VQ_EMA_SUMS].data};
    VQ_TRY(vq_quantize_start(run, seed));
    if (attrs->init == VQ_CODEBOOK_DATA) vq_ema_start_averages(attrs, &state);
    return VQ_OK;
}

typedef struct update_job {
    const vq_quantize_attrs *attrs;
    const float *batch; /* n_k, then S_k */
    vq_ema_state state;
    double correction; /* 1 - decay^step, or 1: averages are divided by it */
    double total;      /* N */
    atomic_bool infinite;
} update_job;

static float blend(double decay, float average, float value)
{
    return (float)(decay * (double)average + (1.0 - decay) * (double)value);
}

/* What the moving sum of a code with this moving count is divided by. */
static double divisor(const update_job *job, float moving_count)
{
    const vq_quantize_attrs *attrs = job->attrs;
    const double count = (double)moving_count / job->correction;
    const double smooth = (count + attrs->epsilon) /
                          (job->total + (double)attrs->codes * attrs->epsilon) * job->total;
    return job->correction * smooth;
}

/* Whether all sums of these codes, and what they are divided to, stay within f32. Rounding keeps
 * the order of numbers, so the greatest of a code tells for all of them. */
static void check_codes(void *arg, size_t begin, size_t end, int thread)
{
    update_job *job = arg;
    const double decay = job->attrs->decay;
    const size_t n_codes = (size_t)job->attrs->codes, dim = (size_t)job->attrs->dim;
    (void)thread;
    for (size_t k = begin; k < end; k++) {
        float greatest = 0.0f;
        bool finite = true;
        for (size_t at = k * dim; at < (k + 1) * dim; at++) {
            const float sum = fabsf(blend(decay, job->state.sums[at], job->batch[n_codes + at]));
            finite &= sum <= FLT_MAX;
            greatest = sum > greatest ? sum : greatest;
        }
        const double scale = divisor(job, blend(decay, job->state.counts[k], job->batch[k]));
        if (!finite || !isfinite((float)((double)greatest / scale)))
            atomic_store(&job->infinite, true);
    }
}

static void update_codes(void *arg, size_t begin, size_t end, int thread)
{
    const update_job *job = arg;
    const vq_quantize_attrs *attrs = job->attrs;
    const vq_ema_state *state = &job->state;
    const size_t n_codes = (size_t)attrs->codes, dim = (size_t)attrs->dim;
    const float *sums = job->batch + n_codes;
    (void)thread;
    for (size_t k = begin; k < end; k++) {
        state->counts[k] = blend(attrs->decay, state->counts[k], job->batch[k]);
        const double scale = divisor(job, state->counts[k]);
        for (size_t at = k * dim; at < (k + 1) * dim; at++) {
            state->sums[at] = blend(attrs->decay, state->sums[at], sums[at]);
            state->codebook[at] = (float)((double)state->sums[at] / scale);
        }
    }
}

vq_status vq_ema_update(vq_context *ctx, const char *name, const vq_quantize_attrs *attrs,
                        const float *batch, const vq_ema_state *state, int64_t step)
{
    update_job job = {
        .attrs = attrs,
        .batch = batch,
        .state = *state,
        .correction = attrs->start == VQ_EMA_DEBIAS ? 1.0 - pow(attrs->decay, (double)step) : 1.0,
    };
    for (size_t k = 0; k < (size_t)attrs->codes; k++)
        job.total += (double)blend(attrs->decay, state->counts[k], batch[k]) / job.correction;
    VQ_CHECK(ctx, job.total > 0.0 && isfinite(job.total), VQ_E_NUMERIC,
             "%s: the moving counts of its codes add up to %g", name, job.total);
    const size_t n_codes = (size_t)attrs->codes, grain = 1 + VQ_ELEMENT_GRAIN / (size_t)attrs->dim;
    vq_parallel_for(ctx, n_codes, grain, check_codes, &job);
    VQ_CHECK(ctx, !atomic_load(&job.infinite), VQ_E_NUMERIC,
             "%s: a moving sum or a code would be greater than f32 can hold", name);
    vq_parallel_for(ctx, n_codes, grain, update_codes, &job);
    return VQ_OK;
}

void vq_ema_place(const vq_quantize_attrs *attrs, const vq_ema_state *state, size_t k,
                  const float *vector, double count, int64_t step)
{
    const size_t dim = (size_t)attrs->dim;
    /* Averages that start at 0 are divided by this when they are used. */
    if (attrs->start == VQ_EMA_DEBIAS) count *= 1.0 - pow(attrs->decay, (double)step);
    state->counts[k] = (float)count;
    for (size_t d = 0; d < dim; d++) {
        state->codebook[k * dim + d] = vector[d];
        state->sums[k * dim + d] = (float)(count * (double)vector[d]);
    }
}

vq_ema_state vq_ema_state_of(const vq_graph *graph, const vq_node *node, float *state)
{
    return (vq_ema_state){
        .codebook = state + graph->params[node->param[VQ_CODEBOOK]].at,
        .counts = state + graph->params[node->param[VQ_EMA_COUNTS]].at,
        .sums = state + graph->params[node->param[VQ_EMA_SUMS]].at,
    };
}

static vq_status update(vq_context *ctx, const vq_node *node, const vq_graph *graph, float *state,
                        const float *batch, int64_t step)
{
    const vq_ema_state parts = vq_ema_state_of(graph, node, state);
    return vq_ema_update(ctx, node->name, node->attrs, batch, &parts, step);
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
