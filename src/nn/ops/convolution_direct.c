/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_direct.c -- a convolution and its adjoint as correlations.
 *
 * With images padded by zeros the numbers under one row of the kernel lie side by side, and C is
 * one correlation (kernels/correlate.h) over all places of the map. Its adjoint takes to a number
 * of the image, in row y, all taps r of map rows oh with stride*oh + r = y + top: those r that
 * leave the same remainder as y + top. So images fall into stride x stride classes of places, and
 * each class is a correlation on the padded map with every stride-th tap, in descending order.
 *
 * Work is cut into blocks of places whose input fits a part of the second-level cache: a thread
 * copies it there with its padding, unless there is none. Neither blocks nor threads change a
 * chain. */
#include <string.h>

#include "base/parallel.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"
#include "nn/ops/correlate.h"

enum {
    COPY_MAX = 48 << 10, /* numbers of a block's input */
    PLACES_MAX = 1024    /* of a block's output, where one row has no more */
};

/* One axis of the places of one class. */
typedef struct axis {
    size_t first, step, count; /* place j of the class is first + j * step of the result */
    ptrdiff_t at;              /* what tap 0 of place 0 reads; may lie in the padding */
    size_t at_step, taps;
    ptrdiff_t tap, tap_step; /* tap t is number tap + t * tap_step of the kernel */
} axis;

/* The two sides of C, as source and result. Where all classes have no more channels than a panel,
 * they are joined to one: its places are cells of stride x stride places of the result, its lanes
 * (row in the cell, column in the cell, channel), its taps those of all classes, and weights of
 * taps that a class does not have are 0. */
typedef struct sides {
    const vq_convolution *c;
    vq_conv_direction direction;
    const size_t *from, *to;
    size_t in, out;
    size_t classes[2], cell[2];
    bool joined;
    size_t lanes; /* output channels of a class */
} sides;

static sides sides_of(const vq_convolution *c, vq_conv_direction direction)
{
    if (direction == VQ_CONV_APPLY)
        return (sides){.c = c,
                       .direction = direction,
                       .from = c->image,
                       .to = c->map,
                       .in = c->in,
                       .out = c->out,
                       .classes = {1, 1},
                       .cell = {1, 1},
                       .lanes = c->out};
    sides s = {.c = c,
               .direction = direction,
               .from = c->map,
               .to = c->image,
               .in = c->out,
               .out = c->in,
               .classes = {c->stride[0], c->stride[1]},
               .cell = {1, 1},
               .lanes = c->in};
    const size_t area = c->stride[0] * c->stride[1];
    s.joined = area > 1 && area <= VQ_PANEL && area * c->in <= VQ_PANEL;
    if (!s.joined) return s;
    for (int i = 0; i < 2; i++) {
        s.cell[i] = c->stride[i];
        s.classes[i] = 1;
    }
    s.lanes = area * c->in;
    return s;
}

/* A class as it is before classes are joined. */
static axis class_axis(const sides *s, int i, size_t class)
{
    const size_t stride = s->c->stride[i], kernel = s->c->kernel[i], pad = s->c->pad[i];
    axis a = {.step = 1,
              .count = s->to[i],
              .at = -(ptrdiff_t)pad,
              .at_step = stride,
              .taps = kernel,
              .tap_step = 1};
    if (s->direction == VQ_CONV_APPLY) return a;
    a.first = (class + stride - pad % stride) % stride;
    a.step = stride;
    a.count = a.first < s->to[i] ? (s->to[i] - a.first - 1) / stride + 1 : 0;
    a.taps = class < kernel ? (kernel - class - 1) / stride + 1 : 0;
    a.at = (ptrdiff_t)((a.first + pad) / stride) - (ptrdiff_t)a.taps + 1;
    a.at_step = 1;
    a.tap = (ptrdiff_t)(class + a.taps * stride) - (ptrdiff_t)stride;
    a.tap_step = -(ptrdiff_t)stride;
    return a;
}

/* The class of the places that are `at` in their cells. */
static axis cell_axis(const sides *s, int i, size_t at)
{
    return class_axis(s, i, (at + s->c->pad[i]) % s->c->stride[i]);
}

static axis axis_of(const sides *s, int i, size_t class)
{
    if (!s->joined) return class_axis(s, i, class);
    axis all = cell_axis(s, i, 0);
    ptrdiff_t end = all.at + (ptrdiff_t)all.taps;
    for (size_t at = 1; at < s->cell[i]; at++) {
        const axis one = cell_axis(s, i, at);
        const ptrdiff_t one_end = one.at + (ptrdiff_t)one.taps;
        if (one.at < all.at) all.at = one.at;
        if (one_end > end) end = one_end;
    }
    all.taps = (size_t)(end - all.at);
    return all;
}

/* The kernel's number of tap t of an axis for places that are `at` in their cells; -1: none. */
static ptrdiff_t kernel_tap(const sides *s, int i, const axis *a, size_t at, size_t t)
{
    if (!s->joined) return a->tap + (ptrdiff_t)t * a->tap_step;
    const axis one = cell_axis(s, i, at);
    const ptrdiff_t own = (ptrdiff_t)t + a->at - one.at;
    return own >= 0 && own < (ptrdiff_t)one.taps ? one.tap + own * one.tap_step : -1;
}

/* ---- weights ------------------------------------------------------------------ */

typedef struct pack_job {
    const sides *sides;
    axis rows, columns;
    const real *from;
    real *to;
} pack_job;

static size_t depth_of(const pack_job *job)
{
    return job->rows.taps * job->columns.taps * job->sides->in;
}

/* Where the weights of a lane under one tap begin, those of input channel 0; NULL: they are 0. */
static const real *lane_weights(const pack_job *job, size_t lane, size_t tap)
{
    const sides *s = job->sides;
    const size_t *kernel = s->c->kernel, area = kernel[0] * kernel[1];
    const size_t o = lane % s->out, cell = lane / s->out;
    if (lane >= s->lanes) return NULL;
    const ptrdiff_t r = kernel_tap(s, 0, &job->rows, cell / s->cell[1], tap / job->columns.taps);
    const ptrdiff_t q = kernel_tap(s, 1, &job->columns, cell % s->cell[1], tap % job->columns.taps);
    if (r < 0 || q < 0) return NULL;
    const size_t step = s->direction == VQ_CONV_APPLY ? s->in * area : area;
    return job->from + o * step + (size_t)r * kernel[1] + (size_t)q;
}

/* Item: a tap of a panel. */
static void pack_range(void *arg, size_t begin, size_t end, int thread)
{
    const pack_job *job = arg;
    const sides *s = job->sides;
    const size_t taps = job->rows.taps * job->columns.taps;
    const size_t area = s->c->kernel[0] * s->c->kernel[1];
    const size_t step = s->direction == VQ_CONV_APPLY ? area : s->out * area;
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t panel = item / taps, tap = item % taps;
        real *to = job->to + (panel * depth_of(job) + tap * s->in) * VQ_PANEL;
        for (size_t lane = 0; lane < VQ_PANEL; lane++) {
            const real *from = lane_weights(job, panel * VQ_PANEL + lane, tap);
            for (size_t i = 0; i < s->in; i++) to[i * VQ_PANEL + lane] = from ? from[i * step] : 0;
        }
    }
}

static size_t panels_of(const sides *s)
{
    return vq_panels_size(s->lanes, 1) / VQ_PANEL;
}

size_t vq_convolution_packed_size(const vq_convolution *c, vq_conv_direction direction)
{
    const sides s = sides_of(c, direction);
    size_t depth = 1; /* the bias */
    for (size_t class = 0; class < s.classes[0] * s.classes[1]; class ++)
        depth += axis_of(&s, 0, class / s.classes[1]).taps *
                 axis_of(&s, 1, class % s.classes[1]).taps * s.in;
    return vq_panels_size(s.lanes, depth) * sizeof(real);
}

void vq_convolution_pack(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                         const real *weight, const real *bias, void *packed)
{
    const sides s = sides_of(c, direction);
    pack_job job = {.sides = &s, .from = weight, .to = packed};
    const size_t padded = panels_of(&s) * VQ_PANEL;
    for (size_t o = 0; o < padded; o++) job.to[o] = bias && o < s.lanes ? bias[o % s.out] : 0;
    job.to += padded;
    for (size_t class = 0; class < s.classes[0] * s.classes[1]; class ++) {
        job.rows = axis_of(&s, 0, class / s.classes[1]);
        job.columns = axis_of(&s, 1, class % s.classes[1]);
        const size_t items = panels_of(&s) * job.rows.taps * job.columns.taps;
        vq_parallel_for(ctx, items, 1 + VQ_ELEMENT_GRAIN / (VQ_PANEL * s.in), pack_range, &job);
        job.to += panels_of(&s) * depth_of(&job) * VQ_PANEL;
    }
}

/* ---- blocks ------------------------------------------------------------------- */

/* What places [begin, end) of an axis of the result read: [low, high) of the source. */
typedef struct span {
    ptrdiff_t low, high;
} span;

/* Places of the class among [begin, end) of the result are [first, last). */
typedef struct places {
    size_t first, last;
} places;

static places places_in(const axis *a, size_t begin, size_t end)
{
    places p = {begin > a->first ? (begin - a->first - 1) / a->step + 1 : 0,
                end > a->first ? (end - a->first - 1) / a->step + 1 : 0};
    if (p.last > a->count) p.last = a->count;
    if (p.first > p.last) p.first = p.last;
    return p;
}

static span span_of(const sides *s, int i, size_t begin, size_t end)
{
    span all = {0, 0};
    bool any = false;
    for (size_t class = 0; class < s->classes[i]; class ++) {
        const axis a = axis_of(s, i, class);
        const places p = places_in(&a, begin, end);
        if (p.first == p.last || a.taps == 0) continue;
        const ptrdiff_t low = a.at + (ptrdiff_t)(p.first * a.at_step);
        const ptrdiff_t high = a.at + (ptrdiff_t)((p.last - 1) * a.at_step + a.taps);
        if (!any || low < all.low) all.low = low;
        if (!any || high > all.high) all.high = high;
        any = true;
    }
    return all;
}

/* How the result is cut: blocks of whole images, or of some rows of one. */
typedef struct cut {
    size_t images, rows;   /* of a block */
    size_t pieces, blocks; /* of an image of the result (1 where blocks have several); in all */
    size_t source_rows;    /* at most, of one image */
    size_t source_width;
    span columns;
    bool copies; /* padding is needed, or `from` is read through a function */
} cut;

static size_t ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Rows of the source that so many rows of the result may read. */
static size_t rows_read(const sides *s, size_t rows)
{
    const size_t stride = s->c->stride[0], kernel = s->c->kernel[0];
    if (s->direction == VQ_CONV_APPLY) return (rows - 1) * stride + kernel;
    return ceil_div(rows, stride) + ceil_div(kernel, stride);
}

static cut cut_of(const vq_context *ctx, const sides *s, bool relu_from)
{
    const size_t threads = (size_t)ctx->threads, images = s->c->images, height = s->to[0];
    const span all = span_of(s, 0, 0, height);
    cut b = {.images = 1, .rows = height, .columns = span_of(s, 1, 0, s->to[1])};
    b.copies = relu_from || all.low < 0 || all.high > (ptrdiff_t)s->from[0] || b.columns.low < 0 ||
               b.columns.high > (ptrdiff_t)s->from[1];
    b.source_width = b.copies ? (size_t)(b.columns.high - b.columns.low) : s->from[1];
    const size_t line = (b.source_width ? b.source_width : 1) * s->in;
    if (images < threads) b.rows = ceil_div(height, ceil_div(threads, images));
    while (b.rows > s->cell[0] &&
           (rows_read(s, b.rows) * line > COPY_MAX || b.rows * s->to[1] > PLACES_MAX))
        b.rows = ceil_div(b.rows, 2);
    b.rows = smaller(height, ceil_div(b.rows, s->cell[0]) * s->cell[0]); /* no cell is cut */
    if (b.rows == height) {
        b.images =
            smaller(COPY_MAX / (rows_read(s, height) * line), PLACES_MAX / (height * s->to[1]));
        b.images = smaller(b.images ? b.images : 1, ceil_div(images, threads));
    }
    b.pieces = ceil_div(height, b.rows);
    b.blocks = ceil_div(images, b.images) * b.pieces;
    b.source_rows = rows_read(s, b.rows);
    return b;
}

typedef struct scratch_parts {
    real *copy;  /* of each thread */
    real *cells; /* of each thread: a panel for every place, where classes are joined */
    size_t *in_at, *out_at;
    size_t copy_size, places;
} scratch_parts;

/* With arena.base NULL this measures; the same calls then bind. */
static scratch_parts scratch_of(const vq_context *ctx, const sides *s, const cut *b,
                                vq_arena *arena)
{
    const size_t threads = (size_t)ctx->threads;
    scratch_parts parts = {.places = b->images * ceil_div(b->rows, s->cell[0]) *
                                     ceil_div(s->to[1], s->cell[1])};
    if (b->copies) parts.copy_size = b->images * b->source_rows * b->source_width * s->in;
    parts.copy = vq_arena_get(arena, threads * parts.copy_size, sizeof(real));
    parts.cells =
        vq_arena_get(arena, s->joined ? threads * parts.places * VQ_PANEL : 0, sizeof(real));
    parts.in_at = vq_arena_get(arena, threads * parts.places, sizeof(size_t));
    parts.out_at = vq_arena_get(arena, threads * parts.places, sizeof(size_t));
    return parts;
}

size_t vq_convolution_scratch(const vq_context *ctx, const vq_convolution *c,
                              vq_conv_direction direction, bool relu_from)
{
    vq_arena arena = {0};
    const sides s = sides_of(c, direction);
    const cut b = cut_of(ctx, &s, relu_from);
    (void)scratch_of(ctx, &s, &b, &arena);
    return arena.used;
}

/* ---- running ------------------------------------------------------------------ */

typedef struct direct_job {
    const vq_kernels *kernels;
    const sides *sides;
    const cut *cut;
    const vq_conv_arrays_real *arrays;
    scratch_parts scratch;
} direct_job;

/* The part of the result that is computed at a time, and where its source lies. */
typedef struct block {
    size_t image, images, row, row_end;
    span rows;          /* of the source */
    const real *source; /* row rows.low, column columns.low of the first image */
    size_t source_rows; /* from image to image */
    real *copy, *cells;
    size_t *in_at, *out_at;
} block;

static void copy_numbers(const real *from, size_t count, bool relu, real *to)
{
    if (!relu) memcpy(to, from, count * sizeof *to);
    else
        for (size_t i = 0; i < count; i++) to[i] = from[i] < 0 ? 0 : from[i];
}

/* One padded row; `from` is NULL outside the image. */
static void copy_row(const direct_job *job, const real *from, real *to)
{
    const sides *s = job->sides;
    const span *x = &job->cut->columns;
    const size_t left = x->low < 0 ? (size_t)-x->low * s->in : 0;
    const size_t skip = x->low > 0 ? (size_t)x->low * s->in : 0;
    const size_t all = (size_t)(x->high - x->low) * s->in;
    const size_t there = s->from[1] * s->in > skip ? s->from[1] * s->in - skip : 0;
    if (!from || left >= all) {
        memset(to, 0, all * sizeof *to);
        return;
    }
    const size_t count = smaller(there, all - left);
    memset(to, 0, left * sizeof *to);
    copy_numbers(from + skip, count, job->arrays->relu_from, to + left);
    memset(to + left + count, 0, (all - left - count) * sizeof *to);
}

static void place_source(const direct_job *job, block *b)
{
    const sides *s = job->sides;
    const size_t row = s->from[1] * s->in, height = s->from[0];
    const real *first = job->arrays->from + b->image * height * row;
    if (!job->cut->copies) {
        b->source = first + (size_t)b->rows.low * row + (size_t)job->cut->columns.low * s->in;
        b->source_rows = height;
        return;
    }
    const size_t width = job->cut->source_width * s->in;
    b->source = b->copy;
    b->source_rows = (size_t)(b->rows.high - b->rows.low);
    for (size_t n = 0; n < b->images; n++)
        for (size_t i = 0; i < b->source_rows; i++) {
            const ptrdiff_t y = b->rows.low + (ptrdiff_t)i;
            const bool inside = y >= 0 && y < (ptrdiff_t)height;
            copy_row(job, inside ? first + (n * height + (size_t)y) * row : NULL,
                     b->copy + (n * b->source_rows + i) * width);
        }
}

/* Fills in where the places of one class read and write; returns how many there are. */
static size_t place_class(const direct_job *job, const block *b, const axis *rows,
                          const axis *columns)
{
    const sides *s = job->sides;
    const places y = places_in(rows, b->row, b->row_end);
    const size_t in_row = job->cut->source_width * s->in, out_row = s->to[1] * s->out;
    size_t count = 0;
    for (size_t n = 0; n < b->images; n++)
        for (size_t j = y.first; j < y.last; j++) {
            const ptrdiff_t top = rows->at + (ptrdiff_t)(j * rows->at_step) - b->rows.low;
            const size_t in = (n * b->source_rows + (size_t)(rows->taps ? top : 0)) * in_row;
            const size_t out = (n * s->to[0] + rows->first + j * rows->step) * out_row;
            for (size_t i = 0; i < columns->count; i++, count++) {
                const ptrdiff_t left =
                    columns->at + (ptrdiff_t)(i * columns->at_step) - job->cut->columns.low;
                b->in_at[count] = in + (size_t)(columns->taps ? left : 0) * s->in;
                b->out_at[count] = out + (columns->first + i * columns->step) * s->out;
                if (s->joined) b->out_at[count] = count * VQ_PANEL;
            }
        }
    return count;
}

static const real *offset(const real *array, size_t at)
{
    return array ? array + at : NULL;
}

/* A number of the result from its finished chain. */
static void finish(const vq_conv_arrays_real *arrays, real x, size_t at)
{
    if (arrays->add) x += arrays->to[at];
    if (arrays->mask) x = arrays->mask[at] > 0 ? x : 0;
    if (arrays->residual) x += arrays->residual[at];
    arrays->to[at] = arrays->relu && x < 0 ? 0 : x;
}

/* One row of cells, of which row `at` belongs to a row of the result. */
static void spread_row(const direct_job *job, const real *cells, size_t at, size_t to)
{
    const sides *s = job->sides;
    const size_t run = s->cell[1] * s->out, width = s->to[1] * s->out;
    for (size_t x = 0; x < width; x += run, cells += VQ_PANEL)
        for (size_t j = 0; j < run && x + j < width; j++)
            finish(job->arrays, cells[at * run + j], to + x + j);
}

static void spread_cells(const direct_job *job, const block *b)
{
    const sides *s = job->sides;
    const size_t line = ceil_div(s->to[1], s->cell[1]) * VQ_PANEL;
    const real *cells = b->cells;
    for (size_t n = 0; n < b->images; n++)
        for (size_t y = b->row; y < b->row_end; y += s->cell[0], cells += line)
            for (size_t at = 0; at < s->cell[0] && y + at < b->row_end; at++)
                spread_row(job, cells, at,
                           ((b->image + n) * s->to[0] + y + at) * s->to[1] * s->out);
}

static void run_block(const direct_job *job, block *b)
{
    const sides *s = job->sides;
    const vq_conv_arrays_real *arrays = job->arrays;
    const size_t padded = panels_of(s) * VQ_PANEL, image = b->image * s->to[0] * s->to[1] * s->out;
    vq_correlation_real c = {.tap_step = job->cut->source_width * s->in,
                             .channels = s->lanes,
                             .in = b->source,
                             .in_at = b->in_at,
                             .out = arrays->to + image,
                             .out_at = b->out_at,
                             .bias = arrays->packed,
                             .add = arrays->add,
                             .mask = offset(arrays->mask, image),
                             .residual = offset(arrays->residual, image),
                             .relu = arrays->relu};
    if (s->joined)
        c = (vq_correlation_real){.tap_step = c.tap_step,
                                  .channels = VQ_PANEL,
                                  .in = c.in,
                                  .in_at = c.in_at,
                                  .out = b->cells,
                                  .out_at = c.out_at,
                                  .bias = c.bias};
    c.weights = c.bias + padded;
    for (size_t class = 0; class < s->classes[0] * s->classes[1]; class ++) {
        const axis rows = axis_of(s, 0, class / s->classes[1]);
        const axis columns = axis_of(s, 1, class % s->classes[1]);
        c.taps = columns.taps ? rows.taps : 0;
        c.run = columns.taps * s->in;
        c.places = place_class(job, b, &rows, &columns);
        vq_correlate_real(job->kernels, &c);
        if (s->joined) spread_cells(job, b);
        c.weights += padded * rows.taps * columns.taps * s->in;
    }
}

static void run_blocks(void *arg, size_t begin, size_t end, int thread)
{
    const direct_job *job = arg;
    const sides *s = job->sides;
    const size_t at = (size_t)thread, pieces = job->cut->pieces;
    for (size_t i = begin; i < end; i++) {
        block b = {.image = i / pieces * job->cut->images, .row = i % pieces * job->cut->rows};
        b.images = smaller(job->cut->images, s->c->images - b.image);
        b.row_end = smaller(b.row + job->cut->rows, s->to[0]);
        b.rows = span_of(s, 0, b.row, b.row_end);
        b.copy = job->scratch.copy + at * job->scratch.copy_size;
        b.cells = job->scratch.cells + (s->joined ? at * job->scratch.places * VQ_PANEL : 0);
        b.in_at = job->scratch.in_at + at * job->scratch.places;
        b.out_at = job->scratch.out_at + at * job->scratch.places;
        place_source(job, &b);
        run_block(job, &b);
    }
}

void vq_convolution_run(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                        const vq_conv_arrays_real *arrays, void *scratch)
{
    vq_arena arena = {.base = scratch, .capacity = SIZE_MAX};
    const sides s = sides_of(c, direction);
    const cut b = cut_of(ctx, &s, arrays->relu_from);
    direct_job job = {.kernels = vq_kernels_of(ctx),
                      .sides = &s,
                      .cut = &b,
                      .arrays = arrays,
                      .scratch = scratch_of(ctx, &s, &b, &arena)};
    vq_parallel_for(ctx, b.blocks, 1, run_blocks, &job);
}
