/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans.c -- Lloyd's iterations:
 *   k_i = argmin_k |x_i - e_k|^2,   e_k = mean of the x_i with k_i = k
 *
 * The search is that of the quantisers (kmeans_search.c), the means have the same bits whatever the
 * number of threads (kmeans_means.c). */
#include "quantize/kmeans.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "kernels/nearest.h"
#include "quantize/kmeans_parts.h"
#include "quantize/quantize_parts.h"

/* Codebooks are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

enum { ELEMENTS = 1 << 14 }; /* numbers of vectors for which a thread is worth waking */

/* What iterations need beyond the search. */
typedef struct lloyd {
    vq_kmeans fit;
    vq_kmeans_means means;
    int32_t *before; /* codes of the iteration before */
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

/* Codes, counts, and which centroids have other vectors than in the iteration before; in the first
 * one all. Returns whether there is any. */
static bool assign(lloyd *l, bool first)
{
    vq_kmeans *fit = &l->fit;
    uint64_t *counts = l->means.counts;
    bool *changed = l->means.changed, any = first;
    memcpy(l->before, fit->codes, fit->n * sizeof *fit->codes);
    vq_kmeans_assign(fit);
    memset(counts, 0, fit->config->codes * sizeof *counts);
    memset(changed, first, fit->config->codes * sizeof *changed);
    for (size_t i = 0; i < fit->n; i++) {
        const int32_t code = fit->codes[i], before = l->before[i];
        counts[code]++;
        if (code == before) continue;
        changed[code] = changed[before] = any = true;
    }
    return any;
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
    vq_kmeans_means *m = &l->means;
    size_t left = 0, k = 0;
    while (k < m->codes && m->counts[k]) k++;
    if (k == m->codes) return;
    measure(l);
    for (size_t i = 0; i < fit->n; i++)
        if (fit->squares[i] > 0.0) m->rows[left++] = (uint32_t)i;
    for (size_t at = left / 2; at-- > 0;) sink(fit->squares, m->rows, at, left);
    for (; k < m->codes && left; k += m->counts[k] ? 1 : 0) {
        if (m->counts[k]) continue;
        const uint32_t row = m->rows[0];
        const size_t own = (size_t)fit->codes[row];
        m->rows[0] = m->rows[--left];
        sink(fit->squares, m->rows, 0, left);
        if (m->counts[own] == 1) continue; /* alone with its centroid, which will move there */
        m->counts[own]--;
        m->counts[k] = 1;
        m->changed[own] = m->changed[k] = true;
        fit->codes[row] = (int32_t)k;
    }
}

/* ---- all of it ------------------------------------------------------------------------ */

static double count_infinite(const void *arg, size_t begin, size_t end)
{
    const float *x = arg;
    uint32_t count = 0;
    for (size_t i = begin; i < end; i++) count += fabsf(x[i]) <= FLT_MAX ? 0u : 1u;
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
    VQ_TRY(VQ_NEW(ctx, fit->n, &fit->codes));
    VQ_TRY(VQ_NEW(ctx, fit->n, &fit->squares));
    VQ_TRY(VQ_NEW(ctx, vq_sum_chunks_count(fit->n), &fit->partials));
    VQ_TRY(vq_kmeans_search_allocate(fit));
    VQ_TRY(vq_kmeans_means_allocate(fit, &l->means));
    return VQ_NEW(ctx, fit->n, &l->before);
}

static void release(lloyd *l)
{
    vq_context *ctx = l->fit.ctx;
    vq_release(ctx, l->fit.codes);
    vq_release(ctx, l->fit.squares);
    vq_release(ctx, l->fit.partials);
    vq_kmeans_search_release(&l->fit);
    vq_kmeans_means_release(&l->fit, &l->means);
    vq_release(ctx, l->before);
}

static vq_status iterate(lloyd *l, const vq_kmeans_report *report)
{
    vq_kmeans *fit = &l->fit;
    const int64_t iterations = fit->config->iterations;
    const bool again = report->counts || report->inertia; /* about the centroids as they are left */
    for (int64_t i = 1; i <= iterations || again; i++) {
        if (!assign(l, i == 1) || i > iterations) return VQ_OK;
        if (report->progress) measure(l);
        if (report->progress && !report->progress(report->user, i, vq_kmeans_inertia(fit)))
            return vq_fail(fit->ctx, VQ_E_CANCELLED, "k-means was stopped in iteration %lld",
                           (long long)i);
        fill_empty(l);
        vq_kmeans_take_means(fit, &l->means);
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
    if (report->counts)
        memcpy(report->counts, l.means.counts, config->codes * sizeof *report->counts);
    if (report->inertia) measure(&l);
    if (report->inertia) *report->inertia = vq_kmeans_inertia(&l.fit);
done:
    release(&l);
    return status;
}

#endif
