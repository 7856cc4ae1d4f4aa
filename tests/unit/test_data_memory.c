/* SPDX-License-Identifier: Apache-2.0
 * Each allocation fails once: every path ends with an error that says so, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/data_files.h"

/* Gives memory until the failing call; threads of the library may ask at once. */
typedef struct meter {
    atomic_long asked, live;
    long failing; /* number of the call that fails, from 1 */
} meter;

static void *meter_alloc(void *user, size_t size)
{
    meter *m = user;
    if (atomic_fetch_add(&m->asked, 1) + 1 == m->failing) return NULL;
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    if (memory) atomic_fetch_add(&m->live, 1);
    return memory;
}

static void meter_release(void *user, void *memory)
{
    meter *m = user;
    atomic_fetch_sub(&m->live, 1);
    free(memory);
}

typedef vq_status work_fn(vq_context *ctx, const char *path);

static void fail_each(data_place *place, const char *name, work_fn *work)
{
    long n_failed = 0;
    for (long failing = 1;; failing++) {
        meter m = {.failing = failing};
        vq_context_config config;
        vq_context *ctx = NULL;
        vq_context_config_default(&config);
        config.allocator = (vq_allocator){meter_alloc, meter_release, &m};
        config.threads = 1;
        vq_status status = vq_context_create(&config, &ctx);
        if (status == VQ_OK) status = work(ctx, place_path(place, name));
        const bool failed = atomic_load(&m.asked) >= failing;
        /* Only the cache may do without the memory it asked for. */
        if (status != VQ_OK && status != VQ_E_NOMEM)
            fail_msg("call %ld: status %d: %s", failing, (int)status, vq_context_error(ctx));
        vq_context_destroy(ctx);
        assert_int_equal(atomic_load(&m.live), 0);
        if (!failed) {
            assert_int_equal(status, VQ_OK);
            break;
        }
        n_failed += status == VQ_E_NOMEM;
    }
    assert_true(n_failed >= 3);
}

static vq_status use_dataset(vq_context *ctx, const char *path)
{
    const int64_t all[] = {0, 1};
    uint8_t pixels[4 * 4 * 3];
    double mean, variance;
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    config.height = config.width = 4;
    config.channels = 3;
    config.flip = config.augment = true;
    vq_status status = vq_dataset_open(ctx, path, &config, &dataset);
    if (status == VQ_OK) status = vq_dataset_get(ctx, dataset, 0, (vq_data_key){0}, pixels);
    if (status == VQ_OK) status = vq_dataset_moments(ctx, dataset, all, 2, NULL, &mean, &variance);
    vq_dataset_close(ctx, dataset);
    return status;
}

static void order_images(const void *user, int64_t step, int64_t slot, int64_t *index,
                         uint64_t *epoch)
{
    (void)user, (void)slot;
    *index = step % 2;
    *epoch = 0;
}

static vq_status use_loader(vq_context *ctx, const char *path)
{
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_loader *loader = NULL;
    const uint8_t *pixels = NULL;
    vq_data_config_default(&config);
    vq_status status = vq_dataset_open(ctx, path, &config, &dataset);
    if (status == VQ_OK)
        status = vq_loader_create(ctx, dataset, order_images, NULL, 0, 2, 0, 2, &loader);
    for (int i = 0; i < 4 && status == VQ_OK; i++) status = vq_loader_next(ctx, loader, &pixels);
    vq_loader_destroy(ctx, loader);
    vq_dataset_close(ctx, dataset);
    return status;
}

static vq_status use_image(vq_context *ctx, const char *path)
{
    unsigned char *png = NULL;
    size_t size = 0;
    vq_image image;
    vq_status status = vq_image_load(ctx, path, &image);
    if (status == VQ_OK) status = vq_image_encode_png(ctx, &image, &png, &size);
    vq_data_free(ctx, png);
    vq_image_clear(ctx, &image);
    return status;
}

static void test_containers(void **state)
{
    static const char *const names[] = {"train/a/0.png", "train/b/1.png", "test/a/2.png"};
    data_place *place = *state;
    const uint32_t extents[] = {2, 3, 4};
    place_tar(place, "x.tar", names, 3, false);
    place_tar(place, "x.tar.gz", names, 3, true);
    place_image(place, "tree/a/0.png", 0, 6, 5, 3);
    place_image(place, "tree/b/1.jpg", 1, 5, 6, 1);
    place_idx(place, "idx/train-images-idx3-ubyte.gz", 3, extents, 24);
    place_idx(place, "idx/train-labels-idx1-ubyte.gz", 1, extents, 2);
    fail_each(place, "x.tar:train", use_dataset);
    fail_each(place, "x.tar.gz:train", use_dataset);
    fail_each(place, "tree", use_dataset);
    fail_each(place, "idx", use_dataset);
}

static void test_loader(void **state)
{
    data_place *place = *state;
    place_image(place, "two/0.png", 0, 6, 5, 3);
    place_image(place, "two/1.png", 1, 6, 5, 3);
    fail_each(place, "two", use_loader);
}

static void test_image(void **state)
{
    data_place *place = *state;
    place_image(place, "one.png", 0, 6, 5, 3);
    fail_each(place, "one.png", use_image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_loader),
        cmocka_unit_test(test_image),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
