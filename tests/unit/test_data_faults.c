/* SPDX-License-Identifier: Apache-2.0
 * Faults on purpose in datasets: while each kind of source is opened, decoded and prefetched, every
 * file operation fails once, is interrupted, or moves only half of its bytes. (Want of memory:
 * test_data_memory.c.) */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/data_files.h"
#include "support/fixture.h"
#include <vqvae/tensor.h>

enum { EDGE = 4, BYTES = EDGE * EDGE * 3, IMAGES = 2 };

typedef vq_status work_fn(vq_context *ctx, const char *path);

/* With a size given, so that no image is passed over while one that can be read is looked for. */
static vq_status open_images(vq_context *ctx, const char *path, vq_dataset **out)
{
    vq_data_config config;
    vq_data_config_default(&config);
    config.height = config.width = EDGE;
    config.channels = 3;
    config.cache_mb = 0;
    return vq_dataset_open(ctx, path, &config, out);
}

static vq_status use_images(vq_context *ctx, const char *path)
{
    static const int64_t all[IMAGES] = {0, 1};
    vq_dataset *dataset = NULL;
    uint8_t pixels[BYTES];
    double mean, variance;
    vq_status status = open_images(ctx, path, &dataset);
    if (status == VQ_OK) status = vq_dataset_get(ctx, dataset, 1, (vq_data_key){0}, pixels);
    if (status == VQ_OK)
        status = vq_dataset_moments(ctx, dataset, all, IMAGES, NULL, &mean, &variance);
    vq_dataset_close(ctx, dataset);
    return status;
}

static void order_images(const void *user, int64_t step, int64_t slot, int64_t *index,
                         uint64_t *epoch)
{
    (void)user, (void)step;
    *index = slot;
    *epoch = 0;
}

/* Ahead of the only batch that is asked for, more are made: their operations may fail unseen. */
static vq_status prefetch(vq_context *ctx, const char *path)
{
    vq_dataset *dataset = NULL;
    vq_loader *loader = NULL;
    const uint8_t *pixels = NULL;
    vq_status status = open_images(ctx, path, &dataset);
    if (status == VQ_OK)
        status = vq_loader_create(ctx, dataset, order_images, NULL, 0, IMAGES, 0, 1, &loader);
    if (status == VQ_OK) status = vq_loader_next(ctx, loader, &pixels);
    vq_loader_destroy(ctx, loader);
    vq_dataset_close(ctx, dataset);
    return status;
}

static vq_status use_image(vq_context *ctx, const char *path)
{
    vq_image image;
    vq_status status = vq_image_load(ctx, path, &image);
    vq_image_clear(ctx, &image);
    return status;
}

/* ---- the loop ------------------------------------------------------------------------ */

static vq_status run(work_fn *work, const char *path, fixture_faults *files, char *sentence)
{
    const size_t descriptors = fixture_descriptors();
    fixture_faults memory = {0};
    vq_context *ctx = NULL;
    vq_context_config config;
    vq_context_config_default(&config);
    config.allocator = fixture_allocator(&memory);
    config.files = fixture_files(files);
    config.threads = 1; /* the calls come in one order */
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    const vq_status status = work(ctx, path);
    snprintf(sentence, 1024, "%s", vq_context_error(ctx));
    vq_context_destroy(ctx);
    assert_int_equal(memory.live, 0);
    assert_int_equal(fixture_descriptors(), descriptors);
    return status;
}

static void fail_one(const char *name, work_fn *work, const char *path, long at)
{
    char sentence[1024];
    fixture_faults files = {.fail_at = at, .code = EIO};
    const vq_status status = run(work, path, &files, sentence);
    if (status == VQ_OK && (!files.met || strcmp(files.met, "close") == 0)) return;
    if (status != VQ_E_IO || !strstr(sentence, "Input/output error") || !strstr(sentence, name))
        fail_msg("%s, %s as operation %ld: %s: %s", name, files.met, at, vq_status_name(status),
                 sentence);
}

/* What the system is free to do at any time changes nothing. */
static void disturb_one(const char *name, work_fn *work, const char *path, long at,
                        fixture_fault fault)
{
    char sentence[1024];
    fixture_faults files = {.fail_at = at, .fault = fault};
    if (run(work, path, &files, sentence) != VQ_OK)
        fail_msg("%s, %s as operation %ld, %s: %s", name, files.met, at,
                 fault == FIXTURE_SHORT ? "cut short" : "interrupted", sentence);
}

/* @param name  what sentences must contain, at the path's place */
static void fail_each(data_place *place, const char *name, const char *part, work_fn *work,
                      long operations)
{
    char path[1200], sentence[1024];
    fixture_faults sound = {0};
    snprintf(path, sizeof path, "%s%s", place_path(place, name), part);
    const vq_status status = run(work, path, &sound, sentence);
    if (status != VQ_OK) fail_msg("%s: %s", name, sentence);
    assert_true(sound.calls >= operations);
    for (long at = 1; at <= operations; at++) {
        fail_one(name, work, path, at);
        disturb_one(name, work, path, at, FIXTURE_INTERRUPT);
        disturb_one(name, work, path, at, FIXTURE_SHORT);
    }
}

/* All operations of work that makes the same ones each time. */
static void fail_all(data_place *place, const char *name, const char *part, work_fn *work)
{
    char path[1200], sentence[1024];
    fixture_faults sound = {0};
    snprintf(path, sizeof path, "%s%s", place_path(place, name), part);
    if (run(work, path, &sound, sentence) != VQ_OK) fail_msg("%s: %s", name, sentence);
    assert_true(sound.calls >= 4);
    fail_each(place, name, part, work, sound.calls);
}

/* ---- sources ------------------------------------------------------------------------- */

static void save_npy(data_place *place, const char *name)
{
    char none[] = "";
    uint8_t pixels[IMAGES * 5 * 6];
    const vq_array array = {none, VQ_U8, {3, {IMAGES, 5, 6}}, pixels};
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)i;
    assert_int_equal(vq_npy_save(place->ctx, place_path(place, name), &array), VQ_OK);
}

static void test_folders(void **state)
{
    data_place *place = *state;
    place_image(place, "tree/a/0.png", 0, 6, 5, 3);
    place_image(place, "tree/b/1.jpg", 1, 5, 6, 1);
    place_file(place, "tree.txt", "tree/a/0.png\ttiger\ntree/b/1.jpg\tlion\n", 37);
    fail_all(place, "tree", "", use_images);
    place_image(place, "listed/0.png", 0, 6, 5, 3);
    place_image(place, "listed/1.png", 1, 6, 5, 3);
    place_file(place, "listed/all.txt", "0.png\ttiger\n1.png\tlion\n", 23);
    fail_all(place, "listed", "/all.txt", use_images);
}

static void test_files(void **state)
{
    static const char *const names[] = {"train/a/0.png", "train/b/1.png", "test/a/2.png"};
    static const unsigned char cifar[IMAGES * 3073];
    const uint32_t extents[] = {IMAGES, 3, 4};
    data_place *place = *state;
    place_tar(place, "x.tar", names, 3, false);
    place_tar(place, "x.tar.gz", names, 3, true);
    place_idx(place, "idx/train-images-idx3-ubyte.gz", 3, extents, 24);
    place_idx(place, "idx/train-labels-idx1-ubyte.gz", 1, extents, IMAGES);
    place_idx(place, "plain-images-idx3-ubyte", 3, extents, 24);
    place_file(place, "batch.bin", cifar, sizeof cifar);
    place_file(place, "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", 20);
    save_npy(place, "x.npy");
    fail_all(place, "x.tar", ":train", use_images);
    fail_all(place, "x.tar.gz", ":train", use_images);
    fail_all(place, "idx", "", use_images);
    fail_all(place, "plain-images-idx3-ubyte", "", use_images);
    fail_all(place, "batch", ".bin", use_images);
    fail_all(place, "x.npy", "", use_images);
}

static void test_prefetch(void **state)
{
    enum { OF_A_FILE = 4, OPERATIONS = IMAGES * OF_A_FILE };
    data_place *place = *state;
    place_image(place, "two/0.png", 0, 6, 5, 3);
    place_image(place, "two/1.png", 1, 6, 5, 3);
    fail_each(place, "two", "", prefetch, OPERATIONS);
}

static void test_image(void **state)
{
    data_place *place = *state;
    place_image(place, "one.png", 0, 6, 5, 3);
    fail_all(place, "one.png", "", use_image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_prefetch),
        cmocka_unit_test(test_image),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
