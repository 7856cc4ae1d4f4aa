/* SPDX-License-Identifier: Apache-2.0
 * quantize/codebook.c -- the quantiser by moving averages outside a model: a graph of this one
 * operation, its numbers, and a plan for each call. */
#include <math.h>
#include <string.h>
#include <vqvae/codebook.h>

#include "nn/plan.h"
#include "quantize/quantize_parts.h"

/* Numbers in memory are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

struct vq_codebook {
    vq_codebook_config config;
    vq_graph *graph;
    vq_value z, out[2]; /* out: vectors, codes */
    float *state;       /* codebook, sums, counts */
    int64_t steps;
};

void vq_codebook_config_default(vq_codebook_config *config)
{
    *config = (vq_codebook_config){.codes = 1, .dim = 1, .decay = 0.99, .epsilon = 1e-5};
}

static float *numbers_of(const vq_codebook *book, int parameter)
{
    const vq_node *node = &book->graph->nodes[0];
    return book->state + book->graph->params[node->param[parameter]].at;
}

static vq_status build(vq_context *ctx, vq_codebook *book)
{
    const vq_codebook_config *c = &book->config;
    VQ_CHECK(ctx, c->start >= VQ_EMA_ONE && c->start <= VQ_EMA_DEBIAS, VQ_E_ARG,
             "codebook: the start %d is none of 0 one, 1 zero, 2 debias", c->start);
    const vq_quantize_attrs attrs = {.codes = c->codes,
                                     .dim = c->dim,
                                     .decay = c->decay,
                                     .epsilon = c->epsilon,
                                     .start = (vq_ema_start)c->start,
                                     .init = VQ_CODEBOOK_NORMAL};
    VQ_TRY(vq_graph_create(ctx, &book->graph));
    VQ_TRY(vq_graph_input(ctx, book->graph, "z", &book->z));
    VQ_TRY(vq_graph_add(ctx, book->graph, &vq_op_quantize_ema, "codebook", &attrs, &book->z, 1,
                        book->out));
    VQ_TRY(VQ_NEW(ctx, book->graph->state_count, &book->state));
    vq_graph_init(book->graph, c->seed, NULL, book->state);
    return VQ_OK;
}

/* Vectors and averages as vq_graph_init() leaves them, but for the numbers themselves. */
static vq_status take_vectors(vq_context *ctx, vq_codebook *book, const float *vectors)
{
    const size_t count = (size_t)book->config.codes * (size_t)book->config.dim;
    for (size_t i = 0; i < count; i++)
        VQ_CHECK(ctx, isfinite(vectors[i]), VQ_E_NUMERIC, "codebook: code %zu holds %g",
                 i / (size_t)book->config.dim, (double)vectors[i]);
    memcpy(numbers_of(book, VQ_CODEBOOK), vectors, count * sizeof *vectors);
    if (book->config.start != VQ_EMA_DEBIAS)
        memcpy(numbers_of(book, VQ_EMA_SUMS), vectors, count * sizeof *vectors);
    return VQ_OK;
}

vq_status vq_codebook_create(vq_context *ctx, const vq_codebook_config *config,
                             const float *vectors, vq_codebook **out)
{
    vq_codebook *book = NULL;
    vq_status status;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &book));
    book->config = *config;
    VQ_TRY_TO(build(ctx, book));
    if (vectors) VQ_TRY_TO(take_vectors(ctx, book, vectors));
    *out = book;
    book = NULL;
done:
    vq_codebook_destroy(ctx, book);
    return status;
}

void vq_codebook_destroy(vq_context *ctx, vq_codebook *book)
{
    if (!book) return;
    vq_graph_destroy(ctx, book->graph);
    vq_release(ctx, book->state);
    vq_release(ctx, book);
}

const vq_codebook_config *vq_codebook_configuration(const vq_codebook *book)
{
    return &book->config;
}

const float *vq_codebook_vectors(const vq_codebook *book)
{
    return numbers_of(book, VQ_CODEBOOK);
}

/* Chooses codes for n vectors; the plan holds the results. */
static vq_status choose(vq_context *ctx, const vq_codebook *book, size_t n, const float *z,
                        bool training, vq_plan **plan)
{
    const vq_feed feed = {.value = book->z,
                          .desc = {VQ_F32, {.rank = 2, .dim = {(int64_t)n, book->config.dim}}}};
    const vq_plan_config config = {.backend = &vq_backend_portable,
                                   .training = training,
                                   .feeds = &feed,
                                   .n_feeds = 1,
                                   .wants = book->out,
                                   .n_wants = 2};
    VQ_TRY(vq_plan_create(ctx, book->graph, &config, plan));
    vq_plan_bind(*plan, NULL, book->state);
    memcpy(vq_plan_data(*plan, book->z, NULL), z, n * (size_t)book->config.dim * sizeof *z);
    return vq_plan_forward(*plan);
}

static void take_codes(const vq_codebook *book, const vq_plan *plan, size_t n, uint32_t *indices)
{
    const int32_t *codes = vq_plan_data(plan, book->out[1], NULL);
    for (size_t i = 0; i < n; i++) indices[i] = (uint32_t)codes[i];
}

static float squared_distance(const float *a, const float *b, size_t dim)
{
    double sum = 0.0;
    for (size_t d = 0; d < dim; d++) {
        const double gap = (double)a[d] - (double)b[d];
        sum += gap * gap;
    }
    return (float)sum;
}

vq_status vq_codebook_nearest(vq_context *ctx, const vq_codebook *book, size_t n, const float *z,
                              uint32_t *indices, float *distances)
{
    const size_t dim = (size_t)book->config.dim;
    vq_plan *plan = NULL;
    vq_status status;
    VQ_TRY_TO(choose(ctx, book, n, z, false, &plan));
    take_codes(book, plan, n, indices);
    const float *q = vq_plan_data(plan, book->out[0], NULL);
    for (size_t i = 0; distances && i < n; i++)
        distances[i] = squared_distance(z + i * dim, q + i * dim, dim);
done:
    vq_plan_destroy(plan);
    return status;
}

vq_status vq_codebook_lookup(vq_context *ctx, const vq_codebook *book, size_t n,
                             const uint32_t *indices, float *vectors)
{
    const size_t dim = (size_t)book->config.dim;
    for (size_t i = 0; i < n; i++) {
        VQ_CHECK(ctx, indices[i] < (uint64_t)book->config.codes, VQ_E_ARG,
                 "codebook: code %u was asked for, but there are %lld", (unsigned)indices[i],
                 (long long)book->config.codes);
        memcpy(vectors + i * dim, vq_codebook_vectors(book) + indices[i] * dim,
               dim * sizeof *vectors);
    }
    return VQ_OK;
}

vq_status vq_codebook_step(vq_context *ctx, vq_codebook *book, size_t n, const float *z,
                           float *quantized, uint32_t *indices, double *diff)
{
    vq_plan *plan = NULL;
    vq_status status;
    VQ_TRY_TO(choose(ctx, book, n, z, true, &plan));
    VQ_TRY_TO(vq_plan_update(plan, book->state, book->steps + 1));
    book->steps++;
    if (quantized)
        memcpy(quantized, vq_plan_data(plan, book->out[0], NULL),
               n * (size_t)book->config.dim * sizeof *quantized);
    if (indices) take_codes(book, plan, n, indices);
    if (diff) *diff = vq_plan_term(plan, 0);
done:
    vq_plan_destroy(plan);
    return status;
}

#endif
