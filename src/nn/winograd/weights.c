/* SPDX-License-Identifier: Apache-2.0
 * nn/winograd/weights.c -- the gradient of a convolution's weights by Winograd's transforms:
 *   dU[point] = sum over tiles of (B^T d B)[point] (A dy A^T)[point]^T,   dg = G^T dU G
 * with d a tile's patch of the image and dy its 4x4 places of the map.
 *
 * Tiles come a chunk at a time: all threads transform them, then each multiplies some points. The
 * sums go on from chunk to chunk, so that each is one chain over all tiles in their order. */
#include "nn/winograd/winograd.h"

#include <string.h>

#include "base/parallel.h"
#include "base/sizes.h"
#include "nn/winograd/parts.h"

enum {
    CHUNK_FLOATS = 1 << 20, /* of a chunk's transformed tiles */
    SKEW = 16               /* between rows and points, lest they share few sets of a cache */
};

typedef struct weights_job {
    const vq_convolution *c;
    vq_winograd_class k;
    const vq_kernels *kernels;
    const vq_winograd_kernels *winograd;
    size_t tiles;           /* of a chunk, at most */
    size_t row, plane;      /* of the image: [point][tile][channel] */
    size_t groups, width;   /* of the map's channels */
    size_t map_plane;       /* [point][group][tile][width] */
    size_t strips, sum_row; /* of the sums: [point][strip][VQ_PLACES][sum_row] */
    float *zeros, *image, *map, *sums;
    size_t first, count; /* tiles of this chunk */
    const vq_weights_arrays_real *arrays;
    float *d_weight;
} weights_job;

static size_t sum_plane(const weights_job *job)
{
    return job->strips * VQ_PLACES * job->sum_row;
}

/* With arena.base NULL this measures; the same calls then bind. */
static weights_job job_of(const vq_context *ctx, const vq_convolution *c, vq_arena *arena)
{
    weights_job job = {.c = c, .kernels = vq_kernels_of(ctx)};
    const vq_winograd_class *k = &job.k;
    job.k = vq_winograd_class_of(c, VQ_CONV_APPLY, 0);
    job.winograd = vq_winograd_kernels_of(ctx, k);
    const size_t depth = vq_winograd_depth(k), points = vq_winograd_points(k);
    job.row = vq_winograd_padded(depth) + SKEW;
    job.width = job.kernels->correlate_panels * VQ_PANEL;
    job.groups = vq_ceil_div(k->out, job.width);
    job.tiles = CHUNK_FLOATS / (points * (job.row + job.groups * job.width));
    if (job.tiles < VQ_PLACES) job.tiles = VQ_PLACES;
    if (job.tiles > vq_winograd_tiles(k)) job.tiles = vq_winograd_tiles(k);
    job.plane = job.tiles * job.row + SKEW;
    job.map_plane = job.groups * job.tiles * job.width + SKEW;
    job.strips = vq_ceil_div(depth, VQ_PLACES);
    job.sum_row = vq_winograd_padded(k->out);
    job.zeros = vq_arena_get(arena, vq_larger(k->in, k->out), sizeof(float));
    job.image = vq_arena_get(arena, points * job.plane, sizeof(float));
    job.map = vq_arena_get(arena, points * job.map_plane, sizeof(float));
    job.sums = vq_arena_get(arena, points * sum_plane(&job), sizeof(float));
    return job;
}

size_t vq_winograd_weights_scratch(const vq_context *ctx, const vq_convolution *c)
{
    vq_arena arena = {0};
    (void)job_of(ctx, c, &arena);
    return arena.used;
}

static void transform_map(const weights_job *job, const vq_winograd_spot *spot, size_t tile)
{
    vq_winograd_source s = {.channels = job->k.out,
                            .relu = job->arrays->relu_map,
                            .to = job->map + tile * job->width,
                            .plane = job->map_plane,
                            .group = job->width,
                            .group_step = job->tiles * job->width};
    for (size_t i = 0; i < (size_t)VQ_WINOGRAD_TILE * VQ_WINOGRAD_TILE; i++) {
        const size_t at =
            vq_winograd_place(&job->k, spot, i / VQ_WINOGRAD_TILE, i % VQ_WINOGRAD_TILE);
        s.at[i] = at == VQ_WINOGRAD_NONE ? job->zeros : job->arrays->map + at;
    }
    job->winograd->map(&s);
}

/* Item: a tile of the chunk. */
static void transform_range(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    vq_winograd_source image = {.relu = job->arrays->relu_image, .plane = job->plane};
    (void)thread;
    for (size_t tile = begin; tile < end; tile++) {
        const vq_winograd_spot spot = vq_winograd_spot_of(&job->k, job->first + tile);
        image.to = job->image + tile * job->row;
        vq_winograd_image(job->winograd, &job->k, &spot, job->arrays->image, job->zeros, &image);
        transform_map(job, &spot, tile);
    }
}

/* Item: a strip of VQ_PLACES channels of the image by a group of the map's, of one point. */
static void multiply_range(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    vq_outer_tile tile = {.count = {1, 1, job->count},
                          .a_step = {0, 0, job->row},
                          .b_step = {0, 0, job->width},
                          .c_step = job->sum_row};
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t strip = item % job->strips, rest = item / job->strips;
        const size_t group = rest % job->groups, point = rest / job->groups;
        const size_t channel = group * job->width, left = job->sum_row - channel;
        tile.panels = vq_smaller(left, job->width) / VQ_PANEL;
        tile.a = job->image + point * job->plane + strip * VQ_PLACES;
        tile.b = job->map + point * job->map_plane + group * job->tiles * job->width;
        tile.c = job->sums + point * sum_plane(job) + strip * VQ_PLACES * job->sum_row + channel;
        if (job->first == 0)
            for (size_t i = 0; i < VQ_PLACES; i++)
                memset(tile.c + i * job->sum_row, 0, tile.panels * VQ_PANEL * sizeof(float));
        job->kernels->outer(&tile);
    }
}

/* Adds the taps of input channel i of a phase, for the outputs of a panel. */
static void scatter_taps(const weights_job *job, size_t phase, size_t i, size_t panel,
                         const float *taps)
{
    const vq_winograd_class *k = &job->k;
    const vq_convolution *c = job->c;
    const size_t area = c->kernel[0] * c->kernel[1];
    const size_t first = panel * VQ_PANEL, left = k->out - first;
    const size_t count = vq_smaller(left, VQ_PANEL);
    for (size_t a = 0; a < k->taps; a++)
        for (size_t b = 0; b < k->taps; b++, taps += VQ_PANEL) {
            const size_t r = phase / k->phases + a * c->stride[0];
            const size_t s = phase % k->phases + b * c->stride[1];
            float *to = job->d_weight + (first * c->in + i) * area + r * c->kernel[1] + s;
            for (size_t lane = 0; lane < count; lane++) to[lane * c->in * area] += taps[lane];
        }
}

/* Item: a channel (of a phase) of a panel. */
static void taps_range(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const size_t depth = vq_winograd_depth(&job->k);
    float taps[9 * VQ_PANEL];
    (void)thread;
    for (size_t item = begin; item < end; item++) {
        const size_t panel = item / depth, channel = item % depth;
        const float *from = job->sums + channel * job->sum_row + panel * VQ_PANEL;
        job->winograd->taps(from, sum_plane(job), taps);
        scatter_taps(job, channel / job->k.in, channel % job->k.in, panel, taps);
    }
}

vq_status vq_winograd_weights(vq_context *ctx, const vq_convolution *c,
                              const vq_weights_arrays_real *arrays, float *d_weight,
                              vq_room scratch)
{
    vq_arena arena = vq_arena_in(scratch);
    weights_job job = job_of(ctx, c, &arena);
    VQ_TRY(vq_arena_check(ctx, &arena, "scratch of Winograd's weights' gradient"));
    const vq_winograd_class *k = &job.k;
    const size_t tiles = vq_winograd_tiles(k);
    job.arrays = arrays;
    job.d_weight = d_weight;
    memset(job.zeros, 0, vq_larger(k->in, k->out) * sizeof(float));
    for (; job.first < tiles; job.first += job.count) {
        const size_t left = tiles - job.first;
        job.count = vq_smaller(left, job.tiles);
        vq_parallel_for(ctx, job.count, 4, transform_range, &job);
        vq_parallel_for(ctx, vq_winograd_points(k) * job.groups * job.strips, 1 + job.strips / 2,
                        multiply_range, &job);
    }
    vq_parallel_for(ctx, vq_winograd_padded(k->out) / VQ_PANEL * vq_winograd_depth(k), 32,
                    taps_range, &job);
    return VQ_OK;
}
