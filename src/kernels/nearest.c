/* SPDX-License-Identifier: Apache-2.0
 * kernels/nearest.c -- nearest code of every vector by the matrix micro-kernel.
 *
 * |x - e|^2 / 2 = |x|^2 / 2 + |e|^2 / 2 - x.e, whose first term is the same for all codes.
 * The rest cancels when x and e are far from the origin, so both are first moved by the
 * mean code. Products of a few vectors with some hundred codes are made in cache and
 * searched there. */
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include <math.h>

enum {
    CODES_MAX = 512,     /* codes whose products with a tile of vectors are kept: 16 KiB */
    MEAN_GRAIN = 16,     /* numbers of the mean code that one piece makes */
    PIECE_WORK = 1 << 17 /* multiply-adds below which a thread is not worth waking */
};

typedef struct nearest_job {
    const vq_kernels *kernels;
    size_t n, dim, n_codes;
    const float *x, *codes;
    int32_t *idx;
    double *sum;    /* dim: of all codes */
    float *mean;    /* dim */
    float *half;    /* n_codes, padded to panels: |e - mean|^2 / 2 */
    float *packed;  /* panels of the codes less their mean */
    float *scratch; /* for each thread: a panel of vectors, then their products */
    size_t scratch_size;
} nearest_job;

/* Lays the job's arrays out in the workspace; the same calls measure it. */
static void layout(nearest_job *job, const vq_context *ctx, vq_arena *arena)
{
    const vq_kernels *kernels = vq_kernels_of(ctx);
    const size_t padded = vq_round_up(job->n_codes, kernels->tile_cols);
    const size_t part = padded < CODES_MAX ? padded : CODES_MAX;
    job->kernels = kernels;
    job->scratch_size = vq_round_up(kernels->tile_rows * (job->dim + part), VQ_PACK_ALIGNED);
    job->sum = vq_arena_get(arena, job->dim, sizeof(double));
    job->mean = vq_arena_get(arena, job->dim, sizeof(float));
    job->half = vq_arena_get(arena, padded, sizeof(float));
    job->packed = vq_arena_get(arena, padded * job->dim, sizeof(float));
    job->scratch = vq_arena_get(arena, (size_t)ctx->threads * job->scratch_size, sizeof(float));
}

size_t vq_nearest_workspace(const vq_context *ctx, size_t n, size_t dim, size_t n_codes)
{
    nearest_job job = {.n = n, .dim = dim, .n_codes = n_codes};
    vq_arena arena = {0};
    layout(&job, ctx, &arena);
    return arena.used;
}

/* In double and in the order of the codes: the same mean whatever the pieces. */
static void make_mean(void *arg, size_t begin, size_t end, int thread)
{
    const nearest_job *job = arg;
    (void)thread;
    for (size_t d = begin; d < end; d++) job->sum[d] = 0.0;
    for (size_t j = 0; j < job->n_codes; j++)
        for (size_t d = begin; d < end; d++) job->sum[d] += (double)job->codes[j * job->dim + d];
    for (size_t d = begin; d < end; d++) job->mean[d] = (float)(job->sum[d] / (double)job->n_codes);
}

/* The square of a float is exact in double, so contracting it with the sum changes
 * nothing. A group of lanes at a time lets the compiler keep several chains going. */
static void half_squares(const float *panel, size_t width, size_t depth, float *half)
{
    enum { LANES = 16 };
    for (size_t lane = 0; lane < width; lane += LANES) {
        const size_t lanes = width - lane < LANES ? width - lane : LANES;
        double sum[LANES] = {0.0};
        for (size_t p = 0; p < depth; p++)
            for (size_t i = 0; i < lanes; i++) {
                const double e = (double)panel[p * width + lane + i];
                sum[i] += e * e;
            }
        for (size_t i = 0; i < lanes; i++) half[lane + i] = (float)(0.5 * sum[i]);
    }
}

static void pack_codes(void *arg, size_t begin, size_t end, int thread)
{
    const nearest_job *job = arg;
    const size_t width = job->kernels->tile_cols;
    const vq_lines lines = {
        .from = job->codes,
        .lane_step = job->dim,
        .depth_step = 1,
        .lanes = job->n_codes,
        .depth = job->dim,
        .shift = job->mean,
    };
    (void)thread;
    vq_pack_panels(job->kernels->pack, &lines, width, begin, end,
                   job->packed + begin * width * job->dim);
    for (size_t i = begin; i < end; i++)
        half_squares(job->packed + i * width * job->dim, width, job->dim, job->half + i * width);
}

/* Searches the codes [first, first + count) for `rows` packed vectors. */
static void search(const nearest_job *job, const float *a, size_t rows, float *dot, size_t first,
                   size_t count, float *best, int32_t *idx)
{
    const size_t cols = job->kernels->tile_cols;
    const size_t stride = vq_round_up(count, cols);
    for (size_t j = 0; j < count; j += cols)
        job->kernels->gemm_tile(job->dim, a, job->packed + (first + j) * job->dim, dot + j, stride,
                                rows, cols, 0);
    for (size_t i = 0; i < rows; i++)
        job->kernels->argmin(dot + i * stride, job->half + first, count, (int32_t)first, best + i,
                             idx + i);
}

/* Finds the codes of the tiles [begin, end) of vectors. */
static void search_tiles(void *arg, size_t begin, size_t end, int thread)
{
    const nearest_job *job = arg;
    const size_t rows = job->kernels->tile_rows;
    float *a = job->scratch + (size_t)thread * job->scratch_size;
    const vq_lines lines = {
        .from = job->x,
        .lane_step = job->dim,
        .depth_step = 1,
        .lanes = job->n,
        .depth = job->dim,
        .shift = job->mean,
    };
    for (size_t tile = begin; tile < end; tile++) {
        float best[VQ_TILE_ROWS_MAX];
        const size_t row = tile * rows;
        const size_t count = job->n - row < rows ? job->n - row : rows;
        vq_pack_panels(job->kernels->pack, &lines, rows, tile, tile + 1, a);
        for (size_t i = 0; i < count; i++) {
            best[i] = INFINITY;
            job->idx[row + i] = 0;
        }
        for (size_t first = 0; first < job->n_codes; first += CODES_MAX) {
            const size_t left = job->n_codes - first;
            search(job, a, count, a + rows * job->dim, first, left < CODES_MAX ? left : CODES_MAX,
                   best, job->idx + row);
        }
    }
}

void vq_nearest_run(vq_context *ctx, size_t n, size_t dim, size_t n_codes, const float *x,
                    const float *codes, int32_t *idx, void *workspace)
{
    nearest_job job = {.n = n, .dim = dim, .n_codes = n_codes, .x = x, .codes = codes, .idx = idx};
    vq_arena arena = {.base = workspace, .capacity = SIZE_MAX};
    layout(&job, ctx, &arena);
    const size_t panels = vq_ceil_div(n_codes, job.kernels->tile_cols);
    const size_t tiles = vq_ceil_div(n, job.kernels->tile_rows);
    const size_t work = job.kernels->tile_rows * n_codes * (dim + 1);
    vq_parallel_for(ctx, dim, MEAN_GRAIN + PIECE_WORK / n_codes, make_mean, &job);
    vq_parallel_for(ctx, panels, 1 + PIECE_WORK / (job.kernels->tile_cols * (dim + 1)), pack_codes,
                    &job);
    vq_parallel_for(ctx, tiles, 1 + PIECE_WORK / work, search_tiles, &job);
}
