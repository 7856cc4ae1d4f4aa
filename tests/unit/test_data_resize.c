/* SPDX-License-Identifier: Apache-2.0
 * Scaling and fitting: held against the formula, and against what Pillow made of the same
 * pixels (tests/reference/golden_resize.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/fit.h"
#include "support/data_files.h"
#include "support/golden.h"

/* ---- scaling ------------------------------------------------------------------ */

/* The formula of resize.c in double, for one channel of one line. */
static double scaled_line(const uint8_t *line, size_t stride, int64_t stored, int64_t full,
                          int64_t i)
{
    const double scale = (double)stored / (double)full, reach = fmax(scale, 1.0);
    const double centre = ((double)i + 0.5) * scale - 0.5;
    double sum = 0.0, weights = 0.0;
    for (int64_t j = 0; j < stored; j++) {
        const double weight = fmax(0.0, 1.0 - fabs((double)j - centre) / reach);
        sum += weight * line[(size_t)j * stride];
        weights += weight;
    }
    return sum / weights;
}

static void test_resize_follows_the_formula(void **state)
{
    static const int64_t sizes[][4] = {/* stored height, width; wanted height, width */
                                       {6, 9, 6, 9},   {6, 9, 3, 3}, {9, 6, 4, 5},  {5, 7, 13, 11},
                                       {50, 3, 7, 29}, {1, 1, 4, 4}, {64, 64, 1, 1}};
    data_place *place = *state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t height = sizes[s][2], width = sizes[s][3];
        vq_image image = pattern_image(5, sizes[s][0], sizes[s][1], 3);
        uint8_t out[13 * 29 * 3], *between = malloc((size_t)(image.height * width * 3));
        assert_non_null(between);
        assert_int_equal(vq_resize(place->ctx, &image, VQ_FILTER_BILINEAR,
                                   (vq_window){height, width, 0, 0, height, width}, out),
                         VQ_OK);
        for (int64_t y = 0; y < image.height; y++)
            for (int64_t at = 0; at < width * 3; at++)
                between[y * width * 3 + at] =
                    (uint8_t)lround(scaled_line(image.pixels + y * image.width * 3 + at % 3, 3,
                                                image.width, width, at / 3));
        for (int64_t y = 0; y < height; y++)
            for (int64_t at = 0; at < width * 3; at++) {
                const double wanted =
                    scaled_line(between + at, (size_t)width * 3, image.height, height, y);
                /* Half a level of rounding, and one where the line before sat on a tie. */
                assert_true(fabs(out[y * width * 3 + at] - wanted) <= 1.5);
            }
        free(between);
        free(image.pixels);
    }
}

static void test_window_is_a_crop(void **state)
{
    data_place *place = *state;
    uint8_t whole[11 * 17], part[5 * 6];
    for (int64_t height = 20; height < 100; height += 60) { /* columns first, then rows first */
        vq_image image = pattern_image(1, height, 31, 1);
        assert_int_equal(vq_resize(place->ctx, &image, VQ_FILTER_LANCZOS,
                                   (vq_window){11, 17, 0, 0, 11, 17}, whole),
                         VQ_OK);
        assert_int_equal(vq_resize(place->ctx, &image, VQ_FILTER_LANCZOS,
                                   (vq_window){11, 17, 4, 9, 5, 6}, part),
                         VQ_OK);
        for (size_t y = 0; y < 5; y++)
            assert_memory_equal(part + 6 * y, whole + 17 * (y + 4) + 9, 6);
        free(image.pixels);
    }
}

static void test_cover(void **state)
{
    (void)state;
    static const int64_t rows[][8] = {
        /* stored h, w; wanted h, w; full h, w; top, left */
        {100, 200, 50, 50, 50, 100, 0, 25},    {200, 100, 50, 50, 100, 50, 25, 0},
        {263, 376, 128, 128, 128, 183, 0, 27}, {10, 10, 20, 30, 30, 30, 5, 0},
        {1, 1000, 8, 8, 8, 8000, 0, 3996},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const vq_image from = {.height = rows[i][0], .width = rows[i][1], .channels = 3};
        const vq_window w = vq_window_cover(&from, rows[i][2], rows[i][3]);
        assert_int_equal(w.full_height, rows[i][4]);
        assert_int_equal(w.full_width, rows[i][5]);
        assert_int_equal(w.top, rows[i][6]);
        assert_int_equal(w.left, rows[i][7]);
    }
}

static void test_contain(void **state)
{
    (void)state;
    static const int64_t rows[][6] = {
        /* stored h, w; wanted h, w; scaled h, w */
        {100, 200, 50, 50, 25, 50}, {200, 100, 50, 50, 50, 25}, {263, 376, 128, 128, 90, 128},
        {10, 10, 20, 30, 20, 20},   {1, 1000, 8, 8, 1, 8},      {1000, 1, 8, 9, 8, 1},
        {1, 268435456, 1, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const vq_image from = {.height = rows[i][0], .width = rows[i][1], .channels = 3};
        const vq_window w = vq_window_contain(&from, rows[i][2], rows[i][3]);
        assert_int_equal(w.height, rows[i][4]);
        assert_int_equal(w.width, rows[i][5]);
        assert_int_equal(w.full_height, w.height);
        assert_int_equal(w.full_width, w.width);
    }
}

/* ---- as Pillow does it --------------------------------------------------------- */

static vq_data_config named_config(data_place *place, const char *fit, const char *filter)
{
    vq_data_config config;
    vq_data_config_default(&config);
    must(place->ctx, vq_data_config_set(place->ctx, &config, "fit", fit));
    must(place->ctx, vq_data_config_set(place->ctx, &config, "filter", filter));
    return config;
}

/* One array of the file, "FIT.FILTER.INPUT.HEIGHTxWIDTH"; returns how many values differ. */
static size_t compare(data_place *place, const golden *file, const vq_array *expected)
{
    char fit[16], filter[16];
    unsigned which, height, width;
    size_t differing = 0;
    assert_int_equal(sscanf(expected->name, "%15[a-z].%15[a-z].%u.%ux%u", fit, filter, &which,
                            &height, &width),
                     5);
    const vq_array *input = golden_get(file, "input.%u", which);
    const int64_t size[3] = {height, width, input->shape.dim[2]};
    const vq_image image = {input->shape.dim[0], input->shape.dim[1], size[2], input->data};
    const vq_data_config config = named_config(place, fit, filter);
    const size_t n = vq_shape_count(&expected->shape);
    uint8_t *out = malloc(n);
    assert_non_null(out);
    must(place->ctx, vq_image_fit(place->ctx, &image, &config, size, out));
    for (size_t i = 0; i < n; i++) {
        const int difference = abs(out[i] - ((const uint8_t *)expected->data)[i]);
        if (difference > (int)file->atol)
            fail_msg("%s: value %zu differs by %d levels", expected->name, i, difference);
        differing += difference > 0;
    }
    free(out);
    return differing;
}

static void compare_all(data_place *place, const char *name, size_t n_due)
{
    golden file;
    size_t n = 0, differing = 0, values = 0;
    golden_open(&file, place->ctx, name);
    for (size_t i = 0; i < file.archive.n_arrays; i++) {
        const vq_array *array = &file.archive.arrays[i];
        if (strncmp(array->name, "input.", 6) == 0) continue;
        differing += compare(place, &file, array);
        values += vq_shape_count(&array->shape);
        n++;
    }
    golden_close(&file);
    assert_int_equal(n, n_due);
    /* One level is for rare ties only. */
    assert_in_range(differing, 0, values / 1000);
}

static void test_filters_as_pillow(void **state)
{
    compare_all(*state, "resize_filters", 56);
}

static void test_fits_as_pillow(void **state)
{
    compare_all(*state, "resize_fits", 24);
}

static void test_exact(void **state)
{
    data_place *place = *state;
    const vq_data_config config = named_config(place, "exact", "box");
    vq_image image = pattern_image(2, 4, 6, 3);
    uint8_t out[4 * 6 * 3];
    must(place->ctx, vq_image_fit(place->ctx, &image, &config, (int64_t[]){4, 6, 3}, out));
    assert_memory_equal(out, image.pixels, sizeof out);
    assert_int_equal(vq_image_fit(place->ctx, &image, &config, (int64_t[]){4, 5, 3}, out),
                     VQ_E_SHAPE);
    assert_string_equal(vq_context_error(place->ctx),
                        "it is 6 pixels wide and 4 high, and data.fit=exact allows only 5 and 4; "
                        "crop, pad or stretch would scale it");
    free(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize_follows_the_formula),
        cmocka_unit_test(test_window_is_a_crop),
        cmocka_unit_test(test_cover),
        cmocka_unit_test(test_contain),
        cmocka_unit_test(test_filters_as_pillow),
        cmocka_unit_test(test_fits_as_pillow),
        cmocka_unit_test(test_exact),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
