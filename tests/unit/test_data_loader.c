/* SPDX-License-Identifier: Apache-2.0
 * Batches made beside the training: their order, their content, errors, stopping at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/data_files.h"

enum { N_IMAGES = 7, BATCH = 3, BYTES = 4 * 5 * 3 };

typedef struct order_state {
    int64_t broken_step; /* from this step on, an image that cannot be read is asked for */
} order_state;

/* Item s of batch b is image (b * BATCH + s) of an endless round. */
static void order_images(const void *user, int64_t step, int64_t slot, int64_t *index,
                         uint64_t *epoch)
{
    const order_state *state = user;
    const int64_t at = step * BATCH + slot;
    *index = step >= state->broken_step ? N_IMAGES : at % N_IMAGES;
    *epoch = (uint64_t)(at / N_IMAGES);
}

static vq_dataset *open_dataset(data_place *place, bool augment)
{
    vq_data_config config;
    vq_dataset *dataset = NULL;
    char name[32];
    for (int i = 0; i < N_IMAGES; i++) {
        snprintf(name, sizeof name, "set/%d.png", i);
        place_image(place, name, i, 4, 5, 3);
    }
    place_file(place, "set/broken.png", "rubbish", 7); /* the last by name */
    vq_data_config_default(&config);
    config.augment = augment;
    config.flip = true;
    config.crop_pad = 1;
    assert_int_equal(vq_dataset_open(place->ctx, place_path(place, "set"), &config, &dataset),
                     VQ_OK);
    assert_int_equal(vq_dataset_count(dataset), N_IMAGES + 1);
    return dataset;
}

static vq_loader *start(vq_context *ctx, const vq_dataset *dataset, const order_state *order,
                        int64_t first_step, int ahead)
{
    vq_loader *loader = NULL;
    assert_int_equal(vq_loader_create(ctx, dataset, order_images, order, 11, BATCH, first_step,
                                      ahead, &loader),
                     VQ_OK);
    return loader;
}

static vq_context *context_of_threads(int threads)
{
    vq_context_config config;
    vq_context *ctx = NULL;
    vq_context_config_default(&config);
    config.threads = threads;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    return ctx;
}

static void check_batches(data_place *place, bool augment, int64_t first_step, int ahead,
                          int threads)
{
    const order_state order = {INT64_MAX};
    vq_context *ctx = context_of_threads(threads);
    vq_dataset *dataset = open_dataset(place, augment);
    vq_loader *loader = start(ctx, dataset, &order, first_step, ahead);
    for (int64_t step = first_step; step < first_step + 40; step++) {
        const uint8_t *pixels = NULL;
        assert_int_equal(vq_loader_next(place->ctx, loader, &pixels), VQ_OK);
        for (int64_t slot = 0; slot < BATCH; slot++) {
            uint8_t expected[BYTES];
            vq_data_key key = {.seed = 11};
            int64_t index = 0;
            order_images(&order, step, slot, &index, &key.epoch);
            key.index = (uint64_t)index;
            assert_int_equal(vq_dataset_get(place->ctx, dataset, index, key, expected), VQ_OK);
            assert_memory_equal(pixels + slot * BYTES, expected, BYTES);
        }
    }
    assert_true(vq_loader_waited(loader) >= 0.0);
    vq_loader_destroy(ctx, loader);
    vq_context_destroy(ctx);
    vq_dataset_close(place->ctx, dataset);
}

static void test_batches(void **state)
{
    for (int threads = 1; threads <= 7; threads += 2) {
        check_batches(*state, false, 0, 1, threads);
        check_batches(*state, true, 0, 4, threads);
        check_batches(*state, true, 1000, 64, threads);
        check_batches(*state, true, 3, 0, threads);
    }
}

static void test_errors_arrive_in_order(void **state)
{
    data_place *place = *state;
    const order_state order = {5};
    const uint8_t *pixels = NULL;
    vq_dataset *dataset = open_dataset(place, false);
    vq_loader *loader = start(place->ctx, dataset, &order, 0, 8);
    for (int step = 0; step < 5; step++)
        assert_int_equal(vq_loader_next(place->ctx, loader, &pixels), VQ_OK);
    for (int again = 0; again < 3; again++) {
        assert_int_equal(vq_loader_next(place->ctx, loader, &pixels), VQ_E_FORMAT);
        assert_null(pixels);
        assert_non_null(strstr(vq_context_error(place->ctx), "broken.png"));
    }
    vq_loader_destroy(place->ctx, loader);
    vq_dataset_close(place->ctx, dataset);
}

static void test_stopped_at_any_time(void **state)
{
    data_place *place = *state;
    const order_state order = {9};
    vq_dataset *dataset = open_dataset(place, true);
    for (int taken = 0; taken < 12; taken++) {
        vq_loader *loader = start(place->ctx, dataset, &order, 0, 1 + taken % 4);
        for (int i = 0; i < taken; i++) {
            const uint8_t *pixels = NULL;
            const vq_status status = vq_loader_next(place->ctx, loader, &pixels);
            assert_int_equal(status, i < 9 ? VQ_OK : VQ_E_FORMAT);
        }
        vq_loader_destroy(place->ctx, loader);
    }
    vq_loader_destroy(place->ctx, NULL);
    vq_dataset_close(place->ctx, dataset);
}

static void test_refused(void **state)
{
    static const int rows[][2] = {{0, 1}, {1, -1}, {1, 65}}; /* batch, ahead */
    data_place *place = *state;
    const order_state order = {0};
    vq_dataset *dataset = open_dataset(place, false);
    for (size_t i = 0; i < 3; i++) {
        vq_loader *loader = NULL;
        assert_int_equal(vq_loader_create(place->ctx, dataset, order_images, &order, 0, rows[i][0],
                                          0, rows[i][1], &loader),
                         VQ_E_ARG);
        assert_null(loader);
    }
    vq_dataset_close(place->ctx, dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_errors_arrive_in_order),
        cmocka_unit_test(test_stopped_at_any_time),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
