/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_codebooks.c -- codebooks in training: starts from several batches, revival of
 * dead codes for both kinds of codebook, the same bits after resuming and for any number of
 * threads, and what is said when a codebook collapses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vqvae/vqvae.h>

#include "base/random.h"
#include "quantize/quantize_parts.h"
#include "support/fixture.h"
#include "support/golden.h"
#include "tensor/safetensors.h"
#include "train/trainer.h"

enum { BATCH = 4, SIZE = 8, PIXELS = SIZE * SIZE, CODES = 24, DIM = 4, VECTORS = BATCH * 16 };

static const vq_train_data data = {.images = 40, .height = SIZE, .width = SIZE, .variance = 0.05};

typedef struct said {
    int few, uneven, drift, others;
} said;

static void listen(void *user, vq_log_level level, const char *sentence)
{
    said *s = user;
    (void)level;
    if (strstr(sentence, "uses only")) s->few++;
    else if (strstr(sentence, "so unevenly")) s->uneven++;
    else if (strstr(sentence, "they drift")) s->drift++;
    else s->others++;
}

static vq_context *open_context(int threads, said *s)
{
    vq_context_config config;
    vq_context *ctx;
    vq_context_config_default(&config);
    config.threads = threads;
    config.log = s ? listen : NULL;
    config.log_user = s;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    return ctx;
}

static void configure(vq_context *ctx, const char *model_json, vq_model_config *model,
                      vq_train_config *train)
{
    char json[512];
    vq_model_config_default(model);
    (void)snprintf(json, sizeof json,
                   "{\"channels\": 1, \"level\": [{\"stride\": 2, \"width\": 8, \"blocks\": 1,"
                   " \"block_width\": 4, \"k\": %d, \"d\": %d}] %s}",
                   CODES, DIM, model_json);
    must(ctx, vq_model_config_read(ctx, json, model));
    vq_train_config_default(train);
    train->batch = BATCH;
    train->steps = 1000;
    train->lr = 2e-3;
    train->seed = 6;
}

static void fill(const vq_trainer *t, int64_t step, uint8_t *batch)
{
    for (int slot = 0; slot < BATCH; slot++) {
        int64_t index;
        uint64_t epoch;
        vq_trainer_order(t, step, slot, &index, &epoch);
        vq_random random = vq_random_stream(1, VQ_RANDOM_TEST, 0, (uint32_t)index);
        for (int i = 0; i < PIXELS; i++)
            batch[slot * PIXELS + i] = (uint8_t)vq_random_below(&random, 256);
    }
}

static void step(vq_trainer *t, vq_step_metrics *metrics)
{
    uint8_t batch[BATCH * PIXELS];
    fill(t, vq_trainer_position(t), batch);
    must(t->ctx, vq_trainer_step(t, batch, metrics));
}

static vq_trainer *make(vq_context *ctx, const vq_model_config *model, const vq_train_config *train)
{
    vq_trainer *t;
    must(ctx, vq_trainer_create(ctx, model, train, &data, "portable", NULL, &t));
    return t;
}

static uint64_t hash_of(vq_trainer *t)
{
    vq_model *model;
    must(t->ctx, vq_trainer_model(t, &model));
    const uint64_t hash = vq_model_hash(model);
    vq_model_destroy(t->ctx, model);
    return hash;
}

static const char *const kinds[] = {"", ", \"quantizer\": \"gradient\""};

/* ---- revival --------------------------------------------------------------------------- */

/* Nothing moves but the codes, so a code put on a vector of the batch is that vector's nearest when
 * the batch comes again. */
static void test_used_next(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        vq_context *ctx = open_context(2, NULL);
        vq_model_config model;
        vq_train_config train;
        uint8_t batch[BATCH * PIXELS];
        float before[CODES * DIM];
        configure(ctx, kinds[kind], &model, &train);
        train.lr = 0.0;
        train.revive = 0.2;
        vq_trainer *t = make(ctx, &model, &train);
        fill(t, 0, batch);
        float *codes = vq_codebook_numbers(t, 0);
        while (t->codebooks.revived == 0) {
            assert_true(t->step < 200);
            memcpy(before, codes, sizeof before);
            must(ctx, vq_trainer_step(t, batch, NULL));
        }
        assert_int_equal(t->step % train.revive_every, 0);
        assert_in_range(t->codebooks.revived, 1, CODES / 8 + 1);
        const float *vectors = vq_plan_data(t->plan, t->codebooks.book[0].latent, NULL);
        bool revived[CODES] = {false};
        int64_t found = 0;
        for (int k = 0; k < CODES; k++) {
            for (int i = 0; i < VECTORS && !revived[k]; i++)
                revived[k] = memcmp(codes + k * DIM, vectors + i * DIM, DIM * sizeof *codes) == 0;
            revived[k] =
                revived[k] && memcmp(codes + k * DIM, before + k * DIM, DIM * sizeof *codes) != 0;
            found += revived[k];
        }
        assert_int_equal(found, t->codebooks.revived);
        for (int k = 0; k < CODES && kind == 0; k++) {
            const vq_ema_state ema = vq_ema_state_of(t->graph, t->codebooks.book[0].node, t->state);
            const float even = (float)VECTORS / CODES;
            assert_true(!revived[k] || ema.counts[k] == 0.5f * even);
            for (int d = 0; d < DIM && revived[k]; d++)
                assert_true(fabs((double)ema.sums[k * DIM + d] -
                                 0.5 * (double)even * (double)codes[k * DIM + d]) < 1e-6);
        }
        must(ctx, vq_trainer_step(t, batch, NULL));
        for (int k = 0; k < CODES; k++)
            assert_true(!revived[k] || vq_codebook_counts(t, 0)[k] > 0.0f);
        vq_trainer_destroy(t);
        vq_context_destroy(ctx);
    }
}

static void test_until(void **state)
{
    (void)state;
    vq_context *ctx = open_context(1, NULL);
    vq_model_config model;
    vq_train_config train;
    vq_step_metrics m;
    int64_t at_end = 0;
    configure(ctx, "", &model, &train);
    train.steps = 200;
    train.revive = 1.0;
    train.revive_every = 3;
    train.revive_until = 0.5;
    vq_trainer *t = make(ctx, &model, &train);
    for (int i = 1; i <= 200; i++) {
        const int64_t before = t->codebooks.revived;
        step(t, &m);
        assert_int_equal(m.revived, t->codebooks.revived);
        assert_true(m.dead_codes >= 0 && m.dead_codes <= CODES);
        if (i % 3 != 0 || i > 100) assert_int_equal(before, m.revived);
        if (i == 100) at_end = m.revived;
    }
    assert_true(at_end > 0);
    assert_int_equal(m.revived, at_end);
    vq_trainer_destroy(t);
    train.revive = 0.0;
    t = make(ctx, &model, &train);
    for (int i = 0; i < 100; i++) step(t, &m);
    assert_int_equal(m.revived, 0);
    vq_trainer_destroy(t);
    vq_context_destroy(ctx);
}

/* ---- bits ------------------------------------------------------------------------------ */

static vq_status give_batch(void *user, int64_t at, const uint8_t **pixels)
{
    static uint8_t batch[BATCH * PIXELS];
    fill(user, at, batch);
    *pixels = batch;
    return VQ_OK;
}

static uint64_t train_for(int steps, int threads, const char *json, const char *stop_at)
{
    vq_context *ctx = open_context(threads, NULL);
    vq_model_config model;
    vq_train_config train;
    configure(ctx, json, &model, &train);
    train.revive = 0.5;
    train.revive_every = 4;
    train.refit_every = 13;
    vq_trainer *t = make(ctx, &model, &train);
    for (int i = 0; i < steps; i++) {
        if (stop_at && i % 9 == 4) {
            must(ctx, vq_trainer_save(t, stop_at, NULL));
            vq_trainer_destroy(t);
            must(ctx, vq_trainer_resume(ctx, stop_at, 0, &data, &t));
        }
        must(ctx, vq_trainer_fit(t, give_batch, t)); /* once right after a stop, of 13 steps */
        step(t, NULL);
    }
    assert_true(t->codebooks.revived > 0);
    const uint64_t hash = hash_of(t);
    vq_trainer_destroy(t);
    vq_context_destroy(ctx);
    return hash;
}

static void test_bits(void **state)
{
    static const char *const models[] = {
        "", ", \"quantizer\": \"gradient\"", ", \"codebook_init\": \"kmeans\"",
        ", \"quantizer\": \"gradient\", \"codebook_init\": \"kmeans\""};
    fixture_folder folder;
    (void)state;
    fixture_folder_make(&folder);
    for (int m = 0; m < 4; m++) {
        const uint64_t hash = train_for(60, 1, models[m], NULL);
        for (int threads = 2; threads <= 4; threads++)
            assert_true(train_for(60, threads, models[m], NULL) == hash);
        assert_true(train_for(60, 1, models[m], fixture_path(&folder, "state.safetensors")) ==
                    hash);
    }
    fixture_folder_remove(&folder);
}

/* A state from before there was revival goes on as it began. */
static void test_old_state(void **state)
{
    (void)state;
    vq_context *ctx = open_context(1, NULL);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *t, *resumed;
    vq_archive archive;
    fixture_folder folder;
    fixture_folder_make(&folder);
    const char *path = fixture_path(&folder, "state.safetensors");
    configure(ctx, "", &model, &train);
    t = make(ctx, &model, &train);
    step(t, NULL);
    must(ctx, vq_trainer_save(t, path, NULL));
    must(ctx, vq_safetensors_load(ctx, path, &archive));
    vq_archive old = archive;
    old.n_arrays = 0;
    old.arrays = calloc(archive.n_arrays, sizeof *old.arrays);
    assert_non_null(old.arrays);
    for (size_t i = 0; i < archive.n_arrays; i++)
        if (strncmp(archive.arrays[i].name, "codes.", 6) != 0)
            old.arrays[old.n_arrays++] = archive.arrays[i];
    assert_int_equal(archive.n_arrays - old.n_arrays, 3);
    must(ctx, vq_safetensors_save(ctx, path, &old));
    must(ctx, vq_trainer_resume(ctx, path, 0, &data, &resumed));
    assert_true(vq_trainer_config(resumed)->revive == 0.0);
    step(t, NULL);
    step(resumed, NULL);
    assert_true(hash_of(t) == hash_of(resumed));
    free(old.arrays);
    vq_archive_clear(ctx, &archive);
    vq_trainer_destroy(t);
    vq_trainer_destroy(resumed);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

/* ---- start ----------------------------------------------------------------------------- */

typedef struct asked {
    const vq_trainer *trainer;
    int64_t batches, passes, stop_at;
} asked;

static vq_status count_batches(void *user, int64_t at, const uint8_t **pixels)
{
    asked *a = user;
    if (at == vq_trainer_position(a->trainer)) {
        a->passes++;
        a->batches = 0;
    }
    assert_int_equal(at, vq_trainer_position(a->trainer) + a->batches++);
    if (at == a->stop_at) return VQ_E_CANCELLED;
    return give_batch((void *)(uintptr_t)a->trainer, at, pixels);
}

/* Averages that fit the codes: an update by a batch like the sample leaves them nearly there. */
static void check_averages(vq_trainer *t, int level)
{
    const vq_trained_codebook *book = &t->codebooks.book[level];
    const vq_ema_state ema = vq_ema_state_of(t->graph, book->node, t->state);
    double total = 0.0;
    for (size_t k = 0; k < book->codes; k++) {
        total += (double)ema.counts[k];
        assert_true(ema.counts[k] > 0.0f);
        for (size_t d = 0; d < book->dim; d++) {
            const double e = (double)ema.codebook[k * book->dim + d];
            assert_true(fabs((double)ema.sums[k * book->dim + d] - (double)ema.counts[k] * e) <
                        1e-5 * (1.0 + fabs(e)));
        }
    }
    assert_true(fabs(total - (double)book->usage.vectors) < 0.1 * (double)book->usage.vectors);
}

static void test_start(void **state)
{
    (void)state;
    vq_context *ctx = open_context(2, NULL);
    vq_model_config model;
    vq_train_config train;
    vq_step_metrics started, drawn;
    configure(ctx, ", \"codebook_init\": \"kmeans\"", &model, &train);
    model.n_levels = 2;
    model.level[1] = model.level[0];
    train.lr = 0.0;
    train.average = 0.5;
    vq_trainer *t = make(ctx, &model, &train);
    asked a = {.trainer = t, .stop_at = 10};
    assert_int_equal(vq_trainer_fit(t, count_batches, &a), VQ_E_CANCELLED);
    a = (asked){.trainer = t, .stop_at = -1};
    must(ctx, vq_trainer_fit(t, count_batches, &a));
    /* 50 vectors a code: the coarse level has 16 in a batch, the fine one 64. */
    assert_int_equal(a.passes, 2);
    assert_int_equal(a.batches, (50 * CODES - 1) / VECTORS + 1);
    check_averages(t, 0);
    check_averages(t, 1);
    a.passes = 0;
    must(ctx, vq_trainer_fit(t, count_batches, &a));
    assert_int_equal(a.passes, 0);
    float before[CODES * DIM], spread = 0.0f, moved = 0.0f;
    memcpy(before, vq_codebook_numbers(t, 0), sizeof before);
    step(t, &started);
    for (int i = 0; i < CODES * DIM; i++) {
        const float now = vq_codebook_numbers(t, 0)[i];
        spread += now * now;
        moved += (now - before[i]) * (now - before[i]);
    }
    assert_true(moved < 1e-3f * spread);
    vq_trainer_destroy(t);
    model.codebook_init = VQ_CODEBOOK_UNIFORM;
    t = make(ctx, &model, &train);
    step(t, &drawn);
    assert_true(started.commitment < 0.5 * drawn.commitment);
    assert_true(started.perplexity > drawn.perplexity);
    vq_trainer_destroy(t);
    vq_context_destroy(ctx);
}

static vq_status leave_alone(void *user, float *numbers, size_t count)
{
    (void)user;
    (void)numbers;
    (void)count;
    return VQ_OK;
}

/* A fit anew brings all codes to the vectors of the encoder as it is, and all that is known of
 * them: here they had been thrown far away. */
static void test_refit(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        vq_context *ctx = open_context(2, NULL);
        vq_model_config model;
        vq_train_config train;
        vq_step_metrics m;
        configure(ctx, kinds[kind], &model, &train);
        train.steps = 40;
        train.refit_every = 10;
        train.revive_until = 0.5;
        vq_trainer *t = make(ctx, &model, &train);
        asked a = {.trainer = t, .stop_at = -1};
        for (int64_t at = 0; at < 40; at++) {
            const bool due = at == 10 || at == 20;
            if (at == 20)
                for (int i = 0; i < CODES * DIM; i++) vq_codebook_numbers(t, 0)[i] += 1000.0f;
            if (at == 20) memset(t->codebooks.book[0].usage.usage, 0, CODES * sizeof(float));
            assert_true(vq_trainer_wants_fit(t) == due);
            a.passes = 0;
            must(ctx, vq_trainer_fit(t, count_batches, &a));
            assert_int_equal(a.passes, due);
            assert_false(vq_trainer_wants_fit(t));
            if (due && kind == 0) check_averages(t, 0);
            if (due) assert_int_equal(vq_codebooks_dead(t), 0);
            step(t, &m);
            if (due) assert_true(m.codes_used > CODES / 2 && m.code_norm < 1.0);
        }
        assert_int_equal(a.batches, (50 * CODES - 1) / VECTORS + 1);
        train.revive_until = 1.0;
        vq_trainer_destroy(t);
        t = make(ctx, &model, &train);
        vq_trainer_set_reduce(t, leave_alone, NULL); /* workers see different vectors */
        for (int i = 0; i < 10; i++) step(t, NULL);
        assert_false(vq_trainer_wants_fit(t));
        vq_trainer_destroy(t);
        vq_context_destroy(ctx);
    }
}

/* Without vq_trainer_fit() the first batch has to do, even where it has too few vectors. */
static void test_start_alone(void **state)
{
    (void)state;
    for (int k = CODES; k <= 2 * VECTORS; k += 2 * VECTORS - CODES) {
        said s = {0};
        vq_context *ctx = open_context(1, &s);
        vq_model_config model;
        vq_train_config train;
        vq_step_metrics m;
        configure(ctx, ", \"codebook_init\": \"kmeans\"", &model, &train);
        model.level[0].k = k;
        vq_trainer *t = make(ctx, &model, &train);
        step(t, &m);
        assert_true(m.codes_used > (k < VECTORS ? k / 2 : VECTORS / 2));
        assert_int_equal(s.others, k > VECTORS); /* k-means says that vectors repeat */
        vq_trainer_destroy(t);
        vq_context_destroy(ctx);
    }
}

static void test_refused(void **state)
{
    (void)state;
    vq_context *ctx = open_context(1, NULL);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *t;
    configure(ctx, ", \"codebook_init\": \"kmeans\", \"ema_start\": \"debias\"", &model, &train);
    assert_int_equal(vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &t), VQ_E_ARG);
    fixture_error_names(ctx, "model.ema_start is debias, which throws them away");
    vq_context_destroy(ctx);
}

/* ---- collapse ---------------------------------------------------------------------------- */

static void scale_latents(vq_trainer *t, float factor)
{
    for (int p = 0; p < t->graph->n_params; p++) {
        const vq_param *param = &t->graph->params[p];
        if (strncmp(param->name, "encoder.0.project.", 18) != 0) continue;
        for (size_t i = 0; i < param->count; i++) t->moments.parameters[param->at + i] *= factor;
    }
}

static void test_said_once(void **state)
{
    (void)state;
    said s = {0};
    vq_context *ctx = open_context(1, &s);
    vq_model_config model;
    vq_train_config train;
    configure(ctx, "", &model, &train);
    train.lr = 0.0;
    train.revive = 0.0;
    vq_trainer *t = make(ctx, &model, &train);
    float *codes = vq_codebook_numbers(t, 0);
    vq_ema_state ema = vq_ema_state_of(t->graph, t->codebooks.book[0].node, t->state);
    for (int i = DIM; i < CODES * DIM; i++) codes[i] = ema.sums[i] = 100.0f; /* out of reach */
    for (int i = 0; i < 1000; i++) step(t, NULL);
    assert_int_equal(s.few, 1);
    assert_int_equal(s.drift, 0);
    scale_latents(t, 50.0f);
    for (int i = 0; i < 1000; i++) step(t, NULL);
    assert_int_equal(s.few, 1);
    assert_int_equal(s.drift, 1);
    assert_int_equal(s.others, 0);
    vq_trainer_destroy(t);
    vq_context_destroy(ctx);
}

/* A codebook in good use is not complained of. */
static void test_quiet(void **state)
{
    (void)state;
    said s = {0};
    vq_context *ctx = open_context(1, &s);
    vq_model_config model;
    vq_train_config train;
    configure(ctx, ", \"codebook_init\": \"kmeans\"", &model, &train);
    vq_trainer *t = make(ctx, &model, &train);
    must(ctx, vq_trainer_fit(t, give_batch, t));
    for (int i = 0; i < 1000; i++) step(t, NULL);
    assert_int_equal(s.few + s.uneven + s.drift + s.others, 0);
    vq_trainer_destroy(t);
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_used_next),   cmocka_unit_test(test_until),
        cmocka_unit_test(test_bits),        cmocka_unit_test(test_old_state),
        cmocka_unit_test(test_start),       cmocka_unit_test(test_refit),
        cmocka_unit_test(test_start_alone), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_said_once),   cmocka_unit_test(test_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
