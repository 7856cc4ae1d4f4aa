/* SPDX-License-Identifier: Apache-2.0
 * model/census.c -- sums and a sample of the vectors that chose from a codebook. All sums are
 * taken in double in the order of the vectors, so that batches and threads do not change them. */
#include "model/census.h"

#include <math.h>
#include <string.h>

enum { SAMPLE_LEAST = 1024, SAMPLE_MOST = 16384, SAMPLE_NUMBERS = 1 << 23 };

static size_t sample_room(size_t dim)
{
    const size_t room = SAMPLE_NUMBERS / dim;
    if (room < SAMPLE_LEAST) return SAMPLE_LEAST;
    return room < SAMPLE_MOST ? room : SAMPLE_MOST;
}

static vq_status allocate(vq_context *ctx, vq_census *c)
{
    size_t numbers;
    VQ_CHECK(ctx, vq_mul_size(c->n_codes, c->dim, &numbers), VQ_E_NOMEM,
             "no memory counts %zu codes of %zu numbers", c->n_codes, c->dim);
    VQ_TRY(VQ_NEW(ctx, c->n_codes, &c->counts));
    VQ_TRY(VQ_NEW(ctx, numbers, &c->gaps));
    VQ_TRY(VQ_NEW(ctx, c->dim, &c->first));
    VQ_TRY(VQ_NEW(ctx, c->dim, &c->sum));
    VQ_TRY(VQ_NEW(ctx, c->dim, &c->square));
    VQ_TRY(VQ_NEW(ctx, c->dim, &c->variances));
    VQ_TRY(VQ_NEW(ctx, c->room * c->dim, &c->sample));
    return VQ_NEW(ctx, c->room, &c->sample_codes);
}

vq_status vq_census_begin(vq_context *ctx, vq_census *census)
{
    *census = (vq_census){.dim = census->dim,
                          .n_codes = census->n_codes,
                          .codebook = census->codebook,
                          .moving = census->moving,
                          .epsilon = census->epsilon,
                          .least_norm = HUGE_VAL,
                          .least_distance = HUGE_VAL,
                          .room = sample_room(census->dim),
                          .random = vq_random_stream(0, VQ_RANDOM_SAMPLE, 0, 0)};
    const vq_status status = allocate(ctx, census);
    if (status != VQ_OK) vq_census_clear(ctx, census);
    return status;
}

void vq_census_clear(vq_context *ctx, vq_census *c)
{
    vq_release(ctx, c->counts);
    vq_release(ctx, c->gaps);
    vq_release(ctx, c->first);
    vq_release(ctx, c->sum);
    vq_release(ctx, c->square);
    vq_release(ctx, c->variances);
    vq_release(ctx, c->sample);
    vq_release(ctx, c->sample_codes);
    *c = (vq_census){0};
}

static void add_moments(vq_census *c, const float *z)
{
    if (c->vectors == 0)
        for (size_t d = 0; d < c->dim; d++) c->first[d] = (double)z[d];
    for (size_t d = 0; d < c->dim; d++) {
        const double from_first = (double)z[d] - c->first[d];
        c->sum[d] += from_first;
        c->square[d] += from_first * from_first;
    }
    const double norm = vq_squared_length(z, c->dim);
    c->least_norm = fmin(c->least_norm, norm);
    c->greatest_norm = fmax(c->greatest_norm, norm);
}

static void add_choice(vq_census *c, const float *z, int32_t code)
{
    const float *e = c->codebook + (size_t)code * c->dim;
    double *gap = c->gaps + (size_t)code * c->dim, error = 0.0;
    for (size_t d = 0; d < c->dim; d++) {
        const double difference = (double)z[d] - (double)e[d];
        gap[d] += difference;
        error += difference * difference;
    }
    c->counts[code]++;
    c->error += error;
    c->least_distance = fmin(c->least_distance, error);
    c->greatest_distance = fmax(c->greatest_distance, error);
}

/* The first `room` vectors fill the sample; vector t after them takes the place of one of those
 * there with chance room / (t + 1), which leaves every vector in it with the same chance. */
static void add_sample(vq_census *c, const float *z, int32_t code)
{
    uint64_t slot = c->vectors;
    if (slot >= c->room) slot = vq_random_below(&c->random, c->vectors + 1);
    if (slot >= c->room) return;
    memcpy(c->sample + slot * c->dim, z, c->dim * sizeof *z);
    c->sample_codes[slot] = code;
    if (c->sampled < c->room) c->sampled++;
}

void vq_census_add(vq_census *c, size_t n, const float *z, const int32_t *codes)
{
    for (size_t i = 0; i < n; i++, z += c->dim) {
        add_moments(c, z);
        add_choice(c, z, codes[i]);
        add_sample(c, z, codes[i]);
        c->vectors++;
    }
}
