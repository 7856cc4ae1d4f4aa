/* SPDX-License-Identifier: Apache-2.0
 * examples/walk/picture.h -- shows the codes of one image, as letters and as a picture (step 8). */
#ifndef WALK_PICTURE_H
#define WALK_PICTURE_H

#include "walk.h"

enum { CODES = 16, SIDE = 28, GRID = SIDE / 2, PIXELS = SIDE * SIDE };

/* The image, its codes as shades, and what the codes decode to, side by side. */
static inline void save_beside(vq_context *ctx, const char *path, const uint8_t *image,
                               const uint32_t *codes, const uint8_t *decoded)
{
    uint8_t pixels[PIXELS * 3];
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            uint8_t *row = pixels + y * SIDE * 3 + x;
            row[0] = image[y * SIDE + x];
            row[SIDE] = (uint8_t)(codes[y / 2 * GRID + x / 2] * 255 / (CODES - 1));
            row[2 * SIDE] = decoded[y * SIDE + x];
        }
    const vq_image picture = {.height = SIDE, .width = 3 * SIDE, .channels = 1, .pixels = pixels};
    check(ctx, vq_image_save(ctx, path, &picture));
}

static inline uint32_t most_frequent(const uint32_t *codes)
{
    double counts[CODES] = {0}; /* less than 0, so that the lowest is the most */
    for (int i = 0; i < GRID * GRID; i++) counts[codes[i]] -= 1.0;
    return lowest(CODES, counts);
}

/* Prints a letter for each code, and a dot for the most frequent one. */
static inline void print_letters(const uint32_t *codes)
{
    const uint32_t ground = most_frequent(codes);
    for (int i = 0; i < GRID * GRID; i++)
        printf(" %c%s", codes[i] == ground ? '.' : 'a' + (char)codes[i],
               i % GRID == GRID - 1 ? "\n" : "");
}

#endif
