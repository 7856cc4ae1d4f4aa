/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans_start.c -- the centroids that k-means starts from.
 *
 * k-means++ draws each centroid with a probability in proportion to D_i, the squared distance of
 * row i from the centroids so far. D changes with every centroid, and to bring all of it up to date
 * each time would read all vectors K times. So D is left to grow old, which makes it too large and
 * never too small, while up to as many centroids are drawn as were known before; a row drawn by
 * the old D is kept with the probability D_i now / D_i old, and else another one is drawn. What is
 * kept has exactly the wanted probabilities (rejection sampling, von Neumann 1951), and D is
 * brought up to date by one fast search for a whole block of new centroids. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "quantize/kmeans_parts.h"
#include "quantize/quantize_parts.h"

/* Codebooks are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

enum { TRIES = 8 }; /* draws refused beyond those kept, after which D is too old */

typedef struct seeding {
    vq_kmeans *fit;
    vq_random random;
    size_t known, chosen; /* centroids that D knows of; that there are */
    size_t tries;         /* draws since D was brought up to date */
    double total;         /* of D */
} seeding;

static const float *row_of(const vq_kmeans *fit, size_t i)
{
    return fit->x + i * fit->config->dim;
}

static void choose(seeding *s, size_t row)
{
    const size_t dim = s->fit->config->dim;
    memcpy(s->fit->centroids + s->chosen++ * dim, row_of(s->fit, row), dim * sizeof(float));
}

static void lower_squares(void *arg, size_t begin, size_t end)
{
    const seeding *s = arg;
    const vq_kmeans *fit = s->fit;
    const size_t dim = fit->config->dim;
    const float *fresh = fit->centroids + s->known * dim;
    for (size_t i = begin; i < end; i++) {
        const double square =
            vq_squared_distance(row_of(fit, i), fresh + (size_t)fit->codes[i] * dim, dim);
        if (square < fit->squares[i]) fit->squares[i] = square;
    }
}

static void bring_up_to_date(seeding *s)
{
    vq_kmeans_search(s->fit, s->fit->centroids + s->known * s->fit->config->dim,
                     s->chosen - s->known, lower_squares, s);
    s->known = s->chosen;
    s->tries = 0;
    s->total = vq_kmeans_inertia(s->fit);
}

/* Uniform in [0, 1), a multiple of 2^-53. */
static double uniform(vq_random *random)
{
    const uint64_t high = vq_random_u32(random) >> 5, low = vq_random_u32(random) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

/* A row by the old D. Rounding may carry past the last row that has a share: that one is meant. */
static size_t draw(seeding *s)
{
    const vq_kmeans *fit = s->fit;
    const size_t chunks = vq_sum_chunks_count(fit->n);
    double left = uniform(&s->random) * s->total;
    size_t chunk = 0, last = 0;
    while (chunk + 1 < chunks && left >= fit->partials[chunk]) left -= fit->partials[chunk++];
    for (size_t i = chunk * VQ_SUM_CHUNK; i < fit->n; i++) {
        if (fit->squares[i] == 0.0) continue;
        last = i;
        if (left < fit->squares[i]) break;
        left -= fit->squares[i];
    }
    return last;
}

static bool is_kept(seeding *s, size_t row)
{
    const vq_kmeans *fit = s->fit;
    const size_t dim = fit->config->dim;
    double square = fit->squares[row];
    for (size_t k = s->known; k < s->chosen; k++)
        square = fmin(square, vq_squared_distance(row_of(fit, row), fit->centroids + k * dim, dim));
    return uniform(&s->random) * fit->squares[row] < square;
}

/* Rows that differ from all centroids have run out: the rest of the centroids are copies. */
static void repeat_rows(seeding *s)
{
    const size_t codes = s->fit->config->codes, distinct = s->chosen;
    vq_log(s->fit->ctx, VQ_LOG_WARNING,
           "k-means: only %zu of the %zu vectors are distinct, fewer than the %zu codes: the other "
           "codes are copies that nothing will use",
           distinct, s->fit->n, codes);
    while (s->chosen < codes) choose(s, (size_t)vq_random_below(&s->random, s->fit->n));
}

static void plus_plus(vq_kmeans *fit)
{
    const vq_kmeans_config *c = fit->config;
    seeding s = {.fit = fit, .random = vq_random_stream(c->seed, VQ_RANDOM_KMEANS, 0, c->item)};
    for (size_t i = 0; i < fit->n; i++) fit->squares[i] = HUGE_VAL;
    choose(&s, (size_t)vq_random_below(&s.random, fit->n));
    while (s.chosen < c->codes) {
        const size_t fresh = s.chosen - s.known;
        const bool old =
            fresh >= s.known || fresh >= VQ_KMEANS_BLOCK || s.tries > 2 * fresh + TRIES;
        if (fresh && old) bring_up_to_date(&s);
        if (s.total == 0.0) {
            repeat_rows(&s);
            return;
        }
        const size_t row = draw(&s);
        s.tries++;
        if (is_kept(&s, row)) choose(&s, row);
    }
}

void vq_kmeans_begin(vq_kmeans *fit)
{
    const vq_kmeans_config *c = fit->config;
    if (c->start == VQ_KMEANS_PLUS_PLUS) plus_plus(fit);
    for (size_t k = 0; c->start == VQ_KMEANS_RANDOM && k < c->codes; k++)
        memcpy(fit->centroids + k * c->dim,
               row_of(fit,
                      (size_t)vq_random_permuted(c->seed, VQ_RANDOM_KMEANS, c->item, fit->n, k)),
               c->dim * sizeof(float));
}

#endif
