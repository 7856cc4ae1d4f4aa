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

enum {
    ELEMENTS = 1 << 14, /* numbers of vectors for which a thread is worth waking */
    COLUMNS = 16,       /* of rows that are summed together: a line of cache */
    AHEAD = 12          /* rows that are asked for before they are summed, as they lie anywhere */
};

/* What iterations need beyond the search. */
typedef struct lloyd {
    vq_kmeans fit;
    int32_t *before;  /* codes of the iteration before */
    uint32_t *rows;   /* sorted by code, and in their order within one */
    size_t *first;    /* K + 1: rows[first[k]] .. rows[first[k+1]-1] have code k */
    bool *changed;    /* K: whether the rows of a centroid are other ones than before */
    uint64_t *counts; /* K */
} lloyd;

/* ---- search ---------------------------------------------------------------------- */

static void take_squares(void *arg, size_t begin, size_t end, int thread)
{
    const vq_kmeans *fit = arg;
    const size_t dim = fit->config->dim;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        fit->squares[i] = vq_squared_distance(fit->x + i * dim,
                                              fit->centroids + (size_t)fit->codes[i] * dim, dim);
}

/* Squared distances from where the centroids are now. Most iterations do without them. */
static void measure(lloyd *l)
{
    vq_parallel_for(l->fit.ctx, l->fit.n, 1 + ELEMENTS / l->fit.config->dim, take_squares, &l->fit);
}

double vq_kmeans_inertia(const vq_kmeans *fit)
{
    return vq_sum_numbers(fit->ctx, fit->n, fit->squares, fit->partials);
}

/* Codes and counts; whether any code changed. */
static bool assign(lloyd *l)
{
    vq_kmeans *fit = &l->fit;
    memcpy(l->before, fit->codes, fit->n * sizeof *fit->codes);
    vq_kmeans_assign(fit);
    memset(l->counts, 0, fit->config->codes * sizeof *l->counts);
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
    measure(l);
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

/* A centroid whose rows are those of the iteration before is their mean already. */
static void mark_changed(lloyd *l, bool all)
{
    const int32_t *codes = l->fit.codes;
    memset(l->changed, all, l->fit.config->codes * sizeof *l->changed);
    for (size_t i = 0; i < l->fit.n && !all; i++)
        if (codes[i] != l->before[i]) l->changed[codes[i]] = l->changed[l->before[i]] = true;
}

/* Means of `width` columns of a centroid's rows, from column d on. The full width is a constant
 * where this is used, so that its sums stay in registers. */
static inline void mean_columns(const lloyd *l, size_t k, size_t d, size_t width)
{
    const size_t dim = l->fit.config->dim, begin = l->first[k], end = l->first[k + 1];
    double sum[COLUMNS] = {0.0};
    for (size_t at = begin; at < end; at++) {
        const float *row = l->fit.x + l->rows[at] * dim + d;
        const size_t later = at + AHEAD < l->fit.n ? at + AHEAD : at;
        __builtin_prefetch(l->fit.x + l->rows[later] * dim + d);
        for (size_t i = 0; i < width; i++) sum[i] += (double)row[i];
    }
    for (size_t i = 0; i < width; i++)
        l->fit.centroids[k * dim + d + i] = (float)(sum[i] / (double)(end - begin));
}

static void mean_of(const lloyd *l, size_t k)
{
    const size_t dim = l->fit.config->dim;
    size_t d = 0;
    for (; d + COLUMNS <= dim; d += COLUMNS) mean_columns(l, k, d, COLUMNS);
    if (d < dim) mean_columns(l, k, d, dim - d);
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
    (void)thread;
    const size_t last = centroid_from(l, end);
    for (size_t k = centroid_from(l, begin); k < last; k++)
        if (l->changed[k] && l->first[k + 1] > l->first[k]) mean_of(l, k);
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
    VQ_TRY(VQ_NEW(ctx, fit->n, &fit->codes));
    VQ_TRY(VQ_NEW(ctx, fit->n, &fit->squares));
    VQ_TRY(VQ_NEW(ctx, vq_sum_chunks_count(fit->n), &fit->partials));
    VQ_TRY(vq_kmeans_search_allocate(fit));
    VQ_TRY(VQ_NEW(ctx, fit->n, &l->before));
    VQ_TRY(VQ_NEW(ctx, fit->n, &l->rows));
    VQ_TRY(VQ_NEW(ctx, c->codes + 1, &l->first));
    VQ_TRY(VQ_NEW(ctx, c->codes, &l->changed));
    return VQ_NEW(ctx, c->codes, &l->counts);
}

static void release(lloyd *l)
{
    vq_context *ctx = l->fit.ctx;
    vq_release(ctx, l->fit.codes);
    vq_release(ctx, l->fit.squares);
    vq_release(ctx, l->fit.partials);
    vq_kmeans_search_release(&l->fit);
    vq_release(ctx, l->before);
    vq_release(ctx, l->rows);
    vq_release(ctx, l->first);
    vq_release(ctx, l->changed);
    vq_release(ctx, l->counts);
}

static vq_status iterate(lloyd *l, const vq_kmeans_report *report)
{
    enum { ROWS = 4096 }; /* a thread is not woken for fewer */
    vq_kmeans *fit = &l->fit;
    for (int64_t i = 1; assign(l) || i == 1; i++) {
        if (i > fit->config->iterations) return VQ_OK;
        if (report->progress) measure(l);
        if (report->progress && !report->progress(report->user, i, vq_kmeans_inertia(fit)))
            return vq_fail(fit->ctx, VQ_E_CANCELLED, "k-means was stopped in iteration %lld",
                           (long long)i);
        fill_empty(l);
        mark_changed(l, i == 1);
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
    if (report->inertia) measure(&l);
    if (report->inertia) *report->inertia = vq_kmeans_inertia(&l.fit);
done:
    release(&l);
    return status;
}

#endif
