/* SPDX-License-Identifier: Apache-2.0
 * Datasets are told by looking: trees, tars, IDX, .npy; parts, classes, order, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vqvae/tensor.h>

#include "support/data_files.h"

static vq_dataset *open_plain(data_place *place, const char *name)
{
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    const vq_status status =
        vq_dataset_open(place->ctx, place_path(place, name), &config, &dataset);
    if (status != VQ_OK) fail_msg("%s: %s", name, vq_context_error(place->ctx));
    return dataset;
}

static void assert_refused(data_place *place, const char *name, vq_status status, const char *word)
{
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    const vq_status got = vq_dataset_open(place->ctx, place_path(place, name), &config, &dataset);
    assert_null(dataset);
    if (got != status || !strstr(vq_context_error(place->ctx), word))
        fail_msg("%s: status %d, \"%s\" where status %d and \"%s\" were due", name, (int)got,
                 vq_context_error(place->ctx), (int)status, word);
}

static void assert_image(data_place *place, const vq_dataset *dataset, int64_t index,
                         const char *name, int which, int64_t label)
{
    uint8_t pixels[6 * 5 * 3];
    int64_t size[3];
    vq_dataset_size(dataset, size);
    assert_int_equal(size[0], 6);
    assert_int_equal(size[1], 5);
    assert_string_equal(vq_dataset_name(dataset, index), name);
    assert_int_equal(vq_dataset_label(dataset, index), label);
    assert_int_equal(vq_dataset_get(place->ctx, dataset, index, (vq_data_key){0}, pixels), VQ_OK);
    for (int64_t i = 0; i < 30 * size[2]; i++)
        assert_int_equal(pixels[i],
                         pattern_value(which, i / (5 * size[2]), i / size[2] % 5, i % size[2]));
}

/* Both containers hold the same names, and must look the same. */
static const char *const names[] = {
    "train/dog/b.png", "train/cat/z.png",     "train/cat/a.PNG.png", "test/cat/1.png",
    "train/notes.txt", "train/dog-big/x.png", "test/._1.png",        "test/dog/2.png",
};
enum { N_NAMES = sizeof names / sizeof *names };

static void place_tree(data_place *place, const char *folder)
{
    char name[256];
    for (int i = 0; i < N_NAMES; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        if (strstr(name, "._") || strstr(name, ".txt")) place_file(place, name, "text", 4);
        else place_image(place, name, i, 6, 5, 3);
    }
}

static void check_parts(data_place *place, const char *base)
{
    char path[256];
    snprintf(path, sizeof path, "%s:train", base);
    vq_dataset *dataset = open_plain(place, path);
    assert_int_equal(vq_dataset_count(dataset), 4);
    /* Bytes decide: '-' comes before '/'; labels follow the names of the classes. */
    assert_image(place, dataset, 0, "train/cat/a.PNG.png", 2, 0);
    assert_image(place, dataset, 1, "train/cat/z.png", 1, 0);
    assert_image(place, dataset, 2, "train/dog-big/x.png", 5, 2);
    assert_image(place, dataset, 3, "train/dog/b.png", 0, 1);
    assert_string_equal(vq_dataset_class(dataset, 1), "dog");
    assert_string_equal(vq_dataset_class(dataset, 2), "dog-big");
    assert_null(vq_dataset_class(dataset, 3));
    vq_dataset_close(place->ctx, dataset);

    snprintf(path, sizeof path, "%s:test", base);
    dataset = open_plain(place, path);
    assert_int_equal(vq_dataset_count(dataset), 2);
    assert_image(place, dataset, 0, "test/cat/1.png", 3, 0);
    assert_image(place, dataset, 1, "test/dog/2.png", 7, 1);
    vq_dataset_close(place->ctx, dataset);

    assert_refused(place, base, VQ_E_ARG, ":train or ");
    snprintf(path, sizeof path, "%s:valid", base);
    assert_refused(place, path, VQ_E_ARG, "test, train");
}

static void test_tree(void **state)
{
    place_tree(*state, "tree");
    check_parts(*state, "tree");
}

static void test_tar(void **state)
{
    data_place *place = *state;
    place_tar(place, "plain.tar", names, N_NAMES, false);
    place_tar(place, "packed.bin", names, N_NAMES, true);
    check_parts(place, "plain.tar");
    check_parts(place, "packed.bin");
}

static void test_shared_folders_are_passed_over(void **state)
{
    static const char *const deep[] = {"./set/v1/train/a/0.png", "./set/v1/test/b/1.png"};
    static const char *const flat[] = {"set/1.png", "set/0.png"};
    data_place *place = *state;
    place_tar(place, "deep.tar", deep, 2, false);
    place_tar(place, "flat.tar", flat, 2, false);
    assert_refused(place, "deep.tar", VQ_E_ARG, "train and test");
    vq_dataset *dataset = open_plain(place, "deep.tar:test");
    assert_image(place, dataset, 0, "set/v1/test/b/1.png", 1, 0);
    assert_string_equal(vq_dataset_class(dataset, 0), "b");
    vq_dataset_close(place->ctx, dataset);
    dataset = open_plain(place, "flat.tar");
    assert_image(place, dataset, 0, "set/0.png", 1, -1);
    assert_int_equal(vq_dataset_count(dataset), 2);
    vq_dataset_close(place->ctx, dataset);
}

static void test_single_image(void **state)
{
    data_place *place = *state;
    place_image(place, "one:1.png", 4, 6, 5, 1);
    vq_dataset *dataset = open_plain(place, "one:1.png");
    assert_int_equal(vq_dataset_count(dataset), 1);
    assert_image(place, dataset, 0, "one:1.png", 4, -1);
    vq_dataset_close(place->ctx, dataset);
    assert_refused(place, "one:1.png:train", VQ_E_ARG, "no parts");
}

static void test_refused(void **state)
{
    static const char *const twice[] = {"a/0.png", "a/0.png"};
    data_place *place = *state;
    place_file(place, "empty.tar", "", 0);
    place_file(place, "text.tar", "just text", 9);
    place_file(place, "folder/readme.txt", "text", 4);
    place_tar(place, "twice.tar", twice, 2, false);
    assert_refused(place, "nowhere", VQ_E_IO, "nowhere");
    assert_refused(place, "nowhere:train", VQ_E_IO, "nowhere");
    assert_refused(place, "empty.tar", VQ_E_FORMAT, "empty.tar");
    assert_refused(place, "text.tar", VQ_E_FORMAT, "neither a .tar");
    assert_refused(place, "folder", VQ_E_FORMAT, "no images");
    assert_refused(place, "twice.tar", VQ_E_FORMAT, "a/0.png");
}

/* A tar that was cut never opens, wherever the cut falls within its images. */
static void test_cut_tar(void **state)
{
    static const char *const two[] = {"0.png", "1.png"};
    data_place *place = *state;
    unsigned char bytes[4096];
    place_tar(place, "whole.tar", two, 2, false);
    FILE *file = fopen(place_path(place, "whole.tar"), "rb");
    assert_non_null(file);
    assert_true(fread(bytes, 1, sizeof bytes, file) > 1024);
    fclose(file);
    for (size_t cut = 512 + 8; cut < 512 + 64; cut += 8) {
        place_file(place, "cut.tar", bytes, cut);
        assert_refused(place, "cut.tar", VQ_E_FORMAT, "tar");
    }
}

/* ---- arrays ------------------------------------------------------------------- */

static void check_idx(data_place *place, const char *name, int64_t n)
{
    uint8_t pixels[3 * 4];
    int64_t size[3];
    vq_dataset *dataset = open_plain(place, name);
    assert_int_equal(vq_dataset_count(dataset), n);
    vq_dataset_size(dataset, size);
    assert_int_equal(size[0], 3);
    assert_int_equal(size[1], 4);
    assert_int_equal(size[2], 1);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(vq_dataset_get(place->ctx, dataset, i, (vq_data_key){0}, pixels), VQ_OK);
        for (int64_t at = 0; at < 12; at++) assert_int_equal(pixels[at], (i * 12 + at) % 251);
        assert_int_equal(vq_dataset_label(dataset, i), i);
    }
    assert_string_equal(vq_dataset_name(dataset, n - 1), n == 30 ? "29" : "1");
    assert_int_equal(vq_dataset_get(place->ctx, dataset, n, (vq_data_key){0}, pixels), VQ_E_ARG);
    vq_dataset_close(place->ctx, dataset);
}

static void test_idx(void **state)
{
    data_place *place = *state;
    const uint32_t train[] = {30, 3, 4}, test[] = {2, 3, 4};
    place_idx(place, "idx/train-images-idx3-ubyte.gz", 3, train, 360);
    place_idx(place, "idx/train-labels-idx1-ubyte", 1, train, 30);
    place_idx(place, "idx/t10k-images.idx3-ubyte", 3, test, 24);
    place_idx(place, "idx/t10k-labels.idx1-ubyte.gz", 1, test, 2);
    check_idx(place, "idx:train", 30);
    check_idx(place, "idx:t10k", 2);
    check_idx(place, "idx/train-images-idx3-ubyte.gz", 30);
    check_idx(place, "idx/t10k-images.idx3-ubyte", 2);
    assert_refused(place, "idx", VQ_E_ARG, "say which");
    assert_refused(place, "idx:test", VQ_E_ARG, "t10k");
    assert_refused(place, "idx/train-labels-idx1-ubyte", VQ_E_FORMAT, "labels");
}

static void test_idx_without_labels(void **state)
{
    data_place *place = *state;
    const uint32_t colour[] = {2, 3, 4, 3};
    int64_t size[3];
    place_idx(place, "alone.idx", 4, colour, 72);
    vq_dataset *dataset = open_plain(place, "alone.idx");
    vq_dataset_size(dataset, size);
    assert_int_equal(size[2], 3);
    assert_int_equal(vq_dataset_label(dataset, 1), -1);
    vq_dataset_close(place->ctx, dataset);
}

static void test_idx_refused(void **state)
{
    data_place *place = *state;
    const uint32_t extents[] = {30, 3, 4}, other[] = {29}, huge[] = {0xffffffff, 0xffffffff, 9};
    unsigned char shorts[8 + 16] = {0, 0, 0x0b, 1, 0, 0, 0, 8};
    place_idx(place, "short.idx", 3, extents, 359);
    place_idx(place, "long.idx", 3, extents, 361);
    place_idx(place, "short.idx.gz", 3, extents, 359);
    place_idx(place, "long.idx.gz", 3, extents, 361);
    place_idx(place, "huge.idx", 3, huge, 100);
    place_idx(place, "x-images-idx3-ubyte", 3, extents, 360);
    place_idx(place, "x-labels-idx1-ubyte", 1, other, 29);
    place_file(place, "shorts.idx", shorts, sizeof shorts);
    assert_refused(place, "short.idx", VQ_E_FORMAT, "promises 376");
    assert_refused(place, "long.idx", VQ_E_FORMAT, "promises 376");
    assert_refused(place, "short.idx.gz", VQ_E_FORMAT, "shorter");
    assert_refused(place, "long.idx.gz", VQ_E_FORMAT, "longer");
    assert_refused(place, "huge.idx", VQ_E_FORMAT, "too large");
    assert_refused(place, "x-images-idx3-ubyte", VQ_E_FORMAT, "29 labels");
    assert_refused(place, "shorts.idx", VQ_E_UNSUPPORTED, "0x0b");
}

static void place_npy(data_place *place, const char *name, vq_dtype dtype, vq_shape shape)
{
    uint8_t values[4 * 2 * 6 * 5 * 3];
    char none[] = "";
    for (size_t i = 0; i < sizeof values; i++) values[i] = (uint8_t)(i % 251);
    const vq_array array = {.name = none, .dtype = dtype, .shape = shape, .data = values};
    assert_int_equal(vq_npy_save(place->ctx, place_path(place, name), &array), VQ_OK);
}

static void test_npy(void **state)
{
    data_place *place = *state;
    uint8_t pixels[90];
    int64_t size[3];
    place_npy(place, "colour.npy", VQ_U8, (vq_shape){4, {2, 6, 5, 3}});
    place_npy(place, "grey.npy", VQ_U8, (vq_shape){3, {2, 6, 5}});
    vq_dataset *dataset = open_plain(place, "colour.npy");
    assert_int_equal(vq_dataset_count(dataset), 2);
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, pixels), VQ_OK);
    for (int i = 0; i < 90; i++) assert_int_equal(pixels[i], 90 + i);
    vq_dataset_close(place->ctx, dataset);
    dataset = open_plain(place, "grey.npy");
    vq_dataset_size(dataset, size);
    assert_int_equal(size[2], 1);
    vq_dataset_close(place->ctx, dataset);
}

static void test_npy_refused(void **state)
{
    data_place *place = *state;
    place_npy(place, "float.npy", VQ_F32, (vq_shape){4, {2, 6, 5, 3}});
    place_npy(place, "vectors.npy", VQ_U8, (vq_shape){2, {6, 5}});
    place_npy(place, "planes.npy", VQ_U8, (vq_shape){4, {2, 3, 6, 5}});
    place_npy(place, "none.npy", VQ_U8, (vq_shape){3, {0, 6, 5}});
    assert_refused(place, "float.npy", VQ_E_UNSUPPORTED, "f32");
    assert_refused(place, "vectors.npy", VQ_E_UNSUPPORTED, "rank 2");
    assert_refused(place, "planes.npy", VQ_E_UNSUPPORTED, "5 channels");
    assert_refused(place, "none.npy", VQ_E_FORMAT, "no images");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_tar),
        cmocka_unit_test(test_shared_folders_are_passed_over),
        cmocka_unit_test(test_single_image),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut_tar),
        cmocka_unit_test(test_idx),
        cmocka_unit_test(test_idx_without_labels),
        cmocka_unit_test(test_idx_refused),
        cmocka_unit_test(test_npy),
        cmocka_unit_test(test_npy_refused),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
