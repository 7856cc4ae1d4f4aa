/* SPDX-License-Identifier: Apache-2.0
 * quantize/pass.c -- a quantiser's forward and backward pass.
 *
 *   forward   k_i = argmin_k |z_i - e_k|^2, q_i = e_(k_i), commitment = mean (z - q)^2,
 *             n_k and S_k for the update phase
 *   backward  dz = dq + commitment * 2 (z - q) / (n D)     (arXiv:1711.00937, eq. 3)
 *
 * The first part of dz is the straight-through estimator: the gradient passes the choice as if it
 * were the identity. Forward goes through z once: as soon as the codes of some vectors are known,
 * their q, squared distances and what is not finite are found by the thread that has them in its
 * cache. Only the sums S_k are taken afterwards, in the order of the vectors, so that
 * their bits do not depend on how threads shared the search. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "nn/ops/common.h"
#include "quantize/quantize_parts.h"

typedef void rows_fn(void *arg, size_t begin, size_t end);

#ifdef VQ_REAL_DOUBLE

static size_t search_workspace(const vq_context *ctx, const vq_quantize_sizes *s)
{
    (void)ctx, (void)s;
    return 0;
}

/* The definition itself: exact enough to judge gradients by, and slow. */
static int32_t nearest_code(const vq_quantize_sizes *s, const double *z, const double *codebook)
{
    double best = HUGE_VAL;
    int32_t code = 0;
    for (size_t k = 0; k < s->n_codes; k++) {
        double distance = 0.0;
        for (size_t d = 0; d < s->dim; d++) {
            const double gap = z[d] - codebook[k * s->dim + d];
            distance += gap * gap;
        }
        if (distance >= best) continue;
        best = distance;
        code = (int32_t)k;
    }
    return code;
}

static vq_status search(vq_step *run, const vq_quantize_sizes *s, vq_room workspace, rows_fn *then,
                        void *arg)
{
    const double *z = run->in[0].data;
    int32_t *codes = run->out[1].data;
    (void)workspace;
    for (size_t i = 0; i < s->n; i++)
        codes[i] = nearest_code(s, z + i * s->dim, run->param[VQ_CODEBOOK].data);
    then(arg, 0, s->n);
    return VQ_OK;
}

#else

#include "kernels/nearest.h"

typedef struct search_parts {
    vq_code_index index;
    void *memory, *workspace;
} search_parts;

static search_parts search_parts_of(const vq_context *ctx, const vq_quantize_sizes *s,
                                    vq_arena *arena)
{
    search_parts parts;
    const size_t size = vq_code_index_plan(ctx, s->dim, s->n_codes, s->n, &parts.index);
    parts.memory = vq_arena_get(arena, size, 1);
    parts.workspace = vq_arena_get(arena, vq_nearest_workspace(ctx, &parts.index, s->n), 1);
    return parts;
}

static size_t search_workspace(const vq_context *ctx, const vq_quantize_sizes *s)
{
    vq_arena arena = {0};
    (void)search_parts_of(ctx, s, &arena);
    return arena.used;
}

static vq_status search(vq_step *run, const vq_quantize_sizes *s, vq_room workspace, rows_fn *then,
                        void *arg)
{
    vq_arena arena = vq_arena_in(workspace);
    search_parts parts = search_parts_of(run->ctx, s, &arena);
    VQ_TRY(vq_arena_check(run->ctx, &arena, "scratch of a search"));
    vq_code_index_build(run->ctx, run->param[VQ_CODEBOOK].data, parts.memory, &parts.index);
    (void)vq_nearest_each(run->ctx, &parts.index, s->n, run->in[0].data, run->out[1].data,
                          parts.workspace, then, arg);
    return VQ_OK;
}

#endif

/* ---- forward ------------------------------------------------------------------ */

typedef struct pass_parts {
    double *squares;  /* |z_i - q_i|^2 */
    double *partials; /* of their sum */
    vq_room workspace;
} pass_parts;

/* With arena.base NULL this measures; the same calls then bind. */
static pass_parts parts_of(const vq_step *run, vq_arena *arena)
{
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    const size_t size = search_workspace(run->ctx, &s);
    return (pass_parts){
        .squares = vq_arena_get(arena, s.n, sizeof(double)),
        .partials = vq_arena_get(arena, vq_sum_chunks_count(s.n), sizeof(double)),
        .workspace = {vq_arena_get(arena, size, 1), size},
    };
}

vq_status vq_quantize_prepare(vq_step *run)
{
    vq_arena arena = {0};
    (void)parts_of(run, &arena);
    run->scratch_size = arena.used;
    return VQ_OK;
}

typedef struct pass_job {
    const vq_step *run;
    vq_quantize_sizes sizes;
    double *squares;
} pass_job;

/* Several chains at a time, as one would wait for every addition. */
double vq_squared_distance(const real *a, const real *b, size_t dim)
{
    enum { CHAINS = 8 };
    double sum[CHAINS] = {0.0};
    size_t d = 0;
    for (; d + CHAINS <= dim; d += CHAINS)
        for (size_t i = 0; i < CHAINS; i++) {
            const double gap = (double)a[d + i] - (double)b[d + i];
            sum[i] += gap * gap;
        }
    for (; d < dim; d++) {
        const double gap = (double)a[d] - (double)b[d];
        sum[0] += gap * gap;
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

double vq_squared_length(const real *a, size_t dim)
{
    double sum = 0.0;
    for (size_t d = 0; d < dim; d++) sum += (double)a[d] * (double)a[d];
    return sum;
}

static void take_rows(void *arg, size_t begin, size_t end)
{
    const pass_job *job = arg;
    const size_t dim = job->sizes.dim;
    const real *z = job->run->in[0].data, *codebook = job->run->param[VQ_CODEBOOK].data;
    const int32_t *codes = job->run->out[1].data;
    real *q = job->run->out[0].data;
    for (size_t i = begin; i < end; i++) {
        const real *code = codebook + (size_t)codes[i] * dim;
        memcpy(q + i * dim, code, dim * sizeof *q);
        job->squares[i] = vq_squared_distance(z + i * dim, code, dim);
    }
}

/* A vector that is not finite would be given some code and then spoil that code's sum. */
static vq_status refuse_infinite(const vq_step *run, const vq_quantize_sizes *s)
{
    const real *z = run->in[0].data;
    const size_t count = s->n * s->dim;
    size_t bad = 0, first = 0;
    for (size_t i = count; i > 0; i--)
        if (!isfinite(z[i - 1])) {
            bad++;
            first = i - 1;
        }
    VQ_CHECK(run->ctx, bad > 0, VQ_E_NUMERIC, "%s: the codebook holds numbers that are not finite",
             run->node->name);
    return vq_fail(run->ctx, VQ_E_NUMERIC,
                   "%s: %zu of %zu numbers to quantise are not finite, the first, %g, in vector "
                   "%zu",
                   run->node->name, bad, count, (double)z[first], first / s->dim);
}

#ifndef VQ_REAL_DOUBLE

enum { SUM_COLUMNS = 16 }; /* least columns of a thread: a cache line */

typedef struct sums_job {
    size_t n, dim;
    const float *z;
    const int32_t *codes;
    float *sums; /* S_k */
} sums_job;

/* S_k for columns [begin, end): threads share columns, not rows, so that every sum is taken
 * in the order of the rows. */
static void sum_columns(void *arg, size_t begin, size_t end, int thread)
{
    const sums_job *job = arg;
    (void)thread;
    for (size_t i = 0; i < job->n; i++) {
        float *sum = job->sums + (size_t)job->codes[i] * job->dim;
        for (size_t d = begin; d < end; d++) sum[d] += job->z[i * job->dim + d];
    }
}

/* Counts are exact in f32 up to 2^24 vectors a code. */
void vq_quantize_sums(vq_context *ctx, const vq_quantize_sizes *s, const float *z,
                      const int32_t *codes, float *sums)
{
    sums_job job = {.n = s->n, .dim = s->dim, .z = z, .codes = codes, .sums = sums + s->n_codes};
    for (size_t i = 0; i < s->n; i++) sums[codes[i]] += 1.0f;
    vq_parallel_for(ctx, s->dim, SUM_COLUMNS, sum_columns, &job);
}

#endif

vq_status vq_quantize_forward(vq_step *run)
{
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    vq_arena arena = vq_arena_in((vq_room){run->scratch, run->scratch_size});
    const pass_parts parts = parts_of(run, &arena);
    pass_job job = {run, s, parts.squares};
    VQ_TRY(vq_arena_check(run->ctx, &arena, "scratch of a quantiser"));
    VQ_TRY(search(run, &s, parts.workspace, take_rows, &job));
    const double sum = vq_sum_numbers(run->ctx, s.n, parts.squares, parts.partials);
    if (!isfinite(sum)) return refuse_infinite(run, &s);
    /* All terms have this value; they differ in where their gradients go. */
    for (int t = 0; t < run->node->n_terms; t++)
        run->terms[t] = sum / ((double)s.n * (double)s.dim);
#ifndef VQ_REAL_DOUBLE
    if (run->training) vq_quantize_sums(run->ctx, &s, run->in[0].data, run->out[1].data, run->sums);
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
