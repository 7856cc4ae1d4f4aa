/* SPDX-License-Identifier: Apache-2.0
 * What is delivered: channels, cache, mean and variance, mirrors and crops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/cache.h"
#include "data/dataset.h"
#include "support/data_files.h"

/* ---- sizes and channels of a dataset ------------------------------------------ */

static vq_dataset *open_with(data_place *place, const char *name, vq_data_config config)
{
    vq_dataset *dataset = NULL;
    const vq_status status =
        vq_dataset_open(place->ctx, place_path(place, name), &config, &dataset);
    if (status != VQ_OK) fail_msg("%s", vq_context_error(place->ctx));
    return dataset;
}

static vq_data_config standard(void)
{
    vq_data_config config;
    vq_data_config_default(&config);
    return config;
}

static void test_sizes_that_differ(void **state)
{
    data_place *place = *state;
    uint8_t pixels[8 * 8 * 3];
    place_image(place, "mixed/0.png", 0, 8, 12, 3);
    place_image(place, "mixed/1.png", 1, 9, 8, 1);
    vq_dataset *dataset = open_with(place, "mixed", standard());
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, pixels), VQ_E_SHAPE);
    assert_non_null(strstr(vq_context_error(place->ctx), "1.png"));
    assert_non_null(strstr(vq_context_error(place->ctx), "--set data.height="));
    vq_dataset_close(place->ctx, dataset);

    vq_data_config config = standard();
    config.height = config.width = 8;
    dataset = open_with(place, "mixed", config);
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 0, (vq_data_key){0}, pixels), VQ_OK);
    for (int64_t i = 0; i < 8 * 8 * 3; i++) /* only cropped: its height is right */
        assert_int_equal(pixels[i], pattern_value(0, i / 24, i / 3 % 8 + 2, i % 3));
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, pixels), VQ_OK);
    for (int64_t i = 0; i < 8 * 8; i++) /* grey became colour */
        assert_int_equal(pixels[3 * i], pixels[3 * i + 2]);
    vq_dataset_close(place->ctx, dataset);
}

static void test_config_refused(void **state)
{
    data_place *place = *state;
    vq_dataset *dataset = NULL;
    vq_data_config rows[4];
    for (int i = 0; i < 4; i++) rows[i] = standard();
    rows[0].channels = 2;
    rows[1].height = 8;
    rows[2].width = 8;
    rows[3].height = rows[3].width = 65536;
    place_image(place, "fine.png", 0, 4, 4, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(vq_dataset_open(place->ctx, place_path(place, "fine.png"), &rows[i],
                                         &dataset),
                         VQ_E_ARG);
        assert_non_null(strstr(vq_context_error(place->ctx), "data."));
        assert_null(dataset);
    }
}

static void test_broken_image_is_named(void **state)
{
    data_place *place = *state;
    uint8_t pixels[4 * 4];
    double mean, variance;
    const int64_t all[] = {0, 1, 2};
    place_image(place, "broken/0.png", 0, 4, 4, 1);
    place_file(place, "broken/1.jpg", "no image", 8);
    place_image(place, "broken/2.png", 2, 4, 4, 1);
    vq_dataset *dataset = open_with(place, "broken", standard());
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, pixels), VQ_E_FORMAT);
    assert_non_null(strstr(vq_context_error(place->ctx), "1.jpg"));
    assert_int_equal(vq_dataset_moments(place->ctx, dataset, all, 3, NULL, &mean, &variance),
                     VQ_E_FORMAT);
    assert_non_null(strstr(vq_context_error(place->ctx), "1.jpg"));
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 2, (vq_data_key){0}, pixels), VQ_OK);
    vq_dataset_close(place->ctx, dataset);
}

/* A view at another size delivers what a dataset opened at that size does. */
static void test_resized(void **state)
{
    data_place *place = *state;
    uint8_t there[6 * 5], here[6 * 5];
    vq_data_config config = standard();
    vq_dataset *view = NULL;
    place_image(place, "sizes/0.png", 0, 8, 9, 1);
    place_image(place, "sizes/1.png", 1, 6, 5, 1);
    vq_dataset *dataset = open_with(place, "sizes", config);
    config.height = 6;
    config.width = 5;
    vq_dataset *other = open_with(place, "sizes", config);
    assert_int_equal(vq_dataset_resized(place->ctx, dataset, 6, 0, &view), VQ_E_ARG);
    assert_null(view);
    assert_int_equal(vq_dataset_resized(place->ctx, dataset, 6, 5, &view), VQ_OK);
    for (int64_t i = 0; i < 2; i++) {
        assert_int_equal(vq_dataset_get(place->ctx, view, i, (vq_data_key){0}, here), VQ_OK);
        assert_int_equal(vq_dataset_get(place->ctx, other, i, (vq_data_key){0}, there), VQ_OK);
        assert_memory_equal(here, there, sizeof here);
    }
    vq_dataset_close(place->ctx, view);
    vq_dataset_close(place->ctx, other);
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, here), VQ_E_SHAPE);
    vq_dataset_close(place->ctx, dataset);
}

/* ---- cache -------------------------------------------------------------------- */

static void test_cache(void **state)
{
    data_place *place = *state;
    const uint8_t one[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, other[10] = {0};
    vq_cache *cache = NULL;
    assert_int_equal(vq_cache_create(place->ctx, 5, 10, 9, &cache), VQ_OK);
    assert_null(cache); /* not one fits */
    assert_null(vq_cache_find(NULL, 0));
    vq_cache_keep(NULL, 0, one);
    assert_int_equal(vq_cache_create(place->ctx, 5, 10, 35, &cache), VQ_OK);
    assert_null(vq_cache_find(cache, 2));
    vq_cache_keep(cache, 2, one);
    vq_cache_keep(cache, 2, other); /* the first stays */
    vq_cache_keep(cache, 3, one);   /* beyond the three that fit */
    assert_memory_equal(vq_cache_find(cache, 2), one, 10);
    assert_null(vq_cache_find(cache, 3));
    vq_cache_destroy(place->ctx, cache);
}

static void test_cached_pixels_are_the_same(void **state)
{
    data_place *place = *state;
    uint8_t first[4 * 4], again[4 * 4];
    vq_data_config config = standard();
    place_image(place, "kept/0.png", 0, 4, 4, 1);
    for (config.cache_mb = 0; config.cache_mb < 2; config.cache_mb++) {
        vq_dataset *dataset = open_with(place, "kept", config);
        assert_int_equal(vq_dataset_get(place->ctx, dataset, 0, (vq_data_key){0}, first), VQ_OK);
        /* Without its file, the image can only come from memory. */
        const bool cached = dataset->cache != NULL;
        assert_int_equal(cached, config.cache_mb == 1);
        if (cached) remove(place_path(place, "kept/0.png"));
        assert_int_equal(vq_dataset_get(place->ctx, dataset, 0, (vq_data_key){0}, again), VQ_OK);
        assert_memory_equal(first, again, sizeof first);
        vq_dataset_close(place->ctx, dataset);
    }
}

/* ---- mean and variance --------------------------------------------------------- */

static void test_moments(void **state)
{
    data_place *place = *state;
    const int64_t chosen[] = {4, 0, 1, 1};
    double mean[2], variance[2], sum = 0.0, squares = 0.0;
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "sum/%d.png", i);
        place_image(place, name, i, 5, 6, 3);
    }
    for (int i = 0; i < 4; i++)
        for (int64_t at = 0; at < 90; at++) {
            const double v = pattern_value((int)chosen[i], at / 18, at / 3 % 6, at % 3) / 255.0;
            sum += v;
            squares += v * v;
        }
    vq_dataset *dataset = open_with(place, "sum", standard());
    for (int threads = 1; threads <= 2; threads++) {
        vq_context_config config;
        vq_context *ctx = NULL;
        vq_context_config_default(&config);
        config.threads = threads;
        assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
        assert_int_equal(vq_dataset_moments(ctx, dataset, chosen, 4, NULL, &mean[threads - 1],
                                            &variance[threads - 1]),
                         VQ_OK);
        vq_context_destroy(ctx);
    }
    assert_memory_equal(&mean[0], &mean[1], sizeof *mean);
    assert_memory_equal(&variance[0], &variance[1], sizeof *variance);
    assert_true(fabs(mean[0] - sum / 360) < 1e-14);
    assert_true(fabs(variance[0] - (squares / 360 - sum / 360 * sum / 360)) < 1e-14);
    assert_int_equal(vq_dataset_moments(place->ctx, dataset, chosen, 0, NULL, mean, variance),
                     VQ_E_ARG);
    vq_dataset_close(place->ctx, dataset);
}

/* ---- mirrors and crops ---------------------------------------------------------- */

enum { SIDE = 6, PAD = 2, TRIES = 400 };

static int64_t inside(int64_t at)
{
    return at < 0 ? 0 : at >= SIDE ? SIDE - 1 : at;
}

/* Which mirror and shift gives these pixels: 0 .. 2 * 5 * 5 - 1. */
static int find_choice(const uint8_t *pixels, int which)
{
    for (int choice = 0; choice < 50; choice++) {
        const int64_t down = choice / 2 / 5 - PAD, right = choice / 2 % 5 - PAD;
        bool same = true;
        for (int64_t i = 0; i < SIDE * SIDE && same; i++) {
            const int64_t x = choice % 2 ? SIDE - 1 - i % SIDE : i % SIDE;
            same = pixels[i] == pattern_value(which, inside(i / SIDE + down), inside(x + right), 0);
        }
        if (same) return choice;
    }
    fail_msg("no mirror and shift gives these pixels");
    return -1;
}

static void test_augmentation(void **state)
{
    data_place *place = *state;
    vq_data_config config = standard();
    uint8_t pixels[SIDE * SIDE], again[SIDE * SIDE];
    int seen[50] = {0};
    place_image(place, "moved/0.png", 3, SIDE, SIDE, 1);
    config.flip = true;
    config.crop_pad = PAD;
    config.augment = true;
    vq_dataset *dataset = open_with(place, "moved", config);
    for (uint64_t epoch = 0; epoch < TRIES; epoch++) {
        const vq_data_key key = {.seed = 9, .epoch = epoch};
        assert_int_equal(vq_dataset_get(place->ctx, dataset, 0, key, pixels), VQ_OK);
        seen[find_choice(pixels, 3)]++;
        assert_int_equal(vq_dataset_get(place->ctx, dataset, 0, key, again), VQ_OK);
        assert_memory_equal(pixels, again, sizeof pixels);
    }
    /* Eight are due for each; none or 30 would be beyond one in a thousand for this seed. */
    for (int choice = 0; choice < 50; choice++) assert_in_range(seen[choice], 1, 29);
    vq_dataset_close(place->ctx, dataset);
}

static void test_augmentation_only_where_asked(void **state)
{
    data_place *place = *state;
    uint8_t pixels[SIDE * SIDE];
    vq_data_config config = standard();
    place_image(place, "still/0.png", 3, SIDE, SIDE, 1);
    config.flip = true;
    config.crop_pad = PAD;
    vq_dataset *dataset = open_with(place, "still", config);
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        assert_int_equal(
            vq_dataset_get(place->ctx, dataset, 0, (vq_data_key){.epoch = epoch}, pixels), VQ_OK);
        assert_int_equal(find_choice(pixels, 3), 2 * (2 * 5 + 2));
    }
    vq_dataset_close(place->ctx, dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_that_differ),
        cmocka_unit_test(test_config_refused),
        cmocka_unit_test(test_broken_image_is_named),
        cmocka_unit_test(test_resized),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cached_pixels_are_the_same),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_augmentation),
        cmocka_unit_test(test_augmentation_only_where_asked),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
