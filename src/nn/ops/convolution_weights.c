/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_weights.c -- the gradient of a
 * convolution's weights, dw[o, i, r, s] = sum over places of map[oh, ow, o] * image[sh*oh + r -
 * top, sw*ow + s - left, i], as a sum of outer products (kernels/correlate.h): lanes (s, i) of the
 * image, which lie side by side under one row of the kernel, times VQ_PLACES channels of the map.
 *
 * Places come a chunk at a time. Its image is copied with its padding into strips of few channels
 * and its map into strips of VQ_PLACES, so that the products read stretches of memory that fit the
 * caches. The sums go on from chunk to chunk: one chain of multiply-adds over all places in their
 * order.
 *
 * A convolution of 1 x 1 has nothing to lay out: where channels are whole vectors the products read
 * image and map where they lie. */
#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"
#include "nn/ops/correlate.h"

enum {
    CHUNK_MAX = 256 << 10,   /* numbers of a chunk's strips */
    IN_PLACE_MAX = 64 << 10, /* of a chunk that is read where it lies, by each thread */
};

/* How image and map are laid out for the products. */
typedef struct layout {
    size_t width, strips;        /* channels of a strip of the image; how many there are */
    size_t lanes, panels;        /* under one row of the kernel: kernel[1] * width; in panels */
    size_t tiles;                /* strips of the map */
    size_t columns;              /* of a padded row of the image */
    size_t images, rows;         /* of a chunk: whole images of the map, or some rows of one */
    size_t image_rows;           /* padded rows that so many rows of the map read */
    size_t image_size, map_size; /* numbers of all strips of a chunk */
} layout;

static size_t rows_read(const vq_convolution *c, size_t rows)
{
    return (rows - 1) * c->stride[0] + c->kernel[0];
}

static void size_chunk(const vq_convolution *c, layout *l)
{
    l->image_rows = rows_read(c, l->rows);
    /* Vectors of the last place reach beyond their lanes. */
    l->image_size =
        l->images * l->image_rows * l->columns * l->width * l->strips + VQ_PANEL * l->panels;
    l->map_size = l->images * l->rows * c->map[1] * VQ_PLACES * l->tiles;
}

static layout layout_of(const vq_convolution *c)
{
    layout l = {.images = 1, .rows = c->map[0]};
    l.width = c->in % VQ_PANEL ? c->in : VQ_PANEL;
    /* Nothing but a strip lies under a kernel of one column: four panels keep registers busy. */
    if (c->kernel[1] == 1 && c->in % (VQ_PANEL * VQ_PANELS_MAX) == 0)
        l.width = VQ_PANEL * VQ_PANELS_MAX;
    l.strips = c->in / l.width;
    l.lanes = c->kernel[1] * l.width;
    l.panels = vq_ceil_div(l.lanes, VQ_PANEL);
    l.tiles = vq_ceil_div(c->out, VQ_PLACES);
    l.columns = (c->map[1] - 1) * c->stride[1] + c->kernel[1];
    size_chunk(c, &l);
    while (l.rows > 1 && l.image_size + l.map_size > CHUNK_MAX) {
        l.rows = vq_ceil_div(l.rows, 2);
        size_chunk(c, &l);
    }
    if (l.rows == c->map[0]) {
        l.images = vq_smaller(c->images, CHUNK_MAX / (l.image_size + l.map_size));
        if (l.images == 0) l.images = 1;
        size_chunk(c, &l);
    }
    return l;
}

typedef struct scratch_parts {
    real *image, *map;
    real *sums; /* for every row of the kernel under a strip, VQ_PLACES * tiles rows of lanes */
} scratch_parts;

static size_t sums_size(const vq_convolution *c, const layout *l)
{
    return l->strips * c->kernel[0] * l->tiles * VQ_PLACES * l->panels * VQ_PANEL;
}

/* With arena.base NULL this measures; the same calls then bind. */
static scratch_parts scratch_of(const vq_convolution *c, const layout *l, vq_arena *arena)
{
    scratch_parts parts;
    parts.image = vq_arena_get(arena, l->image_size, sizeof(real));
    parts.map = vq_arena_get(arena, l->map_size, sizeof(real));
    parts.sums = vq_arena_get(arena, sums_size(c, l), sizeof(real));
    return parts;
}

size_t vq_weights_scratch(const vq_context *ctx, const vq_convolution *c)
{
    vq_arena arena = {0};
    const layout l = layout_of(c);
    (void)ctx;
    (void)scratch_of(c, &l, &arena);
    return arena.used;
}

/* ---- strips ------------------------------------------------------------------- */

typedef struct weights_job {
    const vq_convolution *c;
    const vq_kernels *kernels;
    layout l;
    scratch_parts scratch;
    const vq_weights_arrays_real *arrays; /* whole */
    size_t first, images;                 /* images of the chunk */
    size_t row, rows;                     /* of the map */
    size_t place, places;                 /* of all images together, where they are read in place */
    size_t shift;                         /* rows of sums by which the last tile lies further on */
    real *d_weight;
} weights_job;

static void copy_numbers(const real *from, size_t count, bool relu, real *to)
{
    if (!relu) memcpy(to, from, count * sizeof *to);
    else
        for (size_t i = 0; i < count; i++) to[i] = from[i] < 0 ? 0 : from[i];
}

/* `width` numbers of each of `count` places, `step` apart, to consecutive places. */
static void copy_columns(const real *from, size_t step, size_t count, size_t width, bool relu,
                         real *to)
{
    if (width == VQ_PANEL) /* a length that the compiler knows */
        for (size_t x = 0; x < count; x++, from += step, to += VQ_PANEL)
            copy_numbers(from, VQ_PANEL, relu, to);
    else
        for (size_t x = 0; x < count; x++, from += step, to += width)
            copy_numbers(from, width, relu, to);
}

/* Strip by strip, one padded row of the image; `from` is NULL outside the image. */
static void strip_image_row(const weights_job *job, const real *from, real *to)
{
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t left = c->pad[1], width = vq_smaller(c->image[1], l->columns - left);
    const size_t strip = l->images * l->image_rows * l->columns * l->width;
    for (size_t s = 0; s < l->strips; s++, to += strip) {
        if (!from || left >= l->columns) {
            memset(to, 0, l->columns * l->width * sizeof *to);
            continue;
        }
        memset(to, 0, left * l->width * sizeof *to);
        real *inside = to + left * l->width;
        copy_columns(from + s * l->width, c->in, width, l->width, job->arrays->relu_image, inside);
        memset(inside + width * l->width, 0, (l->columns - left - width) * l->width * sizeof *to);
    }
}

/* Padded row i of the chunk's images, counted through all of them. */
static void strip_image(const weights_job *job, size_t i)
{
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t image = job->first + i / l->image_rows, row = i % l->image_rows;
    const size_t y = job->row * c->stride[0] + row; /* plus top */
    const bool inside = y >= c->pad[0] && y - c->pad[0] < c->image[0];
    const size_t line = image * c->image[0] + y - c->pad[0];
    const real *from = inside ? job->arrays->image + line * c->image[1] * c->in : NULL;
    real *to = job->scratch.image + i * l->columns * l->width;
    strip_image_row(job, from, to);
}

/* Strip by strip, one row of the map; the last strip may have channels that do not exist. */
static void strip_map_row(const weights_job *job, const real *from, real *to)
{
    const vq_convolution *c = job->c;
    const size_t strip = job->l.images * job->l.rows * c->map[1] * VQ_PLACES;
    const bool relu = job->arrays->relu_map;
    for (size_t o = 0; o < c->out; o += VQ_PLACES, to += strip) {
        const size_t there = vq_smaller(VQ_PLACES, c->out - o);
        real *place = to;
        for (size_t x = 0; x < c->map[1]; x++, place += VQ_PLACES) {
            if (there == VQ_PLACES) { /* a length that the compiler knows */
                copy_numbers(from + x * c->out + o, VQ_PLACES, relu, place);
                continue;
            }
            copy_numbers(from + x * c->out + o, there, relu, place);
            memset(place + there, 0, (VQ_PLACES - there) * sizeof *place);
        }
    }
}

/* Row i of the chunk's maps, counted through all of them. */
static void strip_map(const weights_job *job, size_t i)
{
    const vq_convolution *c = job->c;
    const size_t image = i / job->rows, row = i % job->rows;
    const size_t line = (job->first + image) * c->map[0] + job->row + row;
    const real *from = job->arrays->map + line * c->map[1] * c->out;
    real *to = job->scratch.map + (image * job->l.rows + row) * c->map[1] * VQ_PLACES;
    strip_map_row(job, from, to);
}

/* Item: a row of the map, and its share of the rows of its image, so that every item is about as
 * much work. */
static void strip_both(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const size_t image_rows = job->l.image_rows, rows = job->rows;
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t image = item / rows * image_rows, row = item % rows;
        const size_t last = image + (row + 1) * image_rows / rows;
        for (size_t i = image + row * image_rows / rows; i < last; i++) strip_image(job, i);
        strip_map(job, item);
    }
}

/* ---- products ----------------------------------------------------------------- */

/* Item: a tile of the map's channels times the lanes under one row of the kernel. */
static void multiply(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t line = l->columns * l->width, place = l->images * l->rows * c->map[1] * VQ_PLACES;
    vq_outer_real tile = {
        .count = {job->images, job->rows, c->map[1]},
        .a_step = {l->rows * c->map[1] * VQ_PLACES, c->map[1] * VQ_PLACES, VQ_PLACES},
        .b_step = {l->image_rows * line, c->stride[0] * line, c->stride[1] * l->width},
        .c_step = l->panels * VQ_PANEL,
    };
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t o = item % l->tiles, row = item / l->tiles % c->kernel[0];
        const size_t strip = item / l->tiles / c->kernel[0];
        tile.a = job->scratch.map + o * place;
        for (size_t panel = 0; panel < l->panels; panel += VQ_PANELS_MAX) {
            tile.b = job->scratch.image + strip * l->images * l->image_rows * line + row * line +
                     panel * VQ_PANEL;
            tile.c = job->scratch.sums + item * VQ_PLACES * tile.c_step + panel * VQ_PANEL;
            tile.panels = vq_smaller(VQ_PANELS_MAX, l->panels - panel);
            vq_outer_run(job->kernels, &tile);
        }
    }
}

static void run_chunk(vq_context *ctx, weights_job *job)
{
    const layout *l = &job->l;
    const size_t items = l->strips * job->c->kernel[0] * l->tiles;
    vq_parallel_for(ctx, job->images * job->rows, 1, strip_both, job);
    vq_parallel_for(ctx, items, 1, multiply, job);
}

/* ---- in place ------------------------------------------------------------------- */

static bool reads_in_place(const vq_convolution *c, const vq_weights_arrays_real *arrays)
{
    for (int i = 0; i < 2; i++)
        if (c->kernel[i] != 1 || c->stride[i] != 1 || c->pad[i] || c->image[i] != c->map[i])
            return false;
    return !arrays->relu_image && !arrays->relu_map && c->in % VQ_PANEL == 0 && c->out >= VQ_PLACES;
}

/* Item: a tile of the map's channels times a strip. The last tile takes some of the one before with
 * it, so that none reads beyond the array. */
static void multiply_in_place(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    vq_outer_real tile = {.count = {1, 1, job->places},
                          .a_step = {0, 0, c->out},
                          .b_step = {0, 0, c->in},
                          .c_step = l->panels * VQ_PANEL,
                          .panels = l->panels};
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t o = vq_smaller(item % l->tiles * VQ_PLACES, c->out - VQ_PLACES);
        tile.a = job->arrays->map + job->place * c->out + o;
        tile.b = job->arrays->image + job->place * c->in + item / l->tiles * l->width;
        tile.c = job->scratch.sums + item * VQ_PLACES * tile.c_step;
        vq_outer_run(job->kernels, &tile);
    }
}

static void run_in_place(vq_context *ctx, weights_job *job)
{
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t all = c->images * c->map[0] * c->map[1];
    const size_t most = 1 + IN_PLACE_MAX / (c->in + c->out);
    job->shift = l->tiles * VQ_PLACES - c->out;
    for (job->place = 0; job->place < all; job->place += job->places) {
        job->places = vq_smaller(most, all - job->place);
        vq_parallel_for(ctx, l->strips * l->tiles, 1, multiply_in_place, job);
    }
}

static void run_chunks(vq_context *ctx, weights_job *job)
{
    const vq_convolution *c = job->c;
    memset(job->scratch.image, 0, job->l.image_size * sizeof(real));
    for (job->first = 0; job->first < c->images; job->first += job->l.images)
        for (job->row = 0; job->row < c->map[0]; job->row += job->l.rows) {
            job->images = vq_smaller(job->l.images, c->images - job->first);
            job->rows = vq_smaller(job->l.rows, c->map[0] - job->row);
            run_chunk(ctx, job);
        }
}

/* ---- the gradient --------------------------------------------------------------- */

/* Item: an output channel. */
static void add_sums(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t line = l->panels * VQ_PANEL, tile = l->tiles * VQ_PLACES * line;
    (void)thread;
    for (size_t o = begin; o < end; o++) {
        const size_t lane_row = o + (o / VQ_PLACES + 1 == l->tiles ? job->shift : 0);
        for (size_t i = 0; i < c->in; i++)
            for (size_t r = 0; r < c->kernel[0]; r++)
                for (size_t s = 0; s < c->kernel[1]; s++) {
                    const size_t row = i / l->width * c->kernel[0] + r;
                    const size_t lane = s * l->width + i % l->width;
                    job->d_weight[((o * c->in + i) * c->kernel[0] + r) * c->kernel[1] + s] +=
                        job->scratch.sums[row * tile + lane_row * line + lane];
                }
    }
}

vq_status vq_convolution_weights(vq_context *ctx, const vq_convolution *c,
                                 const vq_weights_arrays_real *arrays, real *d_weight,
                                 vq_room scratch)
{
    vq_arena arena = vq_arena_in(scratch);
    weights_job job = {.c = c,
                       .kernels = vq_kernels_of(ctx),
                       .l = layout_of(c),
                       .arrays = arrays,
                       .d_weight = d_weight};
    job.scratch = scratch_of(c, &job.l, &arena);
    VQ_TRY(vq_arena_check(ctx, &arena, "scratch of a weights' gradient"));
    memset(job.scratch.sums, 0, sums_size(c, &job.l) * sizeof(real));
    if (reads_in_place(c, arrays)) run_in_place(ctx, &job);
    else run_chunks(ctx, &job);
    vq_parallel_for(ctx, c->out, 1 + VQ_ELEMENT_GRAIN / (c->in * c->kernel[0] * c->kernel[1]),
                    add_sums, &job);
    return VQ_OK;
}
