/* SPDX-License-Identifier: Apache-2.0
 * Images that cannot be read among others that can: left out where the caller says so. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include <cmocka.h>

#include "support/data_files.h"

enum { N_IMAGES = 2500, BATCH = 4, SIDE = 3, BYTES = SIDE * SIDE };

/* 0 and every image whose number ends in 7 hold no image; 11 has another size. */
static bool is_broken(int64_t index)
{
    return index == 0 || index % 10 == 7;
}

static bool is_large(int64_t index)
{
    return index == 11;
}

static vq_dataset *open_folder(data_place *place, int64_t n, vq_data_config config)
{
    vq_dataset *dataset = NULL;
    char name[32];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "some/%05d.png", i);
        if (is_broken(i)) place_file(place, name, "no image", 8);
        else place_image(place, name, i, is_large(i) ? 2 * SIDE : SIDE, SIDE, 1);
    }
    assert_int_equal(vq_dataset_open(place->ctx, place_path(place, "some"), &config, &dataset),
                     VQ_OK);
    assert_int_equal(vq_dataset_count(dataset), n);
    return dataset;
}

static vq_data_config standard(void)
{
    vq_data_config config;
    vq_data_config_default(&config);
    return config;
}

static void order_images(const void *user, int64_t step, int64_t slot, int64_t *index,
                         uint64_t *epoch)
{
    (void)user;
    *index = step * BATCH + slot;
    *epoch = 0;
}

/* The first that can be read decides the size. */
static void test_loader_skips(void **state)
{
    data_place *place = *state;
    vq_dataset *dataset = open_folder(place, 20, standard());
    vq_loader *loader = NULL;
    const uint8_t *pixels = NULL;
    int64_t size[3];
    vq_dataset_size(dataset, size);
    assert_int_equal(size[0], SIDE);
    assert_int_equal(
        vq_loader_create(place->ctx, dataset, order_images, NULL, 0, BATCH, 0, 2, &loader), VQ_OK);
    assert_int_equal(vq_loader_next(place->ctx, loader, &pixels), VQ_E_FORMAT);
    vq_loader_set_skip(loader, true);
    for (int64_t step = 0; step < 5; step++) {
        assert_int_equal(vq_loader_next(place->ctx, loader, &pixels), VQ_OK);
        int64_t shown = -1;
        for (int64_t slot = 0; slot < BATCH; slot++) {
            const vq_loaded item = vq_loader_item(loader, slot);
            const int64_t index = step * BATCH + slot;
            const bool good = !is_broken(index) && !is_large(index);
            assert_int_equal(item.index, index);
            assert_int_equal(item.status, good              ? VQ_OK
                                          : is_large(index) ? VQ_E_SHAPE
                                                            : VQ_E_FORMAT);
            assert_int_equal(item.height, is_broken(index) ? 0 : is_large(index) ? 2 * SIDE : SIDE);
            char name[32];
            snprintf(name, sizeof name, "%05d.png", (int)index);
            assert_int_equal(strstr(item.sentence, name) != NULL, !good);
            /* A gap shows the image before it; the first one of all, the image after it. */
            if (good) shown = index;
            const int64_t expected = shown < 0 ? 1 : shown;
            for (int64_t at = 0; at < BYTES; at++)
                assert_int_equal(pixels[slot * BYTES + at],
                                 pattern_value((int)expected, at / SIDE, at % SIDE, 0));
        }
    }
    vq_loader_destroy(place->ctx, loader);
    vq_dataset_close(place->ctx, dataset);
}

typedef struct follower {
    int64_t n_skipped, last, stop_at; /* stop_at: the image that is not to be skipped */
    uint64_t most;                    /* images after which to stop */
    uint64_t *hashes;
    int64_t n_asked;
} follower;

static bool go_on(void *user, uint64_t images)
{
    follower *f = user;
    f->n_asked++;
    return images < f->most;
}

static bool leave_out(void *user, int64_t index, vq_status status, const char *sentence)
{
    follower *f = user;
    assert_true(index > f->last);
    assert_true(is_broken(index));
    assert_int_equal(status, VQ_E_FORMAT);
    assert_non_null(strstr(sentence, ".png"));
    f->last = index;
    f->n_skipped++;
    return index != f->stop_at;
}

static vq_status follow(vq_context *ctx, const vq_dataset *dataset, const int64_t *list, size_t n,
                        follower *f, double *mean)
{
    const vq_data_pass pass = {.go_on = go_on, .skip = leave_out, .user = f, .hashes = f->hashes};
    double variance;
    f->last = -1;
    return vq_dataset_moments(ctx, dataset, list, n, &pass, mean, &variance);
}

/* Each image's own hash where it can be read, 0 elsewhere. */
static void check_hashes(data_place *place, const vq_dataset *dataset, const uint64_t *hashes)
{
    uint8_t pixels[SIDE * SIDE * 3];
    int64_t size[3];
    vq_dataset_size(dataset, size);
    for (int64_t i = 0; i < N_IMAGES; i++) {
        uint64_t due = 0;
        if (!is_broken(i)) {
            assert_int_equal(vq_dataset_get(place->ctx, dataset, i, (vq_data_key){0}, pixels),
                             VQ_OK);
            due = XXH3_64bits(pixels, (size_t)(SIDE * SIDE * size[2]));
        }
        assert_int_equal(hashes[i], due);
    }
}

static void test_moments_skip(void **state)
{
    data_place *place = *state;
    static int64_t all[N_IMAGES], good[N_IMAGES];
    int64_t n_good = 0;
    double mean = 0.0, expected = 0.0, variance;
    vq_data_config config = standard();
    config.height = config.width = SIDE;
    vq_dataset *dataset = open_folder(place, N_IMAGES, config);
    for (int64_t i = 0; i < N_IMAGES; i++) {
        all[i] = i;
        if (!is_broken(i)) good[n_good++] = i;
    }
    static uint64_t hashes[N_IMAGES];
    follower f = {.stop_at = -1, .most = UINT64_MAX, .hashes = hashes};
    assert_int_equal(follow(place->ctx, dataset, all, N_IMAGES, &f, &mean), VQ_OK);
    check_hashes(place, dataset, hashes);
    assert_int_equal(f.n_skipped, N_IMAGES - n_good);
    assert_true(f.n_asked >= 3);
    assert_int_equal(vq_dataset_moments(place->ctx, dataset, good, (size_t)n_good, NULL, &expected,
                                        &variance),
                     VQ_OK);
    assert_memory_equal(&mean, &expected, sizeof mean);

    f = (follower){.stop_at = 1337, .most = UINT64_MAX};
    assert_int_equal(follow(place->ctx, dataset, all, N_IMAGES, &f, &mean), VQ_E_FORMAT);
    assert_int_equal(f.last, 1337);
    assert_non_null(strstr(vq_context_error(place->ctx), "01337.png"));

    f = (follower){.stop_at = -1, .most = 1};
    assert_int_equal(follow(place->ctx, dataset, all, N_IMAGES, &f, &mean), VQ_E_CANCELLED);
    assert_int_equal(f.n_asked, 2);

    const int64_t broken[] = {0, 7, 17};
    f = (follower){.stop_at = -1, .most = UINT64_MAX};
    assert_int_equal(follow(place->ctx, dataset, broken, 3, &f, &mean), VQ_E_FORMAT);
    assert_non_null(strstr(vq_context_error(place->ctx), "no image of the 3 looked at"));
    vq_dataset_close(place->ctx, dataset);
}

static void test_copies(void **state)
{
    data_place *place = *state;
    const uint64_t none[] = {5, 0, 7, 0, 9}, some[] = {8, 3, 0, 9, 8, 0, 3, 8};
    size_t n = 99, first[2] = {77, 77};
    assert_int_equal(vq_data_copies(place->ctx, none, 5, &n, first), VQ_OK);
    assert_int_equal(n, 0);
    assert_int_equal(first[0], 77);
    assert_int_equal(vq_data_copies(place->ctx, none, 0, &n, first), VQ_OK);
    assert_int_equal(vq_data_copies(place->ctx, some, 8, &n, first), VQ_OK);
    assert_int_equal(n, 3); /* 4, 6 and 7 */
    assert_int_equal(first[0], 4);
    assert_int_equal(first[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader_skips),
        cmocka_unit_test(test_moments_skip),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
