/* SPDX-License-Identifier: Apache-2.0
 * kernels/nearest.c -- nearest code of every vector.
 *
 * Vectors are packed into tiles, one in each lane, and a tile walks along the panels of codes.
 * Vectors and codes are taken in blocks that stay in the second-level cache. Where there are
 * fewer tiles than threads, the threads share the codes instead. */
#include "kernels/nearest.h"
#include "base/parallel.h"
#include "base/sizes.h"
#include "kernels/pack.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    BLOCK = 1 << 15,      /* numbers of a block of vectors, of a block of codes: 128 KiB */
    VECTORS = 256,        /* of a block, at least: each block reads all codes from memory */
    SCREENED = 1 << 17,   /* words of a block of codes that are screened, with their scores */
    PIECE_WORK = 1 << 17, /* multiply-adds below which a thread is not worth waking */
    ROWS = 3,             /* vectors left over that are searched one by one */
    PASS_SHARE = 2,       /* screening has failed where more than this part passes it, */
    REST = 7              /* and that many blocks of codes are then searched without */
};

typedef struct nearest_job {
    const vq_code_index *index;
    const vq_kernels *kernels;
    size_t n, tiles;
    const float *x;
    int32_t *idx;
    vq_rows_fn *then; /* NULL: nothing */
    void *then_arg;
    size_t block_tiles, block_panels;
    size_t parts;           /* threads that share the codes; 1: they share the vectors */
    float *part_best;       /* parts x n, where there are several */
    int32_t *part_at;       /* likewise */
    unsigned char *scratch; /* of all threads */
    size_t scratch_size;    /* of each */
    atomic_bool *infinite;  /* whether some vector holds what is no finite number */
} nearest_job;

/* What one thread works in: a block of vectors, and what is known of them. */
typedef struct scratch {
    float *x;            /* packed tiles, or one centred vector */
    float *best;         /* for each vector */
    int32_t *at;         /* likewise */
    float *dot;          /* products of one vector with a block of codes */
    uint32_t *pairs;     /* from here on for screening: the tiles in bf16 */
    float *length, *gap; /* for each vector, see vq_screen_tile */
    float *threshold;    /* likewise */
    float *low;          /* of a tile and a block of codes */
    uint32_t *mask;      /* likewise */
    size_t rest;         /* tiles, each with a block of codes, that screening still rests */
} scratch;

typedef struct range {
    size_t begin, end;
} range;

static scratch scratch_of(const nearest_job *job, vq_arena *arena)
{
    const size_t vectors = job->block_tiles * job->kernels->search_lanes;
    const size_t dim = job->index->dim;
    scratch s = {
        .x = vq_arena_get(arena, vectors * dim, sizeof(float)),
        .best = vq_arena_get(arena, vectors, sizeof(float)),
        .at = vq_arena_get(arena, vectors, sizeof(int32_t)),
        .dot = vq_arena_get(arena, job->block_panels * VQ_CODE_PANEL, sizeof(float)),
    };
    if (!job->index->screened) return s;
    s.pairs = vq_arena_get(arena, vectors * job->index->screen.words, sizeof(uint32_t));
    s.length = vq_arena_get(arena, vectors, sizeof(float));
    s.gap = vq_arena_get(arena, vectors, sizeof(float));
    s.threshold = vq_arena_get(arena, vectors, sizeof(float));
    s.low = vq_arena_get(arena, job->block_panels * job->kernels->search_lanes, sizeof(float));
    s.mask = vq_arena_get(arena, job->block_panels, sizeof(uint32_t));
    return s;
}

static void layout(nearest_job *job, const vq_context *ctx, vq_arena *arena)
{
    const vq_code_index *index = job->index;
    const size_t threads = (size_t)ctx->threads, lanes = index->kernels->search_lanes;
    const size_t block_tiles = vq_larger(BLOCK / index->dim, VECTORS) / lanes;
    const size_t screened = SCREENED / (VQ_CODE_PANEL * (index->screen.words + 1) + lanes);
    const size_t block_panels = index->screened ? screened : BLOCK / (VQ_CODE_PANEL * index->dim);
    vq_arena measure = {0};
    job->kernels = index->kernels;
    job->tiles = vq_ceil_div(job->n, lanes);
    job->block_tiles = vq_smaller(block_tiles, job->tiles);
    job->block_panels = block_panels ? vq_smaller(block_panels, index->panels) : 1;
    job->parts = 1;
    if (job->tiles < threads) job->parts += job->n * index->n_codes / (1 + PIECE_WORK / index->dim);
    job->parts = vq_smaller(job->parts, vq_smaller(threads, index->panels));
    if (job->parts > 1) {
        job->part_best = vq_arena_get(arena, job->parts * job->n, sizeof(float));
        job->part_at = vq_arena_get(arena, job->parts * job->n, sizeof(int32_t));
    }
    (void)scratch_of(job, &measure);
    job->scratch_size = vq_round_up(measure.used, VQ_ALIGNMENT);
    job->scratch = vq_arena_get(arena, threads, job->scratch_size);
}

size_t vq_nearest_workspace(const vq_context *ctx, const vq_code_index *index, size_t n)
{
    nearest_job job = {.index = index, .n = n};
    vq_arena arena = {0};
    layout(&job, ctx, &arena);
    return arena.used;
}

/* ---- a block of vectors, a block of codes ------------------------------------- */

/* The vectors from a row on, as they are packed: less the centre. */
static vq_lines vectors_from(const nearest_job *job, size_t row)
{
    return (vq_lines){
        .from = job->x + row * job->index->dim,
        .lane_step = job->index->dim,
        .depth_step = 1,
        .lanes = job->n - row,
        .depth = job->index->dim,
        .shift = job->index->centre,
    };
}

/* Packs those of `tiles` tiles from a row on again that are out of the ordinary, see
 * nearest_far.c. */
static void pack_far(const nearest_job *job, size_t row, size_t lanes, size_t tiles, float *to)
{
    const vq_code_index *index = job->index;
    const size_t dim = index->dim, count = vq_smaller(tiles * lanes, job->n - row);
    const float *x = job->x + row * dim;
    if (!index->scaled && vq_all_near(x, count * dim)) return;
    for (size_t i = 0; i < count; i++, x += dim) {
        if (!index->scaled && vq_all_near(x, dim)) continue;
        if (!vq_pack_far(index, x, to + i / lanes * lanes * dim + i % lanes, lanes))
            atomic_store(job->infinite, true);
    }
}

static void pack_near(const nearest_job *job, size_t row, size_t lanes, size_t tiles, float *to)
{
    const vq_lines lines = vectors_from(job, row);
    vq_pack_panels(job->kernels->pack, &lines, lanes, 0, tiles, to);
}

static void pack_tiles(const nearest_job *job, size_t row, size_t lanes, size_t tiles, float *to)
{
    pack_near(job, row, lanes, tiles, to);
    pack_far(job, row, lanes, tiles, to);
}

static void round_tile(const nearest_job *job, const scratch *s, size_t vector)
{
    const vq_code_index *index = job->index;
    job->kernels->screening->pack(index->dim, job->kernels->search_lanes,
                                  s->x + vector * index->dim,
                                  s->pairs + vector * index->screen.words, s->length + vector,
                                  s->gap + vector);
}

static bool all_finite(const float *x, size_t count)
{
    bool finite = true;
    for (size_t i = 0; i < count; i++) finite = finite && isfinite(x[i]);
    return finite;
}

/* Packs the tile of a row in f32 and in bf16, as vector number `vector` of the scratch and the next
 * ones. Vectors of finite gaps are shorter than 2^61: to look whether they are out of the ordinary
 * is needless, and takes as long as rounding them. */
static void pack_screened(const nearest_job *job, const scratch *s, size_t row, size_t vector)
{
    const size_t lanes = job->kernels->search_lanes;
    float *x = s->x + vector * job->index->dim;
    pack_near(job, row, lanes, 1, x);
    if (!job->index->scaled) {
        round_tile(job, s, vector);
        if (all_finite(s->gap + vector, lanes)) return;
    }
    pack_far(job, row, lanes, 1, x);
    round_tile(job, s, vector);
}

static void start_anew(const scratch *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        s->best[i] = INFINITY;
        s->at[i] = 0;
    }
}

static void search_plainly(const nearest_job *job, const scratch *s, size_t tile, range panels)
{
    const vq_code_index *index = job->index;
    const size_t first = panels.begin * VQ_CODE_PANEL, vector = tile * job->kernels->search_lanes;
    const size_t count = vq_smaller(panels.end * VQ_CODE_PANEL, index->n_codes) - first;
    job->kernels->search(index->dim, s->x + vector * index->dim, index->packed + first * index->dim,
                         index->half + first, count, (int32_t)first, s->best + vector,
                         s->at + vector);
}

/* See screening.h. A threshold may stand from earlier codes, and the best score so far is one too:
 * both only let fewer groups pass that cannot hold the nearest code of all. */
static void search_screened(const nearest_job *job, scratch *s, size_t tile, range panels)
{
    const vq_code_index *index = job->index;
    const vq_screening *screening = job->kernels->screening;
    const size_t lanes = job->kernels->search_lanes, vector = tile * lanes;
    const size_t first = panels.begin * VQ_CODE_PANEL, count = panels.end - panels.begin;
    const size_t words = index->screen.words;
    const vq_screen_tile x = {s->pairs + vector * words, s->length + vector, s->gap + vector};
    float *threshold = s->threshold + vector;
    for (size_t i = 0; i < lanes; i++)
        if (s->best[vector + i] < threshold[i]) threshold[i] = s->best[vector + i];
    screening->screen(words, &x, index->screen.pairs + first * words, index->half + first,
                      index->screen.groups + panels.begin, count, s->low, threshold);
    const size_t passed = screening->pass(count, s->low, threshold, s->mask);
    if (passed > count * lanes / PASS_SHARE) {
        s->rest = REST * job->block_tiles;
        search_plainly(job, s, tile, panels);
        return;
    }
    screening->again(index->dim, s->x + vector * index->dim, index->packed + first * index->dim,
                     index->half + first, count, s->mask, (int32_t)first, s->best + vector,
                     s->at + vector);
}

/* A few vectors in a tile of half as many lanes. */
static void search_narrow(const nearest_job *job, scratch *s, size_t row, range panels)
{
    const vq_code_index *index = job->index;
    const size_t lanes = job->kernels->search_lanes / 2;
    const size_t first = panels.begin * VQ_CODE_PANEL;
    pack_tiles(job, row, lanes, 1, s->x);
    start_anew(s, lanes);
    job->kernels->search_narrow(index->dim, s->x, index->packed + first * index->dim,
                                index->half + first,
                                vq_smaller(panels.end * VQ_CODE_PANEL, index->n_codes) - first,
                                (int32_t)first, s->best, s->at);
}

/* Packs the tiles and searches them among the panels; results lie in the scratch. */
static void search_tiles(const nearest_job *job, scratch *s, range tiles, range panels)
{
    const vq_code_index *index = job->index;
    const size_t lanes = job->kernels->search_lanes, count = tiles.end - tiles.begin;
    if (!index->screened) pack_tiles(job, tiles.begin * lanes, lanes, count, s->x);
    start_anew(s, count * lanes);
    for (size_t t = 0; index->screened && t < count; t++) {
        const size_t vector = t * lanes;
        pack_screened(job, s, tiles.begin * lanes + vector, vector);
        for (size_t i = 0; i < lanes; i++) s->threshold[vector + i] = INFINITY;
    }
    for (range block = panels; block.begin < panels.end; block.begin = block.end) {
        block.end = vq_smaller(block.begin + job->block_panels, panels.end);
        for (size_t t = 0; t < count; t++) {
            if (!index->screened || s->rest) search_plainly(job, s, t, block);
            else search_screened(job, s, t, block);
            if (s->rest) s->rest--;
        }
    }
}

/* One vector: its products with a block of codes, then the least score. */
static void search_row(const nearest_job *job, scratch *s, size_t row, range panels)
{
    const vq_code_index *index = job->index;
    const float *x = job->x + row * index->dim;
    for (size_t d = 0; d < index->dim; d++) s->x[d] = x[d] - index->centre[d];
    pack_far(job, row, 1, 1, s->x);
    start_anew(s, 1);
    for (range block = panels; block.begin < panels.end; block.begin = block.end) {
        block.end = vq_smaller(block.begin + job->block_panels, panels.end);
        const size_t first = block.begin * VQ_CODE_PANEL;
        job->kernels->dots(index->dim, s->x, index->packed + first * index->dim,
                           block.end - block.begin, s->dot);
        job->kernels->argmin(s->dot, index->half + first,
                             vq_smaller(block.end * VQ_CODE_PANEL, index->n_codes) - first,
                             (int32_t)first, s->best, s->at);
    }
}

/* ---- all of them ---------------------------------------------------------------- */

/* Takes the results of the rows [row, end) out of the scratch. With several parts they are joined
 * later, and only then are the codes known. */
static void keep(const nearest_job *job, const scratch *s, size_t row, size_t end, size_t part)
{
    for (size_t i = row; i < end && job->parts > 1; i++) {
        job->part_best[part * job->n + i] = s->best[i - row];
        job->part_at[part * job->n + i] = s->at[i - row];
    }
    if (job->parts > 1) return;
    for (size_t i = row; i < end; i++) job->idx[i] = s->at[i - row];
    if (job->then) job->then(job->then_arg, row, end);
}

/* Searches the tiles in one part of the codes. */
static void search(const nearest_job *job, scratch *s, range tiles, size_t part)
{
    const size_t all = job->index->panels;
    const range panels = {part * all / job->parts, (part + 1) * all / job->parts};
    const size_t lanes = job->kernels->search_lanes, alone = job->n % lanes;
    const bool last = tiles.end == job->tiles && alone > 0;
    const bool rows = last && alone <= ROWS;
    const bool narrow = last && !rows && alone <= lanes / 2 && job->kernels->search_narrow;
    if (rows || narrow) tiles.end--;
    for (range block = tiles; block.begin < tiles.end; block.begin = block.end) {
        block.end = vq_smaller(block.begin + job->block_tiles, tiles.end);
        search_tiles(job, s, block, panels);
        keep(job, s, block.begin * lanes, vq_smaller(block.end * lanes, job->n), part);
    }
    for (size_t row = job->n - alone; rows && row < job->n; row++) {
        search_row(job, s, row, panels);
        keep(job, s, row, row + 1, part);
    }
    if (narrow) {
        search_narrow(job, s, job->n - alone, panels);
        keep(job, s, job->n - alone, job->n, part);
    }
}

static scratch bind_scratch(const nearest_job *job, int thread)
{
    vq_arena arena = {.base = job->scratch + (size_t)thread * job->scratch_size,
                      .capacity = job->scratch_size};
    return scratch_of(job, &arena);
}

static void search_some_vectors(void *arg, size_t begin, size_t end, int thread)
{
    const nearest_job *job = arg;
    scratch s = bind_scratch(job, thread);
    search(job, &s, (range){begin, end}, 0);
}

static void search_some_codes(void *arg, size_t begin, size_t end, int thread)
{
    const nearest_job *job = arg;
    scratch s = bind_scratch(job, thread);
    for (size_t part = begin; part < end; part++) search(job, &s, (range){0, job->tiles}, part);
}

/* Later parts have higher indices, so a tie stays where it is. */
static void join_parts(const nearest_job *job)
{
    for (size_t i = 0; i < job->n; i++) {
        size_t least = i;
        for (size_t at = i + job->n; at < job->parts * job->n; at += job->n)
            if (job->part_best[at] < job->part_best[least]) least = at;
        job->idx[i] = job->part_at[least];
    }
    if (job->then) job->then(job->then_arg, 0, job->n);
}

/* Among one code there is nothing to search. */
static bool take_only_code(const nearest_job *job)
{
    bool finite = true;
    memset(job->idx, 0, job->n * sizeof *job->idx);
    for (size_t i = 0; i < job->n * job->index->dim; i++) finite = finite && isfinite(job->x[i]);
    if (job->then && job->n > 0) job->then(job->then_arg, 0, job->n);
    return finite;
}

bool vq_nearest_each(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                     int32_t *idx, void *workspace, vq_rows_fn *then, void *arg)
{
    atomic_bool infinite = false;
    nearest_job job = {.index = index,
                       .n = n,
                       .x = x,
                       .idx = idx,
                       .then = then,
                       .then_arg = arg,
                       .infinite = &infinite};
    vq_arena arena = {.base = workspace, .capacity = SIZE_MAX};
    layout(&job, ctx, &arena);
    if (index->n_codes == 1) return take_only_code(&job);
    if (job.parts > 1) {
        vq_parallel_for(ctx, job.parts, 1, search_some_codes, &job);
        join_parts(&job);
        return !atomic_load(&infinite);
    }
    const size_t work = job.kernels->search_lanes * index->n_codes * index->dim;
    vq_parallel_for(ctx, job.tiles, 1 + PIECE_WORK / work, search_some_vectors, &job);
    return !atomic_load(&infinite);
}

bool vq_nearest_run(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                    int32_t *idx, void *workspace)
{
    return vq_nearest_each(ctx, index, n, x, idx, workspace, NULL, NULL);
}
