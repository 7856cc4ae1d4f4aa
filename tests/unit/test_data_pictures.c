/* SPDX-License-Identifier: Apache-2.0
 * Picture files of every kind that is read, against the pixels that they show
 * (tests/reference/golden_pictures.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/image.h"
#include "support/data_files.h"
#include "support/golden.h"

static void assert_shows(const golden *file, const char *name, const vq_image *image,
                         const vq_array *pixels)
{
    assert_int_equal(image->height, pixels->shape.dim[0]);
    assert_int_equal(image->width, pixels->shape.dim[1]);
    assert_int_equal(image->channels, pixels->shape.dim[2]);
    for (size_t i = 0; i < vq_shape_count(&pixels->shape); i++) {
        const int due = ((const uint8_t *)pixels->data)[i];
        if (abs(image->pixels[i] - due) > (int)file->atol)
            fail_msg("%s: value %zu is %d; %d is due", name, i, image->pixels[i], due);
    }
}

/* Every NAME.file of the golden file must show NAME.pixels; n_due guards against an empty one. */
static void check_all(data_place *place, const char *golden_name, size_t n_due)
{
    golden file;
    size_t n = 0;
    golden_open(&file, place->ctx, golden_name);
    for (size_t i = 0; i < file.archive.n_arrays; i++) {
        const vq_array *bytes = &file.archive.arrays[i];
        const char *end = strstr(bytes->name, ".file");
        vq_image image;
        if (!end) continue;
        const vq_array *pixels =
            golden_get(&file, "%.*s.pixels", (int)(end - bytes->name), bytes->name);
        const vq_status status =
            vq_image_decode(place->ctx, bytes->data, (size_t)bytes->shape.dim[0], &image);
        if (status != VQ_OK) fail_msg("%s: %s", bytes->name, vq_context_error(place->ctx));
        assert_shows(&file, bytes->name, &image, pixels);
        vq_image_clear(place->ctx, &image);
        n++;
    }
    golden_close(&file);
    assert_int_equal(n, n_due);
}

static void test_png(void **state)
{
    check_all(*state, "pictures_png", 60);
}

static void test_jpeg(void **state)
{
    check_all(*state, "pictures_jpeg", 18);
}

static void test_webp(void **state)
{
    check_all(*state, "pictures_webp", 12);
}

/* Cut anywhere before its end mark, a file of any kind is refused and nothing is left behind: no
 * pixel is made up. */
static void check_cuts(data_place *place, const char *golden_name, size_t end_mark)
{
    golden file;
    golden_open(&file, place->ctx, golden_name);
    for (size_t i = 0; i < file.archive.n_arrays; i++) {
        const vq_array *bytes = &file.archive.arrays[i];
        const size_t size = (size_t)bytes->shape.dim[0];
        vq_image image;
        if (!strstr(bytes->name, ".file")) continue;
        for (size_t cut = 0; cut + end_mark < size; cut++) {
            unsigned char *part = malloc(cut ? cut : 1); /* its end is seen by the sanitizers */
            assert_non_null(part);
            memcpy(part, bytes->data, cut);
            if (vq_image_decode(place->ctx, part, cut, &image) == VQ_OK)
                fail_msg("%s: %zu of %zu bytes were enough", bytes->name, cut, size);
            assert_null(image.pixels);
            free(part);
        }
    }
    golden_close(&file);
}

static void test_cut_png(void **state)
{
    check_cuts(*state, "pictures_png", 4);
}

static void test_cut_jpeg(void **state)
{
    check_cuts(*state, "pictures_jpeg", 2);
}

static void test_cut_webp(void **state)
{
    check_cuts(*state, "pictures_webp", 0);
}

/* ---- refused ------------------------------------------------------------------- */

static void test_refused(void **state)
{
    static const struct {
        const char *name;
        vq_status status;
        const char *sentence;
    } rows[] = {
        {"png_60000", VQ_E_UNSUPPORTED,
         "the image is 60000 pixels wide and 60000 high; at most 268435456 pixels in all are read, "
         "so make it smaller"},
        {"png_few_bytes", VQ_E_FORMAT,
         "PNG: 176 bytes are too few for an image 16384 pixels wide and 16384 high"},
        {"png_damaged", VQ_E_FORMAT, "PNG: the data are damaged: IDAT stream error"},
        {"png_no_pixels", VQ_E_FORMAT, "PNG: the data are damaged: invalid chunk position"},
        {"png_no_palette", VQ_E_FORMAT,
         "PNG: the data are damaged: missing PLTE for indexed image"},
        {"png_depth", VQ_E_FORMAT, "PNG: the data are damaged: invalid bit depth"},
        {"jpeg_65500", VQ_E_UNSUPPORTED,
         "the image is 65500 pixels wide and 65500 high; at most 268435456 pixels in all are read, "
         "so make it smaller"},
        {"jpeg_few_bytes", VQ_E_FORMAT,
         "JPEG: 775 bytes are too few for an image 16000 pixels wide and 16000 high"},
        {"jpeg_cut", VQ_E_FORMAT, "JPEG: the data end before the image"},
        {"jpeg_cut_and_ended", VQ_E_FORMAT, "JPEG: the data end before the image"},
        {"jpeg_no_tables", VQ_E_FORMAT,
         "JPEG: the data are damaged: Quantization table 0x00 was not defined"},
        {"jpeg_cmyk_unmarked", VQ_E_UNSUPPORTED,
         "JPEG: the colours are CMYK without Adobe's marker, so whether ink or light is stored is "
         "unknown; convert the image to RGB"},
        {"jpeg_scans", VQ_E_UNSUPPORTED,
         "JPEG: more than 500 scans, the most that are read; save it anew"},
        {"webp_animated", VQ_E_UNSUPPORTED,
         "WebP: the image is animated; only still ones are read, so save one of its frames"},
        {"webp_few_bytes", VQ_E_FORMAT,
         "WebP: 740 bytes are too few for an image 16384 pixels wide and 16384 high"},
        {"webp_cut", VQ_E_FORMAT, "WebP: the data end before the image"},
        {"webp_damaged", VQ_E_FORMAT, "WebP: the data are damaged"},
        {"gif", VQ_E_UNSUPPORTED,
         "this is a GIF image; PNG, JPEG and WebP are read, so convert it"},
        {"bmp", VQ_E_UNSUPPORTED,
         "this is a BMP image; PNG, JPEG and WebP are read, so convert it"},
        {"tiff", VQ_E_UNSUPPORTED,
         "this is a TIFF image; PNG, JPEG and WebP are read, so convert it"},
    };
    data_place *place = *state;
    golden file;
    golden_open(&file, place->ctx, "pictures_refused");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const vq_array *bytes = golden_get(&file, "%s", rows[i].name);
        vq_image image;
        const vq_status status =
            vq_image_decode(place->ctx, bytes->data, (size_t)bytes->shape.dim[0], &image);
        assert_null(image.pixels);
        if (status != rows[i].status || strcmp(vq_context_error(place->ctx), rows[i].sentence) != 0)
            fail_msg("%s: status %d, \"%s\"", rows[i].name, (int)status,
                     vq_context_error(place->ctx));
    }
    assert_int_equal(file.archive.n_arrays, sizeof rows / sizeof *rows);
    golden_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),      cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_webp),     cmocka_unit_test(test_cut_png),
        cmocka_unit_test(test_cut_jpeg), cmocka_unit_test(test_cut_webp),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
