/* SPDX-License-Identifier: Apache-2.0
 * data/exif.c -- which way up a photograph is (EXIF 2.3, 4.6.4, tag 0x0112). */
#include <string.h>

#include "data/image.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_SIZE = 12 };

typedef struct tiff_view {
    const unsigned char *bytes;
    size_t size;
    bool big_endian;
} tiff_view;

static uint32_t read_number(const tiff_view *view, size_t at, size_t n_bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        value = value << 8 | view->bytes[at + (view->big_endian ? i : n_bytes - 1 - i)];
    return value;
}

int vq_exif_orientation(const unsigned char *tiff, size_t size)
{
    if (size < 8 || (memcmp(tiff, "II", 2) != 0 && memcmp(tiff, "MM", 2) != 0)) return 1;
    const tiff_view view = {tiff, size, tiff[0] == 'M'};
    const size_t table = read_number(&view, 4, 4);
    if (read_number(&view, 2, 2) != 42 || table > size - 2) return 1;
    const size_t n_entries = read_number(&view, table, 2);
    for (size_t i = 0; i < n_entries; i++) {
        const size_t at = table + 2 + i * ENTRY_SIZE;
        if (at + ENTRY_SIZE > size) return 1;
        if (read_number(&view, at, 2) != TAG_ORIENTATION) continue;
        const uint32_t value = read_number(&view, at + 8, 2);
        const bool valid = read_number(&view, at + 2, 2) == TYPE_SHORT && value >= 1 && value <= 8;
        return valid ? (int)value : 1;
    }
    return 1;
}

/* Where the pixel shown at (y, x) lies in the stored image. Values 5 to 8 store columns as
 * rows; the first stored row is the bottom or right edge for 3, 4, 6 and 7, the first stored
 * column the right or bottom edge for 2, 3, 7 and 8. */
static size_t stored_at(const vq_image *stored, int orientation, int64_t y, int64_t x)
{
    const bool on_side = orientation >= 5;
    const bool flip_row =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool flip_column =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    int64_t row = on_side ? x : y, column = on_side ? y : x;
    if (flip_row) row = stored->height - 1 - row;
    if (flip_column) column = stored->width - 1 - column;
    return (size_t)((row * stored->width + column) * stored->channels);
}

vq_status vq_image_orient(vq_context *ctx, int orientation, vq_image *image)
{
    const bool on_side = orientation >= 5;
    const int64_t height = on_side ? image->width : image->height;
    const int64_t width = on_side ? image->height : image->width;
    const size_t channels = (size_t)image->channels;
    vq_image upright;
    if (orientation == 1) return VQ_OK;
    VQ_TRY(vq_image_create(ctx, height, width, image->channels, &upright));
    uint8_t *to = upright.pixels;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++, to += channels)
            memcpy(to, image->pixels + stored_at(image, orientation, y, x), channels);
    vq_image_clear(ctx, image);
    *image = upright;
    return VQ_OK;
}
