/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans_means.c -- centroids as the means of their vectors.
 *
 * Each sum is taken in double over the vectors in their order, so it has the same bits whatever the
 * number of threads. Centroids lie in bins whose sums stay in the first-level cache. Vectors are
 * sorted by bin and a thread walks through those of a bin in their order: it reads vectors that are
 * near to each other, where sorting by centroid would read them from all over memory. */
#include <string.h>

#include "base/parallel.h"
#include "quantize/kmeans_parts.h"

/* Codebooks are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

enum {
    BIN = 1 << 14,    /* numbers of the sums of a bin: 128 KiB */
    ROWS_EACH = 4096, /* a thread is not woken for fewer vectors */
    LINE = 16,        /* numbers of a line of the cache */
    AHEAD = 32        /* vectors whose first lines are asked for before they are added */
};

static size_t bins_of(const vq_kmeans_means *m)
{
    return ((m->codes - 1) >> m->shift) + 1;
}

vq_status vq_kmeans_means_allocate(vq_kmeans *fit, vq_kmeans_means *m)
{
    const size_t dim = fit->config->dim, threads = (size_t)fit->ctx->threads;
    m->codes = fit->config->codes;
    for (m->shift = 0; (dim << m->shift) < BIN; m->shift++) continue;
    while (m->shift > 0 && bins_of(m) < threads) m->shift--; /* a bin for each, where it can be */
    VQ_TRY(VQ_NEW(fit->ctx, fit->n, &m->rows));
    VQ_TRY(VQ_NEW(fit->ctx, bins_of(m) + 1, &m->first));
    VQ_TRY(VQ_NEW(fit->ctx, m->codes, &m->counts));
    VQ_TRY(VQ_NEW(fit->ctx, m->codes, &m->changed));
    return VQ_NEW(fit->ctx, threads * (dim << m->shift), &m->sums);
}

void vq_kmeans_means_release(vq_kmeans *fit, vq_kmeans_means *m)
{
    vq_release(fit->ctx, m->rows);
    vq_release(fit->ctx, m->first);
    vq_release(fit->ctx, m->counts);
    vq_release(fit->ctx, m->changed);
    vq_release(fit->ctx, m->sums);
}

/* The vectors of centroids that changed, sorted by bin and in their order within one. */
static void sort_rows(const vq_kmeans *fit, vq_kmeans_means *m)
{
    const size_t bins = bins_of(m);
    memset(m->first, 0, (bins + 1) * sizeof *m->first);
    for (size_t k = 0; k < m->codes; k++)
        if (m->changed[k]) m->first[(k >> m->shift) + 1] += (size_t)m->counts[k];
    for (size_t b = 0; b < bins; b++) m->first[b + 1] += m->first[b];
    for (size_t i = 0; i < fit->n; i++) {
        const size_t k = (size_t)fit->codes[i];
        if (m->changed[k]) m->rows[m->first[k >> m->shift]++] = (uint32_t)i;
    }
    memmove(m->first + 1, m->first, bins * sizeof *m->first);
    m->first[0] = 0;
}

static void add_row(double *restrict sum, const float *restrict row, size_t dim)
{
    for (size_t d = 0; d < dim; d++) sum[d] += (double)row[d];
}

/* `sums` are those of the bin's centroids. */
static void mean_of_bin(const vq_kmeans *fit, const vq_kmeans_means *m, size_t bin, double *sums)
{
    const size_t dim = fit->config->dim, begin = bin << m->shift;
    const size_t end = (bin + 1) << m->shift;
    memset(sums, 0, (dim << m->shift) * sizeof *sums);
    for (size_t at = m->first[bin]; at < m->first[bin + 1]; at++) {
        const size_t row = m->rows[at], later = at + AHEAD < m->first[bin + 1] ? at + AHEAD : at;
        for (size_t i = 0; i < 4 * LINE && i < dim; i += LINE)
            __builtin_prefetch(fit->x + m->rows[later] * dim + i);
        add_row(sums + ((size_t)fit->codes[row] - begin) * dim, fit->x + row * dim, dim);
    }
    for (size_t k = begin; k < end && k < m->codes; k++)
        for (size_t d = 0; d < dim && m->changed[k] && m->counts[k]; d++)
            fit->centroids[k * dim + d] =
                (float)(sums[(k - begin) * dim + d] / (double)m->counts[k]);
}

typedef struct means_job {
    const vq_kmeans *fit;
    const vq_kmeans_means *means;
} means_job;

static void take_bins(void *arg, size_t begin, size_t end, int thread)
{
    const means_job *job = arg;
    const vq_kmeans_means *m = job->means;
    double *sums = m->sums + (size_t)thread * (job->fit->config->dim << m->shift);
    for (size_t bin = begin; bin < end; bin++) mean_of_bin(job->fit, m, bin, sums);
}

void vq_kmeans_take_means(vq_kmeans *fit, vq_kmeans_means *m)
{
    means_job job = {fit, m};
    sort_rows(fit, m);
    vq_parallel_for(fit->ctx, bins_of(m), 1 + ROWS_EACH * bins_of(m) / fit->n, take_bins, &job);
}

#endif
