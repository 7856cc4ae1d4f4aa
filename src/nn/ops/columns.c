/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/columns.c -- the column matrix of an image, and its adjoint.
 *
 * For one place of the map and one row r of the kernel, the numbers (s, i) lie together both
 * in the image and in the columns; so both directions move runs of up to kw * in numbers. */
#include <string.h>

#include "base/parallel.h"
#include "nn/ops/convolution.h"

typedef struct columns_job {
    const vq_convolution *c;
    size_t begin, end; /* map rows whose columns are in memory */
    const real *from;
    real *to;
} columns_job;

/* Part of the kernel's row that lies inside the image: taps [first, last) of place ow; tap
 * `first` reads column x. */
typedef struct run {
    size_t first, last, x;
} run;

static run run_at(const vq_convolution *c, size_t ow)
{
    const size_t at = ow * c->stride[1]; /* column of tap 0, plus left */
    const size_t right = c->width + c->left;
    run taps = {.first = at < c->left ? c->left - at : 0, .last = c->kernel[1]};
    if (at >= right) taps.last = taps.first;
    else if (at + taps.last > right) taps.last = right - at;
    if (taps.last < taps.first) taps.last = taps.first;
    taps.x = at + taps.first - c->left;
    return taps;
}

/* One kernel row of one place: zeros outside the image. `row` is NULL where all is outside. */
static void gather_run(const vq_convolution *c, size_t ow, const real *row, real *to)
{
    const run taps = run_at(c, ow);
    const size_t all = c->kernel[1] * c->in;
    if (!row || taps.first == taps.last) {
        memset(to, 0, all * sizeof *to);
        return;
    }
    const size_t first = taps.first * c->in, last = taps.last * c->in;
    if (first) memset(to, 0, first * sizeof *to);
    memcpy(to + first, row + taps.x * c->in, (last - first) * sizeof *to);
    if (last < all) memset(to + last, 0, (all - last) * sizeof *to);
}

static void gather_rows(void *arg, size_t begin, size_t end, int thread)
{
    const columns_job *job = arg;
    const vq_convolution *c = job->c;
    (void)thread;
    for (size_t at = begin; at < end; at++) {
        const size_t image = (job->begin + at) / c->map_height;
        const size_t oh = (job->begin + at) % c->map_height;
        for (size_t ow = 0; ow < c->map_width; ow++) {
            real *to = job->to + (at * c->map_width + ow) * c->depth;
            for (size_t r = 0; r < c->kernel[0]; r++, to += c->kernel[1] * c->in) {
                const size_t y = oh * c->stride[0] + r; /* plus top */
                const bool inside = y >= c->top && y - c->top < c->height;
                const real *row =
                    inside ? job->from + (image * c->height + y - c->top) * c->width * c->in : NULL;
                gather_run(c, ow, row, to);
            }
        }
    }
}

void vq_columns_gather(vq_context *ctx, const vq_convolution *c, size_t begin, size_t end,
                       const real *image, real *columns)
{
    columns_job job = {.c = c, .begin = begin, .end = end, .from = image, .to = columns};
    const size_t row = c->map_width * c->depth;
    vq_parallel_for(ctx, end - begin, 1 + 32768 / (row + 1), gather_rows, &job);
}

/* Adds to one row of the image what kernel row r of one row of places gives. */
static void scatter_row(const vq_convolution *c, const real *columns, real *row)
{
    for (size_t ow = 0; ow < c->map_width; ow++) {
        const run taps = run_at(c, ow);
        const real *from = columns + ow * c->depth + taps.first * c->in;
        real *to = row + taps.x * c->in;
        const size_t count = (taps.last - taps.first) * c->in;
        for (size_t i = 0; i < count; i++) to[i] += from[i];
    }
}

static void scatter_rows(void *arg, size_t begin, size_t end, int thread)
{
    const columns_job *job = arg;
    const vq_convolution *c = job->c;
    const size_t first_image = job->begin / c->map_height;
    (void)thread;
    for (size_t at = begin; at < end; at++) {
        const size_t image = first_image + at / c->height;
        const size_t y = at % c->height + c->top;
        real *row = job->to + (first_image * c->height + at) * c->width * c->in;
        /* Kernel row y - oh*sh of place oh reads this row of the image. */
        const size_t reach = c->kernel[0] - 1;
        size_t oh = y < reach ? 0 : (y - reach + c->stride[0] - 1) / c->stride[0];
        for (; oh < c->map_height && oh * c->stride[0] <= y; oh++) {
            const size_t place = image * c->map_height + oh;
            if (place < job->begin || place >= job->end) continue;
            const size_t r = y - oh * c->stride[0];
            scatter_row(c,
                        job->from + (place - job->begin) * c->map_width * c->depth +
                            r * c->kernel[1] * c->in,
                        row);
        }
    }
}

void vq_columns_scatter(vq_context *ctx, const vq_convolution *c, size_t begin, size_t end,
                        const real *columns, real *image)
{
    columns_job job = {.c = c, .begin = begin, .end = end, .from = columns, .to = image};
    if (begin == end) return;
    const size_t images = (end - 1) / c->map_height - begin / c->map_height + 1;
    vq_parallel_for(ctx, images * c->height, 1, scatter_rows, &job);
}
