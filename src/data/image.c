/* SPDX-License-Identifier: Apache-2.0
 * data/image.c -- one image: from bytes, from a file, to a file. */
#include "data/image.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"

vq_status vq_image_check_size(vq_context *ctx, int64_t height, int64_t width)
{
    VQ_CHECK(ctx, height > 0 && width > 0 && height <= VQ_IMAGE_PIXELS_MAX / width,
             VQ_E_UNSUPPORTED,
             "the image is %lld pixels wide and %lld high; at most %d pixels in all are read, so "
             "make it smaller",
             (long long)width, (long long)height, VQ_IMAGE_PIXELS_MAX);
    return VQ_OK;
}

vq_status vq_image_create(vq_context *ctx, int64_t height, int64_t width, int64_t channels,
                          vq_image *out)
{
    *out = (vq_image){0};
    VQ_TRY(vq_image_check_size(ctx, height, width));
    VQ_TRY(VQ_NEW(ctx, height * width * channels, &out->pixels));
    out->height = height;
    out->width = width;
    out->channels = channels;
    return VQ_OK;
}

void vq_image_clear(vq_context *ctx, vq_image *image)
{
    if (!image) return;
    vq_release(ctx, image->pixels);
    *image = (vq_image){0};
}

void vq_data_free(vq_context *ctx, void *memory)
{
    vq_release(ctx, memory);
}

const char *vq_image_foreign(const void *bytes, size_t size)
{
    static const struct {
        const char *name, *magic;
        size_t at, length;
    } known[] = {{"GIF", "GIF8", 0, 4},
                 {"AVIF or HEIC", "ftyp", 4, 4},
                 {"TIFF", "II*\0", 0, 4},
                 {"TIFF", "MM\0*", 0, 4},
                 {"BMP", "BM", 0, 2},
                 {"JPEG 2000", "\0\0\0\fjP  ", 0, 8},
                 {"JPEG XL", "\0\0\0\fJXL ", 0, 8},
                 {"Photoshop", "8BPS", 0, 4}};
    const unsigned char *first = bytes;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (size >= known[i].at + known[i].length &&
            memcmp(first + known[i].at, known[i].magic, known[i].length) == 0)
            return known[i].name;
    return NULL;
}

bool vq_image_named(const char *path)
{
    static const char *const endings[] = {".png",  ".jpg", ".jpeg", ".webp", ".gif",
                                          ".bmp",  ".tif", ".tiff", ".avif", ".heic",
                                          ".heif", ".jp2", ".jxl"};
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    if (!dot || base[0] == '.') return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

static vq_status refuse_format(vq_context *ctx, const unsigned char *bytes, size_t size)
{
    VQ_CHECK(ctx, size > 0, VQ_E_FORMAT, "the file is empty; an image is PNG, JPEG or WebP");
    const char *foreign = vq_image_foreign(bytes, size);
    VQ_CHECK(ctx, !foreign, VQ_E_UNSUPPORTED,
             "this is a %s image; PNG, JPEG and WebP are read, so convert it", foreign);
    return vq_fail(ctx, VQ_E_FORMAT,
                   "neither PNG, JPEG nor WebP, whatever its name: it begins with the byte 0x%02x",
                   bytes[0]);
}

bool vq_image_is(const void *bytes, size_t size)
{
    return vq_png_is(bytes, size) || vq_jpeg_is(bytes, size) || vq_webp_is(bytes, size);
}

vq_status vq_image_decode(vq_context *ctx, const void *bytes, size_t size, vq_image *out)
{
    int orientation = 1;
    *out = (vq_image){0};
    if (vq_png_is(bytes, size)) VQ_TRY(vq_png_decode(ctx, bytes, size, out, &orientation));
    else if (vq_jpeg_is(bytes, size)) VQ_TRY(vq_jpeg_decode(ctx, bytes, size, out, &orientation));
    else if (vq_webp_is(bytes, size)) VQ_TRY(vq_webp_decode(ctx, bytes, size, out, &orientation));
    else return refuse_format(ctx, bytes, size);
    const vq_status status = vq_image_orient(ctx, orientation, out);
    if (status != VQ_OK) vq_image_clear(ctx, out);
    return status;
}

vq_status vq_image_load(vq_context *ctx, const char *path, vq_image *out)
{
    vq_bytes bytes = {0};
    *out = (vq_image){0};
    VQ_TRY(vq_file_read(ctx, path, VQ_IMAGE_BYTES_MAX, &bytes));
    vq_status status = vq_image_decode(ctx, bytes.data, bytes.size, out);
    if (status != VQ_OK) status = vq_fail(ctx, status, "%s: %s", path, vq_context_error(ctx));
    vq_release(ctx, bytes.data);
    return status;
}

vq_status vq_image_save(vq_context *ctx, const char *path, const vq_image *image)
{
    unsigned char *png = NULL;
    size_t size = 0;
    VQ_TRY(vq_image_encode_png(ctx, image, &png, &size));
    const vq_status status = vq_file_replace(ctx, path, png, size);
    vq_release(ctx, png);
    return status;
}

/* c over white: c*a + 1*(1-a), in 255ths, rounded. */
static uint8_t over_white(uint32_t c, uint32_t a)
{
    return (uint8_t)((c * a + 255u * (255u - a) + 127u) / 255u);
}

void vq_image_over_white(const uint8_t *rgba, vq_image *out)
{
    const size_t pixels = (size_t)(out->height * out->width), channels = (size_t)out->channels;
    uint8_t *to = out->pixels;
    for (size_t i = 0; i < pixels; i++, rgba += 4)
        for (size_t c = 0; c < channels; c++) *to++ = over_white(rgba[c], rgba[3]);
}

static void spread_grey(const uint8_t *from, size_t pixels, uint8_t *to)
{
    for (size_t i = 0; i < pixels; i++) memset(to + 3 * i, from[i], 3);
}

/* .299 R + .587 G + .114 B in 16 fractional bits, rounded (ITU-R BT.601). */
static void mix_colour(const uint8_t *from, size_t pixels, uint8_t *to)
{
    for (size_t i = 0; i < pixels; i++) {
        const uint32_t r = from[3 * i], g = from[3 * i + 1], b = from[3 * i + 2];
        to[i] = (uint8_t)((19595u * r + 38470u * g + 7471u * b + 32768u) >> 16);
    }
}

vq_status vq_image_set_channels(vq_context *ctx, int64_t channels, vq_image *image)
{
    vq_image changed;
    if (channels == image->channels) return VQ_OK;
    VQ_TRY(vq_image_create(ctx, image->height, image->width, channels, &changed));
    const size_t pixels = (size_t)(image->height * image->width);
    if (channels == 3) spread_grey(image->pixels, pixels, changed.pixels);
    else mix_colour(image->pixels, pixels, changed.pixels);
    vq_image_clear(ctx, image);
    *image = changed;
    return VQ_OK;
}
