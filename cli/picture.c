/* SPDX-License-Identifier: Apache-2.0
 * cli/picture.c -- pictures put together from images. */
#include "picture.h"
#include <string.h>

int canvas_create(program *p, int64_t height, int64_t width, int64_t channels, uint8_t shade,
                  vq_image *out)
{
    void *pixels = NULL;
    const size_t row = (size_t)width * (size_t)channels;
    *out = (vq_image){.height = height, .width = width, .channels = channels};
    TRY(allocate(p, (size_t)height, row, &pixels));
    out->pixels = pixels;
    memset(out->pixels, shade, (size_t)height * row);
    return DONE;
}

void canvas_place(vq_image *canvas, placing at, const uint8_t *pixels, int64_t height,
                  int64_t width)
{
    const int64_t c = canvas->channels;
    for (int64_t y = 0; y < height * at.scale; y++) {
        uint8_t *to = canvas->pixels + ((at.y + y) * canvas->width + at.x) * c;
        const uint8_t *from = pixels + y / at.scale * width * c;
        for (int64_t x = 0; x < width * at.scale; x++, to += c)
            memcpy(to, from + x / at.scale * c, (size_t)c);
    }
}

int picture_save(program *p, const char *path, const vq_image *image)
{
    return lib_writing(p, vq_image_save(p->ctx, path, image));
}

int picture_pairs(program *p, int64_t n, const uint8_t *pixels, const uint8_t *back,
                  const int64_t size[3], int64_t columns, int64_t scale, vq_image *out)
{
    enum { GAP = 2, WHITE = 255 };
    const int64_t h = size[0] * scale, w = size[1] * scale;
    const int64_t bytes = size[0] * size[1] * size[2];
    if (columns > n) columns = n;
    const int64_t rows = (n + columns - 1) / columns;
    /* A pair stands close together, further from the next one. */
    const int64_t pair = 2 * h + 3 * GAP;
    TRY(canvas_create(p, rows * pair + GAP, columns * (w + GAP) + GAP, size[2], WHITE, out));
    for (int64_t i = 0; i < n; i++) {
        placing at = {GAP + i / columns * pair, GAP + i % columns * (w + GAP), scale};
        canvas_place(out, at, pixels + i * bytes, size[0], size[1]);
        at.y += h + GAP / 2;
        canvas_place(out, at, back + i * bytes, size[0], size[1]);
    }
    return DONE;
}
