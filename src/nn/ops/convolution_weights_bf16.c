/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_weights_bf16.c -- the gradient of a convolution's weights in bf16, a product
 * of matrices in blocks (kernels/bf16.h) over the places of all maps:
 *   dw[o, lane] = sum over places of map[place, o] * image[what the lane reads for it].
 *
 * Lanes are numbers of the image under the kernel; those under one of its rows lie side by side, a
 * few channels in a strip. A word holds two places that are neighbours in a row of the map, a last
 * odd one beside a zero. Places come a chunk at a time. Its map is transposed into blocks, and its
 * image copied with its padding into strips, in which a word holds what is `stride` columns apart;
 * then each item gathers the words of two panels of lanes and multiplies them with the map. */
#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"
#include "kernels/bf16.h"
#include "kernels/kernels.h"
#include "nn/ops/common.h"
#include "nn/ops/convolution.h"

#ifndef VQ_REAL_DOUBLE

enum {
    WORDS_MAX = 512, /* of a channel of a chunk's map, where one of its rows has no more */
    WIDE = 2,        /* panels that an item gathers */
};

typedef struct layout {
    size_t width, strips;     /* channels of a strip of the image; how many there are */
    size_t panels;            /* of the lanes of a strip under one row of the kernel */
    size_t columns;           /* of a padded row of the image */
    size_t pairs, blocks;     /* words of a row of the map; blocks of its channels */
    size_t images, rows;      /* of a chunk: whole images of the map, or some rows of one */
    size_t image_rows, strip; /* padded rows that so many rows read; words of a strip */
    size_t deep;              /* blocks of a channel's words */
    size_t all_panels, items; /* of all strips and rows of the kernel; pairs of those panels */
    size_t groups, each; /* how many share an item, and the blocks of channels that each takes */
} layout;

static void size_chunk(const vq_convolution *c, layout *l)
{
    const size_t words = c->map[0] * l->pairs; /* of an image */
    l->rows = vq_smaller(vq_larger(WORDS_MAX / l->pairs, 1), c->map[0]);
    l->images = l->rows == c->map[0] ? vq_larger(WORDS_MAX / words, 1) : 1;
    l->images = vq_smaller(l->images, c->images);
    l->image_rows = (l->rows - 1) * c->stride[0] + c->kernel[0];
    l->strip = l->images * l->image_rows * l->columns * l->width;
    l->deep = vq_blocks_deep(l->images * l->rows * l->pairs);
}

static layout layout_of(const vq_context *ctx, const vq_convolution *c)
{
    layout l = {.width = c->in % VQ_BLOCK ? c->in : VQ_BLOCK,
                .columns = (c->map[1] - 1) * c->stride[1] + c->kernel[1],
                .pairs = vq_ceil_div(c->map[1], 2),
                .blocks = vq_ceil_div(c->out, VQ_BLOCK)};
    l.strips = c->in / l.width;
    l.panels = vq_ceil_div(c->kernel[1] * l.width, VQ_BLOCK);
    l.all_panels = l.strips * c->kernel[0] * l.panels;
    l.items = vq_ceil_div(l.all_panels, WIDE);
    l.groups = vq_smaller(vq_ceil_div((size_t)ctx->threads, l.items),
                          vq_ceil_div(l.blocks, VQ_BLOCKS_TALL));
    l.each = vq_round_up(vq_ceil_div(l.blocks, l.groups), VQ_BLOCKS_TALL);
    size_chunk(c, &l);
    return l;
}

typedef struct scratch_parts {
    vq_pair *map;      /* blocks of all channels */
    vq_pair *image;    /* strips, and what vectors of the last lanes read beyond them */
    vq_pair *gathered; /* of each thread, panels */
    float *sums;       /* channels x all lanes */
} scratch_parts;

/* With arena.base NULL this measures; the same calls then bind. */
static scratch_parts scratch_of(const vq_context *ctx, const layout *l, vq_arena *arena)
{
    const size_t column = l->deep * VQ_BLOCK_WORDS;
    const size_t image = l->strips * l->strip + 2 * l->width + VQ_BLOCK * (l->panels + 1);
    const size_t gathered = (size_t)ctx->threads * WIDE * column;
    return (scratch_parts){
        .map = vq_arena_get(arena, l->blocks * column, sizeof(vq_pair)),
        .image = vq_arena_get(arena, image, sizeof(vq_pair)),
        .gathered = vq_arena_get(arena, gathered, sizeof(vq_pair)),
        .sums = vq_arena_get(arena, l->blocks * l->all_panels * VQ_BLOCK_WORDS, sizeof(float)),
    };
}

size_t vq_weights_bf16_scratch(const vq_context *ctx, const vq_convolution *c)
{
    vq_arena arena = {0};
    const layout l = layout_of(ctx, c);
    (void)scratch_of(ctx, &l, &arena);
    return arena.used;
}

typedef struct weights_job {
    const vq_convolution *c;
    const vq_kernels *kernels;
    layout l;
    scratch_parts scratch;
    const vq_weights_arrays_real *arrays;
    size_t first, images, row, rows; /* of the chunk: of the map's images, and of their rows */
    size_t words, deep;              /* of a channel of the chunk's map */
    bool begins;                     /* the sums, which earlier chunks left nothing in */
    float *d_weight;
} weights_job;

/* ---- the map -------------------------------------------------------------------- */

/* Rows of a chunk's maps follow each other in memory, so the pairs of rows of an even length do. */
static const float *map_at(const weights_job *job, size_t word)
{
    const vq_convolution *c = job->c;
    const size_t row = job->first * c->map[0] + job->row + word / job->l.pairs;
    return job->arrays->map + (row * c->map[1] + word % job->l.pairs * 2) * c->out;
}

/* A word of each of fewer channels than a block has; of the others it is 0. */
static void pair_few(const weights_job *job, const float *from, size_t count, bool both,
                     vq_pair *to)
{
    float low[VQ_BLOCK] = {0}, high[VQ_BLOCK] = {0};
    const vq_pair_rows rows = {low, high, 0, 1, job->arrays->relu_map, to};
    memcpy(low, from, count * sizeof *low);
    if (both) memcpy(high, from + job->c->out, count * sizeof *high);
    job->kernels->bf16->pair_rows(&rows);
}

/* `count` words of 16 channels from channel o on. */
static void pair_map(const weights_job *job, size_t word, size_t count, size_t o, vq_pair *to)
{
    const vq_convolution *c = job->c;
    const bool even = c->map[1] % 2 == 0, whole = o + VQ_BLOCK <= c->out;
    vq_pair_rows rows = {.step = 2 * c->out, .relu = job->arrays->relu_map};
    for (size_t i = 0; i < count; i += rows.rows) {
        const bool both = even || (word + i) % job->l.pairs + 1 < job->l.pairs;
        const float *from = map_at(job, word + i) + o;
        rows.rows = even && whole ? count : 1;
        rows.low = from;
        rows.high = both ? from + c->out : NULL;
        rows.to = to + i * VQ_BLOCK;
        if (whole) job->kernels->bf16->pair_rows(&rows);
        else pair_few(job, from, c->out - o, both, rows.to);
    }
}

/* Transposed, the words of a channel lie side by side. Words are only moved here, as floats are. */
static void lay_out_block(const weights_job *job, size_t first, size_t block)
{
    float across[VQ_BLOCK_WORDS];
    const vq_panel panel = {across, VQ_BLOCK, 1, VQ_BLOCK, VQ_BLOCK, NULL};
    vq_pair *to = job->scratch.map + (first * job->deep + block) * VQ_BLOCK_WORDS;
    vq_pair *words = (vq_pair *)across;
    const size_t word = block * VQ_BLOCK, count = vq_smaller(VQ_BLOCK, job->words - word);
    pair_map(job, word, count, first * VQ_BLOCK, words);
    memset(words + count * VQ_BLOCK, 0, (VQ_BLOCK - count) * VQ_BLOCK * sizeof *words);
    job->kernels->pack(&panel, VQ_BLOCK, (float *)to);
}

/* ---- the image ------------------------------------------------------------------ */

/* Column x of a padded row of the image; NULL outside the image. */
static const float *column_of(const vq_convolution *c, const float *from, size_t x)
{
    const bool inside = x >= c->pad[1] && x - c->pad[1] < c->image[1];
    return inside ? from + (x - c->pad[1]) * c->in : NULL;
}

/* `count` words of numbers that lie side by side; low or high NULL: zeros. */
static void pair_numbers(const weights_job *job, const float *low, const float *high, size_t count,
                         vq_pair *to)
{
    const bool relu = job->arrays->relu_image;
    const size_t whole = count / VQ_BLOCK * VQ_BLOCK;
    const vq_pair_rows rows = {low, high, VQ_BLOCK, count / VQ_BLOCK, relu, to};
    job->kernels->bf16->pair_rows(&rows);
    for (size_t i = whole; i < count; i++) {
        const float a = low ? low[i] : 0.0f, b = high ? high[i] : 0.0f;
        to[i] = vq_pair_of(vq_bf16_read(a, relu), vq_bf16_read(b, relu));
    }
}

/* One padded row of a strip. */
static void strip_row(const weights_job *job, const float *from, vq_pair *to)
{
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t stride = c->stride[1], end = c->pad[1] + c->image[1];
    vq_pair_rows rows = {.step = c->in, .relu = job->arrays->relu_image};
    for (size_t x = 0; x < l->columns; x += rows.rows) {
        rows.low = column_of(c, from, x);
        rows.high = column_of(c, from, x + stride);
        rows.rows = 1;
        rows.to = to + x * l->width;
        if (rows.low && rows.high) rows.rows = vq_smaller(end - stride, l->columns) - x;
        if (l->strips > 1) job->kernels->bf16->pair_rows(&rows);
        else pair_numbers(job, rows.low, rows.high, rows.rows * l->width, rows.to);
    }
}

/* A padded row of the chunk's images, counted through all of them. */
static void lay_out_row(const weights_job *job, size_t i)
{
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t line = l->columns * l->width, image = job->first + i / l->image_rows;
    const size_t y = job->row * c->stride[0] + i % l->image_rows; /* plus top */
    const bool inside = y >= c->pad[0] && y - c->pad[0] < c->image[0];
    const size_t row = image * c->image[0] + y - c->pad[0];
    vq_pair *to = job->scratch.image + i * line;
    for (size_t s = 0; s < l->strips; s++, to += l->strip) {
        if (!inside) memset(to, 0, line * sizeof *to);
        else strip_row(job, job->arrays->image + row * c->image[1] * c->in + s * l->width, to);
    }
}

/* Item: a row of the chunk's images, and its share of the blocks of the map, so that every item is
 * about as much work. */
static void lay_out(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const size_t rows = job->images * job->l.image_rows;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        lay_out_row(job, i);
        for (size_t block = i * job->deep / rows; block < (i + 1) * job->deep / rows; block++)
            for (size_t first = 0; first < job->l.blocks; first++) lay_out_block(job, first, block);
    }
}

/* ---- products ------------------------------------------------------------------- */

/* The words of a panel, of all strips and rows of the kernel, for all places of the chunk. */
static void gather_panel(const weights_job *job, size_t panel, vq_pair *to)
{
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t line = l->columns * l->width, step = 2 * c->stride[1] * l->width;
    const size_t strip = panel / l->panels / c->kernel[0], r = panel / l->panels % c->kernel[0];
    const vq_pair *from =
        job->scratch.image + strip * l->strip + r * line + panel % l->panels * VQ_BLOCK;
    for (size_t n = 0; n < job->images; n++)
        for (size_t y = 0; y < job->rows; y++) {
            const vq_pair *row = from + (n * l->image_rows + y * c->stride[0]) * line;
            for (size_t x = 0; x < l->pairs; x++, to += VQ_BLOCK)
                memcpy(to, row + x * step, VQ_BLOCK * sizeof *to);
        }
    memset(to, 0, (job->deep * VQ_BLOCK - job->words) * VQ_BLOCK * sizeof *to);
}

/* Item: two panels of lanes times a group of blocks of channels. */
static void multiply(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const layout *l = &job->l;
    static const float zeros[WIDE * VQ_BLOCK];
    const size_t column = job->deep * VQ_BLOCK_WORDS;
    vq_pair *gathered = job->scratch.gathered + (size_t)thread * WIDE * l->deep * VQ_BLOCK_WORDS;
    vq_bf16_product m = {.deep = job->deep, .b = gathered, .b_step = column};
    m.sum_step = l->all_panels * VQ_BLOCK;
    if (job->begins) m.start = zeros;
    else m.start_step = m.sum_step;
    for (size_t item = begin; item < end; item++) {
        const size_t group = item % l->groups, panel = item / l->groups * WIDE;
        const size_t last = vq_smaller(l->blocks, (group + 1) * l->each);
        m.wide = vq_smaller(WIDE, l->all_panels - panel);
        for (size_t v = 0; v < m.wide; v++) gather_panel(job, panel + v, gathered + v * column);
        for (size_t at = group * l->each; at < last; at += VQ_BLOCKS_TALL) {
            m.tall = vq_smaller(VQ_BLOCKS_TALL, last - at);
            m.a = job->scratch.map + at * column;
            m.sum = job->scratch.sums + at * VQ_BLOCK * m.sum_step + panel * VQ_BLOCK;
            if (!job->begins) m.start = m.sum;
            job->kernels->bf16->multiply(&m);
        }
    }
}

static void run_chunk(vq_context *ctx, weights_job *job)
{
    const layout *l = &job->l;
    job->words = job->images * job->rows * l->pairs;
    job->deep = vq_blocks_deep(job->words);
    vq_parallel_for(ctx, job->images * l->image_rows, 1, lay_out, job);
    vq_parallel_for(ctx, l->items * l->groups, 1, multiply, job);
}

/* ---- the gradient --------------------------------------------------------------- */

/* The gradient of an output channel for the channels of a strip under one tap. */
static void add_strip(const vq_convolution *c, const float *sums, size_t width, float *d_weight)
{
    const size_t area = c->kernel[0] * c->kernel[1];
    for (size_t i = 0; i < width; i++) d_weight[i * area] += sums[i];
}

/* Item: an output channel. */
static void add_sums(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const vq_convolution *c = job->c;
    const layout *l = &job->l;
    const size_t area = c->kernel[0] * c->kernel[1];
    (void)thread;
    for (size_t o = begin; o < end; o++)
        for (size_t strip = 0; strip < l->strips; strip++) {
            float *to = job->d_weight + (o * c->in + strip * l->width) * area;
            for (size_t tap = 0; tap < area; tap++) {
                const size_t r = tap / c->kernel[1], s = tap % c->kernel[1];
                const size_t row = (strip * c->kernel[0] + r) * l->panels;
                const float *sums = job->scratch.sums + (o * l->all_panels + row) * VQ_BLOCK;
                add_strip(c, sums + s * l->width, l->width, to + tap);
            }
        }
}

vq_status vq_convolution_weights_bf16(vq_context *ctx, const vq_convolution *c,
                                      const vq_weights_arrays_real *arrays, float *d_weight,
                                      vq_room scratch)
{
    vq_arena arena = vq_arena_in(scratch);
    weights_job job = {.c = c,
                       .kernels = vq_kernels_of(ctx),
                       .l = layout_of(ctx, c),
                       .arrays = arrays,
                       .d_weight = d_weight};
    const layout *l = &job.l;
    job.scratch = scratch_of(ctx, l, &arena);
    VQ_TRY(vq_arena_check(ctx, &arena, "scratch of a weights' gradient"));
    for (job.first = 0; job.first < c->images; job.first += l->images)
        for (job.row = 0; job.row < c->map[0]; job.row += l->rows) {
            job.images = vq_smaller(l->images, c->images - job.first);
            job.rows = vq_smaller(l->rows, c->map[0] - job.row);
            job.begins = job.first == 0 && job.row == 0;
            run_chunk(ctx, &job);
        }
    vq_parallel_for(ctx, c->out, 1 + VQ_ELEMENT_GRAIN / (c->in * c->kernel[0] * c->kernel[1]),
                    add_sums, &job);
    return VQ_OK;
}

#endif
