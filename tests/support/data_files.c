/* SPDX-License-Identifier: Apache-2.0
 * support/data_files.c -- see the header. Failures here end the test. */
#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#include "support/data_files.h"

#include <archive.h>
#include <archive_entry.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h>
#include <zlib.h>

#include <cmocka.h>

int data_place_setup(void **state)
{
    data_place *place = calloc(1, sizeof *place);
    const char *root = getenv("TMPDIR");
    vq_context_config config;
    assert_non_null(place);
    vq_context_config_default(&config);
    config.threads = 2;
    assert_int_equal(vq_context_create(&config, &place->ctx), VQ_OK);
    snprintf(place->folder, sizeof place->folder, "%s/vqvae-data-XXXXXX", root ? root : "/tmp");
    assert_non_null(mkdtemp(place->folder));
    *state = place;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

int data_place_teardown(void **state)
{
    data_place *place = *state;
    nftw(place->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    vq_context_destroy(place->ctx);
    free(place);
    return 0;
}

const char *place_path(data_place *place, const char *name)
{
    const int n = snprintf(place->path, sizeof place->path, "%s/%s", place->folder, name);
    assert_in_range(n, 1, sizeof place->path - 1);
    for (char *slash = place->path + strlen(place->folder) + 1; (slash = strchr(slash, '/'));
         slash++) {
        *slash = '\0';
        mkdir(place->path, 0700);
        *slash = '/';
    }
    return place->path;
}

void place_file(data_place *place, const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(place_path(place, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

uint8_t pattern_value(int which, int64_t y, int64_t x, int64_t c)
{
    return (uint8_t)(which * 61 + y * 7 + x * 13 + c * 101);
}

vq_image pattern_image(int which, int64_t height, int64_t width, int64_t channels)
{
    vq_image image = {height, width, channels, malloc((size_t)(height * width * channels))};
    assert_non_null(image.pixels);
    uint8_t *to = image.pixels;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int64_t c = 0; c < channels; c++) *to++ = pattern_value(which, y, x, c);
    return image;
}

void place_image(data_place *place, const char *name, int which, int64_t height, int64_t width,
                 int64_t channels)
{
    vq_image image = pattern_image(which, height, width, channels);
    if (strstr(name, ".jp")) {
        size_t size = 0;
        unsigned char *jpeg = encode_jpeg(&image, (jpeg_kind){0}, &size);
        place_file(place, name, jpeg, size);
        free(jpeg);
    } else {
        assert_int_equal(vq_image_save(place->ctx, place_path(place, name), &image), VQ_OK);
    }
    free(image.pixels);
}

static void write_exif(struct jpeg_compress_struct *jpeg, int orientation)
{
    /* Little-endian TIFF whose first table has one entry: tag 0x0112, SHORT, one value. */
    unsigned char exif[] = "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0?\0\0\0\0\0\0";
    exif[24] = (unsigned char)orientation;
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, exif, sizeof exif - 1);
}

unsigned char *encode_jpeg(const vq_image *image, jpeg_kind kind, size_t *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long length = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &length);
    jpeg.image_width = (JDIMENSION)image->width;
    jpeg.image_height = (JDIMENSION)image->height;
    jpeg.input_components = (int)image->channels;
    jpeg.in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 95, TRUE);
    if (kind.progressive) jpeg_simple_progression(&jpeg);
    jpeg.restart_in_rows = kind.restarts ? 1 : 0;
    jpeg_start_compress(&jpeg, TRUE);
    if (kind.orientation) write_exif(&jpeg, kind.orientation);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row =
            image->pixels + jpeg.next_scanline * (size_t)(image->width * image->channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *size = length;
    return bytes;
}

static void add_to_tar(struct archive *archive, const char *name, const void *bytes, size_t size)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(archive, bytes, size), (la_ssize_t)size);
    archive_entry_free(entry);
}

void place_tar(data_place *place, const char *name, const char *const *names, size_t n, bool packed)
{
    struct archive *archive = archive_write_new();
    archive_write_set_format_ustar(archive);
    if (packed) archive_write_add_filter_gzip(archive);
    assert_int_equal(archive_write_open_filename(archive, place_path(place, name)), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++) {
        if (strstr(names[i], ".png")) {
            unsigned char *png = NULL;
            size_t size = 0;
            vq_image image = pattern_image((int)i, 6, 5, 3);
            assert_int_equal(vq_image_encode_png(place->ctx, &image, &png, &size), VQ_OK);
            add_to_tar(archive, names[i], png, size);
            vq_data_free(place->ctx, png);
            free(image.pixels);
        } else {
            add_to_tar(archive, names[i], "text", 4);
        }
    }
    assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
}

void place_idx(data_place *place, const char *name, size_t rank, const uint32_t *extents,
               size_t n_values)
{
    const size_t header = 4 + 4 * rank, size = header + n_values;
    unsigned char *bytes = calloc(1, size);
    assert_non_null(bytes);
    bytes[2] = 8;
    bytes[3] = (unsigned char)rank;
    for (size_t i = 0; i < rank; i++)
        for (size_t b = 0; b < 4; b++)
            bytes[4 + 4 * i + b] = (unsigned char)(extents[i] >> (24 - 8 * b));
    for (size_t i = 0; i < n_values; i++) bytes[header + i] = (unsigned char)(i % 251);
    if (strstr(name, ".gz")) {
        gzFile file = gzopen(place_path(place, name), "wb");
        assert_non_null(file);
        assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
        assert_int_equal(gzclose(file), Z_OK);
    } else {
        place_file(place, name, bytes, size);
    }
    free(bytes);
}

const char *outside_file(const char *name, char *to, size_t size)
{
    const char *folders[] = {getenv("VQVAE_DATA"), "../shared/data"};
    for (size_t i = 0; i < 2; i++) {
        if (!folders[i]) continue;
        snprintf(to, size, "%s/%s", folders[i], name);
        if (access(to, R_OK) == 0) return to;
    }
    print_message("skipped: %s is neither in $VQVAE_DATA nor in ../shared/data\n", name);
    return NULL;
}
