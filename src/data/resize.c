/* SPDX-License-Identifier: Apache-2.0
 * data/resize.c -- separable scaling by a triangle filter
 *   out[i] = sum_j w(j - c_i) in[j],  c_i = (i + 1/2) s - 1/2,  s = n_in / n_out
 *   w(d)   = max(0, 1 - |d| / max(s, 1)), made to sum to one
 * Making smaller widens the filter, so every stored pixel counts (no aliasing). */
#include "data/resize.h"

#include <math.h>
#include <string.h>

enum { WEIGHT_BITS = 22 }; /* 8 bits of pixel and 22 of weight leave a sign and one spare bit */

/* For each wanted position: the first stored pixel, how many, and their weights. */
typedef struct axis {
    int64_t *first, *count;
    int32_t *weights; /* `taps` for each position */
    double *exact;    /* the weights of one position before rounding */
    size_t taps;
} axis;

static void release_axis(vq_context *ctx, axis *a)
{
    vq_release(ctx, a->first);
    vq_release(ctx, a->count);
    vq_release(ctx, a->weights);
    vq_release(ctx, a->exact);
}

static void weigh_position(axis *a, size_t i, double centre, double reach, int64_t stored)
{
    int64_t first = (int64_t)(centre - reach + 0.5), last = (int64_t)(centre + reach + 0.5);
    double sum = 0.0;
    if (centre - reach + 0.5 < 0.0) first = 0;
    if (last > stored) last = stored;
    for (int64_t j = first; j < last; j++) {
        const double distance = fabs(((double)j + 0.5 - centre) / reach);
        const double weight = distance < 1.0 ? 1.0 - distance : 0.0;
        a->exact[j - first] = weight;
        sum += weight;
    }
    a->first[i] = first;
    a->count[i] = last - first;
    for (int64_t j = 0; j < last - first; j++)
        a->weights[i * a->taps + (size_t)j] =
            (int32_t)(a->exact[j] / sum * (double)(1 << WEIGHT_BITS) + 0.5);
}

static vq_status make_axis(vq_context *ctx, int64_t stored, int64_t full, int64_t begin,
                           int64_t wanted, axis *a)
{
    const double scale = (double)stored / (double)full;
    const double reach = scale > 1.0 ? scale : 1.0;
    a->taps = 2 * (size_t)ceil(reach) + 1;
    VQ_TRY(VQ_NEW(ctx, wanted, &a->first));
    VQ_TRY(VQ_NEW(ctx, wanted, &a->count));
    VQ_TRY(VQ_NEW(ctx, (size_t)wanted * a->taps, &a->weights));
    VQ_TRY(VQ_NEW(ctx, a->taps, &a->exact));
    for (int64_t i = 0; i < wanted; i++)
        weigh_position(a, (size_t)i, ((double)(begin + i) + 0.5) * scale, reach, stored);
    return VQ_OK;
}

static uint8_t weigh(const uint8_t *from, size_t stride, const int32_t *weights, int64_t count)
{
    int64_t sum = 1 << (WEIGHT_BITS - 1); /* rounds */
    for (int64_t j = 0; j < count; j++) sum += (int64_t)from[(size_t)j * stride] * weights[j];
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

static void scale_row(const uint8_t *row, size_t channels, const axis *columns, size_t width,
                      uint8_t *to)
{
    for (size_t x = 0; x < width; x++) {
        const uint8_t *from = row + (size_t)columns->first[x] * channels;
        for (size_t c = 0; c < channels; c++)
            *to++ =
                weigh(from + c, channels, columns->weights + x * columns->taps, columns->count[x]);
    }
}

static void scale_columns(const uint8_t *rows, size_t row_size, const axis *a, int64_t first_row,
                          size_t height, uint8_t *to)
{
    for (size_t y = 0; y < height; y++) {
        const uint8_t *from = rows + (size_t)(a->first[y] - first_row) * row_size;
        for (size_t x = 0; x < row_size; x++)
            *to++ = weigh(from + x, row_size, a->weights + y * a->taps, a->count[y]);
    }
}

vq_status vq_resize(vq_context *ctx, const vq_image *from, vq_window window, uint8_t *out)
{
    vq_status status = VQ_OK;
    axis columns = {0}, rows = {0};
    uint8_t *between = NULL; /* the stored rows that matter, columns already scaled */
    const size_t channels = (size_t)from->channels, width = (size_t)window.width;
    const size_t height = (size_t)window.height, row_size = width * channels;
    VQ_TRY_TO(make_axis(ctx, from->width, window.full_width, window.left, window.width, &columns));
    VQ_TRY_TO(make_axis(ctx, from->height, window.full_height, window.top, window.height, &rows));
    const int64_t first = rows.first[0];
    const int64_t n_rows = rows.first[height - 1] + rows.count[height - 1] - first;
    VQ_TRY_TO(vq_alloc(ctx, (size_t)n_rows, row_size, (void **)&between));
    for (int64_t y = 0; y < n_rows; y++)
        scale_row(from->pixels + (size_t)((first + y) * from->width) * channels, channels, &columns,
                  width, between + (size_t)y * row_size);
    scale_columns(between, row_size, &rows, first, height, out);
done:
    vq_release(ctx, between);
    release_axis(ctx, &rows);
    release_axis(ctx, &columns);
    return status;
}

static int64_t scaled(int64_t size, int64_t numerator, int64_t denominator, int64_t least)
{
    const int64_t result = (size * numerator + denominator / 2) / denominator;
    return result < least ? least : result;
}

vq_window vq_window_cover(const vq_image *from, int64_t height, int64_t width)
{
    vq_window w = {.full_height = height, .full_width = width, .height = height, .width = width};
    if (width * from->height >= height * from->width)
        w.full_height = scaled(from->height, width, from->width, height);
    else w.full_width = scaled(from->width, height, from->height, width);
    w.top = (w.full_height - height) / 2;
    w.left = (w.full_width - width) / 2;
    return w;
}
