/* SPDX-License-Identifier: Apache-2.0
 * model/census_figures.c -- what the sums of a census say. */
#include <math.h>
#include <stdlib.h>

#include "model/census.h"

enum { POWER_STEPS = 24 };

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

vq_spread vq_spread_of(double *numbers, size_t n)
{
    if (n == 0) return (vq_spread){(double)NAN, (double)NAN, (double)NAN};
    qsort(numbers, n, sizeof *numbers, by_size);
    return (vq_spread){numbers[0], 0.5 * (numbers[(n - 1) / 2] + numbers[n / 2]), numbers[n - 1]};
}

static void measure_use(const vq_census *c, vq_codebook_figures *f)
{
    size_t used;
    uint64_t most = 0;
    f->perplexity = vq_perplexity(c->counts, c->n_codes, &used);
    f->used = (int64_t)used;
    for (size_t k = 0; k < c->n_codes; k++)
        if (c->counts[k] > most) most = c->counts[k];
    f->top_share = (double)most / (double)c->vectors;
    for (size_t k = 0; c->moving && k < c->n_codes; k++) f->moving_total += (double)c->moving[k];
}

static void measure_codes(const vq_census *c, vq_codebook_figures *f, double *scratch)
{
    for (int used = 0; used < 2; used++) {
        size_t n = 0;
        for (size_t k = 0; k < c->n_codes; k++)
            if ((c->counts[k] > 0) == (used == 1))
                scratch[n++] = sqrt(vq_squared_length(c->codebook + k * c->dim, c->dim));
        *(used ? &f->used_norm : &f->unused_norm) = vq_spread_of(scratch, n);
    }
}

/* The code that vector i of the sample chose. */
static const float *code_of(const vq_census *c, size_t i)
{
    return c->codebook + (size_t)c->sample_codes[i] * c->dim;
}

/* Medians come from the sample, the ends from all vectors. */
static void measure_vectors(const vq_census *c, vq_codebook_figures *f, double *scratch)
{
    for (size_t i = 0; i < c->sampled; i++)
        scratch[i] = sqrt(vq_squared_length(c->sample + i * c->dim, c->dim));
    f->vector_norm.median = vq_spread_of(scratch, c->sampled).median;
    f->vector_norm.least = sqrt(c->least_norm);
    f->vector_norm.greatest = sqrt(c->greatest_norm);
    for (size_t i = 0; i < c->sampled; i++)
        scratch[i] = sqrt(vq_squared_length(code_of(c, i), c->dim));
    f->chosen_norm = vq_spread_of(scratch, c->sampled);
    for (size_t i = 0; i < c->sampled; i++)
        scratch[i] = sqrt(vq_squared_distance(c->sample + i * c->dim, code_of(c, i), c->dim));
    f->distance.median = vq_spread_of(scratch, c->sampled).median;
    f->distance.least = sqrt(c->least_distance);
    f->distance.greatest = sqrt(c->greatest_distance);
}

static void measure_variance(vq_census *c, vq_codebook_figures *f, double *mean, double *scratch)
{
    const double n = (double)c->vectors;
    double total = 0.0;
    for (size_t d = 0; d < c->dim; d++) {
        const double offset = c->sum[d] / n;
        const double variance = fmax(0.0, c->square[d] / n - offset * offset);
        mean[d] = c->first[d] + offset;
        scratch[d] = c->variances[d] = variance;
        total += variance;
    }
    f->spread = sqrt(total);
    f->error = total > 0.0 ? c->error / n / total : (double)NAN;
    f->variance = vq_spread_of(scratch, c->dim);
}

/* With G_k the sum of z - e_k over the n_k vectors that chose e_k, moving each code to the mean of
 * its vectors takes B = sum |G_k|^2 / n_k off the sum of squares T. Chance alone gives B the
 * expectation U s, U the codes used and s = (T - B) / (n - U) the variance within a code (the
 * one-way analysis of variance), which is taken off. */
static double lag_of(const vq_census *c, double used)
{
    double between = 0.0;
    for (size_t k = 0; k < c->n_codes; k++) {
        const double *gap = c->gaps + k * c->dim;
        double square = 0.0;
        for (size_t d = 0; d < c->dim; d++) square += gap[d] * gap[d];
        if (c->counts[k]) between += square / (double)c->counts[k];
    }
    const double freedom = (double)c->vectors - used;
    if (!(c->error > 0.0) || freedom < 1.0) return 0.0;
    const double chance = used * fmax(0.0, c->error - between) / freedom;
    return fmin(1.0, fmax(0.0, between - chance) / c->error);
}

/* One step of the power method on the covariance C of the sample: to = C from, not normalised. */
static void apply_covariance(const vq_census *c, const double *mean, const double *from, double *to)
{
    for (size_t d = 0; d < c->dim; d++) to[d] = 0.0;
    for (size_t i = 0; i < c->sampled; i++) {
        const float *z = c->sample + i * c->dim;
        double along = 0.0;
        for (size_t d = 0; d < c->dim; d++) along += ((double)z[d] - mean[d]) * from[d];
        for (size_t d = 0; d < c->dim; d++) to[d] += ((double)z[d] - mean[d]) * along;
    }
}

static double normalise(double *v, size_t dim)
{
    double square = 0.0;
    for (size_t d = 0; d < dim; d++) square += v[d] * v[d];
    const double norm = sqrt(square);
    for (size_t d = 0; d < dim && norm > 0.0; d++) v[d] /= norm;
    return norm;
}

/* Largest eigenvalue over the sum of them all. The method starts with the variances of the single
 * numbers; each step takes it further towards the longest direction (Golub and Van Loan, Matrix
 * Computations, 8.2.1). `vectors` has room for 2 D numbers. */
static double line_of(const vq_census *c, const double *mean, double *vectors)
{
    double *from = vectors, *to = vectors + c->dim, trace = 0.0, longest = 0.0;
    for (size_t i = 0; i < c->sampled; i++)
        for (size_t d = 0; d < c->dim; d++)
            trace += pow((double)c->sample[i * c->dim + d] - mean[d], 2.0);
    for (size_t d = 0; d < c->dim; d++) from[d] = sqrt(c->variances[d]);
    if (!(trace > 0.0) || !(normalise(from, c->dim) > 0.0)) return (double)NAN;
    for (int step = 0; step < POWER_STEPS; step++) {
        apply_covariance(c, mean, from, to);
        longest = normalise(to, c->dim);
        double *const other = from;
        from = to;
        to = other;
    }
    return fmin(1.0, longest / trace);
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

vq_status vq_census_figures(vq_context *ctx, vq_census *c, vq_codebook_figures *f)
{
    double *scratch = NULL, *mean = NULL;
    vq_status status;
    *f = (vq_codebook_figures){.codes = (int64_t)c->n_codes,
                               .dim = (int64_t)c->dim,
                               .vectors = (int64_t)c->vectors,
                               .counts = c->counts,
                               .variances = c->variances};
    VQ_TRY_TO(VQ_NEW(ctx, c->dim, &mean));
    VQ_TRY_TO(VQ_NEW(ctx, most(most(c->n_codes, c->sampled), 2 * c->dim), &scratch));
    measure_use(c, f);
    measure_codes(c, f, scratch);
    measure_vectors(c, f, scratch);
    measure_variance(c, f, mean, scratch);
    f->lag = lag_of(c, (double)f->used);
    f->line = line_of(c, mean, scratch);
    VQ_TRY_TO(vq_census_sort_unused(ctx, c, mean, f));
done:
    vq_release(ctx, mean);
    vq_release(ctx, scratch);
    return status;
}
