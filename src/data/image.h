/* SPDX-License-Identifier: Apache-2.0
 * data/image.h -- decoded images: the three formats, orientation, channels. */
#ifndef VQ_DATA_IMAGE_H
#define VQ_DATA_IMAGE_H

#include "base/context.h"
#include <vqvae/data.h>

enum {
    VQ_IMAGE_PIXELS_MAX = 1 << 28, /* beyond it an image is refused before memory is asked for */
    VQ_IMAGE_SCANS_MAX = 500       /* a progressive JPEG of many empty scans costs time only */
};
/* Encoded images and whole files in memory: larger ones are no images. */
#define VQ_IMAGE_BYTES_MAX ((size_t)1 << 30)

/** Refuses sizes beyond VQ_IMAGE_PIXELS_MAX, so that decoders may do so before they ask for
 *  anything. @return VQ_OK; VQ_E_UNSUPPORTED */
VQ_MUST_USE vq_status vq_image_check_size(vq_context *ctx, int64_t height, int64_t width);
/** Zeroed pixels of that size. @return VQ_OK; VQ_E_UNSUPPORTED (too many pixels); VQ_E_NOMEM */
VQ_MUST_USE vq_status vq_image_create(vq_context *ctx, int64_t height, int64_t width,
                                      int64_t channels, vq_image *out);

/* Deflate makes nothing smaller than one part in 1032 (RFC 1951: 258 bytes in two bits), and
 * Huffman-coded JPEG spends a bit on every 64 pixels. A few bytes that promise more are refused
 * before memory is asked for. */
enum { VQ_DEFLATE_RATIO_MAX = 1032, VQ_JPEG_PIXELS_PER_BYTE_MAX = 512 };

/** Decodes one format; on success `orientation` is the EXIF value 1..8. */
VQ_MUST_USE vq_status vq_png_decode(vq_context *ctx, const void *bytes, size_t size, vq_image *out,
                                    int *orientation);
VQ_MUST_USE vq_status vq_jpeg_decode(vq_context *ctx, const void *bytes, size_t size, vq_image *out,
                                     int *orientation);
VQ_MUST_USE vq_status vq_webp_decode(vq_context *ctx, const void *bytes, size_t size, vq_image *out,
                                     int *orientation);
bool vq_png_is(const void *bytes, size_t size);
bool vq_jpeg_is(const void *bytes, size_t size);
bool vq_webp_is(const void *bytes, size_t size);
/** Whether the bytes begin as an image of one of these formats does. */
bool vq_image_is(const void *bytes, size_t size);
/** The name of an image format that is not read, by how it begins; NULL for anything else. */
const char *vq_image_foreign(const void *bytes, size_t size);

/** Composes pixels of 8-bit red, green, blue and alpha over white; where `out` is grey, red is its
 *  value. */
void vq_image_over_white(const uint8_t *rgba, vq_image *out);

/** Orientation in a TIFF structure, as EXIF blocks hold it; 1 where it says none. */
int vq_exif_orientation(const unsigned char *tiff, size_t size);
/** Turns and mirrors the image so that it stands as the orientation 1..8 says. */
VQ_MUST_USE vq_status vq_image_orient(vq_context *ctx, int orientation, vq_image *image);

/** Grey to colour repeats the value; colour to grey is ITU-R BT.601 luma. */
VQ_MUST_USE vq_status vq_image_set_channels(vq_context *ctx, int64_t channels, vq_image *image);

#endif
