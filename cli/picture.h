/* SPDX-License-Identifier: Apache-2.0
 * cli/picture.h -- pictures put together from images. */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include "program.h"
#include <vqvae/data.h>

/** Where an image goes, and how many pixels each of its own becomes. */
typedef struct placing {
    int64_t y, x, scale;
} placing;

/** A canvas of one shade; its pixels are released by free(). */
int canvas_create(program *p, int64_t height, int64_t width, int64_t channels, uint8_t shade,
                  vq_image *out);
/** Copies an image of height x width x the canvas's channels onto it; it must fit. */
void canvas_place(vq_image *canvas, placing at, const uint8_t *pixels, int64_t height,
                  int64_t width);
/** Writes a PNG file. */
int picture_save(program *p, const char *path, const vq_image *image);

/**
 * n originals in rows, each row above the row of its reconstructions.
 * @param pixels, back  n,H,W,C bytes
 * @param size          H, W, C
 */
int picture_pairs(program *p, int64_t n, const uint8_t *pixels, const uint8_t *back,
                  const int64_t size[3], int64_t columns, int64_t scale, vq_image *out);

#endif
