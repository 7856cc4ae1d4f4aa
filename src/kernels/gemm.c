/* SPDX-License-Identifier: Apache-2.0
 * kernels/gemm.c -- the matrix product around the micro-kernel.
 *
 * Blocks as in Goto and van de Geijn 2008, "Anatomy of high-performance matrix
 * multiplication": a slab of B is packed once and shared, each thread packs the rows of A
 * it works on. Blocks of k are walked in order and continue the chain from C, which f32
 * stores exactly, so neither blocks nor threads change a bit. */
#include <stdbool.h>
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"

enum {
    DEPTH_MAX = 256,   /* a panel of A and one of B stay in the first-level cache */
    ROWS_MAX = 128,    /* rows of A that a thread packs at a time: second-level cache */
    COLS_MAX = 2048,   /* columns of B packed at a time: 2 MiB */
    PIECE_WORK = 65536 /* multiply-adds below which a thread is not worth waking */
};

typedef struct gemm_job {
    const vq_gemm *g;
    const vq_kernels *kernels;
    float *b, *a; /* packed: the slab of B; a block of A for each thread */
    size_t a_size;
    size_t p, depth;      /* rows of B in the slab */
    size_t column, width; /* columns of B in the slab */
    size_t col_tiles;
    bool start;
} gemm_job;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Equal blocks: 260 is 2 x 130, not 256 and 4. */
static size_t depth_block(size_t k)
{
    return k ? vq_ceil_div(k, vq_ceil_div(k, DEPTH_MAX)) : 1;
}

static size_t rows_block(const vq_kernels *kernels, size_t m)
{
    const size_t rows = kernels->tile_rows;
    return smaller(vq_round_up(m, rows), ROWS_MAX / rows * rows);
}

static size_t slab_size(const vq_kernels *kernels, size_t n, size_t k)
{
    const size_t width = vq_round_up(smaller(n, COLS_MAX), kernels->tile_cols);
    return vq_round_up(width * depth_block(k), VQ_PACK_ALIGNED);
}

static size_t block_size(const vq_kernels *kernels, size_t m, size_t k)
{
    return vq_round_up(rows_block(kernels, m) * depth_block(k), VQ_PACK_ALIGNED);
}

size_t vq_gemm_workspace(const vq_context *ctx, size_t m, size_t n, size_t k)
{
    const vq_kernels *kernels = vq_kernels_of(ctx);
    const size_t threads = (size_t)ctx->threads;
    return (slab_size(kernels, n, k) + threads * block_size(kernels, m, k)) * sizeof(float);
}

static void pack_b(void *arg, size_t begin, size_t end, int thread)
{
    const gemm_job *job = arg;
    const vq_gemm *g = job->g;
    (void)thread;
    const vq_lines lines = {
        .from = g->b + job->p * g->b_row + job->column * g->b_col,
        .lane_step = g->b_col,
        .depth_step = g->b_row,
        .lanes = job->width,
        .depth = job->depth,
    };
    vq_pack_panels(job->kernels->pack, &lines, job->kernels->tile_cols, begin, end,
                   job->b + begin * job->kernels->tile_cols * job->depth);
}

/* Packs `rows` tiles of A from tile `row` on and multiplies them with `cols` panels of B. */
static void multiply(const gemm_job *job, float *a, size_t row, size_t rows, size_t col,
                     size_t cols)
{
    const vq_gemm *g = job->g;
    const vq_kernels *kernels = job->kernels;
    const size_t tile_rows = kernels->tile_rows, tile_cols = kernels->tile_cols;
    const vq_lines lines = {
        .from = g->a + job->p * g->a_col,
        .lane_step = g->a_row,
        .depth_step = g->a_col,
        .lanes = g->m,
        .depth = job->depth,
    };
    vq_pack_panels(kernels->pack, &lines, tile_rows, row, row + rows, a);
    for (size_t j = col; j < col + cols; j++) {
        const float *b = job->b + j * tile_cols * job->depth;
        const size_t n = smaller(tile_cols, job->width - j * tile_cols);
        for (size_t i = row; i < row + rows; i++) {
            float *c = g->c + i * tile_rows * g->ldc + job->column + j * tile_cols;
            kernels->gemm_tile(job->depth, a + (i - row) * tile_rows * job->depth, b, c, g->ldc,
                               smaller(tile_rows, g->m - i * tile_rows), n, job->start);
        }
    }
}

/* Tiles are numbered row by row, so a piece is the end of a row of tiles, whole rows and
 * the beginning of another: pieces are equal however the matrix is shaped. */
static void run_tiles(void *arg, size_t begin, size_t end, int thread)
{
    const gemm_job *job = arg;
    float *a = job->a + (size_t)thread * job->a_size;
    const size_t rows_max = rows_block(job->kernels, job->g->m) / job->kernels->tile_rows;
    while (begin < end) {
        const size_t row = begin / job->col_tiles, col = begin % job->col_tiles;
        size_t rows = 1, cols = smaller(job->col_tiles - col, end - begin);
        if (cols == job->col_tiles) rows = smaller(rows_max, (end - begin) / cols);
        multiply(job, a, row, rows, col, cols);
        begin += rows * cols;
    }
}

static void run_slab(vq_context *ctx, gemm_job *job)
{
    const vq_kernels *kernels = job->kernels;
    const size_t row_tiles = vq_ceil_div(job->g->m, kernels->tile_rows);
    const size_t work = kernels->tile_rows * kernels->tile_cols * (job->depth + 1);
    job->col_tiles = vq_ceil_div(job->width, kernels->tile_cols);
    /* Packing moves one number where a tile does tile_rows multiply-adds and more. */
    vq_parallel_for(ctx, job->col_tiles, 1 + PIECE_WORK / (work * 2), pack_b, job);
    vq_parallel_for(ctx, row_tiles * job->col_tiles, 1 + PIECE_WORK / work, run_tiles, job);
}

void vq_gemm_run(vq_context *ctx, const vq_gemm *g, void *workspace)
{
    const vq_kernels *kernels = vq_kernels_of(ctx);
    const size_t depth = depth_block(g->k);
    gemm_job job = {.g = g, .kernels = kernels, .b = workspace};
    if (g->m == 0 || g->n == 0) return;
    job.a = job.b + slab_size(kernels, g->n, g->k);
    job.a_size = block_size(kernels, g->m, g->k);
    for (job.column = 0; job.column < g->n; job.column += COLS_MAX) {
        job.width = smaller(COLS_MAX, g->n - job.column);
        job.p = 0;
        do { /* once even where k is 0: the empty chain is 0 */
            job.depth = smaller(depth, g->k - job.p);
            job.start = g->accumulate || job.p > 0;
            run_slab(ctx, &job);
            job.p += depth;
        } while (job.p < g->k);
    }
}
