/* SPDX-License-Identifier: Apache-2.0
 * nn/winograd/winograd.c -- a convolution and its adjoint by Winograd's transforms.
 *
 * Tiles are worked on a block at a time, small enough that what they are transformed to and the
 * products of all points stay in the caches of a core: each thread transforms a block, multiplies
 * and transforms back. A tile is computed alike in any block. */
#include "nn/winograd/winograd.h"

#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"
#include "nn/ops/common.h"
#include "nn/winograd/parts.h"

enum {
    CHANNELS_MIN = 16,        /* on either side */
    PAIRS_MIN = 2048,         /* of channels: 32 and 64 */
    TILES_MIN = 32,           /* of all images */
    BLOCK_FLOATS = 128 << 10, /* of a block's transformed tiles and products */
    BLOCK_MAX = 96,           /* tiles */
    SKEW = 16                 /* between points, lest all of them fall into one set of a cache */
};

/* Few channels are not worth the transforms, as measured, nor are few tiles those of the weights,
 * which are as long for one image as for many; and products must become half as many at most, which
 * they do not where places leave tiles empty. */
bool vq_winograd_suits(const vq_convolution *c)
{
    const size_t kernel = c->kernel[0], stride = c->stride[0];
    if (c->kernel[1] != kernel || c->stride[1] != stride) return false;
    if (!(kernel == 3 && stride == 1) && !(kernel == 4 && stride == 2)) return false;
    if (c->in < CHANNELS_MIN || c->out < CHANNELS_MIN || c->in * c->out < PAIRS_MIN) return false;
    const size_t points = kernel / stride + VQ_WINOGRAD_TILE - 1;
    const size_t tiles =
        vq_ceil_div(c->map[0], VQ_WINOGRAD_TILE) * vq_ceil_div(c->map[1], VQ_WINOGRAD_TILE);
    if (c->images * tiles < TILES_MIN) return false;
    const size_t products = tiles * points * points * stride * stride;
    return 2 * products <= c->map[0] * c->map[1] * kernel * kernel;
}

static const char *name(const vq_context *ctx, const vq_convolution *c)
{
    (void)ctx;
    return c->stride[0] == 1 ? "portable, Winograd F(4x4,3x3)" : "portable, Winograd F(4x4,2x2)";
}

/* ---- weights ------------------------------------------------------------------ */

typedef struct pack_job {
    const vq_winograd_class *k;
    const vq_winograd_kernels *kernels;
    const float *from;
    size_t in_step, out_step, row; /* of the weights: from channel to channel, from row to row */
    float *to;                     /* point by point, panel by panel: [depth][VQ_PANEL] */
} pack_job;

/* Numbers of one point's panels. */
static size_t point_size(const vq_winograd_class *k)
{
    return vq_panels_size(k->out, vq_winograd_depth(k));
}

/* The taps of input channel i of a phase, side by side for the outputs of a panel. */
static void gather_taps(const pack_job *job, size_t phase, size_t i, size_t panel, float *taps)
{
    const vq_winograd_class *k = job->k;
    const size_t first = panel * VQ_PANEL, left = k->out - first;
    const size_t count = vq_smaller(left, VQ_PANEL);
    memset(taps, 0, k->taps * k->taps * VQ_PANEL * sizeof *taps);
    for (size_t a = 0; a < k->taps; a++)
        for (size_t b = 0; b < k->taps; b++, taps += VQ_PANEL) {
            const ptrdiff_t r =
                k->axis[0].tap[phase / k->phases] + (ptrdiff_t)a * k->axis[0].tap_step;
            const ptrdiff_t s =
                k->axis[1].tap[phase % k->phases] + (ptrdiff_t)b * k->axis[1].tap_step;
            const float *from = job->from + i * job->in_step + first * job->out_step +
                                (size_t)r * job->row + (size_t)s;
            for (size_t lane = 0; lane < count; lane++) taps[lane] = from[lane * job->out_step];
        }
}

/* Item: a channel (of a phase) of a panel. */
static void pack_range(void *arg, size_t begin, size_t end, int thread)
{
    const pack_job *job = arg;
    const vq_winograd_class *k = job->k;
    const size_t depth = vq_winograd_depth(k);
    float taps[9 * VQ_PANEL];
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t panel = item / depth, channel = item % depth;
        gather_taps(job, channel / k->in, channel % k->in, panel, taps);
        job->kernels->weights(taps, job->to + item * VQ_PANEL, point_size(k));
    }
}

static size_t packed_size(const vq_convolution *c, vq_conv_direction direction)
{
    const vq_winograd_class k = vq_winograd_class_of(c, direction, 0);
    /* The bias, then the classes, which are of one size. */
    return (vq_winograd_padded(k.out) +
            vq_winograd_classes(c, direction) * vq_winograd_points(&k) * point_size(&k)) *
           sizeof(float);
}

/* Takes so many numbers of the room for `to`. */
static vq_status take(vq_context *ctx, vq_arena *arena, size_t count, float **to)
{
    *to = vq_arena_get(arena, count, sizeof **to);
    return vq_arena_check(ctx, arena, "transformed weights");
}

static vq_status pack(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                      const float *weight, const float *bias, vq_room packed)
{
    vq_arena arena = vq_arena_in(packed);
    const size_t area = c->kernel[0] * c->kernel[1];
    const bool apply = direction == VQ_CONV_APPLY;
    pack_job job = {
        .from = weight,
        .in_step = apply ? area : c->in * area,
        .out_step = apply ? c->in * area : area,
        .row = c->kernel[1],
    };
    for (size_t class = 0; class < vq_winograd_classes(c, direction); class ++) {
        const vq_winograd_class k = vq_winograd_class_of(c, direction, class);
        const size_t padded = vq_winograd_padded(k.out), depth = vq_winograd_depth(&k);
        job.k = &k;
        job.kernels = vq_winograd_kernels_of(ctx, &k);
        if (class == 0) {
            VQ_TRY(take(ctx, &arena, padded, &job.to));
            for (size_t o = 0; o < padded; o++) job.to[o] = bias && o < k.out ? bias[o] : 0.0f;
        }
        VQ_TRY(take(ctx, &arena, vq_winograd_points(&k) * point_size(&k), &job.to));
        vq_parallel_for(ctx, padded / VQ_PANEL * depth, 32, pack_range, &job);
    }
    return VQ_OK;
}

/* ---- blocks ------------------------------------------------------------------- */

/* What a thread works in. */
typedef struct block {
    size_t tiles;              /* at most */
    size_t row, plane;         /* numbers of a transformed tile's point; from point to point */
    size_t out_row, out_plane; /* the same of the products */
} block;

static block block_of(const vq_winograd_class *k)
{
    /* The last phase is written in whole panels. */
    const size_t depth = vq_winograd_depth(k);
    block b = {.row = vq_winograd_padded(depth - k->in + vq_winograd_padded(k->in)),
               .out_row = vq_winograd_padded(k->out)};
    b.tiles = BLOCK_FLOATS / (vq_winograd_points(k) * (b.row + b.out_row));
    b.tiles = b.tiles / VQ_PLACES * VQ_PLACES;
    if (b.tiles < VQ_PLACES) b.tiles = VQ_PLACES;
    if (b.tiles > BLOCK_MAX) b.tiles = BLOCK_MAX;
    b.plane = b.tiles * b.row + SKEW;
    b.out_plane = b.tiles * b.out_row + SKEW;
    return b;
}

typedef struct run_job {
    const vq_convolution *c;
    vq_conv_direction direction;
    const vq_conv_arrays_real *arrays;
    const vq_kernels *kernels;
    block block;  /* classes are alike in it */
    size_t tiles; /* of the largest class */
    float *zeros;
    float *scratch; /* of the first thread */
    size_t scratch_step;
} run_job;

static size_t largest_class(const vq_convolution *c, vq_conv_direction direction)
{
    size_t most = 0;
    for (size_t class = 0; class < vq_winograd_classes(c, direction); class ++) {
        const vq_winograd_class k = vq_winograd_class_of(c, direction, class);
        const size_t tiles = vq_winograd_tiles(&k);
        if (tiles > most) most = tiles;
    }
    return most;
}

/* With arena.base NULL this measures; the same calls then bind. */
static run_job job_of(const vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                      vq_arena *arena)
{
    const vq_winograd_class k = vq_winograd_class_of(c, direction, 0);
    run_job job = {.c = c,
                   .direction = direction,
                   .kernels = vq_kernels_of(ctx),
                   .block = block_of(&k),
                   .tiles = largest_class(c, direction)};
    job.scratch_step = vq_winograd_points(&k) * (job.block.plane + job.block.out_plane);
    job.zeros = vq_arena_get(arena, k.in, sizeof(float));
    job.scratch = vq_arena_get(arena, (size_t)ctx->threads * job.scratch_step, sizeof(float));
    return job;
}

static size_t scratch_size(const vq_context *ctx, const vq_convolution *c,
                           vq_conv_direction direction, bool relu_from)
{
    vq_arena arena = {0};
    (void)relu_from;
    (void)job_of(ctx, c, direction, &arena);
    return arena.used;
}

static void transform_tiles(const run_job *job, const vq_winograd_class *k, size_t first,
                            size_t count, float *to)
{
    const vq_winograd_kernels *kernels = &job->kernels->winograd[k->taps - 2];
    vq_winograd_source source = {.relu = job->arrays->relu_from, .plane = job->block.plane};
    for (size_t tile = 0; tile < count; tile++) {
        const vq_winograd_spot spot = vq_winograd_spot_of(k, first + tile);
        source.to = to + tile * job->block.row;
        vq_winograd_image(kernels, k, &spot, job->arrays->from, job->zeros, &source);
    }
}

/* The products of all points. */
static void multiply(const run_job *job, const vq_winograd_class *k, const float *weights,
                     size_t count, const float *from, float *to)
{
    size_t in_at[BLOCK_MAX], out_at[BLOCK_MAX];
    for (size_t tile = 0; tile < count; tile++) {
        in_at[tile] = tile * job->block.row;
        out_at[tile] = tile * job->block.out_row;
    }
    vq_correlation product = {.taps = 1,
                              .run = vq_winograd_depth(k),
                              .line = vq_winograd_depth(k),
                              .depth = vq_winograd_depth(k),
                              .places = count,
                              .channels = job->block.out_row,
                              .in_at = in_at,
                              .out_at = out_at};
    for (size_t point = 0; point < vq_winograd_points(k); point++) {
        product.in = from + point * job->block.plane;
        product.weights = weights + point * point_size(k);
        product.out = to + point * job->block.out_plane;
        vq_correlate(job->kernels, &product);
    }
}

static void transform_results(const run_job *job, const vq_winograd_class *k, size_t first,
                              size_t count, const float *from)
{
    const vq_conv_arrays_real *arrays = job->arrays;
    vq_winograd_result result = {
        .plane = job->block.out_plane,
        .channels = k->out,
        .bias = arrays->packed,
        .mask = arrays->mask,
        .residual = arrays->residual,
        .to = arrays->to,
        .add = arrays->add,
        .relu = arrays->relu,
    };
    for (size_t tile = 0; tile < count; tile++) {
        const vq_winograd_spot spot = vq_winograd_spot_of(k, first + tile);
        for (size_t i = 0; i < (size_t)VQ_WINOGRAD_TILE * VQ_WINOGRAD_TILE; i++)
            result.at[i] = vq_winograd_place(k, &spot, i / VQ_WINOGRAD_TILE, i % VQ_WINOGRAD_TILE);
        result.from = from + tile * job->block.out_row;
        job->kernels->winograd[k->taps - 2].result(&result);
    }
}

/* Tiles [first, last) of a class, in blocks of about one size. */
static void run_tiles(const run_job *job, size_t class, size_t first, size_t last, float *scratch)
{
    const vq_winograd_class k = vq_winograd_class_of(job->c, job->direction, class);
    const float *weights = (const float *)job->arrays->packed + vq_winograd_padded(k.out) +
                           class * vq_winograd_points(&k) * point_size(&k);
    float *products = scratch + vq_winograd_points(&k) * job->block.plane;
    const size_t tiles = vq_winograd_tiles(&k);
    if (last > tiles) last = tiles;
    while (first < last) {
        const size_t left = last - first;
        const size_t count = vq_smaller(left, job->block.tiles);
        transform_tiles(job, &k, first, count, scratch);
        multiply(job, &k, weights, count, scratch, products);
        transform_results(job, &k, first, count, products);
        first += count;
    }
}

/* Item: a tile of a class, all classes having as many as the largest. */
static void run_range(void *arg, size_t begin, size_t end, int thread)
{
    const run_job *job = arg;
    float *scratch = job->scratch + (size_t)thread * job->scratch_step;
    while (begin < end) {
        const size_t class = begin / job->tiles, first = begin % job->tiles;
        const size_t left = end - begin, rest = job->tiles - first;
        const size_t count = vq_smaller(left, rest);
        run_tiles(job, class, first, first + count, scratch);
        begin += count;
    }
}

static vq_status run(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                     const vq_conv_arrays_real *arrays, vq_room scratch)
{
    vq_arena arena = vq_arena_in(scratch);
    run_job job = job_of(ctx, c, direction, &arena);
    VQ_TRY(vq_arena_check(ctx, &arena, "scratch of Winograd's convolution"));
    job.arrays = arrays;
    memset(job.zeros, 0, (direction == VQ_CONV_APPLY ? c->in : c->out) * sizeof(float));
    vq_parallel_for(ctx, vq_winograd_classes(c, direction) * job.tiles, VQ_PLACES, run_range, &job);
    return VQ_OK;
}

const vq_conv_algorithm vq_conv_winograd = {
    .name = name,
    .packed_size = packed_size,
    .pack = pack,
    .scratch = scratch_size,
    .run = run,
    .weights_scratch = vq_winograd_weights_scratch,
    .weights = vq_winograd_weights,
};
