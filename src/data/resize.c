/* SPDX-License-Identifier: Apache-2.0
 * data/resize.c -- separable scaling by a filter k of support r
 *   out[i] = sum_j w(j - c_i) in[j],  c_i = (i + 1/2) s - 1/2,  s = n_in / n_out
 *   w(d)   = k(d / max(s, 1)), made to sum to one
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

/* ---- filters ----------------------------------------------------------------- */

static double box(double d)
{
    return d > -0.5 && d <= 0.5 ? 1.0 : 0.0; /* a pixel on the border counts on one side */
}

static double triangle(double d)
{
    const double x = fabs(d);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 15: a = -1/2. */
static double cubic(double d)
{
    const double a = -0.5, x = fabs(d);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double sinc(double d)
{
    const double x = d * 3.14159265358979323846;
    return x == 0.0 ? 1.0 : sin(x) / x;
}

/* Duchon 1979: the sinc under the middle lobe of a sinc three times as wide. */
static double lanczos(double d)
{
    return d >= -3.0 && d < 3.0 ? sinc(d) * sinc(d / 3.0) : 0.0;
}

typedef struct filter_kind {
    double (*at)(double d);
    double support;
} filter_kind;

static const filter_kind filters[] = {
    [VQ_FILTER_BILINEAR] = {triangle, 1.0},
    [VQ_FILTER_BICUBIC] = {cubic, 2.0},
    [VQ_FILTER_LANCZOS] = {lanczos, 3.0},
    [VQ_FILTER_BOX] = {box, 0.5},
};

/* ---- weights ----------------------------------------------------------------- */

static int32_t fixed_point(double weight)
{
    return (int32_t)(weight * (double)(1 << WEIGHT_BITS) + (weight < 0.0 ? -0.5 : 0.5));
}

static void weigh_position(axis *a, size_t i, const filter_kind *filter, double centre,
                           double widened, int64_t stored)
{
    const double reach = filter->support * widened;
    int64_t first = (int64_t)(centre - reach + 0.5), last = (int64_t)(centre + reach + 0.5);
    double sum = 0.0;
    if (centre - reach + 0.5 < 0.0) first = 0;
    if (last > stored) last = stored;
    for (int64_t j = first; j < last; j++) {
        a->exact[j - first] = filter->at(((double)j + 0.5 - centre) / widened);
        sum += a->exact[j - first];
    }
    a->first[i] = first;
    a->count[i] = last - first;
    for (int64_t j = 0; j < last - first; j++)
        a->weights[i * a->taps + (size_t)j] = fixed_point(a->exact[j] / sum);
}

static vq_status make_axis(vq_context *ctx, const filter_kind *filter, int64_t stored, int64_t full,
                           int64_t begin, int64_t wanted, axis *a)
{
    const double scale = (double)stored / (double)full;
    const double widened = scale > 1.0 ? scale : 1.0;
    a->taps = 2 * (size_t)ceil(filter->support * widened) + 1;
    VQ_TRY(VQ_NEW(ctx, wanted, &a->first));
    VQ_TRY(VQ_NEW(ctx, wanted, &a->count));
    VQ_TRY(VQ_NEW(ctx, (size_t)wanted * a->taps, &a->weights));
    VQ_TRY(VQ_NEW(ctx, a->taps, &a->exact));
    for (int64_t i = 0; i < wanted; i++)
        weigh_position(a, (size_t)i, filter, ((double)(begin + i) + 0.5) * scale, widened, stored);
    return VQ_OK;
}

/* ---- the two passes ------------------------------------------------------------ */

/* Weights may be negative, so a sum may leave 0..255 at sharp edges. */
static uint8_t weigh(const uint8_t *from, size_t stride, const int32_t *weights, int64_t count)
{
    int64_t sum = 1 << (WEIGHT_BITS - 1); /* rounds */
    for (int64_t j = 0; j < count; j++) sum += (int64_t)from[(size_t)j * stride] * weights[j];
    if (sum < 0) return 0;
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* Pixels in memory: where they begin, how many bytes lie between rows. */
typedef struct raster {
    const uint8_t *pixels;
    size_t pitch;
} raster;

/* First and number of the stored positions that any wanted one looks at. */
static int64_t reach_of(const axis *a, size_t wanted, int64_t *count)
{
    *count = a->first[wanted - 1] + a->count[wanted - 1] - a->first[0];
    return a->first[0];
}

/* Every wanted column of n_rows rows; stored column `origin` is the first of a row. */
static void mix_columns(raster from, int64_t origin, size_t n_rows, size_t channels, const axis *a,
                        size_t width, uint8_t *to)
{
    for (size_t y = 0; y < n_rows; y++)
        for (size_t x = 0; x < width; x++) {
            const uint8_t *at =
                from.pixels + y * from.pitch + (size_t)(a->first[x] - origin) * channels;
            for (size_t c = 0; c < channels; c++)
                *to++ = weigh(at + c, channels, a->weights + x * a->taps, a->count[x]);
        }
}

/* Every wanted row, each of row_size bytes; stored row `origin` is the first. */
static void mix_rows(raster from, int64_t origin, size_t row_size, const axis *a, size_t height,
                     uint8_t *to)
{
    for (size_t y = 0; y < height; y++) {
        const uint8_t *at = from.pixels + (size_t)(a->first[y] - origin) * from.pitch;
        for (size_t x = 0; x < row_size; x++)
            *to++ = weigh(at + x, from.pitch, a->weights + y * a->taps, a->count[y]);
    }
}

static vq_status columns_then_rows(vq_context *ctx, const vq_image *from, const axis *columns,
                                   const axis *rows, vq_window window, uint8_t *out)
{
    const size_t channels = (size_t)from->channels, pitch = (size_t)from->width * channels;
    const size_t row_size = (size_t)window.width * channels;
    int64_t n_rows;
    const int64_t first = reach_of(rows, (size_t)window.height, &n_rows);
    uint8_t *between = NULL;
    VQ_TRY(vq_alloc(ctx, (size_t)n_rows, row_size, (void **)&between));
    mix_columns((raster){from->pixels + (size_t)first * pitch, pitch}, 0, (size_t)n_rows, channels,
                columns, (size_t)window.width, between);
    mix_rows((raster){between, row_size}, first, row_size, rows, (size_t)window.height, out);
    vq_release(ctx, between);
    return VQ_OK;
}

static vq_status rows_then_columns(vq_context *ctx, const vq_image *from, const axis *columns,
                                   const axis *rows, vq_window window, uint8_t *out)
{
    const size_t channels = (size_t)from->channels, pitch = (size_t)from->width * channels;
    int64_t n_columns;
    const int64_t first = reach_of(columns, (size_t)window.width, &n_columns);
    const size_t row_size = (size_t)n_columns * channels;
    uint8_t *between = NULL;
    VQ_TRY(vq_alloc(ctx, (size_t)window.height, row_size, (void **)&between));
    mix_rows((raster){from->pixels + (size_t)first * channels, pitch}, 0, row_size, rows,
             (size_t)window.height, between);
    mix_columns((raster){between, row_size}, first, (size_t)window.height, channels, columns,
                (size_t)window.width, out);
    vq_release(ctx, between);
    return VQ_OK;
}

/* Rounding between the passes makes their order visible. It is that of Pillow 13, found by
 * trying: rows first where the height shrinks by more than twice of what the width does. */
static bool rows_come_first(const vq_image *from, vq_window window)
{
    const int64_t lower = from->height - window.full_height;
    return lower > 0 && lower > 2 * (from->width - window.full_width);
}

vq_status vq_resize(vq_context *ctx, const vq_image *from, vq_data_filter filter, vq_window window,
                    uint8_t *out)
{
    const filter_kind *kind = &filters[filter];
    vq_status status = VQ_OK;
    axis columns = {0}, rows = {0};
    VQ_TRY_TO(
        make_axis(ctx, kind, from->width, window.full_width, window.left, window.width, &columns));
    VQ_TRY_TO(
        make_axis(ctx, kind, from->height, window.full_height, window.top, window.height, &rows));
    if (rows_come_first(from, window))
        VQ_TRY_TO(rows_then_columns(ctx, from, &columns, &rows, window, out));
    else VQ_TRY_TO(columns_then_rows(ctx, from, &columns, &rows, window, out));
done:
    release_axis(ctx, &rows);
    release_axis(ctx, &columns);
    return status;
}
