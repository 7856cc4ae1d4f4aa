/* SPDX-License-Identifier: Apache-2.0
 * support/data_files.h -- small datasets of every kind, written into a temporary folder. */
#ifndef SUPPORT_DATA_FILES_H
#define SUPPORT_DATA_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vqvae/data.h>

/** A context and a folder that is removed with everything in it. */
typedef struct data_place {
    vq_context *ctx;
    char folder[256];
    char path[1024]; /* the last place_path() */
} data_place;

/** cmocka's group setup and teardown; *state is a data_place. */
int data_place_setup(void **state);
int data_place_teardown(void **state);

/** Full path of a name in the folder; its parent folders are made. Valid until the next call. */
const char *place_path(data_place *place, const char *name);
/** Writes bytes to a name in the folder. */
void place_file(data_place *place, const char *name, const void *bytes, size_t size);

/** An image whose every value follows from `which` and its position; free(image.pixels). */
vq_image pattern_image(int which, int64_t height, int64_t width, int64_t channels);
uint8_t pattern_value(int which, int64_t y, int64_t x, int64_t c);

/** Writes pattern `which` as PNG, or as JPEG where the name ends so (EXIF orientation, 0: no
 *  EXIF). */
void place_image(data_place *place, const char *name, int which, int64_t height, int64_t width,
                 int64_t channels);
typedef struct jpeg_kind {
    int orientation; /* 1..8; 0: no EXIF */
    bool progressive;
    bool restarts; /* a marker after each row of blocks */
} jpeg_kind;
/** JPEG bytes of an image; released with free(). */
unsigned char *encode_jpeg(const vq_image *image, jpeg_kind kind, size_t *size);

/** A tar of PNG patterns: names[i] holds pattern i of 6 x 5 pixels; other names hold text. */
void place_tar(data_place *place, const char *name, const char *const *names, size_t n,
               bool packed);

/** IDX bytes: extents, then values i % 251. Packed where the name ends in .gz. */
void place_idx(data_place *place, const char *name, size_t rank, const uint32_t *extents,
               size_t n_values);

/** Path of a file that is not part of the project: in $VQVAE_DATA, then ../shared/data; NULL,
 *  and a line that says so, where it is in neither. */
const char *outside_file(const char *name, char *to, size_t size);

#endif
