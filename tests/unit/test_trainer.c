/* SPDX-License-Identifier: Apache-2.0
 * Training: resumed bits, order of epochs, schedules, averaging, bad numbers, allocations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vqvae/vqvae.h>

#include "support/fixture.h"
#include "train/optimizer.h"
#include "train/trainer.h"

enum { BATCH = 3, SIZE = 8, IMAGES = 10, PIXELS = SIZE * SIZE };

static void ok(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static const vq_train_data data = {
    .images = IMAGES, .height = SIZE, .width = SIZE, .variance = 0.05};

static void configure(vq_context *ctx, vq_model_config *model, vq_train_config *train)
{
    vq_model_config_default(model);
    ok(ctx, vq_model_config_read(ctx,
                                 "{\"channels\": 1, \"codebook_init\": \"data\", \"level\":"
                                 " [{\"stride\": 2, \"width\": 16, \"blocks\": 1,"
                                 " \"block_width\": 8, \"k\": 8, \"d\": 4}]}",
                                 model));
    vq_train_config_default(train);
    train->batch = BATCH;
    train->steps = 40;
    train->warmup = 5;
    train->schedule = 1;
    train->average = 0.9;
    train->clip = 1.0;
    train->lr = 2e-3;
}

static void step(vq_context *ctx, vq_trainer *trainer)
{
    uint8_t batch[BATCH * PIXELS];
    for (int slot = 0; slot < BATCH; slot++) {
        int64_t index;
        uint64_t epoch;
        vq_trainer_order(trainer, vq_trainer_position(trainer), slot, &index, &epoch);
        for (int i = 0; i < PIXELS; i++)
            batch[slot * PIXELS + i] = (uint8_t)((i * (index + 1) * 7) % 200 + 10 * (index % 5));
    }
    ok(ctx, vq_trainer_step(trainer, batch, NULL));
}

static uint64_t hash_of(vq_context *ctx, vq_trainer *trainer)
{
    vq_model *model;
    ok(ctx, vq_trainer_model(trainer, &model));
    const uint64_t hash = vq_model_hash(model);
    vq_model_destroy(ctx, model);
    return hash;
}

static void resumed_bits(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *straight, *stopped;
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &straight));
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &stopped));
    const char *path = fixture_path(&folder, "state.safetensors");
    for (int i = 0; i < 20; i++) {
        step(ctx, straight);
        step(ctx, stopped);
        if (i % 7 != 3) continue;
        ok(ctx, vq_trainer_save(stopped, path, "{\"best\": 0.25}"));
        vq_trainer_destroy(stopped);
        ok(ctx, vq_trainer_resume(ctx, path, 0, &data, &stopped));
        assert_string_equal(vq_trainer_progress(stopped), "{\"best\": 0.25}");
        assert_int_equal(vq_trainer_position(stopped), i + 1);
    }
    assert_true(hash_of(ctx, straight) == hash_of(ctx, stopped));
    vq_trainer_destroy(straight);
    vq_trainer_destroy(stopped);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

/* Codes that came with a model are not drawn anew when its training resumes before step 1. */
static void given_codebooks_stay(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *first, *given, *resumed;
    vq_model *init;
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &first));
    step(ctx, first);
    ok(ctx, vq_trainer_model(first, &init));
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, init, &given));
    const char *path = fixture_path(&folder, "state.safetensors");
    ok(ctx, vq_trainer_save(given, path, NULL));
    ok(ctx, vq_trainer_resume(ctx, path, 0, &data, &resumed));
    step(ctx, given);
    step(ctx, resumed);
    assert_true(hash_of(ctx, given) == hash_of(ctx, resumed));
    vq_trainer_destroy(first);
    vq_trainer_destroy(given);
    vq_trainer_destroy(resumed);
    vq_model_destroy(ctx, init);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

static void other_data_is_refused(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer, *resumed = NULL;
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &trainer));
    const char *path = fixture_path(&folder, "state.safetensors");
    step(ctx, trainer);
    ok(ctx, vq_trainer_save(trainer, path, NULL));
    vq_train_data other = data;
    other.images = IMAGES + 1;
    assert_int_equal(vq_trainer_resume(ctx, path, 0, &other, &resumed), VQ_E_ARG);
    fixture_error_names(ctx, "same data");
    assert_null(resumed);
    vq_trainer_destroy(trainer);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

static void longer_trainings_keep_their_schedule(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer, *longer;
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &trainer));
    const char *path = fixture_path(&folder, "state.safetensors");
    step(ctx, trainer);
    ok(ctx, vq_trainer_save(trainer, path, NULL));
    ok(ctx, vq_trainer_resume(ctx, path, 400, &data, &longer));
    const vq_train_config *c = vq_trainer_config(longer);
    assert_int_equal(c->steps, 400);
    for (int64_t at = 2; at <= train.steps; at++)
        assert_true(vq_learning_rate(c, at) == vq_learning_rate(&train, at));
    vq_trainer_destroy(trainer);
    vq_trainer_destroy(longer);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

/* Every epoch shows every image once, and two epochs in different orders. */
static void epochs_are_permutations(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &trainer));
    int64_t order[4][IMAGES];
    for (int64_t at = 0; at < 4 * IMAGES; at++) {
        int64_t index;
        uint64_t epoch;
        vq_trainer_order(trainer, at / BATCH, at % BATCH, &index, &epoch);
        assert_int_equal(epoch, at / IMAGES);
        order[epoch][at % IMAGES] = index;
    }
    for (int e = 0; e < 4; e++) {
        int seen[IMAGES] = {0};
        for (int i = 0; i < IMAGES; i++) seen[order[e][i]]++;
        for (int i = 0; i < IMAGES; i++) assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

static void schedules_by_hand(void **state)
{
    (void)state;
    vq_train_config c;
    vq_train_config_default(&c);
    c.lr = 0.5;
    c.steps = 100;
    assert_true(vq_learning_rate(&c, 1) == 0.5);
    c.warmup = 10;
    assert_true(fabs(vq_learning_rate(&c, 1) - 0.05) < 1e-12);
    assert_true(vq_learning_rate(&c, 10) == 0.5);
    c.schedule = 1;
    c.final_lr = 0.1;
    assert_true(fabs(vq_learning_rate(&c, 11) - 0.5) < 1e-12);
    /* Halfway between step 11 (share 1) and step 101 (share 0.1): 0.55. */
    assert_true(fabs(vq_learning_rate(&c, 56) - 0.5 * 0.55) < 1e-12);
    assert_true(fabs(vq_learning_rate(&c, 101) - 0.05) < 1e-12);
    /* More steps leave a cosine of 100 as it was; after it the rate stays. */
    c.decay_steps = 100;
    c.steps = 200;
    assert_true(fabs(vq_learning_rate(&c, 56) - 0.5 * 0.55) < 1e-12);
    assert_true(fabs(vq_learning_rate(&c, 150) - 0.05) < 1e-12);
    c.clip = 2.0;
    assert_true(vq_clip_scale(&c, 1.0) == 1.0);
    assert_true(fabs(vq_clip_scale(&c, 8.0) - 0.25) < 1e-6);
}

static vq_status poison(void *user, float *numbers, size_t count)
{
    (void)user;
    (void)count;
    numbers[3] = NAN;
    return VQ_OK;
}

/* A gradient that is not a number is named, and nothing moves. */
static void bad_gradients_are_named(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    uint8_t batch[BATCH * PIXELS] = {1, 2, 3, 99};
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &trainer));
    step(ctx, trainer);
    const uint64_t before = hash_of(ctx, trainer);
    vq_trainer_set_reduce(trainer, poison, NULL);
    assert_int_equal(vq_trainer_step(trainer, batch, NULL), VQ_E_NUMERIC);
    fixture_error_names(ctx, "step 2: the gradient of encoder.0.down0.weight");
    assert_int_equal(vq_trainer_position(trainer), 1);
    assert_true(hash_of(ctx, trainer) == before);
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

/* A number of the model that is not finite is named, and what was saved before stays. */
static void bad_weights_are_named(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer, *resumed;
    vq_model *copy;
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &trainer));
    step(ctx, trainer);
    const char *path = fixture_path(&folder, "state.safetensors");
    ok(ctx, vq_trainer_save(trainer, path, NULL));
    for (int p = 0; p < trainer->graph->n_params; p++) {
        const vq_param *param = &trainer->graph->params[p];
        const bool trained = param->kind == VQ_PARAM_TRAINED;
        float *numbers = (trained ? trainer->moments.parameters : trainer->state) + param->at;
        const float before = numbers[param->count - 1];
        char sentence[256];
        (void)snprintf(sentence, sizeof sentence, "step 1: the numbers of %s are not", param->name);
        numbers[param->count - 1] = p % 2 ? NAN : INFINITY;
        assert_int_equal(vq_trainer_model(trainer, &copy), VQ_E_NUMERIC);
        fixture_error_names(ctx, sentence);
        assert_int_equal(vq_trainer_save(trainer, path, NULL), VQ_E_NUMERIC);
        fixture_error_names(ctx, sentence);
        numbers[param->count - 1] = before;
    }
    ok(ctx, vq_trainer_resume(ctx, path, 0, &data, &resumed));
    assert_true(hash_of(ctx, trainer) == hash_of(ctx, resumed));
    /* In the forward pass: the sentence says which step would have been next. */
    const vq_param *last = &trainer->graph->params[0];
    for (int p = 0; p < trainer->graph->n_params; p++)
        if (strcmp(trainer->graph->params[p].name, "decoder.0.up0.bias") == 0)
            last = &trainer->graph->params[p];
    trainer->moments.parameters[last->at] = NAN;
    uint8_t batch[BATCH * PIXELS] = {1, 2, 3, 99};
    assert_int_equal(vq_trainer_step(trainer, batch, NULL), VQ_E_NUMERIC);
    fixture_error_names(ctx, "step 2: the numbers of decoder.0.up0.bias are not all finite");
    vq_trainer_destroy(trainer);
    vq_trainer_destroy(resumed);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

static void steps_allocate_nothing(void **state)
{
    (void)state;
    fixture_faults memory = {0};
    vq_context *ctx = fixture_faulty_context(&memory, NULL);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    configure(ctx, &model, &train);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &trainer));
    step(ctx, trainer);
    const long before = memory.calls;
    for (int i = 0; i < 19; i++) step(ctx, trainer);
    assert_int_equal(memory.calls, before);
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

/* Every allocation of making a trainer fails once: the right status, nothing leaks. */
static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (long fail_at = 1;; fail_at++) {
        fixture_faults memory = {0};
        vq_context *ctx = fixture_faulty_context(&memory, NULL);
        vq_model_config model;
        vq_train_config train;
        vq_trainer *trainer = NULL;
        configure(ctx, &model, &train);
        const long live = memory.live;
        memory.fail_at = memory.calls + fail_at;
        const vq_status status =
            vq_trainer_create(ctx, &model, &train, &data, "portable", NULL, &trainer);
        memory.fail_at = 0;
        if (status == VQ_OK) vq_trainer_destroy(trainer);
        else assert_int_equal(status, VQ_E_NOMEM);
        assert_int_equal(memory.live, live);
        vq_context_destroy(ctx);
        if (status == VQ_OK) break;
    }
}

enum { WIDE_STEPS = 3, WIDE = 32, WIDE_BYTES = WIDE * WIDE * 3 };

/* Channels enough for Winograd's convolutions. */
static const char wide[] =
    "{\"channels\": 3, \"quantizer\": \"gradient\", \"level\": [{\"stride\": 4,"
    " \"width\": 64, \"narrow\": 32, \"blocks\": 1, \"block_width\": 32,"
    " \"k\": 32, \"d\": 16}]}";

static bool transforms(const vq_trainer *trainer)
{
    vq_plan_line line;
    for (size_t i = 0; vq_trainer_plan(trainer, i, &line); i++)
        if (strstr(line.implementation[VQ_FORWARD], "Winograd")) return true;
    return false;
}

/* What training on batches of two pictures, each `times` times over, says of its steps. */
static void train_wide(vq_context *ctx, int64_t times, vq_step_metrics metrics[WIDE_STEPS])
{
    const vq_train_data about = {.images = 8, .height = WIDE, .width = WIDE, .variance = 0.08};
    uint8_t *pixels = test_calloc(2 * (size_t)times, WIDE_BYTES);
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    vq_model_config_default(&model);
    ok(ctx, vq_model_config_read(ctx, wide, &model));
    vq_train_config_default(&train);
    train.batch = 2 * times;
    train.eps = 1e-5;
    ok(ctx, vq_trainer_create(ctx, &model, &train, &about, "portable", NULL, &trainer));
    assert_int_equal(transforms(trainer), times > 1);
    for (size_t i = 0; i < 2 * WIDE_BYTES; i++)
        for (size_t t = 0; t < (size_t)times; t++)
            pixels[t * 2 * WIDE_BYTES + i] = (uint8_t)(i * i / 7 % 251);
    for (int i = 0; i < WIDE_STEPS; i++) ok(ctx, vq_trainer_step(trainer, pixels, &metrics[i]));
    vq_trainer_destroy(trainer);
    test_free(pixels);
}

static void check_close(const char *what, double got, double expected)
{
    if (fabs(got - expected) > 1e-5 * expected)
        fail_msg("%s: %.9g, expected %.9g", what, got, expected);
}

/* Losses and gradients are means over a batch, so pictures that are there more than once change
 * none; but of eight pictures there are enough tiles for Winograd's convolutions, of two there are
 * not. */
static void transforms_train_as_direct_sums(void **state)
{
    vq_step_metrics direct[WIDE_STEPS], transformed[WIDE_STEPS];
    vq_context *ctx = fixture_context();
    (void)state;
    train_wide(ctx, 1, direct);
    train_wide(ctx, 4, transformed);
    for (int i = 0; i < WIDE_STEPS; i++) {
        check_close("loss", transformed[i].loss, direct[i].loss);
        check_close("gradient", transformed[i].gradient_norm, direct[i].gradient_norm);
    }
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_bits),
        cmocka_unit_test(given_codebooks_stay),
        cmocka_unit_test(other_data_is_refused),
        cmocka_unit_test(longer_trainings_keep_their_schedule),
        cmocka_unit_test(epochs_are_permutations),
        cmocka_unit_test(schedules_by_hand),
        cmocka_unit_test(bad_gradients_are_named),
        cmocka_unit_test(bad_weights_are_named),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(transforms_train_as_direct_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
