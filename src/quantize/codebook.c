/* SPDX-License-Identifier: Apache-2.0
 * quantize/codebook.c -- the quantiser by moving averages outside a model: no graph, no plan, and
 * an index that is packed only when the vectors change, so that one look-up takes microseconds. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "base/sizes.h"
#include "nn/ops/common.h"
#include "quantize/codebook.h"

/* Numbers in memory are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

enum {
    BLOCK = 1 << 16,         /* vectors searched at a time, which bounds what a context keeps */
    MOST_IN_A_STEP = 1 << 24 /* counts are whole numbers in f32 */
};

void vq_codebook_config_default(vq_codebook_config *config)
{
    *config = (vq_codebook_config){.codes = 1, .dim = 1, .decay = 0.99, .epsilon = 1e-5};
}

vq_quantize_attrs vq_codebook_attrs(const vq_codebook_config *c)
{
    return (vq_quantize_attrs){.codes = c->codes,
                               .dim = c->dim,
                               .decay = c->decay,
                               .epsilon = c->epsilon,
                               .start = (vq_ema_start)c->start};
}

static size_t dim_of(const vq_codebook *book)
{
    return (size_t)book->config.dim;
}

static size_t codes_of(const vq_codebook *book)
{
    return (size_t)book->config.codes;
}

/* ---- making ------------------------------------------------------------------- */

static vq_status allocate(vq_context *ctx, vq_codebook *book)
{
    const vq_codebook_config *c = &book->config;
    const vq_quantize_attrs attrs = vq_codebook_attrs(c);
    size_t numbers;
    VQ_CHECK(ctx, c->start >= VQ_EMA_ONE && c->start <= VQ_EMA_DEBIAS, VQ_E_ARG,
             "codebook: the start %d is none of 0 one, 1 zero, 2 debias", c->start);
    VQ_TRY(vq_ema_check(ctx, "codebook", &attrs));
    VQ_CHECK(ctx, vq_mul_size(codes_of(book), dim_of(book), &numbers), VQ_E_NOMEM,
             "codebook: %lld codes of %lld numbers are more than memory can hold",
             (long long)c->codes, (long long)c->dim);
    VQ_TRY(VQ_NEW(ctx, numbers, &book->state.codebook));
    VQ_TRY(VQ_NEW(ctx, numbers, &book->state.sums));
    VQ_TRY(VQ_NEW(ctx, codes_of(book), &book->state.counts));
    const size_t size =
        vq_code_index_plan(ctx, dim_of(book), codes_of(book), SIZE_MAX, &book->index);
    return vq_alloc(ctx, size, 1, &book->packed);
}

void vq_codebook_pack(vq_context *ctx, vq_codebook *book)
{
    vq_code_index_build(ctx, book->state.codebook, book->packed, &book->index);
}

static void draw_vectors(vq_codebook *book)
{
    vq_random random = vq_random_stream(book->config.seed, VQ_RANDOM_INIT, 0, 0);
    for (size_t i = 0; i < codes_of(book) * dim_of(book); i++)
        book->state.codebook[i] = vq_random_normal(&random);
}

static vq_status take(vq_context *ctx, const char *what, size_t codes, size_t dim,
                      const float *from, float *to)
{
    for (size_t i = 0; i < codes * dim; i++)
        VQ_CHECK(ctx, isfinite(from[i]), VQ_E_NUMERIC, "codebook: %s %zu holds %g", what, i / dim,
                 (double)from[i]);
    memcpy(to, from, codes * dim * sizeof *to);
    return VQ_OK;
}

static vq_status take_numbers(vq_context *ctx, vq_codebook *book, const vq_codebook_numbers *from)
{
    const vq_ema_state *state = &book->state;
    const vq_quantize_attrs attrs = vq_codebook_attrs(&book->config);
    const size_t codes = codes_of(book), dim = dim_of(book);
    if (from->vectors) VQ_TRY(take(ctx, "code", codes, dim, from->vectors, state->codebook));
    else draw_vectors(book);
    vq_ema_start_averages(&attrs, state);
    if (from->counts) VQ_TRY(take(ctx, "the count of code", codes, 1, from->counts, state->counts));
    if (from->sums) VQ_TRY(take(ctx, "the sum of code", codes, dim, from->sums, state->sums));
    book->steps = from->steps;
    return VQ_OK;
}

vq_status vq_codebook_restore(vq_context *ctx, const vq_codebook_config *config,
                              const vq_codebook_numbers *numbers, vq_codebook **out)
{
    vq_codebook *book = NULL;
    vq_status status;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &book));
    book->config = *config;
    VQ_TRY_TO(allocate(ctx, book));
    VQ_TRY_TO(take_numbers(ctx, book, numbers));
    vq_codebook_pack(ctx, book);
    *out = book;
    book = NULL;
done:
    vq_codebook_destroy(ctx, book);
    return status;
}

vq_status vq_codebook_create(vq_context *ctx, const vq_codebook_config *config,
                             const float *vectors, vq_codebook **out)
{
    return vq_codebook_restore(ctx, config, &(vq_codebook_numbers){.vectors = vectors}, out);
}

void vq_codebook_destroy(vq_context *ctx, vq_codebook *book)
{
    if (!book) return;
    vq_release(ctx, book->state.codebook);
    vq_release(ctx, book->state.sums);
    vq_release(ctx, book->state.counts);
    vq_release(ctx, book->packed);
    vq_release(ctx, book);
}

const vq_codebook_config *vq_codebook_configuration(const vq_codebook *book)
{
    return &book->config;
}

const float *vq_codebook_vectors(const vq_codebook *book)
{
    return book->state.codebook;
}

/* ---- quantising --------------------------------------------------------------- */

/* A block of vectors and what becomes of it. */
typedef struct block_job {
    const vq_codebook *book;
    const float *z;
    size_t n;
    int32_t *codes;   /* in the scratch where the caller does not want them */
    bool measured;    /* whether distances are asked for */
    double *squares;  /* |z_i - q_i|^2, where they are; else NULL */
    void *workspace;  /* of the search */
    vq_quantized out; /* vectors, distances and gradient of this block, or NULL */
    double scale;     /* 2 / (n D) of all blocks */
} block_job;

static void lay_out(const vq_context *ctx, block_job *job, vq_arena *arena)
{
    job->codes = vq_arena_get(arena, job->n, sizeof(int32_t));
    job->squares = job->measured ? vq_arena_get(arena, job->n, sizeof(double)) : NULL;
    job->workspace = vq_arena_get(arena, vq_nearest_workspace(ctx, &job->book->index, job->n), 1);
}

static void take_gradient(const block_job *job, const float *z, const float *q, float *to)
{
    const float scale = (float)job->scale;
    for (size_t d = 0; d < dim_of(job->book); d++) to[d] = scale * (z[d] - q[d]);
}

/* Called by the thread that has just found the codes of these rows. */
static void take_rows(void *arg, size_t begin, size_t end)
{
    block_job *job = arg;
    const vq_quantized *out = &job->out;
    const size_t dim = dim_of(job->book);
    if (!job->squares && !out->vectors && !out->gradient) return;
    for (size_t i = begin; i < end; i++) {
        const float *z = job->z + i * dim;
        const float *q = job->book->state.codebook + (size_t)job->codes[i] * dim;
        if (job->squares) job->squares[i] = vq_squared_distance(z, q, dim);
        if (out->vectors) memcpy(out->vectors + i * dim, q, dim * sizeof *q);
        if (out->distances) out->distances[i] = (float)job->squares[i];
        if (out->gradient) take_gradient(job, z, q, out->gradient + i * dim);
    }
}

/* Names the first such number of n vectors, of which `first` others came before. */
static vq_status refuse_infinite(vq_context *ctx, size_t dim, size_t first, size_t n,
                                 const float *z)
{
    size_t i = 0;
    while (i + 1 < n * dim && isfinite(z[i])) i++;
    return vq_fail(ctx, VQ_E_NUMERIC, "codebook: vector %zu holds %g, which is not finite",
                   first + i / dim, (double)z[i]);
}

/* Rows [first, first + count) of the n of a call. */
static vq_status run_block(vq_context *ctx, block_job *job, const vq_quantized *all, size_t first,
                           double *sum)
{
    const size_t dim = dim_of(job->book);
    vq_arena arena = {0};
    void *memory;
    lay_out(ctx, job, &arena);
    VQ_TRY(vq_scratch(ctx, arena.used, &memory));
    arena = (vq_arena){.base = memory, .capacity = arena.used};
    lay_out(ctx, job, &arena);
    /* Codes are less than 2^31: both types hold the same bits. */
    if (all->indices) job->codes = (int32_t *)(all->indices + first);
    job->out = (vq_quantized){
        .vectors = all->vectors ? all->vectors + first * dim : NULL,
        .distances = all->distances ? all->distances + first : NULL,
        .gradient = all->gradient ? all->gradient + first * dim : NULL,
    };
    if (!vq_nearest_each(ctx, &job->book->index, job->n, job->z, job->codes, job->workspace,
                         take_rows, job))
        return refuse_infinite(ctx, dim, first, job->n, job->z);
    for (size_t i = 0; job->squares && i < job->n; i++) *sum += job->squares[i];
    return VQ_OK;
}

static vq_status quantize(vq_context *ctx, const vq_codebook *book, size_t n, const float *z,
                          const vq_quantized *out)
{
    const size_t dim = dim_of(book);
    const double numbers = (double)n * (double)dim;
    double sum = 0.0;
    VQ_CHECK(ctx, n > 0, VQ_E_SHAPE, "codebook: there are no vectors");
    for (size_t first = 0; first < n; first += BLOCK) {
        block_job job = {.book = book,
                         .z = z + first * dim,
                         .n = n - first < BLOCK ? n - first : BLOCK,
                         .measured = out->mse || out->distances,
                         .scale = 2.0 / numbers};
        VQ_TRY(run_block(ctx, &job, out, first, &sum));
    }
    if (out->mse) *out->mse = sum / numbers;
    return VQ_OK;
}

vq_status vq_codebook_quantize(vq_context *ctx, const vq_codebook *book, size_t n, const float *z,
                               const vq_quantized *out)
{
    return quantize(ctx, book, n, z, out);
}

vq_status vq_codebook_nearest(vq_context *ctx, const vq_codebook *book, size_t n, const float *z,
                              uint32_t *indices, float *distances)
{
    return quantize(ctx, book, n, z, &(vq_quantized){.indices = indices, .distances = distances});
}

vq_status vq_nearest_once(vq_context *ctx, size_t dim, size_t codes, const float *vectors, size_t n,
                          const float *z, uint32_t *indices)
{
    vq_code_index index;
    void *memory;
    VQ_CHECK(ctx, n > 0, VQ_E_SHAPE, "codebook: there are no vectors");
    VQ_CHECK(ctx, codes >= 1 && codes <= INT32_MAX && dim >= 1, VQ_E_ARG,
             "codebook: %zu codes of %zu numbers, but 1 to %d of at least 1 are allowed", codes,
             dim, INT32_MAX);
    const size_t size = vq_code_index_plan(ctx, dim, codes, n, &index);
    const size_t packed = vq_round_up(size, VQ_ALIGNMENT);
    VQ_TRY(vq_scratch(ctx, packed + vq_nearest_workspace(ctx, &index, n), &memory));
    vq_code_index_build(ctx, vectors, memory, &index);
    /* Codes are less than 2^31: both types hold the same bits. */
    if (!vq_nearest_run(ctx, &index, n, z, (int32_t *)indices, (unsigned char *)memory + packed))
        return refuse_infinite(ctx, dim, 0, n, z);
    return VQ_OK;
}

vq_status vq_codebook_lookup(vq_context *ctx, const vq_codebook *book, size_t n,
                             const uint32_t *indices, float *vectors)
{
    const size_t dim = dim_of(book);
    for (size_t i = 0; i < n; i++) {
        VQ_CHECK(ctx, indices[i] < codes_of(book), VQ_E_ARG,
                 "codebook: code %u was asked for, but there are %zu", (unsigned)indices[i],
                 codes_of(book));
        memcpy(vectors + i * dim, book->state.codebook + indices[i] * dim, dim * sizeof *vectors);
    }
    return VQ_OK;
}

/* ---- the few nearest ---------------------------------------------------------- */

typedef struct top_job {
    const vq_codebook *book;
    const float *z;
    size_t top;
    int32_t *indices;
    float *distances; /* NULL: not wanted, but in `scratch` of top numbers a thread */
    float *scratch;
} top_job;

/* The distances of a vector from some codes, times `scale`. Returns the greatest. */
static float measure_row(const top_job *job, const float *z, const int32_t *code, double scale,
                         float *to)
{
    const size_t dim = dim_of(job->book);
    const float *codes = job->book->state.codebook;
    float greatest = 0.0f;
    for (size_t t = 0; t < job->top; t++) {
        to[t] = (float)(scale * vq_squared_distance(z, codes + (size_t)code[t] * dim, dim));
        greatest = to[t] > greatest ? to[t] : greatest;
    }
    return greatest;
}

/* The search ordered the codes by scores in f32, which cannot tell all distances apart. Distances
 * that f32 has no room for are compared as parts or multiples. */
static void order_rows(void *arg, size_t begin, size_t end, int thread)
{
    const float small = 0x1p-100f;
    const double part = 0x1p-160, multiple = 0x1p200;
    const top_job *job = arg;
    const size_t dim = dim_of(job->book), top = job->top;
    for (size_t i = begin; i < end; i++) {
        const float *z = job->z + i * dim;
        int32_t *code = job->indices + i * top;
        float *to = job->distances ? job->distances + i * top : job->scratch + (size_t)thread * top;
        const float greatest = measure_row(job, z, code, 1.0, to);
        const bool fits = greatest >= small && isfinite(greatest);
        if (!fits) (void)measure_row(job, z, code, greatest < small ? multiple : part, to);
        vq_nearest_sort(to, code, top);
        if (!fits) (void)measure_row(job, z, code, 1.0, to);
    }
}

vq_status vq_codebook_nearest_top(vq_context *ctx, const vq_codebook *book, size_t n,
                                  const float *z, size_t top, uint32_t *indices, float *distances)
{
    const size_t dim = dim_of(book);
    /* Codes are less than 2^31: both types hold the same bits. */
    top_job job = {
        .book = book, .z = z, .top = top, .indices = (int32_t *)indices, .distances = distances};
    void *workspace;
    VQ_CHECK(ctx, n > 0, VQ_E_SHAPE, "codebook: there are no vectors");
    VQ_CHECK(ctx, top >= 1 && top <= codes_of(book), VQ_E_ARG,
             "codebook: %zu nearest codes were asked for; 1 to %zu are there", top, codes_of(book));
    /* The order needs its memory once the search has done with its own, which holds `top` scores a
     * thread as well. */
    VQ_TRY(vq_scratch(ctx, vq_nearest_top_workspace(ctx, &book->index, n, top), &workspace));
    if (!vq_nearest_top(ctx, &book->index, n, z, top, job.indices, workspace))
        return refuse_infinite(ctx, dim, 0, n, z);
    job.scratch = workspace;
    if (distances || top > 1)
        vq_parallel_for(ctx, n, 1 + VQ_ELEMENT_GRAIN / (dim * top), order_rows, &job);
    return VQ_OK;
}

/* ---- training ----------------------------------------------------------------- */

/* `batch` holds counts and sums; `codes` those of the vectors. */
static vq_status move(vq_context *ctx, vq_codebook *book, size_t n, const float *z,
                      const uint32_t *codes, float *batch)
{
    const vq_quantize_attrs attrs = vq_codebook_attrs(&book->config);
    const vq_quantize_sizes sizes = {.n = n, .dim = dim_of(book), .n_codes = codes_of(book)};
    vq_quantize_sums(ctx, &sizes, z, (const int32_t *)codes, batch);
    VQ_TRY(vq_ema_update(ctx, "codebook", &attrs, batch, &book->state, book->steps + 1));
    book->steps++;
    vq_codebook_pack(ctx, book);
    return VQ_OK;
}

vq_status vq_codebook_step(vq_context *ctx, vq_codebook *book, size_t n, const float *z,
                           const vq_quantized *out)
{
    vq_quantized wanted = out ? *out : (vq_quantized){0};
    uint32_t *codes = NULL;
    float *batch = NULL;
    vq_status status;
    VQ_CHECK(ctx, n <= MOST_IN_A_STEP, VQ_E_SHAPE,
             "codebook: a step of %zu vectors; %d is the most whose counts f32 holds", n,
             MOST_IN_A_STEP);
    if (!wanted.indices) {
        VQ_TRY_TO(VQ_NEW(ctx, n, &codes));
        wanted.indices = codes;
    }
    VQ_TRY_TO(VQ_NEW(ctx, codes_of(book) * (1 + dim_of(book)), &batch));
    VQ_TRY_TO(quantize(ctx, book, n, z, &wanted));
    VQ_TRY_TO(move(ctx, book, n, z, wanted.indices, batch));
done:
    vq_release(ctx, batch);
    vq_release(ctx, codes);
    return status;
}

/* ---- how it is used ------------------------------------------------------------- */

vq_status vq_codebook_usage_create(vq_context *ctx, const vq_codebook *book, vq_codebook_usage *out)
{
    *out = (vq_codebook_usage){0};
    return VQ_NEW(ctx, codes_of(book), &out->counts);
}

void vq_codebook_usage_clear(vq_context *ctx, vq_codebook_usage *usage)
{
    vq_release(ctx, usage->counts);
    *usage = (vq_codebook_usage){0};
}

vq_status vq_codebook_usage_add(vq_context *ctx, const vq_codebook *book, size_t n,
                                const uint32_t *indices, const float *distances,
                                vq_codebook_usage *usage)
{
    for (size_t i = 0; i < n; i++)
        VQ_CHECK(ctx, indices[i] < codes_of(book), VQ_E_ARG,
                 "codebook: code %u was counted, but there are %zu", (unsigned)indices[i],
                 codes_of(book));
    for (size_t i = 0; i < n; i++) {
        usage->counts[indices[i]]++;
        if (!distances) continue;
        usage->squared += (double)distances[i];
        if ((double)distances[i] > usage->furthest) usage->furthest = (double)distances[i];
    }
    usage->vectors += n;
    return VQ_OK;
}

static void measure_usage(const vq_codebook *book, const vq_codebook_usage *usage,
                          vq_codebook_statistics *out)
{
    const double all = (double)usage->vectors;
    double entropy = 0.0;
    if (usage->vectors == 0) return;
    for (size_t k = 0; k < codes_of(book); k++) {
        const double share = (double)usage->counts[k] / all;
        out->used += share > 0.0;
        if (share > 0.0) entropy -= share * log(share);
    }
    out->perplexity = exp(entropy);
    out->mean_distance = usage->squared / all;
}

void vq_codebook_measure(const vq_codebook *book, const vq_codebook_usage *usage,
                         vq_codebook_statistics *out)
{
    const size_t dim = dim_of(book), codes = codes_of(book);
    *out = (vq_codebook_statistics){.least_norm = HUGE_VAL};
    for (size_t k = 0; k < codes; k++) {
        double squares = 0.0;
        for (size_t d = 0; d < dim; d++) {
            const double number = (double)book->state.codebook[k * dim + d];
            squares += number * number;
        }
        const double norm = sqrt(squares);
        out->least_norm = fmin(out->least_norm, norm);
        out->greatest_norm = fmax(out->greatest_norm, norm);
        out->mean_norm += norm / (double)codes;
    }
    if (usage) measure_usage(book, usage, out);
}

#endif
