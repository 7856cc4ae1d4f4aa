/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_direct.c -- a convolution and its adjoint as correlations.
 *
 * Work is cut into blocks of places whose input fits a part of the second-level cache: a thread
 * copies it there where it needs padding, is read through a relu or is rounded to bf16. Neither
 * blocks nor threads change a chain. */
#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution_sides.h"
#include "nn/ops/correlate.h"

/* ---- blocks ------------------------------------------------------------------- */

/* What places [begin, end) of an axis of the result read: [low, high) of the source. */
typedef struct span {
    ptrdiff_t low, high;
} span;

/* Places of the class among [begin, end) of the result are [first, last). */
typedef struct places {
    size_t first, last;
} places;

static places places_in(const vq_axis *a, size_t begin, size_t end)
{
    places p = {begin > a->first ? (begin - a->first - 1) / a->step + 1 : 0,
                end > a->first ? (end - a->first - 1) / a->step + 1 : 0};
    if (p.last > a->count) p.last = a->count;
    if (p.first > p.last) p.first = p.last;
    return p;
}

static span span_of(const vq_sides *s, int i, size_t begin, size_t end)
{
    span all = {0, 0};
    bool any = false;
    for (size_t class = 0; class < s->classes[i]; class ++) {
        const vq_axis a = vq_axis_of(s, i, class);
        const places p = places_in(&a, begin, end);
        if (p.first == p.last || a.taps == 0) continue;
        const ptrdiff_t low = a.at + (ptrdiff_t)(p.first * a.at_step);
        const ptrdiff_t high = a.at + (ptrdiff_t)((p.last - 1) * a.at_step + a.taps);
        if (!any || low < all.low) all.low = low;
        if (!any || high > all.high) all.high = high;
        any = true;
    }
    if (!s->trimmed) return all;
    if (all.low < 0) all.low = 0;
    if (all.high > (ptrdiff_t)s->from[i]) all.high = (ptrdiff_t)s->from[i];
    if (all.high < all.low) all.high = all.low;
    return all;
}

/* How the result is cut: blocks of whole images, or of some rows of one. */
typedef struct cut {
    size_t images, rows; /* of a block, at most */
    size_t pieces;       /* of an image of the result; 1 where blocks have several */
    size_t source_rows;  /* at most, of one image */
    size_t source_width;
    span columns;
    bool copies; /* padding is needed, or `from` is read through a function */
} cut;

/* Rows of the source that so many rows of the result may read. */
static size_t rows_read(const vq_sides *s, size_t rows)
{
    const size_t stride = s->c->stride[0], kernel = s->c->kernel[0];
    const size_t padded = s->direction == VQ_CONV_APPLY
                              ? (rows - 1) * stride + kernel
                              : vq_ceil_div(rows, stride) + vq_ceil_div(kernel, stride);
    return s->trimmed ? vq_smaller(padded, s->from[0]) : padded;
}

/* Places that a class has in so many rows of the result. */
static size_t block_places(const vq_sides *s, size_t rows)
{
    return vq_class_places(s, 0, rows) * vq_class_places(s, 1, s->to[1]);
}

static cut cut_of(const vq_context *ctx, const vq_sides *s, bool relu_from)
{
    const size_t threads = (size_t)ctx->threads, images = s->c->images, height = s->to[0];
    const span all = span_of(s, 0, 0, height);
    cut b = {.images = 1, .rows = height, .columns = span_of(s, 1, 0, s->to[1])};
    b.copies = s->c->bf16 || relu_from || all.low < 0 || all.high > (ptrdiff_t)s->from[0] ||
               b.columns.low < 0 || b.columns.high > (ptrdiff_t)s->from[1];
    b.source_width = b.copies ? (size_t)(b.columns.high - b.columns.low) : s->from[1];
    const size_t line = (b.source_width ? b.source_width : 1) * s->unit;
    if (images < threads) b.rows = vq_ceil_div(height, vq_ceil_div(threads, images));
    while (b.rows > s->cell[0] && (rows_read(s, b.rows) * line > VQ_BLOCK_NUMBERS ||
                                   block_places(s, b.rows) > VQ_BLOCK_PLACES))
        b.rows = vq_ceil_div(b.rows, 2);
    b.rows = vq_smaller(height, vq_ceil_div(b.rows, s->cell[0]) * s->cell[0]); /* no cell is cut */
    b.pieces = vq_ceil_div(height, b.rows);
    b.source_rows = rows_read(s, b.rows);
    if (b.rows == height) {
        b.images = vq_smaller(VQ_BLOCK_NUMBERS / (b.source_rows * line),
                              VQ_BLOCK_PLACES / block_places(s, height));
        b.images = vq_smaller(b.images ? b.images : 1, vq_ceil_div(images, threads));
    }
    return b;
}

typedef struct scratch_parts {
    real *copy;        /* of each thread */
    real *cells;       /* of each thread: a panel for every place, where classes are joined */
    vq_pair *gathered; /* of each thread, in bf16 */
    size_t *in_at, *out_at;
    size_t copy_size, gathered_size, places;
} scratch_parts;

/* Words that the deepest class gathers. */
static size_t gathered_most(const vq_sides *s)
{
    size_t most = 0;
    for (size_t class = 0; class < s->classes[0] * s->classes[1]; class ++) {
        const vq_class axes = vq_class_of(s, class);
        most = vq_larger(most, vq_gathered_size(vq_class_depth(s, &axes)));
    }
    return most;
}

/* With arena.base NULL this measures; the same calls then bind. */
static scratch_parts scratch_of(const vq_context *ctx, const vq_sides *s, const cut *b,
                                vq_arena *arena)
{
    const size_t threads = (size_t)ctx->threads;
    scratch_parts parts = {.places = b->images * block_places(s, b->rows)};
    if (b->copies) parts.copy_size = b->images * b->source_rows * b->source_width * s->unit;
    parts.copy = vq_arena_get(arena, threads * parts.copy_size, sizeof(real));
    parts.cells =
        vq_arena_get(arena, s->joined ? threads * parts.places * VQ_PANEL : 0, sizeof(real));
    if (s->c->bf16) parts.gathered_size = gathered_most(s);
    parts.gathered = vq_arena_get(arena, threads * parts.gathered_size, sizeof(vq_pair));
    parts.in_at = vq_arena_get(arena, threads * parts.places, sizeof(size_t));
    parts.out_at = vq_arena_get(arena, threads * parts.places, sizeof(size_t));
    return parts;
}

size_t vq_convolution_scratch(const vq_context *ctx, const vq_convolution *c,
                              vq_conv_direction direction, bool relu_from)
{
    vq_arena arena = {0};
    const vq_sides s = vq_sides_of(c, direction);
    const cut b = cut_of(ctx, &s, relu_from);
    (void)scratch_of(ctx, &s, &b, &arena);
    return arena.used;
}

/* ---- running ------------------------------------------------------------------ */

typedef struct direct_job {
    const vq_kernels *kernels;
    const vq_sides *sides;
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
    vq_pair *gathered;
    size_t *in_at, *out_at;
} block;

static void copy_numbers(const real *from, size_t count, bool relu, real *to)
{
    if (!relu) memcpy(to, from, count * sizeof *to);
    else
        for (size_t i = 0; i < count; i++) to[i] = from[i] < 0 ? 0 : from[i];
}

/* So many places of the source. */
static void copy_places(const direct_job *job, const real *from, size_t count, real *to)
{
    const vq_sides *s = job->sides;
    const bool relu = job->arrays->relu_from;
    if (!s->c->bf16) copy_numbers(from, count * s->in, relu, to);
    else if (s->in % 2 == 0) vq_round_numbers(job->kernels, from, count * s->in, relu, to);
    else
        for (size_t i = 0; i < count; i++, from += s->in, to += s->unit)
            vq_round_numbers(job->kernels, from, s->in, relu, to);
}

/* One padded row; `from` is NULL outside the image. */
static void copy_row(const direct_job *job, const real *from, real *to)
{
    const vq_sides *s = job->sides;
    const span *x = &job->cut->columns;
    const size_t left = x->low < 0 ? (size_t)-x->low : 0, skip = x->low > 0 ? (size_t)x->low : 0;
    const size_t all = (size_t)(x->high - x->low), place = s->unit * sizeof *to;
    const size_t there = s->from[1] > skip ? s->from[1] - skip : 0;
    if (!from || left >= all) {
        memset(to, 0, all * place);
        return;
    }
    const size_t count = vq_smaller(there, all - left);
    memset(to, 0, left * place);
    copy_places(job, from + skip * s->in, count, to + left * s->unit);
    memset(to + (left + count) * s->unit, 0, (all - left - count) * place);
}

static void place_source(const direct_job *job, block *b)
{
    const vq_sides *s = job->sides;
    const size_t row = s->from[1] * s->in, height = s->from[0];
    const real *first = job->arrays->from + b->image * height * row;
    if (!job->cut->copies) {
        b->source = first + (size_t)b->rows.low * row + (size_t)job->cut->columns.low * s->in;
        b->source_rows = height;
        return;
    }
    const size_t width = job->cut->source_width * s->unit;
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

/* What place j of a stretch reads first, counted from `low`; 0 where it has no taps. */
static size_t read_at(const vq_axis *a, const vq_stretch *part, size_t j, ptrdiff_t low)
{
    const ptrdiff_t at = a->at + (ptrdiff_t)(j * a->at_step + part->tap) - low;
    return part->taps ? (size_t)at : 0;
}

/* A class within a block: its axes, and its places among the block's rows. */
typedef struct class_part {
    vq_class axes;
    places among;
} class_part;

/* Fills in where the places of two stretches read and write; returns how many there are. */
static size_t place_stretches(const direct_job *job, const block *b, const class_part *k,
                              const vq_stretch *y, const vq_stretch *x)
{
    const vq_sides *s = job->sides;
    const size_t in_row = job->cut->source_width * s->unit, out_row = s->to[1] * s->out;
    size_t count = 0;
    for (size_t n = 0; n < b->images; n++)
        for (size_t j = y->first; j < y->last; j++) {
            const size_t row = n * b->source_rows + read_at(&k->axes.rows, y, j, b->rows.low);
            const size_t out =
                (n * s->to[0] + k->axes.rows.first + j * k->axes.rows.step) * out_row;
            const size_t cells =
                (n * (k->among.last - k->among.first) + j - k->among.first) * k->axes.columns.count;
            for (size_t i = x->first; i < x->last; i++, count++) {
                b->in_at[count] =
                    row * in_row + read_at(&k->axes.columns, x, i, job->cut->columns.low) * s->unit;
                b->out_at[count] =
                    out + (k->axes.columns.first + i * k->axes.columns.step) * s->out;
                if (s->joined) b->out_at[count] = (cells + i) * VQ_PANEL;
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

/* One row of cells, of which row `at` belongs to a row of the result. Mostly there is nothing to do
 * but to put them side by side. */
static void spread_row(const direct_job *job, const real *cells, size_t at, size_t to)
{
    const vq_sides *s = job->sides;
    const vq_conv_arrays_real *arrays = job->arrays;
    const size_t run = s->cell[1] * s->out, width = s->to[1] * s->out;
    const bool plain = !arrays->add && !arrays->mask && !arrays->residual && !arrays->relu;
    real *row = arrays->to + to;
    const size_t whole = plain ? width / run * run : 0;
    for (size_t x = 0; x < whole; x += run, cells += VQ_PANEL)
        for (size_t j = 0; j < run; j++) row[x + j] = cells[at * run + j];
    for (size_t x = whole; x < width; x += run, cells += VQ_PANEL)
        for (size_t j = 0; j < run && x + j < width; j++)
            finish(job->arrays, cells[at * run + j], to + x + j);
}

static void spread_cells(const direct_job *job, const block *b)
{
    const vq_sides *s = job->sides;
    const size_t line = vq_ceil_div(s->to[1], s->cell[1]) * VQ_PANEL;
    const real *cells = b->cells;
    for (size_t n = 0; n < b->images; n++)
        for (size_t y = b->row; y < b->row_end; y += s->cell[0], cells += line)
            for (size_t at = 0; at < s->cell[0] && y + at < b->row_end; at++)
                spread_row(job, cells, at,
                           ((b->image + n) * s->to[0] + y + at) * s->to[1] * s->out);
}

/* All stretches of a class; c->weights are those of the class. Returns those of the next one. */
static const real *run_class(const direct_job *job, const block *b, const class_part *k,
                             vq_correlation_real *c)
{
    const vq_sides *s = job->sides;
    const real *weights = c->weights;
    vq_stretch y, x;
    c->line = k->axes.columns.taps * s->unit;
    c->depth = vq_class_depth(s, &k->axes);
    for (size_t j = k->among.first; j < k->among.last; j = y.last) {
        y = vq_stretch_of(s, 0, &k->axes.rows, j, k->among.last);
        for (size_t i = 0; i < k->axes.columns.count; i = x.last) {
            x = vq_stretch_of(s, 1, &k->axes.columns, i, k->axes.columns.count);
            c->taps = x.taps ? y.taps : 0;
            c->run = x.taps * s->unit;
            c->weights = weights + (y.tap * c->line + x.tap * s->unit) * VQ_PANEL;
            c->places = place_stretches(job, b, k, &y, &x);
            if (s->c->bf16) vq_correlate_pairs(job->kernels, c, b->gathered);
            else vq_correlate_real(job->kernels, c);
        }
    }
    return weights + vq_panels_size(s->lanes, c->depth);
}

static void run_block(const direct_job *job, block *b)
{
    const vq_sides *s = job->sides;
    const vq_conv_arrays_real *arrays = job->arrays;
    const size_t padded = vq_sides_panels(s) * VQ_PANEL,
                 image = b->image * s->to[0] * s->to[1] * s->out;
    vq_correlation_real c = {.tap_step = job->cut->source_width * s->unit,
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
        class_part k = {.axes = vq_class_of(s, class)};
        k.among = places_in(&k.axes.rows, b->row, b->row_end);
        c.weights = run_class(job, b, &k, &c);
        if (s->joined) spread_cells(job, b);
    }
}

/* Item: an image, or a piece of one. */
static void run_blocks(void *arg, size_t begin, size_t end, int thread)
{
    const direct_job *job = arg;
    const vq_sides *s = job->sides;
    const size_t at = (size_t)thread, pieces = job->cut->pieces;
    block b;
    for (size_t i = begin; i < end; i += b.images) {
        b = (block){.image = i / pieces, .row = i % pieces * job->cut->rows};
        b.images = vq_smaller(job->cut->images, end - i);
        b.row_end = vq_smaller(b.row + job->cut->rows, s->to[0]);
        b.rows = span_of(s, 0, b.row, b.row_end);
        b.copy = job->scratch.copy + at * job->scratch.copy_size;
        b.cells = job->scratch.cells + (s->joined ? at * job->scratch.places * VQ_PANEL : 0);
        b.gathered = job->scratch.gathered + at * job->scratch.gathered_size;
        b.in_at = job->scratch.in_at + at * job->scratch.places;
        b.out_at = job->scratch.out_at + at * job->scratch.places;
        place_source(job, &b);
        run_block(job, &b);
    }
}

vq_status vq_convolution_run(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                             const vq_conv_arrays_real *arrays, vq_room scratch)
{
    vq_arena arena = vq_arena_in(scratch);
    const vq_sides s = vq_sides_of(c, direction);
    const cut b = cut_of(ctx, &s, arrays->relu_from);
    direct_job job = {.kernels = vq_kernels_of(ctx),
                      .sides = &s,
                      .cut = &b,
                      .arrays = arrays,
                      .scratch = scratch_of(ctx, &s, &b, &arena)};
    VQ_TRY(vq_arena_check(ctx, &arena, "scratch of a convolution"));
    vq_parallel_for(ctx, c->images * b.pieces, 1, run_blocks, &job);
    return VQ_OK;
}
