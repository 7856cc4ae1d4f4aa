/* SPDX-License-Identifier: Apache-2.0
 * Lists of images in a .txt file: paths, classes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/data_files.h"

static vq_status open_list(data_place *place, const char *text, vq_dataset **out)
{
    vq_data_config config;
    vq_data_config_default(&config);
    place_file(place, "lists/some.txt", text, strlen(text));
    return vq_dataset_open(place->ctx, place_path(place, "lists/some.txt"), &config, out);
}

static vq_dataset *open_good(data_place *place, const char *text)
{
    vq_dataset *dataset = NULL;
    if (open_list(place, text, &dataset) != VQ_OK) fail_msg("%s", vq_context_error(place->ctx));
    return dataset;
}

static void assert_shows(data_place *place, const vq_dataset *dataset, int64_t index, int which)
{
    uint8_t pixels[6 * 5 * 3];
    if (vq_dataset_get(place->ctx, dataset, index, (vq_data_key){0}, pixels) != VQ_OK)
        fail_msg("%s", vq_context_error(place->ctx));
    for (int64_t i = 0; i < 90; i++)
        assert_int_equal(pixels[i], pattern_value(which, i / 15, i / 3 % 5, i % 3));
}

static int place_images(void **state)
{
    data_place_setup(state);
    place_image(*state, "lists/a.png", 0, 6, 5, 3);
    place_image(*state, "lists/in a folder/b,c.png", 1, 6, 5, 3);
    place_image(*state, "beside/c.dat", 2, 6, 5, 3); /* what it is called does not matter */
    return 0;
}

static void test_paths(void **state)
{
    data_place *place = *state;
    char text[1024], absolute[600];
    snprintf(absolute, sizeof absolute, "%s", place_path(place, "beside/c.dat"));
    snprintf(text, sizeof text, "in a folder/b,c.png\r\n\n%s\na.png", absolute);
    vq_dataset *dataset = open_good(place, text);
    assert_int_equal(vq_dataset_count(dataset), 3);
    assert_string_equal(vq_dataset_name(dataset, 0), "in a folder/b,c.png");
    assert_string_equal(vq_dataset_name(dataset, 1), absolute);
    assert_shows(place, dataset, 0, 1); /* in the order of the lines */
    assert_shows(place, dataset, 1, 2);
    assert_shows(place, dataset, 2, 0);
    assert_int_equal(vq_dataset_label(dataset, 0), -1);
    vq_dataset_close(place->ctx, dataset);
    dataset = open_good(place, "\xef\xbb\xbf./a.png\n../beside/c.dat\n");
    assert_int_equal(vq_dataset_count(dataset), 2);
    assert_shows(place, dataset, 1, 2);
    vq_dataset_close(place->ctx, dataset);
}

static void test_classes(void **state)
{
    data_place *place = *state;
    vq_dataset *dataset =
        open_good(place, "a.png\ta dog\n../beside/c.dat\tcat\r\nin a folder/b,c.png\ta dog\n");
    assert_int_equal(vq_dataset_label(dataset, 0), 0);
    assert_int_equal(vq_dataset_label(dataset, 1), 1);
    assert_int_equal(vq_dataset_label(dataset, 2), 0);
    assert_string_equal(vq_dataset_class(dataset, 0), "a dog");
    assert_string_equal(vq_dataset_class(dataset, 1), "cat");
    assert_null(vq_dataset_class(dataset, 2));
    vq_dataset_close(place->ctx, dataset);
}

/* More lines than any first piece of memory holds. */
static void test_many(void **state)
{
    enum { N = 3000, LINE = 40 };
    data_place *place = *state;
    char *text = malloc(N * LINE), class[16];
    size_t used = 0;
    assert_non_null(text);
    used += (size_t)snprintf(text, LINE, "a.png\tclass 0\n");
    for (int i = 1; i < N; i++)
        used += (size_t)snprintf(text + used, LINE, "none/%d.png\tclass %d\n", i, i % 1000);
    vq_dataset *dataset = open_good(place, text);
    assert_int_equal(vq_dataset_count(dataset), N);
    for (int i = 0; i < N; i++) {
        snprintf(class, sizeof class, "class %d", i % 1000);
        assert_string_equal(vq_dataset_class(dataset, vq_dataset_label(dataset, i)), class);
    }
    vq_dataset_close(place->ctx, dataset);
    free(text);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        vq_status status;
        const char *sentence; /* # is the folder */
    } rows[] = {
        {"", VQ_E_FORMAT,
         "#/lists/some.txt is empty; it may be a file that was not written to its end"},
        {"\n\n", VQ_E_FORMAT, "#/lists/some.txt holds no images"},
        {"a.png\n\tcat\n", VQ_E_FORMAT,
         "#/lists/some.txt: line 2 is not a path, or a path, one tab and a class"},
        {"a.png\t\n", VQ_E_FORMAT,
         "#/lists/some.txt: line 1 is not a path, or a path, one tab and a class"},
        {"\na.png\tcat\t3\n", VQ_E_FORMAT,
         "#/lists/some.txt: line 2 is not a path, or a path, one tab and a class"},
        {"a.png\tcat\nb.png\n", VQ_E_FORMAT,
         "#/lists/some.txt: line 2 has no class, but the lines before it have one; give all or "
         "none"},
        {"a.png\nb.png\tcat\n", VQ_E_FORMAT,
         "#/lists/some.txt: line 2 has a class, but the lines before it have none; give all or "
         "none"},
        {"a.png\nb.png\na.png\n", VQ_E_FORMAT,
         "#/lists/some.txt lists a.png twice; name each image once"},
        {"none.png\n", VQ_E_IO, "#/lists/none.png: could not be opened: No such file or directory"},
        {"../lists\n", VQ_E_IO, "#/lists/../lists: could not be read: Is a directory"},
    };
    data_place *place = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char due[1024];
        vq_dataset *dataset = NULL;
        const char *rest = rows[i].sentence;
        snprintf(due, sizeof due, "%s%s", place->folder, rest + 1);
        const vq_status status = open_list(place, rows[i].text, &dataset);
        assert_null(dataset);
        assert_string_equal(vq_context_error(place->ctx), due);
        assert_int_equal(status, rows[i].status);
    }
}

static void test_zero_byte(void **state)
{
    data_place *place = *state;
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    place_file(place, "zero.txt", "a.png\0b.png\n", 12);
    assert_int_equal(vq_dataset_open(place->ctx, place_path(place, "zero.txt"), &config, &dataset),
                     VQ_E_FORMAT);
    assert_non_null(
        strstr(vq_context_error(place->ctx), "zero.txt: byte 5 is 0; a list of images is text"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),     cmocka_unit_test(test_classes),
        cmocka_unit_test(test_many),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_zero_byte),
    };
    return cmocka_run_group_tests(tests, place_images, data_place_teardown);
}
