/* SPDX-License-Identifier: Apache-2.0
 * train/codebooks_start.c -- codebooks fitted to a sample of vectors before the first step. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "quantize/kmeans.h"
#include "quantize/quantize_parts.h"
#include "train/trainer.h"

enum {
    BATCHES = 8,            /* the sample comes from so many at least */
    ROWS_A_CODE = 50,       /* and holds so many vectors a code, */
    LEAST_A_CODE = 2,       /* or fewer where they would take too much memory: */
    MOST_NUMBERS = 1 << 25, /* 128 MiB of them */
    ITERATIONS = 10
};

typedef struct sample {
    vq_trainer *trainer;
    int level;
    size_t batches, a_batch; /* rows taken from each batch */
    float *rows;
} sample;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How much to take, and of how many batches. The first one alone is repeated where it has fewer
 * vectors than there are codes. */
static void plan_sample(sample *s, bool alone)
{
    const vq_trained_codebook *book = &s->trainer->codebooks.book[s->level];
    const size_t n = book->usage.vectors;
    size_t rows = least(ROWS_A_CODE * book->codes, MOST_NUMBERS / book->dim);
    if (rows < LEAST_A_CODE * book->codes) rows = LEAST_A_CODE * book->codes;
    s->batches = ((alone ? book->codes : rows) - 1) / n + 1;
    if (!alone && s->batches < BATCHES) s->batches = BATCHES;
    s->a_batch = alone ? n : least(n, (rows - 1) / s->batches + 1);
}

static vq_status take_memory(sample *s)
{
    const size_t dim = s->trainer->codebooks.book[s->level].dim;
    return VQ_NEW(s->trainer->ctx, s->batches * s->a_batch * dim, &s->rows);
}

/* Different rows of the batch in the plan, drawn alike. */
static void take_rows(const sample *s, size_t batch)
{
    vq_trainer *t = s->trainer;
    const vq_trained_codebook *book = &t->codebooks.book[s->level];
    const float *latent = vq_plan_data(t->plan, book->latent, NULL);
    const uint64_t seed = t->config.seed + (uint64_t)s->level;
    for (size_t i = 0; i < s->a_batch; i++) {
        const size_t row =
            vq_random_permuted(seed, VQ_RANDOM_CODEBOOK, batch, book->usage.vectors, i);
        memcpy(s->rows + (batch * s->a_batch + i) * book->dim, latent + row * book->dim,
               book->dim * sizeof *latent);
    }
}

static vq_status collect(const sample *s, vq_batch_fn next, void *user)
{
    vq_trainer *t = s->trainer;
    for (size_t b = 0; b < s->batches; b++) {
        const uint8_t *pixels = NULL;
        VQ_TRY(next(user, t->step + (int64_t)b, &pixels));
        vq_trainer_fill(t, pixels);
        VQ_TRY(vq_plan_forward_to(t->plan, t->codebooks.book[s->level].latent));
        take_rows(s, b);
    }
    return VQ_OK;
}

/* The averages behind the codes are those that such a sample in every step would bring; with other
 * counts or sums the first updates would throw the fit away. A code without vectors may wait as
 * long as a revived one. */
static void place(const sample *s, const float *centroids, const uint64_t *counts)
{
    vq_trainer *t = s->trainer;
    const vq_trained_codebook *book = &t->codebooks.book[s->level];
    const double share = (double)book->usage.vectors / ((double)s->batches * (double)s->a_batch);
    const double even = VQ_REVIVED_SHARE * vq_usage_even_share(&book->usage);
    for (size_t k = 0; k < book->codes; k++)
        vq_codebook_place(t, s->level, k, centroids + k * book->dim,
                          counts[k] ? share * (double)counts[k] : even);
}

static vq_status fit(const sample *s)
{
    vq_trainer *t = s->trainer;
    const vq_trained_codebook *book = &t->codebooks.book[s->level];
    const vq_kmeans_config config = {.codes = book->codes,
                                     .dim = book->dim,
                                     .iterations = ITERATIONS,
                                     .seed = t->config.seed,
                                     .item = (uint32_t)s->level};
    float *centroids = NULL;
    uint64_t *counts = NULL;
    vq_status status;
    VQ_TRY_TO(VQ_NEW(t->ctx, book->codes * book->dim, &centroids));
    VQ_TRY_TO(VQ_NEW(t->ctx, book->codes, &counts));
    const vq_kmeans_report report = {.counts = counts};
    VQ_TRY_TO(vq_kmeans_fit(t->ctx, &config, s->batches * s->a_batch, s->rows, centroids, &report));
    place(s, centroids, counts);
done:
    vq_release(t->ctx, centroids);
    vq_release(t->ctx, counts);
    return status;
}

/* The coarsest level first: the finer ones look at what it decodes. */
static vq_status fit_all(vq_trainer *t, bool alone, vq_batch_fn next, void *user)
{
    for (int l = t->codebooks.n_books - 1; l >= 0; l--) {
        sample s = {.trainer = t, .level = l};
        plan_sample(&s, alone);
        vq_status status = take_memory(&s);
        if (status == VQ_OK) status = collect(&s, next, user);
        if (status == VQ_OK) status = fit(&s);
        vq_release(t->ctx, s.rows);
        if (status != VQ_OK) return status;
    }
    t->started = true;
    t->fitted = t->step;
    return VQ_OK;
}

static bool wants_first_fit(const vq_trainer *t)
{
    return t->step == 0 && !t->started && t->model.codebook_init == VQ_CODEBOOK_KMEANS;
}

bool vq_trainer_wants_fit(const vq_trainer *t)
{
    const vq_train_config *c = &t->config;
    if (t->step == 0) return wants_first_fit(t);
    return c->refit_every > 0 && t->step % c->refit_every == 0 && t->step != t->fitted &&
           vq_codebooks_tended(t);
}

/* Of one level at a time: the sample, what a search notes of each row, the codes twice over. */
size_t vq_trainer_fit_bytes(const vq_trainer *t)
{
    enum { A_ROW = 32 };
    const bool fits = vq_trainer_wants_fit(t) || t->config.refit_every > 0;
    size_t most = 0;
    for (int l = 0; l < t->codebooks.n_books && fits; l++) {
        sample s = {.trainer = (vq_trainer *)(uintptr_t)t, .level = l};
        plan_sample(&s, false);
        const vq_trained_codebook *book = &t->codebooks.book[l];
        const size_t rows = s.batches * s.a_batch;
        const size_t size = (rows + 2 * book->codes) * book->dim * sizeof(float) + rows * A_ROW;
        if (size > most) most = size;
    }
    return most;
}

vq_status vq_trainer_fit(vq_trainer *t, vq_batch_fn batch, void *user)
{
    return vq_trainer_wants_fit(t) ? fit_all(t, false, batch, user) : VQ_OK;
}

static vq_status same_batch(void *user, int64_t step, const uint8_t **pixels)
{
    (void)step;
    *pixels = user;
    return VQ_OK;
}

vq_status vq_codebooks_start_alone(vq_trainer *t, const uint8_t *pixels)
{
    if (wants_first_fit(t)) return fit_all(t, true, same_batch, (void *)(uintptr_t)pixels);
    vq_trainer_fill(t, pixels);
    return vq_plan_start(t->plan, t->config.seed);
}
