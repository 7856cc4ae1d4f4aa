/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_diagnosis.c -- codebooks spoiled on purpose by short trainings, each with its
 * cause named, and one that is well. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vqvae/vqvae.h>

#include "base/random.h"
#include "support/fixture.h"
#include "support/golden.h"

enum { SIZE = 16, PIXELS = SIZE * SIZE, IMAGES = 256, SHOWN = 128, BATCH_MOST = 16 };

static vq_context *ctx;
static uint8_t images[IMAGES][PIXELS];

/* A disc of any brightness anywhere on a slope of any steepness. */
static void draw(int index)
{
    vq_random random = vq_random_stream(7, VQ_RANDOM_TEST, 0, (uint32_t)index);
    const float x0 = 16.0f * vq_random_uniform(&random), y0 = 16.0f * vq_random_uniform(&random);
    const float radius = 2.0f + 5.0f * vq_random_uniform(&random);
    const float inside = 255.0f * vq_random_uniform(&random);
    const float slope = 10.0f * vq_random_uniform(&random);
    for (int i = 0; i < PIXELS; i++) {
        const float dx = (float)(i % SIZE) - x0, dy = (float)(i / SIZE) - y0;
        const bool in = dx * dx + dy * dy < radius * radius;
        images[index][i] = (uint8_t)(in ? inside : slope * (float)(i % SIZE));
    }
}

/* What a training is to be like. */
typedef struct recipe {
    const char *model; /* settings over those of small_model */
    int64_t batch, steps;
    double lr;
} recipe;

static const char small_model[] =
    "{\"channels\": 1, \"level\": [{\"stride\": 4, \"width\": 16, \"narrow\": 8, \"blocks\": 1,"
    " \"block_width\": 8, \"k\": 64, \"d\": 8}]}";

static void train_steps(vq_trainer *trainer, const recipe *r)
{
    static uint8_t batch[BATCH_MOST][PIXELS];
    for (int64_t step = 0; step < r->steps; step++) {
        for (int64_t slot = 0; slot < r->batch; slot++) {
            int64_t index;
            uint64_t epoch;
            vq_trainer_order(trainer, step, slot, &index, &epoch);
            memcpy(batch[slot], images[index], PIXELS);
        }
        must(ctx, vq_trainer_step(trainer, batch[0], NULL));
    }
}

static vq_model *train(const recipe *r)
{
    const vq_train_data data = {.images = IMAGES, .height = SIZE, .width = SIZE, .variance = 0.08};
    vq_model_config model;
    vq_train_config config;
    vq_trainer *trainer;
    vq_model *out;
    vq_model_config_default(&model);
    must(ctx, vq_model_config_read(ctx, small_model, &model));
    must(ctx, vq_model_config_read(ctx, r->model, &model));
    vq_train_config_default(&config);
    config.batch = r->batch;
    config.steps = r->steps;
    config.lr = r->lr;
    config.revive = 0.0; /* which would heal them */
    must(ctx, vq_trainer_create(ctx, &model, &config, &data, NULL, NULL, &trainer));
    train_steps(trainer, r);
    must(ctx, vq_trainer_model(trainer, &out));
    vq_trainer_destroy(trainer);
    return out;
}

static vq_session *open_session(const vq_model *model, int64_t batch)
{
    const vq_session_config config = {.batch = batch, .height = SIZE, .width = SIZE};
    vq_session *session;
    must(ctx, vq_session_create(ctx, model, &config, &session));
    return session;
}

static vq_diagnosis *examine(const vq_model *model, int64_t batch)
{
    vq_diagnosis *diagnosis;
    vq_session *session = open_session(model, batch);
    must(ctx, vq_diagnosis_create(ctx, model, &diagnosis));
    for (int64_t at = 0; at < SHOWN; at += batch) {
        const int64_t n = SHOWN - at < batch ? SHOWN - at : batch;
        must(ctx, vq_session_diagnose(session, n, images[at], diagnosis));
    }
    vq_session_destroy(session);
    return diagnosis;
}

/* Trains by the recipe and looks for the cause: the first that is found; NULL: none may be. */
static vq_codebook_figures diagnose(const recipe *r, const char *cause)
{
    vq_finding findings[VQ_FINDINGS_MAX];
    vq_codebook_figures f;
    vq_model *model = train(r);
    vq_diagnosis *diagnosis = examine(model, 32);
    const vq_training_record record = {.batch = r->batch, .lr = r->lr};
    must(ctx, vq_diagnosis_figures(ctx, diagnosis, 0, &f));
    const size_t n = vq_diagnosis_findings(vq_model_configuration(model), 0, &f, &record, findings);
    for (size_t i = 0; i < n; i++)
        print_message("%s: %s\n", findings[i].cause, findings[i].measured);
    if (cause) {
        assert_true(n > 0);
        assert_string_equal(findings[0].cause, cause);
    } else {
        assert_int_equal(n, 0);
    }
    vq_diagnosis_destroy(ctx, diagnosis);
    vq_model_destroy(ctx, model);
    return f;
}

static void test_healthy(void **state)
{
    (void)state;
    const recipe r = {"{\"codebook_init\": \"data\", \"level\": [{\"k\": 8}]}", 16, 600, 2e-3};
    const vq_codebook_figures f = diagnose(&r, NULL);
    assert_int_equal(f.vectors, SHOWN * 16);
    assert_true(f.lag < 0.2);
}

/* Averages that start from nothing set what they miss to zero. */
static void test_origin(void **state)
{
    (void)state;
    const recipe r = {"{\"ema_start\": \"debias\"}", 16, 30, 2e-3};
    const vq_codebook_figures f = diagnose(&r, "origin");
    assert_true(f.unused_norm.greatest == 0.0);
    assert_int_equal(f.at_origin, f.codes - f.used);
}

/* Counts from zero and codes of length sqrt(D), as in vq-vae-2-pytorch: what the first step misses
 * is divided by epsilon. */
static void test_thrown_away(void **state)
{
    (void)state;
    const recipe r = {"{\"ema_start\": \"zero\", \"codebook_init\": \"normal\"}", 16, 10, 2e-3};
    const vq_codebook_figures f = diagnose(&r, "reach");
    assert_true(f.unused_norm.least > 1e4 * f.vector_norm.greatest);
}

/* First codes of length 5 and vectors of length 1: what is not near stays where it is. */
static void test_out_of_reach(void **state)
{
    (void)state;
    const recipe r = {"{\"codebook_init\": \"normal\", \"level\": [{\"d\": 32}]}", 16, 30, 5e-4};
    (void)diagnose(&r, "reach");
}

/* 32 vectors a step for 8,192 codes. */
static void test_few_in_a_batch(void **state)
{
    (void)state;
    const recipe r = {"{\"codebook_init\": \"data\", \"level\": [{\"k\": 8192}]}", 2, 20, 2e-3};
    (void)diagnose(&r, "batch");
}

/* Nothing holds the encoder, whose vectors grow from step to step. */
static void test_drift(void **state)
{
    (void)state;
    const recipe r = {"{\"commitment\": 0}", 16, 200, 2e-3};
    const vq_codebook_figures f = diagnose(&r, "drift");
    assert_true(f.vector_norm.median > 8.0 * f.unused_norm.median);
}

/* Counts agree with those of an evaluation, and figures with themselves in other batches. */
static void test_agrees(void **state)
{
    (void)state;
    static const recipe r = {
        "{\"level\": [{\"stride\": 2, \"width\": 16, \"narrow\": 8, \"k\": 16},"
        " {\"stride\": 2, \"width\": 16, \"k\": 8}]}",
        4, 5, 1e-3};
    vq_model *model = train(&r);
    vq_diagnosis *one = examine(model, 32), *other = examine(model, 25);
    vq_evaluation sums;
    vq_session *session = open_session(model, SHOWN);
    must(ctx, vq_evaluation_create(ctx, model, &sums));
    must(ctx, vq_session_evaluate(session, SHOWN, images[0], &sums, NULL, NULL));
    double error = 0.0;
    const uint64_t *usage = sums.usage;
    for (size_t l = 0; l < 2; l++) {
        vq_codebook_figures a, b;
        must(ctx, vq_diagnosis_figures(ctx, one, l, &a));
        must(ctx, vq_diagnosis_figures(ctx, other, l, &b));
        assert_int_equal(a.images, SHOWN);
        assert_memory_equal(a.counts, usage, (size_t)a.codes * sizeof *usage);
        assert_true(a.error == b.error && a.lag == b.lag && a.line == b.line);
        error += a.error * a.spread * a.spread / (double)a.dim / 2.0;
        usage += a.codes;
    }
    /* The commitment is the mean over the levels of mean (z - q)^2 over all numbers. */
    assert_true(fabs(error - sums.commitment / SHOWN) < 1e-6 * error);
    vq_evaluation_clear(ctx, &sums);
    vq_session_destroy(session);
    vq_diagnosis_destroy(ctx, one);
    vq_diagnosis_destroy(ctx, other);
    vq_model_destroy(ctx, model);
}

static void test_refusals(void **state)
{
    (void)state;
    const recipe r = {"{}", 1, 1, 1e-3};
    vq_model *model = train(&r), *another = train(&r);
    vq_diagnosis *diagnosis;
    vq_codebook_figures f;
    vq_session *session = open_session(another, 1);
    must(ctx, vq_diagnosis_create(ctx, model, &diagnosis));
    assert_int_equal(vq_diagnosis_figures(ctx, diagnosis, 1, &f), VQ_E_ARG);
    fixture_error_names(ctx, "level 1 was asked for, but the model has 1");
    assert_int_equal(vq_diagnosis_figures(ctx, diagnosis, 0, &f), VQ_E_ARG);
    fixture_error_names(ctx, "no image");
    assert_int_equal(vq_session_diagnose(session, 1, images[0], diagnosis), VQ_E_ARG);
    fixture_error_names(ctx, "another model");
    vq_session_destroy(session);
    vq_diagnosis_destroy(ctx, diagnosis);
    vq_model_destroy(ctx, model);
    vq_model_destroy(ctx, another);
}

static int open_all(void **state)
{
    (void)state;
    const vq_context_config config = {.threads = 1};
    for (int i = 0; i < IMAGES; i++) draw(i);
    return vq_context_create(&config, &ctx) == VQ_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_healthy),        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_thrown_away),    cmocka_unit_test(test_out_of_reach),
        cmocka_unit_test(test_few_in_a_batch), cmocka_unit_test(test_drift),
        cmocka_unit_test(test_agrees),         cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
