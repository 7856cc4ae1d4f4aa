/* SPDX-License-Identifier: Apache-2.0
 * kernels/nearest_moved.c -- nearest codes of vectors that are searched over and over while the
 * codes move, as in the iterations of k-means.
 *
 * For each vector and group of codes a lower bound of their distances is kept. It shrinks by as
 * much as the codes of the group move; a group whose bound is still beyond the distance to the
 * nearest code known is left out (Ding et al. 2015, "Yinyang k-means"). Of the others the bound is
 * first taken anew from vectors and codes in whole numbers of 16 bits, x~ and e~, whose squared
 * distances are exact:  |x - e| >= |x~ - e~| - |x - x~| - |e - e~|.  The gap |x - x~| is the same
 * for all groups: it is added to the reach instead. Only what then is still within reach is
 * searched, by the same chains as in a plain search.
 *
 * What is left out must hold no code that the plain search could have chosen by its rounded scores.
 * With u = 2^-24, c the centre, x' and e' a vector and a code less c as they were rounded,
 * E >= max |e'|, S = |e'|^2/2 - x'.e' exactly and s its score in f32:
 *
 *   |s - S| <= error = 2 u ((D + 4) |x'| E + E^2) + tiny       (see screening.h)
 *   | |x - e| - |x' - e'| | <= u (|x'| + |e'|) <= slip         (every difference is rounded once)
 *   |x' - e'|^2 = |x'|^2 + 2 S
 *
 * So a group whose codes are all farther than
 *
 *   reach = sqrt(|x'|^2 + 2 (best + error)) + slip
 *
 * has scores above `best` alone: it holds neither the choice nor a tie with it. |x'|^2 is a sum of
 * 16 chains in f32, off by less than (D + 8) u |x'|^2. All that follows is rounded to the safe
 * side by factors of 1 + 2^-20, and where numbers are so large that something could overflow,
 * nothing is left out. */
#include "base/parallel.h"
#include "base/sizes.h"
#include "kernels/nearest.h"
#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    CHAINS = 16,       /* of a squared length */
    DIM_MOST = 1 << 17 /* the errors above are proven up to here */
};

static const float lengths_most = 0x1p60f, more = 1.0f + 0x1p-20f, less = 1.0f - 0x1p-20f;

typedef struct moved_job {
    const vq_code_index *index;
    const vq_code_track *track;
    const float *x;
    int32_t *idx;
    float longest;          /* E */
    atomic_size_t *next;    /* block that no thread has taken */
    unsigned char *scratch; /* of all threads */
    size_t scratch_size;    /* of each */
} moved_job;

/* What a thread works in: a block of vectors, and of each the numbers explained above. */
typedef struct scratch {
    float *x;    /* less the centre, row after row */
    float *high; /* |x'|^2 + 2 error, rounded up */
    float *slip; /* with the gap */
    float *reach;
    float *best;
    int32_t *at;
    uint32_t *own;    /* the group that is searched first */
    float *nearest;   /* where that is found by bounds: the least */
    uint32_t *rows;   /* those that a group is searched for */
    int32_t *least;   /* for each of them */
    float *value;     /* likewise */
    uint32_t *by_own; /* all, sorted by their own group */
    uint32_t *first;  /* groups + 1: where those of a group begin */
} scratch;

static scratch scratch_of(const vq_code_track *track, vq_arena *arena)
{
    enum { ROOM = 8 }; /* what listing writes beyond its end */
    const size_t rows = track->block;
    return (scratch){
        .x = vq_arena_get(arena, rows * track->dim, sizeof(float)),
        .high = vq_arena_get(arena, rows, sizeof(float)),
        .slip = vq_arena_get(arena, rows, sizeof(float)),
        .reach = vq_arena_get(arena, rows, sizeof(float)),
        .best = vq_arena_get(arena, rows, sizeof(float)),
        .at = vq_arena_get(arena, rows, sizeof(int32_t)),
        .own = vq_arena_get(arena, rows, sizeof(uint32_t)),
        .nearest = vq_arena_get(arena, rows, sizeof(float)),
        .rows = vq_arena_get(arena, rows + ROOM, sizeof(uint32_t)),
        .least = vq_arena_get(arena, rows, sizeof(int32_t)),
        .value = vq_arena_get(arena, rows, sizeof(float)),
        .by_own = vq_arena_get(arena, rows, sizeof(uint32_t)),
        .first = vq_arena_get(arena, track->groups + 1, sizeof(uint32_t)),
    };
}

/* ---- what is known of a block of vectors ---------------------------------------------- */

/* A row less the centre, as packing makes it; returns its squared length. */
static float centre_row(const float *x, const float *centre, size_t dim, float *to)
{
    float sum[CHAINS] = {0.0f}, rest[CHAINS] = {0.0f};
    size_t d = 0;
    for (; d + CHAINS <= dim; d += CHAINS)
        for (size_t i = 0; i < CHAINS; i++) {
            to[d + i] = x[d + i] - centre[d + i];
            sum[i] += to[d + i] * to[d + i];
        }
    for (size_t i = 0; d + i < dim; i++) rest[i] = to[d + i] = x[d + i] - centre[d + i];
    for (size_t i = 0; i < CHAINS; i++) sum[i] += rest[i] * rest[i];
    for (size_t i = 0; i < 4; i++) sum[i] = (sum[i] + sum[4 + i]) + (sum[8 + i] + sum[12 + i]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void load_block(const moved_job *job, scratch *s, size_t row, size_t count)
{
    const size_t dim = job->track->dim;
    const float grain = ((float)dim + 16.0f) * 0x1p-24f, longest = job->longest;
    for (size_t i = 0; i < count; i++) {
        const float *x = job->x + (row + i) * dim;
        s->high[i] = centre_row(x, job->index->centre, dim, s->x + i * dim);
        /* A vector so long has bounds that leave nothing out. */
        if (!(s->high[i] < 0x1p120f) && !vq_all_near(x, dim))
            (void)vq_pack_far(job->index, x, s->x + i * dim, 1);
    }
    for (size_t i = 0; i < count; i++) {
        const float square = s->high[i], length = sqrtf(square) * (1.0f + grain);
        const float error =
            0x1p-23f * (((float)dim + 4.0f) * length + longest) * longest + (float)dim * 0x1p-120f;
        const float high = square + grain * square + 2.0f * error * more;
        s->high[i] = length < lengths_most ? high : INFINITY;
        s->slip[i] = 0x1p-22f * (length + longest) + job->track->gap[row + i] * more;
        s->best[i] = INFINITY;
        s->at[i] = 0;
    }
}

/* Bounds of a group from whole numbers, for the listed rows of the block that begins at `row`,
 * whose own gaps are left to what they are held against. Keeps the rows that they leave within
 * reach, and returns how many. */
static size_t bound_group(const moved_job *job, const scratch *s, size_t group, size_t row,
                          size_t count, float *lower)
{
    const vq_code_track *t = job->track;
    const vq_row_screen screen = {t->pairs, t->x + row * (t->pairs + 1), s->rows, count, s->least};
    const size_t begin = group * t->group_panels, end = begin + t->group_panels;
    const float unit = less / t->scale, moved = t->moved[group];
    const float added = moved * less - t->code_gap[group] * more;
    float *value = s->value;
    const int32_t *least = s->least;
    size_t left = 0;
    job->index->kernels->screen_rows(&screen, t->codes + begin * VQ_CODE_PANEL * t->pairs,
                                     t->start + begin * VQ_CODE_PANEL,
                                     vq_smaller(end, t->panels) - begin);
    for (size_t i = 0; i < count; i++) {
        const float square = 2.0f * (float)least[i];
        value[i] = sqrtf(square > 0.0f ? square : 0.0f) * unit + added;
    }
    for (size_t i = 0; i < count; i++) {
        const uint32_t at = s->rows[i];
        lower[at] = value[i];
        s->rows[left] = at;
        left += value[i] > (s->reach[at] + moved) * more ? 0 : 1;
    }
    return left;
}

/* Exact scores of a group for some rows. */
static void search_group(const moved_job *job, scratch *s, size_t group, const uint32_t *rows,
                         size_t count)
{
    const vq_code_index *index = job->index;
    const vq_row_search search = {index->dim, s->x, rows, count, s->best, s->at};
    const size_t begin = group * job->track->group_panels, end = begin + job->track->group_panels;
    for (size_t panel = begin; panel < end && panel < index->panels; panel++) {
        const size_t first = panel * VQ_CODE_PANEL;
        index->kernels->search_rows(&search, index->packed + first * index->dim,
                                    index->half + first, (int32_t)first);
    }
}

/* ---- the search of a block -------------------------------------------------------------- */

/* Makes a group their own of the vectors that it is nearer to than those before it. */
static void note_nearest(const scratch *s, uint32_t group, size_t count,
                         const float *restrict lower)
{
    float *restrict nearest = s->nearest;
    uint32_t *restrict own = s->own;
    for (size_t i = 0; i < count; i++) {
        own[i] = lower[i] < nearest[i] ? group : own[i];
        nearest[i] = lower[i] < nearest[i] ? lower[i] : nearest[i];
    }
}

/* The first time: bounds of everything, and the group of the least as own. */
static void bound_all(const moved_job *job, scratch *s, size_t row, size_t count, float *lower)
{
    for (size_t i = 0; i < count; i++) {
        s->reach[i] = s->nearest[i] = INFINITY;
        s->own[i] = 0;
    }
    for (size_t i = 0; i < count; i++) s->rows[i] = (uint32_t)i;
    for (size_t g = 0; g < job->track->groups; g++, lower += job->track->block) {
        (void)bound_group(job, s, g, row, count, lower);
        note_nearest(s, (uint32_t)g, count, lower);
    }
}

/* Searches the groups that hold the likely codes, and finds what is within reach from there. */
static void search_own(const moved_job *job, scratch *s, size_t count)
{
    const size_t groups = job->track->groups;
    memset(s->first, 0, (groups + 1) * sizeof *s->first);
    for (size_t i = 0; i < count; i++) s->first[s->own[i] + 1]++;
    for (size_t g = 0; g < groups; g++) s->first[g + 1] += s->first[g];
    for (size_t i = 0; i < count; i++) s->by_own[s->first[s->own[i]]++] = (uint32_t)i;
    for (size_t g = 0, begin = 0; g < groups; begin = s->first[g++])
        search_group(job, s, g, s->by_own + begin, s->first[g] - begin);
    for (size_t i = 0; i < count; i++) {
        const float square = s->high[i] + 2.0f * s->best[i];
        /* What is not a number stays so, and keeps nothing out. */
        s->reach[i] = sqrtf(square <= 0.0f ? 0.0f : square) * more + s->slip[i];
    }
}

static void search_block(const moved_job *job, scratch *s, size_t row, size_t count)
{
    const vq_code_track *t = job->track;
    const size_t codes = t->group_panels * VQ_CODE_PANEL;
    const vq_reach reach = {count, s->reach, s->own};
    float *lower = t->lower + row * t->groups;
    load_block(job, s, row, count);
    if (!t->known) bound_all(job, s, row, count, lower);
    for (size_t i = 0; t->known && i < count; i++)
        s->own[i] = (uint32_t)((size_t)job->idx[row + i] / codes);
    search_own(job, s, count);
    for (size_t g = 0; g < t->groups; g++, lower += t->block) {
        size_t found =
            job->index->kernels->list_rows(&reach, lower, t->moved[g], (uint32_t)g, s->rows);
        if (t->known) found = bound_group(job, s, g, row, found, lower);
        search_group(job, s, g, s->rows, found);
    }
    memcpy(job->idx + row, s->at, count * sizeof *job->idx);
}

/* Blocks differ in what they leave out, and processors in their speed: threads take the next block
 * whenever they are done with one. */
static void search_blocks(void *arg, size_t begin, size_t end, int thread)
{
    const moved_job *job = arg;
    const vq_code_track *t = job->track;
    const size_t blocks = vq_ceil_div(t->n, t->block);
    vq_arena arena = {.base = job->scratch + (size_t)thread * job->scratch_size,
                      .capacity = job->scratch_size};
    scratch s = scratch_of(t, &arena);
    (void)begin, (void)end;
    for (size_t i = atomic_fetch_add(job->next, 1); i < blocks; i = atomic_fetch_add(job->next, 1))
        search_block(job, &s, i * t->block, i + 1 < blocks ? t->block : t->n - i * t->block);
}

/* ---- all of them --------------------------------------------------------------------------- */

/* E from half its square; infinite where it may not be used. */
static float longest_code(const vq_code_index *index)
{
    float highest = 0.0f;
    for (size_t j = 0; j < index->n_codes; j++)
        if (!(index->half[j] <= highest)) highest = index->half[j];
    return index->dim <= DIM_MOST ? sqrtf(2.0f * highest) * more + FLT_MIN : INFINITY;
}

size_t vq_nearest_moved_workspace(const vq_context *ctx, const vq_code_index *index,
                                  const vq_code_track *track)
{
    const size_t plain = vq_nearest_workspace(ctx, index, track->n);
    vq_arena arena = {0};
    (void)scratch_of(track, &arena);
    const size_t own = vq_round_up(arena.used, VQ_ALIGNMENT) * (size_t)ctx->threads;
    return plain > own ? plain : own;
}

void vq_nearest_moved(vq_context *ctx, const vq_code_index *index, vq_code_track *track,
                      const float *x, int32_t *idx, void *workspace)
{
    vq_arena measure = {0};
    atomic_size_t next = 0;
    (void)scratch_of(track, &measure);
    moved_job job = {
        .index = index,
        .track = track,
        .x = x,
        .idx = idx,
        .longest = longest_code(index),
        .next = &next,
        .scratch = workspace,
        .scratch_size = vq_round_up(measure.used, VQ_ALIGNMENT),
    };
    vq_code_track_follow(ctx, index, track);
    if (index->scaled || !(job.longest < lengths_most)) {
        (void)vq_nearest_run(ctx, index, track->n, x, idx, workspace);
        return;
    }
    vq_parallel_for(ctx, vq_ceil_div(track->n, track->block), 1, search_blocks, &job);
    track->known = true;
}
