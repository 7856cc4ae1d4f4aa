/* SPDX-License-Identifier: Apache-2.0
 * Several sources as one dataset: order, classes merged by name, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/data_files.h"

enum { PATHS_MAX = 4 };

static vq_status open_all(data_place *place, const char *const *names, size_t n, int64_t size,
                          vq_dataset **out)
{
    static char full[PATHS_MAX][1024];
    const char *paths[PATHS_MAX];
    vq_data_config config;
    vq_data_config_default(&config);
    config.height = config.width = size;
    for (size_t i = 0; i < n; i++) {
        snprintf(full[i], sizeof full[i], "%s", place_path(place, names[i]));
        paths[i] = full[i];
    }
    return vq_dataset_open_all(place->ctx, paths, n, &config, out);
}

static vq_dataset *open_good(data_place *place, const char *const *names, size_t n, int64_t size)
{
    vq_dataset *dataset = NULL;
    if (open_all(place, names, n, size, &dataset) != VQ_OK)
        fail_msg("%s", vq_context_error(place->ctx));
    return dataset;
}

static void assert_image(data_place *place, const vq_dataset *dataset, int64_t index,
                         const char *source, const char *name, const char *class, int which)
{
    uint8_t pixels[6 * 6];
    const char *given = vq_dataset_source(dataset, index);
    assert_string_equal(given + strlen(given) - strlen(source), source);
    assert_string_equal(vq_dataset_name(dataset, index), name);
    assert_string_equal(vq_dataset_class(dataset, vq_dataset_label(dataset, index)), class);
    assert_int_equal(vq_dataset_get(place->ctx, dataset, index, (vq_data_key){0}, pixels), VQ_OK);
    for (int64_t i = 0; i < 36; i++)
        assert_int_equal(pixels[i], pattern_value(which, i / 6, i % 6, 0));
}

static void test_classes_of_one_name(void **state)
{
    static const char *const names[] = {"b", "a:train", "c.txt"};
    static const char list[] = "b/dog/1.png\tzebra\na/train/dog/4.png\tcat\n";
    data_place *place = *state;
    place_image(place, "b/dog/1.png", 1, 6, 6, 1);
    place_image(place, "b/emu/2.png", 2, 6, 6, 1);
    place_image(place, "a/train/cat/3.png", 3, 6, 6, 1);
    place_image(place, "a/train/dog/4.png", 4, 6, 6, 1);
    place_image(place, "a/test/cat/5.png", 5, 6, 6, 1);
    place_file(place, "c.txt", list, sizeof list - 1);
    vq_dataset *dataset = open_good(place, names, 3, 0);
    assert_int_equal(vq_dataset_count(dataset), 6);
    assert_image(place, dataset, 0, "/b", "dog/1.png", "dog", 1);
    assert_image(place, dataset, 1, "/b", "emu/2.png", "emu", 2);
    assert_image(place, dataset, 2, "/a:train", "train/cat/3.png", "cat", 3);
    assert_image(place, dataset, 3, "/a:train", "train/dog/4.png", "dog", 4);
    assert_image(place, dataset, 4, "/c.txt", "b/dog/1.png", "zebra", 1);
    assert_image(place, dataset, 5, "/c.txt", "a/train/dog/4.png", "cat", 4);
    /* Numbered as they are first met. */
    assert_string_equal(vq_dataset_class(dataset, 0), "dog");
    assert_string_equal(vq_dataset_class(dataset, 1), "emu");
    assert_string_equal(vq_dataset_class(dataset, 2), "cat");
    assert_string_equal(vq_dataset_class(dataset, 3), "zebra");
    assert_null(vq_dataset_class(dataset, 4));
    assert_null(vq_dataset_source(dataset, 6));
    vq_dataset_close(place->ctx, dataset);
}

/* Labels 0, 1, 2 without names, beside a class "1" and images without any. */
static void test_numbers_and_names(void **state)
{
    static const char *const both[] = {"n/some-images-idx3-ubyte", "named", "plain"};
    static const char *const numbered[] = {"n/some-images-idx3-ubyte", "m-images-idx3-ubyte"};
    const uint32_t extents[] = {3, 6, 6}, one[] = {1, 6, 6};
    data_place *place = *state;
    place_idx(place, "n/some-images-idx3-ubyte", 3, extents, 108);
    place_idx(place, "n/some-labels-idx1-ubyte", 1, extents, 3);
    place_idx(place, "m-images-idx3-ubyte", 3, one, 36);
    place_idx(place, "m-labels-idx1-ubyte", 1, one, 1);
    place_image(place, "named/1/a.png", 7, 6, 6, 1);
    place_image(place, "named/one/a.png", 8, 6, 6, 1);
    place_image(place, "plain/a.png", 9, 6, 6, 1);
    vq_dataset *dataset = open_good(place, both, 3, 0);
    assert_int_equal(vq_dataset_count(dataset), 6);
    for (int64_t i = 0; i < 3; i++) assert_int_equal(vq_dataset_label(dataset, i), i);
    assert_string_equal(vq_dataset_class(dataset, 2), "2");
    assert_image(place, dataset, 3, "/named", "1/a.png", "1", 7);
    assert_int_equal(vq_dataset_label(dataset, 3), 1);
    assert_image(place, dataset, 4, "/named", "one/a.png", "one", 8);
    assert_int_equal(vq_dataset_label(dataset, 4), 3);
    assert_int_equal(vq_dataset_label(dataset, 5), -1);
    vq_dataset_close(place->ctx, dataset);

    dataset = open_good(place, numbered, 2, 0);
    assert_int_equal(vq_dataset_label(dataset, 2), 2);
    assert_int_equal(vq_dataset_label(dataset, 3), 0);
    assert_null(vq_dataset_class(dataset, 0));
    vq_dataset_close(place->ctx, dataset);
}

/* Arrays and files, each of another size: all are brought to the one asked for. */
static void test_sizes(void **state)
{
    static const char *const names[] = {"small.png", "o-images-idx3-ubyte", "large.png"};
    const uint32_t extents[] = {2, 6, 6};
    data_place *place = *state;
    uint8_t pixels[36], again[36];
    vq_dataset *dataset = NULL;
    place_image(place, "small.png", 1, 3, 3, 1);
    place_image(place, "large.png", 2, 12, 12, 1);
    place_idx(place, "o-images-idx3-ubyte", 3, extents, 72);
    dataset = open_good(place, names, 3, 6);
    for (int twice = 0; twice < 2; twice++) /* the second time from the cache or from memory */
        for (int64_t i = 0; i < 4; i++) {
            assert_int_equal(vq_dataset_get(place->ctx, dataset, i, (vq_data_key){0},
                                            twice ? again : pixels),
                             VQ_OK);
            if (i == 1 || i == 2)
                for (int64_t at = 0; at < 36; at++)
                    assert_int_equal((twice ? again : pixels)[at], ((i - 1) * 36 + at) % 251);
        }
    assert_memory_equal(pixels, again, sizeof pixels);
    vq_dataset_close(place->ctx, dataset);
    /* Without a size, that of the first image is due. */
    dataset = open_good(place, names, 3, 0);
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, pixels), VQ_E_SHAPE);
    assert_non_null(strstr(vq_context_error(place->ctx), "o-images-idx3-ubyte: image 0: it is 6"));
    vq_dataset_close(place->ctx, dataset);
}

static void test_refused(void **state)
{
    static const char *const twice[] = {"p", "q", "p/../p"};
    static const char *const parts[] = {"r:train", "r:test"};
    static const char *const missing[] = {"p", "nowhere"};
    data_place *place = *state;
    vq_dataset *dataset = NULL;
    char due[1024];
    place_image(place, "p/0.png", 1, 6, 6, 1);
    place_image(place, "q/0.png", 1, 6, 6, 1);
    place_image(place, "r/train/0.png", 1, 6, 6, 1);
    place_image(place, "r/test/0.png", 1, 6, 6, 1);
    assert_int_equal(open_all(place, twice, 3, 0, &dataset), VQ_E_ARG);
    assert_null(dataset);
    snprintf(due, sizeof due, "%s/p and %s/p/../p are the same; name each source once",
             place->folder, place->folder);
    assert_string_equal(vq_context_error(place->ctx), due);
    assert_int_equal(open_all(place, missing, 2, 0, &dataset), VQ_E_IO);
    assert_null(dataset);
    assert_int_equal(open_all(place, missing, 0, 0, &dataset), VQ_E_ARG);
    assert_string_equal(vq_context_error(place->ctx),
                        "no source of images is named; a dataset has at least one");
    dataset = open_good(place, parts, 2, 0); /* two parts are two sources */
    assert_int_equal(vq_dataset_count(dataset), 2);
    vq_dataset_close(place->ctx, dataset);
}

/* Images are one where their bytes are, whatever names lead there; what is not there is like
 * nothing. */
static void test_origins(void **state)
{
    static const char *const names[] = {"o", "o.txt", "p.tar", "q.npy"}, *const in_tar[] = {
                                                                             "a.png", "b.png"};
    static const char list[] = "o/3.png\n./o/1.png\nnowhere.png\n";
    enum {
        FILES = 3,
        LISTED = 3,
        IN_TAR = 2,
        IN_ARRAY = 2,
        N = FILES + LISTED + IN_TAR + IN_ARRAY
    };
    static const unsigned char array[] =
        "\x93NUMPY\1\0\x3d\0{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 1)}\n\7\7";
    data_place *place = *state;
    uint64_t at[N];
    size_t copies, first[2];
    place_image(place, "o/1.png", 1, 6, 6, 1);
    place_image(place, "o/3.png", 1, 6, 6, 1); /* a copy, but a file of its own */
    char link_path[1024];
    snprintf(link_path, sizeof link_path, "%s", place_path(place, "o/2.png"));
    assert_int_equal(symlink("1.png", link_path), 0);
    place_file(place, "o.txt", list, sizeof list - 1);
    place_tar(place, "p.tar", in_tar, IN_TAR, false);
    place_file(place, "q.npy", array, sizeof array - 1);
    vq_dataset *dataset = open_good(place, names, 4, 6);
    assert_int_equal(vq_dataset_count(dataset), N);
    assert_int_equal(vq_dataset_origins(place->ctx, dataset, at), VQ_OK);
    assert_true(at[1] == at[0] && at[3] == at[2] && at[4] == at[0]);
    assert_true(at[2] != at[0] && at[5] == 0);
    assert_true(at[6] && at[7] && at[6] != at[7] && at[8] && at[9] && at[8] != at[9]);
    assert_int_equal(vq_data_copies(place->ctx, at, N, &copies, first), VQ_OK);
    assert_true(copies == 3 && first[0] == 1 && first[1] == 0);
    vq_dataset_close(place->ctx, dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_of_one_name),
        cmocka_unit_test(test_numbers_and_names),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
