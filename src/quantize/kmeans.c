/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans.c -- Lloyd's iterations:
 *   k_i = argmin_k |x_i - e_k|^2,   e_k = mean of the x_i with k_i = k
 *
 * The search is that of the quantisers. For the means the rows are sorted by their codes, so that
 * one thread takes the rows of a centroid in their order: no array of sums for each thread, and
 * the same bits whatever their number. */
#include "quantize/kmeans.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "kernels/nearest.h"
#include "quantize/kmeans_parts.h"
#include "quantize/quantize_parts.h"

/* Codebooks are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

/* What iterations need beyond the search. */
typedef struct lloyd {
    vq_kmeans fit;
    int32_t *before;  /* codes of the iteration before */
    uint32_t *rows;   /* sorted by code, and in their order within one */
    size_t *first;    /* K + 1: rows[first[k]] .. rows[first[k+1]-1] have code k */
    double *sums;     /* D numbers of each thread */
    uint64_t *counts; /* K */
} lloyd;

/* ---- search ---------------------------------------------------------------------- */

void vq_kmeans_search(vq_kmeans *fit, const float *codes, size_t count, vq_rows_fn *then, void *arg)
{
    vq_code_index index;
    const size_t size = vq_code_index_plan(fit->ctx, fit->config->dim, count, fit->n, &index);
    unsigned char *memory = fit->memory;
    vq_code_index_build(fit->ctx, codes, memory, &index);
    vq_nearest_each(fit->ctx, &index, fit->n, fit->x, fit->codes,
                    memory + (size + VQ_ALIGNMENT - 1) / VQ_ALIGNMENT * VQ_ALIGNMENT, then, arg);
}

static size_t search_size(const vq_kmeans *fit, size_t count)
{
    vq_code_index index;
    vq_arena arena = {0};
    (void)vq_arena_get(&arena,
                       vq_code_index_plan(fit->ctx, fit->config->dim, count, fit->n, &index), 1);
    (void)vq_arena_get(&arena, vq_nearest_workspace(fit->ctx, &index, fit->n), 1);
    return arena.used;
}

static double sum_squares(const void *arg, size_t begin, size_t end)
{
    const double *squares = arg;
    double sum = 0.0;
    for (size_t i = begin; i < end; i++) sum += squares[i];
    return sum;
}

double vq_kmeans_inertia(vq_kmeans *fit)
{
    return vq_sum_chunks(fit->ctx, fit->n, sum_squares, fit->squares, fit->partials);
}

static void take_squares(void *arg, size_t begin, size_t end)
{
    const vq_kmeans *fit = arg;
    const size_t dim = fit->config->dim;
    for (size_t i = begin; i < end; i++)
        fit->squares[i] = vq_squared_distance(fit->x + i * dim,
                                              fit->centroids + (size_t)fit->codes[i] * dim, dim);
}

/* Codes, squares and counts; whether any code changed. */
static bool assign(lloyd *l)
{
    vq_kmeans *fit = &l->fit;
    const size_t n_codes = fit->config->codes;
    memcpy(l->before, fit->codes, fit->n * sizeof *fit->codes);
    vq_kmeans_search(fit, fit->centroids, n_codes, take_squares, fit);
    memset(l->counts, 0, n_codes * sizeof *l->counts);
    for (size_t i = 0; i < fit->n; i++) l->counts[fit->codes[i]]++;
    return memcmp(l->before, fit->codes, fit->n * sizeof *fit->codes) != 0;
}

/* ---- empty centroids --------------------------------------------------------------- */

/* Whether row a is farther than row b from its centroid; of equals the first is. */
static bool is_farther(const double *squares, uint32_t a, uint32_t b)
{
    return squares[a] > squares[b] || (squares[a] == squares[b] && a < b);
}

/* Lets rows[at] sink to where none below it in the heap of `count` rows is farther. */
static void sink(const double *squares, uint32_t *rows, size_t at, size_t count)
{
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_farther(squares, rows[child + 1], rows[child])) child++;
        if (!is_farther(squares, rows[child], rows[at])) return;
        const uint32_t row = rows[at];
        rows[at] = rows[child];
        rows[child] = row;
        at = child;
    }
}

/* Gives every empty centroid the vector farthest from its own. */
static void fill_empty(lloyd *l)
{
    const vq_kmeans *fit = &l->fit;
    size_t left = 0, k = 0;
    while (k < fit->config->codes && l->counts[k]) k++;
    if (k == fit->config->codes) return;
    for (size_t i = 0; i < fit->n; i++)
        if (fit->squares[i] > 0.0) l->rows[left++] = (uint32_t)i;
    for (size_t at = left / 2; at-- > 0;) sink(fit->squares, l->rows, at, left);
    for (; k < fit->config->codes && left; k += l->counts[k] ? 1 : 0) {
        if (l->counts[k]) continue;
        const uint32_t row = l->rows[0];
        l->rows[0] = l->rows[--left];
        sink(fit->squares, l->rows, 0, left);
        uint64_t *own = &l->counts[fit->codes[row]];
        if (*own == 1) continue; /* alone with its centroid, which will move there */
        (*own)--;
        l->counts[k] = 1;
        fit->codes[row] = (int32_t)k;
    }
}

/* ---- means --------------------------------------------------------------------------- */

static void sort_rows(lloyd *l)
{
    const size_t n_codes = l->fit.config->codes;
    l->first[0] = 0;
    for (size_t k = 0; k < n_codes; k++) l->first[k + 1] = l->first[k] + l->counts[k];
    for (size_t i = 0; i < l->fit.n; i++) l->rows[l->first[l->fit.codes[i]]++] = (uint32_t)i;
    memmove(l->first + 1, l->first, n_codes * sizeof *l->first);
    l->first[0] = 0;
}

static void mean_of(const lloyd *l, size_t k, double *sum)
{
    const size_t dim = l->fit.config->dim, count = l->first[k + 1] - l->first[k];
    memset(sum, 0, dim * sizeof *sum);
    for (size_t at = l->first[k]; at < l->first[k + 1]; at++) {
        const float *row = l->fit.x + (size_t)l->rows[at] * dim;
        for (size_t d = 0; d < dim; d++) sum[d] += (double)row[d];
    }
    for (size_t d = 0; d < dim; d++)
        l->fit.centroids[k * dim + d] = (float)(sum[d] / (double)count);
}

/* The first centroid whose rows begin at or after a place. */
static size_t centroid_from(const lloyd *l, size_t place)
{
    size_t low = 0, high = l->fit.config->codes;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (l->first[middle] < place) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* A thread takes the centroids whose rows begin in its piece: threads share rows evenly. */
static void take_means(void *arg, size_t begin, size_t end, int thread)
{
    const lloyd *l = arg;
    double *sum = l->sums + (size_t)thread * l->fit.config->dim;
    const size_t last = centroid_from(l, end);
    for (size_t k = centroid_from(l, begin); k < last; k++)
        if (l->first[k + 1] > l->first[k]) mean_of(l, k, sum);
}

/* ---- all of it ------------------------------------------------------------------------ */

static double count_infinite(const void *arg, size_t begin, size_t end)
{
    const float *x = arg;
    double count = 0.0;
    for (size_t i = begin; i < end; i++) count += isfinite(x[i]) ? 0.0 : 1.0;
    return count;
}

static vq_status check(vq_context *ctx, const vq_kmeans_config *c, size_t n)
{
    VQ_CHECK(ctx, c->codes >= 1 && c->codes <= INT32_MAX, VQ_E_ARG,
             "k-means: %zu codes were asked for, but 1 to %d are allowed", c->codes, INT32_MAX);
    VQ_CHECK(ctx, c->dim >= 1, VQ_E_ARG, "k-means: vectors of 0 numbers cannot be told apart");
    VQ_CHECK(ctx, c->iterations >= 0, VQ_E_ARG, "k-means: %lld iterations, but 0 is the least",
             (long long)c->iterations);
    VQ_CHECK(ctx, n >= c->codes, VQ_E_ARG,
             "k-means: %zu vectors are too few for %zu codes; give at least %zu, or ask for fewer "
             "codes",
             n, c->codes, c->codes);
    VQ_CHECK(ctx, n <= UINT32_MAX, VQ_E_ARG, "k-means: %zu vectors, but %lu are the most", n,
             (unsigned long)UINT32_MAX);
    return VQ_OK;
}

static vq_status check_finite(const vq_kmeans *fit)
{
    const size_t count = fit->n * fit->config->dim;
    double *partials;
    VQ_TRY(VQ_NEW(fit->ctx, vq_sum_chunks_count(count), &partials));
    const double bad = vq_sum_chunks(fit->ctx, count, count_infinite, fit->x, partials);
    vq_release(fit->ctx, partials);
    if (bad == 0.0) return VQ_OK;
    size_t first = 0;
    while (isfinite(fit->x[first])) first++;
    return vq_fail(fit->ctx, VQ_E_NUMERIC,
                   "k-means: %.0f of %zu numbers are not finite, the first, %g, in vector %zu", bad,
                   count, (double)fit->x[first], first / fit->config->dim);
}

static vq_status allocate(lloyd *l)
{
    vq_kmeans *fit = &l->fit;
    vq_context *ctx = fit->ctx;
    const vq_kmeans_config *c = fit->config;
    size_t size = search_size(fit, c->codes);
    for (size_t count = 1; count < c->codes && count <= VQ_KMEANS_BLOCK; count++)
        if (search_size(fit, count) > size) size = search_size(fit, count);
    VQ_TRY(VQ_NEW(ctx, fit->n, &fit->codes));
    VQ_TRY(VQ_NEW(ctx, fit->n, &fit->squares));
    VQ_TRY(VQ_NEW(ctx, vq_sum_chunks_count(fit->n), &fit->partials));
    VQ_TRY(vq_alloc(ctx, size, 1, &fit->memory));
    VQ_TRY(VQ_NEW(ctx, fit->n, &l->before));
    VQ_TRY(VQ_NEW(ctx, fit->n, &l->rows));
    VQ_TRY(VQ_NEW(ctx, c->codes + 1, &l->first));
    VQ_TRY(VQ_NEW(ctx, (size_t)vq_context_threads(ctx) * c->dim, &l->sums));
    return VQ_NEW(ctx, c->codes, &l->counts);
}

static void release(lloyd *l)
{
    vq_context *ctx = l->fit.ctx;
    vq_release(ctx, l->fit.codes);
    vq_release(ctx, l->fit.squares);
    vq_release(ctx, l->fit.partials);
    vq_release(ctx, l->fit.memory);
    vq_release(ctx, l->before);
    vq_release(ctx, l->rows);
    vq_release(ctx, l->first);
    vq_release(ctx, l->sums);
    vq_release(ctx, l->counts);
}

static vq_status iterate(lloyd *l, const vq_kmeans_report *report)
{
    enum { ROWS = 4096 }; /* a thread is not woken for fewer */
    vq_kmeans *fit = &l->fit;
    for (int64_t i = 1; assign(l) || i == 1; i++) {
        if (i > fit->config->iterations) return VQ_OK;
        if (report->progress && !report->progress(report->user, i, vq_kmeans_inertia(fit)))
            return vq_fail(fit->ctx, VQ_E_CANCELLED, "k-means was stopped in iteration %lld",
                           (long long)i);
        fill_empty(l);
        sort_rows(l);
        vq_parallel_for(fit->ctx, fit->n, ROWS, take_means, l);
    }
    return VQ_OK;
}

vq_status vq_kmeans_fit(vq_context *ctx, const vq_kmeans_config *config, size_t n, const float *x,
                        float *centroids, const vq_kmeans_report *report)
{
    lloyd l = {.fit = {.ctx = ctx, .config = config, .n = n, .x = x, .centroids = centroids}};
    const vq_kmeans_report nothing = {0};
    vq_status status;
    if (!report) report = &nothing;
    VQ_TRY(check(ctx, config, n));
    VQ_TRY(check_finite(&l.fit));
    VQ_TRY_TO(allocate(&l));
    vq_kmeans_begin(&l.fit);
    VQ_TRY_TO(iterate(&l, report));
    if (report->counts) memcpy(report->counts, l.counts, config->codes * sizeof *report->counts);
    if (report->inertia) *report->inertia = vq_kmeans_inertia(&l.fit);
done:
    release(&l);
    return status;
}

#endif
