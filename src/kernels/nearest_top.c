/* SPDX-License-Identifier: Apache-2.0
 * kernels/nearest_top.c -- the few nearest codes of every vector, in order.
 *
 * The products of one vector with a block of codes are made in cache. For a short list the least
 * score of a block is found as in the plain search; while it beats the last of the list it enters
 * there and is struck out of the block. A long list is a heap with its last at the root, which each
 * score is held against, put in order at the end: K log(top) steps at most. */
#include "base/parallel.h"
#include "base/sizes.h"
#include "kernels/nearest.h"
#include <math.h>
#include <stdatomic.h>

enum {
    BLOCK = 1 << 15,     /* numbers of a block of codes: 128 KiB */
    SHORT_LIST = 64,     /* up to which entering in order costs less than a heap */
    PIECE_WORK = 1 << 17 /* multiply-adds below which a thread is not worth waking */
};

typedef struct top_job {
    const vq_code_index *index;
    size_t n, top, block_panels;
    const float *x;
    int32_t *idx;
    unsigned char *scratch; /* of all threads */
    size_t scratch_size;    /* of each */
    atomic_bool *infinite;  /* whether some vector holds what is no finite number */
} top_job;

typedef struct top_scratch {
    float *x, *dot, *best;
} top_scratch;

static top_scratch scratch_of(const top_job *job, vq_arena *arena)
{
    return (top_scratch){
        .x = vq_arena_get(arena, job->index->dim, sizeof(float)),
        .dot = vq_arena_get(arena, job->block_panels * VQ_CODE_PANEL, sizeof(float)),
        .best = vq_arena_get(arena, job->top, sizeof(float)),
    };
}

static void layout(top_job *job, const vq_context *ctx, vq_arena *arena)
{
    const size_t panels = BLOCK / (VQ_CODE_PANEL * job->index->dim);
    vq_arena measure = {0};
    job->block_panels = panels ? panels : 1;
    (void)scratch_of(job, &measure);
    job->scratch_size = vq_round_up(measure.used, VQ_ALIGNMENT);
    job->scratch = vq_arena_get(arena, (size_t)ctx->threads, job->scratch_size);
}

size_t vq_nearest_top_workspace(const vq_context *ctx, const vq_code_index *index, size_t n,
                                size_t top)
{
    top_job job = {.index = index, .n = n, .top = top};
    vq_arena arena = {0};
    layout(&job, ctx, &arena);
    return arena.used;
}

/* ---- lists as heaps -------------------------------------------------------------- */

static bool comes_after(const float *score, const int32_t *code, size_t a, size_t b)
{
    return score[a] > score[b] || (score[a] == score[b] && code[a] > code[b]);
}

static void swap(float *score, int32_t *code, size_t a, size_t b)
{
    const float one_score = score[a];
    const int32_t one_code = code[a];
    score[a] = score[b];
    code[a] = code[b];
    score[b] = one_score;
    code[b] = one_code;
}

/* Takes entry i of a heap of n down to where it belongs; nothing comes after its parent. */
static void sift(float *score, int32_t *code, size_t i, size_t n)
{
    for (size_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && comes_after(score, code, child + 1, child)) child++;
        if (!comes_after(score, code, child, i)) return;
        swap(score, code, child, i);
        i = child;
    }
}

static void sort_heap(float *score, int32_t *code, size_t n)
{
    for (size_t left = n; left > 1; left--) {
        swap(score, code, 0, left - 1);
        sift(score, code, 0, left - 1);
    }
}

void vq_nearest_sort(float *score, int32_t *code, size_t n)
{
    size_t sorted = 1;
    while (sorted < n && comes_after(score, code, sorted, sorted - 1)) sorted++;
    if (sorted >= n) return;
    for (size_t i = n / 2; i > 0; i--) sift(score, code, i - 1, n);
    sort_heap(score, code, n);
}

/* ---- the search ------------------------------------------------------------------ */

/* Codes come in rising order, so an equal score goes behind those that are there. */
static void enter(const top_job *job, float *best, int32_t *at, float score, int32_t code)
{
    size_t place = job->top - 1;
    for (; place > 0 && score < best[place - 1]; place--) {
        best[place] = best[place - 1];
        at[place] = at[place - 1];
    }
    best[place] = score;
    at[place] = code;
}

/* Of an equal score the code that came before stays. */
static void enter_heap(const top_job *job, const top_scratch *s, size_t first, size_t count,
                       int32_t *at)
{
    const float *half = job->index->half + first;
    for (size_t j = 0; j < count; j++) {
        const float score = half[j] - s->dot[j];
        if (!(score < s->best[0])) continue;
        s->best[0] = score;
        at[0] = (int32_t)(first + j);
        sift(s->best, at, 0, job->top);
    }
}

static void search_block(const top_job *job, const top_scratch *s, size_t panel, size_t panels,
                         int32_t *at)
{
    const vq_code_index *index = job->index;
    const size_t first = panel * VQ_CODE_PANEL, left = index->n_codes - first;
    const size_t count = vq_smaller(panels * VQ_CODE_PANEL, left);
    index->kernels->dots(index->dim, s->x, index->packed + first * index->dim, panels, s->dot);
    if (job->top > SHORT_LIST) {
        enter_heap(job, s, first, count, at);
        return;
    }
    for (;;) {
        float score = s->best[job->top - 1];
        int32_t code = -1;
        index->kernels->argmin(s->dot, index->half + first, count, (int32_t)first, &score, &code);
        if (code < 0) return;
        enter(job, s->best, at, score, code);
        s->dot[(size_t)code - first] = -INFINITY;
    }
}

static void take_row(const top_job *job, const float *x, float *to)
{
    const vq_code_index *index = job->index;
    for (size_t d = 0; d < index->dim; d++) to[d] = x[d] - index->centre[d];
    if (!index->scaled && vq_all_near(x, index->dim)) return;
    if (!vq_pack_far(index, x, to, 1)) atomic_store(job->infinite, true);
}

static void search_rows(void *arg, size_t begin, size_t end, int thread)
{
    const top_job *job = arg;
    const vq_code_index *index = job->index;
    vq_arena arena = {.base = job->scratch + (size_t)thread * job->scratch_size,
                      .capacity = job->scratch_size};
    const top_scratch s = scratch_of(job, &arena);
    for (size_t row = begin; row < end; row++) {
        int32_t *at = job->idx + row * job->top;
        take_row(job, job->x + row * index->dim, s.x);
        for (size_t i = 0; i < job->top; i++) {
            s.best[i] = INFINITY;
            at[i] = -1;
        }
        for (size_t panel = 0; panel < index->panels; panel += job->block_panels) {
            const size_t left = index->panels - panel;
            search_block(job, &s, panel, vq_smaller(left, job->block_panels), at);
        }
        if (job->top > SHORT_LIST) sort_heap(s.best, at, job->top);
    }
}

bool vq_nearest_top(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                    size_t top, int32_t *idx, void *workspace)
{
    atomic_bool infinite = false;
    top_job job = {.index = index, .n = n, .top = top, .x = x, .idx = idx, .infinite = &infinite};
    vq_arena arena = {.base = workspace, .capacity = SIZE_MAX};
    layout(&job, ctx, &arena);
    vq_parallel_for(ctx, n, 1 + PIECE_WORK / (index->n_codes * index->dim), search_rows, &job);
    return !atomic_load(&infinite);
}
