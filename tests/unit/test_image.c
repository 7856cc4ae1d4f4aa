/* SPDX-License-Identifier: Apache-2.0
 * Single images: PNG and JPEG there and back, orientation, channels, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <spng.h>

#include <cmocka.h>

#include "data/image.h"
#include "support/data_files.h"

static void assert_same(const vq_image *a, const vq_image *b)
{
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->channels, b->channels);
    assert_memory_equal(a->pixels, b->pixels, (size_t)(a->height * a->width * a->channels));
}

static void test_png_comes_back(void **state)
{
    data_place *place = *state;
    static const int64_t sizes[][3] = {{1, 1, 1}, {1, 1, 3}, {7, 5, 1}, {5, 7, 3}, {64, 33, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *png[2] = {NULL, NULL};
        size_t size[2];
        vq_image back, image = pattern_image((int)i, sizes[i][0], sizes[i][1], sizes[i][2]);
        for (int twice = 0; twice < 2; twice++)
            assert_int_equal(vq_image_encode_png(place->ctx, &image, &png[twice], &size[twice]),
                             VQ_OK);
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(png[0], png[1], size[0]);
        assert_int_equal(vq_image_decode(place->ctx, png[0], size[0], &back), VQ_OK);
        assert_same(&image, &back);
        vq_image_clear(place->ctx, &back);
        vq_data_free(place->ctx, png[0]);
        vq_data_free(place->ctx, png[1]);
        free(image.pixels);
    }
}

static void test_save_and_load(void **state)
{
    data_place *place = *state;
    vq_image back, image = pattern_image(3, 9, 4, 3);
    assert_int_equal(vq_image_save(place->ctx, place_path(place, "a/b.png"), &image), VQ_OK);
    assert_int_equal(vq_image_load(place->ctx, place_path(place, "a/b.png"), &back), VQ_OK);
    assert_same(&image, &back);
    vq_image_clear(place->ctx, &back);
    assert_int_equal(vq_image_load(place->ctx, place_path(place, "none.png"), &back), VQ_E_IO);
    assert_null(back.pixels);
    assert_non_null(strstr(vq_context_error(place->ctx), "none.png"));
    free(image.pixels);
}

/* ---- kinds of PNG, written by libspng from raw samples ------------------------ */

typedef struct png_kind {
    const char *name;
    uint8_t bit_depth, color_type;
    struct spng_plte *palette;
    struct spng_trns *trns;
    const void *samples;
    size_t samples_size;
    uint32_t width; /* of one row */
    int64_t channels;
    uint8_t expected[12];
} png_kind;

static void check_kind(data_place *place, const png_kind *kind)
{
    vq_image image;
    size_t size = 0;
    int error = 0;
    spng_ctx *spng = spng_ctx_new(SPNG_CTX_ENCODER);
    struct spng_ihdr header = {.width = kind->width,
                               .height = 1,
                               .bit_depth = kind->bit_depth,
                               .color_type = kind->color_type};
    assert_int_equal(spng_set_option(spng, SPNG_ENCODE_TO_BUFFER, 1), 0);
    assert_int_equal(spng_set_ihdr(spng, &header), 0);
    if (kind->palette) assert_int_equal(spng_set_plte(spng, kind->palette), 0);
    if (kind->trns) assert_int_equal(spng_set_trns(spng, kind->trns), 0);
    assert_int_equal(spng_encode_image(spng, kind->samples, kind->samples_size, SPNG_FMT_PNG,
                                       SPNG_ENCODE_FINALIZE),
                     0);
    void *png = spng_get_png_buffer(spng, &size, &error);
    assert_non_null(png);
    print_message("%s\n", kind->name);
    assert_int_equal(vq_image_decode(place->ctx, png, size, &image), VQ_OK);
    assert_int_equal(image.width, kind->width);
    assert_int_equal(image.channels, kind->channels);
    assert_memory_equal(image.pixels, kind->expected, kind->width * (size_t)kind->channels);
    vq_image_clear(place->ctx, &image);
    free(png);
    spng_ctx_free(spng);
}

static void test_png_kinds(void **state)
{
    /* Expected values by hand: alpha over white is (c a + 255 (255 - a)) / 255, rounded; 16
     * bits become v / 257, rounded; transparent is white. */
    struct spng_plte palette = {.n_entries = 2, .entries = {{10, 20, 30, 0}, {200, 100, 50, 0}}};
    struct spng_trns see_through = {.n_type3_entries = 1, .type3_alpha = {0}};
    struct spng_trns grey_key = {.gray = 7};
    const uint8_t rgba[] = {0, 100, 255, 0, 0, 100, 255, 255, 0, 100, 255, 51};
    const uint8_t grey_alpha[] = {100, 128, 0, 255};
    const uint16_t grey_16[] = {0, 128, 129, 65535, 32768};
    const uint8_t one_bit[] = {0xa0}, indices[] = {0, 1}, greys[] = {6, 7};
    const png_kind kinds[] = {
        {"RGBA",
         8,
         SPNG_COLOR_TYPE_TRUECOLOR_ALPHA,
         NULL,
         NULL,
         rgba,
         sizeof rgba,
         3,
         3,
         {255, 255, 255, 0, 100, 255, 204, 224, 255}},
        {"grey and alpha",
         8,
         SPNG_COLOR_TYPE_GRAYSCALE_ALPHA,
         NULL,
         NULL,
         grey_alpha,
         sizeof grey_alpha,
         2,
         1,
         {177, 0}},
        {"16 bits",
         16,
         SPNG_COLOR_TYPE_GRAYSCALE,
         NULL,
         NULL,
         grey_16,
         sizeof grey_16,
         5,
         1,
         {0, 0, 1, 255, 128}},
        {"1 bit", 1, SPNG_COLOR_TYPE_GRAYSCALE, NULL, NULL, one_bit, 1, 3, 1, {255, 0, 255}},
        {"palette",
         8,
         SPNG_COLOR_TYPE_INDEXED,
         &palette,
         NULL,
         indices,
         2,
         2,
         3,
         {10, 20, 30, 200, 100, 50}},
        {"palette with transparency",
         8,
         SPNG_COLOR_TYPE_INDEXED,
         &palette,
         &see_through,
         indices,
         2,
         2,
         3,
         {255, 255, 255, 200, 100, 50}},
        {"transparent grey",
         8,
         SPNG_COLOR_TYPE_GRAYSCALE,
         NULL,
         &grey_key,
         greys,
         2,
         2,
         1,
         {6, 255}},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) check_kind(*state, &kinds[i]);
}

/* ---- JPEG --------------------------------------------------------------------- */

/* Four flat blocks of 16 pixels: big enough to come through JPEG nearly unchanged. */
static vq_image quarters(void)
{
    static const uint8_t value[2][2] = {{20, 90}, {160, 230}};
    vq_image image = {32, 48, 1, malloc(32 * 48)};
    assert_non_null(image.pixels);
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 48; x++) image.pixels[y * 48 + x] = value[y / 16][x / 24];
    return image;
}

static int corner(const vq_image *image, int down, int right)
{
    const int64_t y = down ? image->height - 4 : 3, x = right ? image->width - 4 : 3;
    return image->pixels[(y * image->width + x) * image->channels];
}

static void test_jpeg_orientation(void **state)
{
    /* Corners as shown (top left, top right, bottom left, bottom right) for each value; the
     * stored ones are 20, 90, 160, 230. From the figure in EXIF 2.3, 4.6.4. */
    static const int shown[9][4] = {{20, 90, 160, 230}, {20, 90, 160, 230}, {90, 20, 230, 160},
                                    {230, 160, 90, 20}, {160, 230, 20, 90}, {20, 160, 90, 230},
                                    {160, 20, 230, 90}, {230, 90, 160, 20}, {90, 230, 20, 160}};
    data_place *place = *state;
    vq_image image, stored = quarters();
    for (int orientation = 0; orientation <= 8; orientation++) {
        size_t size = 0;
        unsigned char *jpeg = encode_jpeg(&stored, (jpeg_kind){.orientation = orientation}, &size);
        assert_int_equal(vq_image_decode(place->ctx, jpeg, size, &image), VQ_OK);
        assert_int_equal(image.height, orientation >= 5 ? 48 : 32);
        assert_int_equal(image.width, orientation >= 5 ? 32 : 48);
        for (int i = 0; i < 4; i++)
            assert_in_range(corner(&image, i / 2, i % 2), shown[orientation][i] - 4,
                            shown[orientation][i] + 4);
        vq_image_clear(place->ctx, &image);
        free(jpeg);
    }
    free(stored.pixels);
}

static void test_jpeg_progressive(void **state)
{
    data_place *place = *state;
    vq_image image, stored = quarters();
    size_t size = 0;
    unsigned char *jpeg = encode_jpeg(&stored, (jpeg_kind){.progressive = true}, &size);
    assert_int_equal(vq_image_decode(place->ctx, jpeg, size, &image), VQ_OK);
    vq_image_clear(place->ctx, &image);
    /* Cut anywhere, it is refused and nothing is left behind. */
    for (size_t cut = 3; cut < size - 2; cut += 7) {
        assert_int_equal(vq_image_decode(place->ctx, jpeg, cut, &image), VQ_E_FORMAT);
        assert_null(image.pixels);
    }
    free(jpeg);
    free(stored.pixels);
}

enum { MORE = 40 }; /* more than libjpeg looks ahead */

/* Copies the file with MORE bytes that are no padding at `at`; free() it. */
static unsigned char *with_bytes(const unsigned char *file, size_t size, size_t at)
{
    unsigned char *longer = malloc(size + MORE);
    assert_non_null(longer);
    memcpy(longer, file, at);
    memset(longer + at, 0x55, MORE);
    memcpy(longer + at + MORE, file + at, size - at);
    return longer;
}

/* An interval of codes that ends before its marker is damaged; cameras pad the end of a file. */
static void test_jpeg_bytes_between(void **state)
{
    data_place *place = *state;
    vq_image image, stored = quarters();
    size_t size = 0, at = 0;
    unsigned char *jpeg = encode_jpeg(&stored, (jpeg_kind){.restarts = true}, &size);
    while (memcmp(jpeg + at, "\xff\xd0", 2) != 0) assert_true(++at < size - 2);
    unsigned char *padded = with_bytes(jpeg, size, size - 2);
    assert_int_equal(vq_image_decode(place->ctx, padded, size + MORE, &image), VQ_OK);
    vq_image_clear(place->ctx, &image);
    unsigned char *damaged = with_bytes(jpeg, size, at);
    assert_int_equal(vq_image_decode(place->ctx, damaged, size + MORE, &image), VQ_E_FORMAT);
    assert_string_equal(vq_context_error(place->ctx), "JPEG: the data are damaged");
    assert_null(image.pixels);
    free(padded);
    free(damaged);
    free(jpeg);
    free(stored.pixels);
}

static void test_refused(void **state)
{
    static const struct {
        const char *bytes, *word;
        vq_status status;
    } rows[] = {
        {"", "empty", VQ_E_FORMAT},
        {"hello, world", "neither PNG, JPEG nor WebP", VQ_E_FORMAT},
        {"GIF89a..........", "GIF", VQ_E_UNSUPPORTED},
        {"xxxxftypavif", "AVIF or HEIC", VQ_E_UNSUPPORTED},
        {"RIFFxxxxWEBPVP8 ", "WebP", VQ_E_FORMAT},
        {"\x89PNG\r\n\x1a\nrubbish", "PNG", VQ_E_FORMAT},
        {"\xff\xd8\xffrubbish", "JPEG", VQ_E_FORMAT},
    };
    data_place *place = *state;
    vq_image image;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const vq_status status =
            vq_image_decode(place->ctx, rows[i].bytes, strlen(rows[i].bytes), &image);
        assert_int_equal(status, rows[i].status);
        assert_non_null(strstr(vq_context_error(place->ctx), rows[i].word));
        assert_null(image.pixels);
    }
}

static void test_png_too_large(void **state)
{
    /* A header alone that promises 2^15 x 2^14 pixels, twice what is allowed. */
    static const unsigned char png[] = {0x89, 'P', 'N',  'G',  '\r', '\n', 0x1a, '\n', 0,
                                        0,    0,   13,   'I',  'H',  'D',  'R',  0,    0,
                                        0x80, 0,   0,    0,    0x40, 0,    8,    0,    0,
                                        0,    0,   0x2d, 0x0a, 0x63, 0x28};
    data_place *place = *state;
    vq_image image;
    assert_int_equal(vq_image_decode(place->ctx, png, sizeof png, &image), VQ_E_UNSUPPORTED);
    assert_non_null(strstr(vq_context_error(place->ctx), "at most 268435456 pixels"));
    assert_null(image.pixels);
    assert_int_equal(vq_image_create(place->ctx, 1 << 15, 1 << 14, 3, &image), VQ_E_UNSUPPORTED);
    assert_int_equal(vq_image_create(place->ctx, INT64_MAX, INT64_MAX, 3, &image),
                     VQ_E_UNSUPPORTED);
}

static void test_channels(void **state)
{
    data_place *place = *state;
    vq_image image;
    assert_int_equal(vq_image_create(place->ctx, 1, 3, 3, &image), VQ_OK);
    memcpy(image.pixels, "\xff\0\0\0\xff\0\0\0\xff", 9);
    assert_int_equal(vq_image_set_channels(place->ctx, 1, &image), VQ_OK);
    assert_memory_equal(image.pixels, "\x4c\x96\x1d", 3); /* 255 times .299, .587, .114 */
    assert_int_equal(vq_image_set_channels(place->ctx, 3, &image), VQ_OK);
    assert_memory_equal(image.pixels, "\x4c\x4c\x4c\x96\x96\x96\x1d\x1d\x1d", 9);
    vq_image_clear(place->ctx, &image);
}

static void test_exif(void **state)
{
    static const unsigned char big[] = "MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06";
    unsigned char bytes[sizeof big + 1] = {0};
    (void)state;
    memcpy(bytes, big, sizeof big);
    assert_int_equal(vq_exif_orientation(bytes, 22), 6);
    /* One byte too short for the entry; a table far away; a type that is none. */
    assert_int_equal(vq_exif_orientation(bytes, 21), 1);
    for (size_t size = 0; size < 21; size++) assert_int_equal(vq_exif_orientation(bytes, size), 1);
    bytes[4] = 0xff;
    assert_int_equal(vq_exif_orientation(bytes, 22), 1);
    bytes[4] = 0;
    bytes[19] = 9;
    assert_int_equal(vq_exif_orientation(bytes, 22), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_comes_back),   cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_png_kinds),        cmocka_unit_test(test_jpeg_orientation),
        cmocka_unit_test(test_jpeg_progressive), cmocka_unit_test(test_jpeg_bytes_between),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_png_too_large),
        cmocka_unit_test(test_channels),         cmocka_unit_test(test_exif),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
