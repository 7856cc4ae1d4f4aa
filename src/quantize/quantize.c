/* SPDX-License-Identifier: Apache-2.0
 * quantize/quantize.c -- what all quantisers do alike:
 *   forward   k_i = argmin_k |z_i - e_k|^2, q_i = e_(k_i), commitment = mean (z - q)^2,
 *             n_k and S_k for the update phase
 *   backward  dz = dq + commitment * 2 (z - q) / (n D)     (arXiv:1711.00937, eq. 3)
 * The first part of dz is the straight-through estimator: the gradient passes the choice as
 * if it were the identity. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "nn/ops/common.h"
#include "quantize/quantize_parts.h"

#ifdef VQ_REAL_DOUBLE

static size_t nearest_workspace(const vq_context *ctx, const vq_quantize_sizes *s)
{
    (void)ctx, (void)s;
    return 0;
}

/* The definition itself: exact enough to judge gradients by, and slow. */
static void find_nearest(vq_context *ctx, const vq_quantize_sizes *s, const double *z,
                         const double *codebook, int32_t *codes, void *workspace)
{
    (void)ctx, (void)workspace;
    for (size_t i = 0; i < s->n; i++) {
        double best = HUGE_VAL;
        codes[i] = 0;
        for (size_t k = 0; k < s->n_codes; k++) {
            double distance = 0.0;
            for (size_t d = 0; d < s->dim; d++) {
                const double gap = z[i * s->dim + d] - codebook[k * s->dim + d];
                distance += gap * gap;
            }
            if (distance >= best) continue;
            best = distance;
            codes[i] = (int32_t)k;
        }
    }
}

#else

#include "kernels/nearest.h"

typedef struct nearest_parts {
    vq_code_index index;
    void *memory, *workspace;
} nearest_parts;

static nearest_parts nearest_parts_of(const vq_context *ctx, const vq_quantize_sizes *s,
                                      vq_arena *arena)
{
    nearest_parts parts;
    const size_t size = vq_code_index_plan(ctx, s->dim, s->n_codes, &parts.index);
    parts.memory = vq_arena_get(arena, size, 1);
    parts.workspace = vq_arena_get(arena, vq_nearest_workspace(ctx, &parts.index, s->n), 1);
    return parts;
}

static size_t nearest_workspace(const vq_context *ctx, const vq_quantize_sizes *s)
{
    vq_arena arena = {0};
    (void)nearest_parts_of(ctx, s, &arena);
    return arena.used;
}

static void find_nearest(vq_context *ctx, const vq_quantize_sizes *s, const float *z,
                         const float *codebook, int32_t *codes, void *workspace)
{
    vq_arena arena = {.base = workspace, .capacity = SIZE_MAX};
    nearest_parts parts = nearest_parts_of(ctx, s, &arena);
    vq_code_index_build(ctx, codebook, parts.memory, &parts.index);
    vq_nearest_run(ctx, &parts.index, s->n, z, codes, parts.workspace);
}

vq_quantize_sizes vq_quantize_sizes_of(const vq_step *run)
{
    const vq_quantize_attrs *attrs = run->node->attrs;
    return (vq_quantize_sizes){
        .n = vq_shape_count(&run->out[1].desc.shape),
        .dim = (size_t)attrs->dim,
        .n_codes = (size_t)attrs->codes,
    };
}

static vq_status check_attrs(vq_context *ctx, const vq_node *node)
{
    const vq_quantize_attrs *attrs = node->attrs;
    VQ_CHECK(ctx, attrs->codes >= 1 && attrs->codes <= INT32_MAX, VQ_E_ARG,
             "%s: %lld codes, but 1 to %d are allowed", node->name, (long long)attrs->codes,
             INT32_MAX);
    VQ_CHECK(ctx, attrs->dim >= 1, VQ_E_ARG, "%s: codes of %lld numbers, but 1 is the least",
             node->name, (long long)attrs->dim);
    VQ_CHECK(ctx, isfinite(attrs->commitment) && attrs->commitment >= 0.0, VQ_E_ARG,
             "%s: the weight %g of the commitment must be 0 or more", node->name,
             attrs->commitment);
    return VQ_OK;
}

vq_status vq_quantize_declare(vq_context *ctx, vq_graph *graph, vq_node *node, vq_param_kind kind)
{
    const vq_quantize_attrs *attrs = node->attrs;
    VQ_TRY(check_attrs(ctx, node));
    const bool normal = attrs->init == VQ_CODEBOOK_NORMAL;
    const vq_param_spec spec = {
        .suffix = "codebook",
        .shape = {2, {attrs->codes, attrs->dim}},
        .kind = kind,
        .group = VQ_GROUP_CODEBOOKS,
        .init = normal ? VQ_INIT_NORMAL : VQ_INIT_UNIFORM,
        .init_scale = normal ? 1.0 : sqrt(3.0 / (double)attrs->dim),
    };
    VQ_TRY(vq_graph_param(ctx, graph, node, &spec));
    vq_graph_sums(graph, node, (size_t)attrs->codes * (1 + (size_t)attrs->dim));
    return vq_graph_term(ctx, graph, node, "commitment", attrs->commitment);
}

double vq_quantize_flops(const vq_step *run)
{
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    return 2.0 * (double)s.n * (double)s.n_codes * (double)s.dim;
}

vq_status vq_quantize_infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    const vq_quantize_attrs *attrs = node->attrs;
    const int last = in[0].shape.rank - 1;
    VQ_TRY(vq_check_real(ctx, node, 0, &in[0]));
    VQ_CHECK(ctx, last >= 0 && in[0].shape.dim[last] == attrs->dim, VQ_E_SHAPE,
             "%s: the vectors have %zu numbers, but the codes have %lld", node->name,
             vq_last_axis(&in[0].shape), (long long)attrs->dim);
    VQ_CHECK(ctx, vq_shape_count(&in[0].shape) > 0, VQ_E_SHAPE, "%s: there are no vectors",
             node->name);
    out[0] = in[0];
    out[1] = (vq_desc){.dtype = VQ_I32, .shape = in[0].shape};
    out[1].shape.rank = last;
    out[1].shape.dim[last] = 0;
    return VQ_OK;
}

/* FNV-1a: every quantiser of a model draws from a stream of its own. */
static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (uint32_t)(unsigned char)*name) * 16777619u;
    return hash;
}

vq_status vq_quantize_start(vq_step *run, uint64_t seed)
{
    const vq_quantize_attrs *attrs = run->node->attrs;
    if (attrs->init != VQ_CODEBOOK_DATA) return VQ_OK;
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    const float *z = run->in[0].data;
    float *codebook = run->param[VQ_CODEBOOK].data;
    vq_random random = vq_random_stream(seed, VQ_RANDOM_CODEBOOK, 0, hash_name(run->node->name));
    size_t taken = 0;
    /* Selection sampling (Knuth, The Art of Computer Programming, 3.4.2, algorithm S): each
     * set of rows is equally likely, and no row comes twice. */
    for (size_t i = 0; i < s.n && taken < s.n_codes; i++)
        if (vq_random_below(&random, s.n - i) < s.n_codes - taken)
            memcpy(codebook + taken++ * s.dim, z + i * s.dim, s.dim * sizeof *z);
    for (; taken < s.n_codes; taken++) /* fewer rows than codes */
        memcpy(codebook + taken * s.dim, z + vq_random_below(&random, s.n) * s.dim,
               s.dim * sizeof *z);
    return VQ_OK;
}

#endif

/* ---- forward ------------------------------------------------------------------ */

typedef struct scratch_parts {
    double *partials;
    void *workspace;
} scratch_parts;

/* With arena.base NULL this measures; the same calls then bind. */
static scratch_parts scratch_of(const vq_step *run, vq_arena *arena)
{
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    scratch_parts parts;
    parts.partials = vq_arena_get(arena, vq_sum_chunks_count(s.n * s.dim), sizeof(double));
    parts.workspace = vq_arena_get(arena, nearest_workspace(run->ctx, &s), 1);
    return parts;
}

vq_status vq_quantize_prepare(vq_step *run)
{
    vq_arena arena = {0};
    (void)scratch_of(run, &arena);
    run->scratch_size = arena.used;
    return VQ_OK;
}

static double count_infinite(const void *arg, size_t begin, size_t end)
{
    const real *z = arg;
    double count = 0.0;
    for (size_t i = begin; i < end; i++) count += isfinite(z[i]) ? 0.0 : 1.0;
    return count;
}

/* A vector that is not finite would be given some code and then spoil that code's sum. */
static vq_status check_finite(const vq_step *run, const vq_quantize_sizes *s, double *partials)
{
    const real *z = run->in[0].data;
    const size_t count = s->n * s->dim;
    const double bad = vq_sum_chunks(run->ctx, count, count_infinite, z, partials);
    if (bad == 0.0) return VQ_OK;
    size_t first = 0;
    while (isfinite(z[first])) first++;
    return vq_fail(run->ctx, VQ_E_NUMERIC,
                   "%s: %.0f of %zu numbers to quantise are not finite, the first, %g, in vector "
                   "%zu",
                   run->node->name, bad, count, (double)z[first], first / s->dim);
}

static void gather_codes(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const size_t dim = vq_quantize_sizes_of(run).dim;
    const real *codebook = run->param[VQ_CODEBOOK].data;
    const int32_t *codes = run->out[1].data;
    real *q = run->out[0].data;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        memcpy(q + i * dim, codebook + (size_t)codes[i] * dim, dim * sizeof *q);
}

static double squares(const void *arg, size_t begin, size_t end)
{
    const vq_step *run = arg;
    const real *z = run->in[0].data, *q = run->out[0].data;
    double sum = 0.0;
    for (size_t i = begin; i < end; i++) {
        const double gap = (double)z[i] - (double)q[i];
        sum += gap * gap;
    }
    return sum;
}

#ifndef VQ_REAL_DOUBLE

enum { SUM_COLUMNS = 16 }; /* least columns of a thread: a cache line */

/* S_k for columns [begin, end): threads share columns, not rows, so that every sum is taken
 * in the order of the rows. */
static void sum_columns(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    const float *z = run->in[0].data;
    const int32_t *codes = run->out[1].data;
    float *sums = run->sums + s.n_codes;
    (void)thread;
    for (size_t i = 0; i < s.n; i++) {
        float *sum = sums + (size_t)codes[i] * s.dim;
        for (size_t d = begin; d < end; d++) sum[d] += z[i * s.dim + d];
    }
}

/* Counts are exact in f32 up to 2^24 vectors a code. */
static void leave_sums(vq_step *run, const vq_quantize_sizes *s)
{
    const int32_t *codes = run->out[1].data;
    for (size_t i = 0; i < s->n; i++) run->sums[codes[i]] += 1.0f;
    vq_parallel_for(run->ctx, s->dim, SUM_COLUMNS, sum_columns, run);
}

#endif

vq_status vq_quantize_forward(vq_step *run)
{
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    vq_arena arena = {.base = run->scratch, .capacity = SIZE_MAX};
    const scratch_parts parts = scratch_of(run, &arena);
    VQ_TRY(check_finite(run, &s, parts.partials));
    find_nearest(run->ctx, &s, run->in[0].data, run->param[VQ_CODEBOOK].data, run->out[1].data,
                 parts.workspace);
    vq_parallel_for(run->ctx, s.n, 1 + VQ_ELEMENT_GRAIN / s.dim, gather_codes, run);
    const double sum = vq_sum_chunks(run->ctx, s.n * s.dim, squares, run, parts.partials);
    /* All terms have this value; they differ in where their gradients go. */
    for (int t = 0; t < run->node->n_terms; t++)
        run->terms[t] = sum / ((double)s.n * (double)s.dim);
#ifndef VQ_REAL_DOUBLE
    if (run->training) leave_sums(run, &s);
#endif
    return VQ_OK;
}

/* ---- backward ----------------------------------------------------------------- */

static void pull_range(void *arg, size_t begin, size_t end, int thread)
{
    const vq_step *run = arg;
    const real *z = run->in[0].data, *q = run->out[0].data, *dq = run->d_out[0].data;
    real *dz = run->d_in[0].data;
    const double count = (double)vq_shape_count(&run->in[0].desc.shape);
    const real scale = (real)(run->weights[0] * 2.0 / count);
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        const real sum = run->add[0] ? dz[i] : 0;
        dz[i] = sum + (dq ? dq[i] : 0) + scale * (z[i] - q[i]);
    }
}

vq_status vq_quantize_backward(vq_step *run)
{
    if (run->d_in[0].data)
        vq_parallel_for(run->ctx, vq_shape_count(&run->in[0].desc.shape), VQ_ELEMENT_GRAIN,
                        pull_range, run);
    return VQ_OK;
}
