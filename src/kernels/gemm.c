/* SPDX-License-Identifier: Apache-2.0
 * kernels/gemm.c -- the matrix product around the micro-kernel.
 *
 * Blocks as in Goto and van de Geijn 2008, "Anatomy of high-performance matrix
 * multiplication": a slab of B is packed once and shared, each thread packs the rows of A
 * it works on. Blocks of k are walked in order and continue the chain from C, which f32
 * stores exactly, so neither blocks nor threads change a bit. */
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include <stdbool.h>

/* A tile needs few numbers for each multiply-add, so panels may lie in the second-level
 * cache. Deep blocks read long stretches of A's rows, which memory delivers best. */
enum {
    DEPTH_MAX = 1280,
    BLOCK_MAX = 48 << 10, /* floats of A that a thread packs at a time */
    ROWS_MAX = 128,       /* rows of A likewise */
    SLAB_MAX = 1 << 20,   /* floats of B packed at a time, for the cache that threads share */
    PIECE_WORK = 1 << 17  /* multiply-adds below which a thread is not worth waking */
};

typedef struct blocks {
    size_t rows, cols, depth; /* of C and of the chain that are worked on at a time */
    size_t a, b;              /* floats of a packed block of A, of a packed slab of B */
} blocks;

typedef struct gemm_job {
    const vq_gemm *g;
    const vq_kernels *kernels;
    blocks size;
    float *b, *a;         /* packed: the slab of B; a block of A for each thread */
    size_t p, depth;      /* rows of B in the slab */
    size_t column, width; /* columns of B in the slab */
    size_t col_tiles;
    bool start;
} gemm_job;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Blocks are made equal: 1300 is 2 x 650, not 1280 and 20. */
static size_t equal_block(size_t count, size_t most, size_t step)
{
    return vq_round_up(vq_ceil_div(count, vq_ceil_div(count, most)), step);
}

static blocks choose_blocks(const vq_kernels *kernels, size_t m, size_t n, size_t k)
{
    const size_t tile_rows = kernels->tile_rows, tile_cols = kernels->tile_cols;
    blocks size = {.depth = k ? equal_block(k, DEPTH_MAX, 1) : 1};
    size.rows = smaller(m, smaller(ROWS_MAX, BLOCK_MAX / size.depth) / tile_rows * tile_rows);
    size.rows = vq_round_up(size.rows, tile_rows);
    size.cols = n ? equal_block(n, SLAB_MAX / size.depth, tile_cols) : 0;
    size.a = vq_round_up(size.rows * size.depth, VQ_PACK_ALIGNED);
    size.b = vq_round_up(size.cols * size.depth, VQ_PACK_ALIGNED);
    return size;
}

size_t vq_gemm_workspace(const vq_context *ctx, size_t m, size_t n, size_t k)
{
    const blocks size = choose_blocks(vq_kernels_of(ctx), m, n, k);
    return (size.b + (size_t)ctx->threads * size.a) * sizeof(float);
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
    float *a = job->a + (size_t)thread * job->size.a;
    const size_t rows_max = job->size.rows / job->kernels->tile_rows;
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
    gemm_job job = {.g = g, .kernels = vq_kernels_of(ctx), .b = workspace};
    if (g->m == 0 || g->n == 0) return;
    job.size = choose_blocks(job.kernels, g->m, g->n, g->k);
    job.a = job.b + job.size.b;
    for (job.column = 0; job.column < g->n; job.column += job.size.cols) {
        job.width = smaller(job.size.cols, g->n - job.column);
        job.p = 0;
        do { /* once even where k is 0: the empty chain is 0 */
            job.depth = smaller(job.size.depth, g->k - job.p);
            job.start = g->accumulate || job.p > 0;
            run_slab(ctx, &job);
            job.p += job.depth;
        } while (job.p < g->k);
    }
}
