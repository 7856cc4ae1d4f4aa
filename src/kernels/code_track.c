/* SPDX-License-Identifier: Apache-2.0
 * kernels/code_track.c -- what is kept of vectors between searches: whole numbers of 16 bits for
 * them and for the codes, and how far the codes have moved.
 *
 * Vectors and codes are counted from the mean of some vectors, in units so small that hardly any is
 * longer than LONGEST of them. Squared distances are then below 2^31, and sums of products exact in
 * whatever order they are taken. What is longer becomes zero, with a gap as long as itself: that is
 * as true, though of no use. */
#include "base/parallel.h"
#include "base/sizes.h"
#include "kernels/nearest.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum {
    BLOCK = 1 << 16, /* numbers of a block of vectors: 256 KiB */
    ROWS_LEAST = 64, /* vectors of a block */
    ROWS_MOST = 1024,
    GROUP = 512,         /* numbers of a group of codes, at least: fewer do not repay a bound */
    SAMPLE = 1024,       /* vectors that tell the origin and the scale */
    LONGEST = 22900,     /* rounding adds sqrt(D)/2, and 4 * 23081^2 < 2^31 */
    ROOM = 4,            /* times the usual length: what should still fit */
    CHAINS = 16,         /* in which squares are summed */
    PIECE_WORK = 1 << 14 /* numbers for which a thread is worth waking */
};

static const float more = 1.0f + 0x1p-20f;

/* Lays the arrays out; the same calls measure. */
static void layout(vq_code_track *t, vq_arena *arena)
{
    const size_t blocks = vq_ceil_div(t->n, t->block), padded = t->panels * VQ_CODE_PANEL;
    t->origin = vq_arena_get(arena, t->dim, sizeof(float));
    t->x = vq_arena_get(arena, t->n * (t->pairs + 1), sizeof(uint32_t));
    t->gap = vq_arena_get(arena, t->n, sizeof(float));
    t->codes = vq_arena_get(arena, padded * t->pairs, sizeof(uint32_t));
    t->start = vq_arena_get(arena, padded, sizeof(int32_t));
    t->code_gap = vq_arena_get(arena, t->groups, sizeof(float));
    t->moved = vq_arena_get(arena, t->groups, sizeof(float));
    t->lower = vq_arena_get(arena, blocks * t->groups * t->block, sizeof(float));
    t->before = vq_arena_get(arena, t->n_codes * t->dim, sizeof(float));
}

size_t vq_code_track_plan(const vq_code_index *index, size_t n, vq_code_track *track)
{
    vq_arena arena = {0};
    size_t block = BLOCK / index->dim;
    if (block < ROWS_LEAST) block = ROWS_LEAST;
    if (block > ROWS_MOST) block = ROWS_MOST;
    *track = (vq_code_track){
        .n = n,
        .dim = index->dim,
        .n_codes = index->n_codes,
        .panels = index->panels,
        .pairs = vq_ceil_div(index->dim, 2),
        .block = block < n ? block : n + !n,
        .group_panels = vq_ceil_div(GROUP, VQ_CODE_PANEL * index->dim),
    };
    if (track->panels > VQ_TRACK_GROUPS * track->group_panels)
        track->group_panels = vq_ceil_div(track->panels, VQ_TRACK_GROUPS);
    track->groups = vq_ceil_div(index->panels, track->group_panels);
    layout(track, &arena);
    return arena.used;
}

/* ---- whole numbers ------------------------------------------------------------------ */

/* The nearest whole number, for what is smaller than 2^22. */
static float whole(float value)
{
    const float large = 0x1.8p23f;
    return (value + large) - large;
}

/* Numbers p to p + CHAINS - 1 of a vector counted from the origin, in whole numbers' units; zero
 * beyond its end. */
static void numbers_at(const vq_code_track *t, const float *x, size_t p, float number[CHAINS])
{
    const size_t left = t->dim - p;
    for (size_t i = 0; i < CHAINS && left >= CHAINS; i++)
        number[i] = (x[p + i] - t->origin[p + i]) * t->scale;
    for (size_t i = 0; i < CHAINS && left < CHAINS; i++)
        number[i] = i < left ? (x[p + i] - t->origin[p + i]) * t->scale : 0.0f;
}

static float sum_of(const float chain[CHAINS])
{
    float sum = 0.0f;
    for (size_t i = 0; i < CHAINS; i++) sum += chain[i];
    return sum;
}

/* |x| in whole numbers' units, rounded up. Sums of D squares in f32 are off by less than a part of
 * (D + 16) 2^-24, in whatever order they are taken. */
static float length_of(const vq_code_track *t, const float *x, float grain)
{
    float sum[CHAINS] = {0.0f}, number[CHAINS];
    for (size_t p = 0; p < t->dim; p += CHAINS) {
        numbers_at(t, x, p, number);
        for (size_t i = 0; i < CHAINS; i++) sum[i] += number[i] * number[i];
    }
    return sqrtf(sum_of(sum) * grain) * more;
}

/* Writes pair p of a vector to to[p*step]. Returns its squared length; *gap is how far the vector
 * is from it: what was rounded to whole numbers, and the rounding of the difference from the
 * origin. */
static int32_t to_whole(const vq_code_track *t, const float *x, uint32_t *to, size_t step,
                        float *gap)
{
    const float grain = 1.0f + ((float)t->dim + 16.0f) * 0x1p-24f, unit = 1.0f / t->scale;
    const float length = length_of(t, x, grain);
    const bool fits = length <= (float)LONGEST;
    float off[CHAINS] = {0.0f}, number[CHAINS];
    int32_t value[CHAINS], square[CHAINS] = {0};
    for (size_t p = 0; p < t->dim; p += CHAINS) {
        numbers_at(t, x, p, number);
        for (size_t i = 0; i < CHAINS; i++) {
            const float near = fits ? whole(number[i]) : 0.0f;
            off[i] += (number[i] - near) * (number[i] - near);
            value[i] = (int32_t)near;
            square[i] += value[i] * value[i];
        }
        for (size_t i = 0; i < CHAINS / 2 && p / 2 + i < t->pairs; i++)
            to[(p / 2 + i) * step] = ((uint32_t)value[2 * i] & 0xffffu) | (uint32_t)value[2 * i + 1]
                                                                              << 16;
    }
    for (size_t i = 1; i < CHAINS; i++) square[0] += square[i];
    const float error = fits ? sqrtf(sum_of(off) * grain) * more : length;
    *gap = (error + length * 0x1p-23f) * unit * more + (float)t->dim * FLT_MIN;
    return square[0];
}

typedef struct track_job {
    const vq_code_index *index;
    vq_code_track *track;
    const float *x;
} track_job;

static void take_vectors(void *arg, size_t begin, size_t end, int thread)
{
    const track_job *job = arg;
    const vq_code_track *t = job->track;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        uint32_t *to = t->x + i * (t->pairs + 1);
        to[t->pairs] = (uint32_t)(to_whole(t, job->x + i * t->dim, to, 1, &t->gap[i]) / 2);
    }
}

/* The mean of some vectors, and a scale that fits several times the usual distance from it. */
static void find_origin(vq_code_track *t, const float *x)
{
    const size_t count = t->n < SAMPLE ? t->n : SAMPLE;
    double sum = 0.0;
    for (size_t d = 0; d < t->dim; d++) {
        double mean = 0.0, square = 0.0;
        for (size_t i = 0; i < count; i++) {
            const double number = (double)x[i * t->n / count * t->dim + d];
            mean += number;
            square += number * number;
        }
        mean /= (double)count + !count;
        t->origin[d] = (float)mean;
        sum += fmax(0.0, square / ((double)count + !count) - mean * mean);
    }
    int power = 0;
    (void)frexp(LONGEST / (ROOM * sqrt(sum)), &power);
    /* Alike or not numbers at all: any scale will do. */
    t->scale = sum > 0x1p-60 && sum < 0x1p60 ? ldexpf(1.0f, power - 1) : 1.0f;
}

void vq_code_track_start(vq_context *ctx, const vq_code_index *index, const float *x, void *memory,
                         vq_code_track *track)
{
    vq_arena arena = {.base = memory, .capacity = SIZE_MAX};
    track_job job = {index, track, x};
    layout(track, &arena);
    find_origin(track, x);
    vq_parallel_for(ctx, track->n, 1 + PIECE_WORK / track->dim, take_vectors, &job);
    memset(track->moved, 0, track->groups * sizeof(float));
    memcpy(track->before, index->codes, track->n_codes * track->dim * sizeof(float));
    track->known = false;
}

/* ---- codes --------------------------------------------------------------------------- */

/* |a - b|, rounded up. */
static float distance(const float *a, const float *b, size_t dim)
{
    double sum = 0.0;
    for (size_t d = 0; d < dim; d++) {
        const double gap = (double)a[d] - (double)b[d];
        sum += gap * gap;
    }
    return (float)sqrt(sum) * more + FLT_MIN;
}

/* What is missing of the last panel has no product with anything, and starts from as little as
 * leaves room for the square of a vector. */
static void take_code(const vq_code_track *t, const float *codes, size_t k, float *gap)
{
    uint32_t *to = t->codes + k / VQ_CODE_PANEL * VQ_CODE_PANEL * t->pairs + k % VQ_CODE_PANEL;
    *gap = 0.0f;
    t->start[k] = INT32_MIN / 2;
    for (size_t p = 0; p < t->pairs && k >= t->n_codes; p++) to[p * VQ_CODE_PANEL] = 0;
    if (k < t->n_codes)
        t->start[k] = -(to_whole(t, codes + k * t->dim, to, VQ_CODE_PANEL, gap) / 2);
}

static void follow_groups(void *arg, size_t begin, size_t end, int thread)
{
    const track_job *job = arg;
    vq_code_track *t = job->track;
    const size_t codes = t->group_panels * VQ_CODE_PANEL;
    (void)thread;
    for (size_t group = begin; group < end; group++) {
        float farthest = 0.0f, widest = 0.0f, gap;
        for (size_t k = group * codes; k < (group + 1) * codes && k < t->panels * VQ_CODE_PANEL;
             k++) {
            take_code(t, job->index->codes, k, &gap);
            /* Written so that what is not a number counts as the largest. */
            if (!(gap <= widest)) widest = gap;
            if (k >= t->n_codes) continue;
            const float *code = job->index->codes + k * t->dim, *before = t->before + k * t->dim;
            if (memcmp(code, before, t->dim * sizeof *code) == 0) continue;
            const float moved = distance(code, before, t->dim);
            if (!(moved <= farthest)) farthest = moved;
        }
        t->code_gap[group] = widest;
        t->moved[group] = (t->moved[group] + farthest) * more;
    }
}

void vq_code_track_follow(vq_context *ctx, const vq_code_index *index, vq_code_track *track)
{
    track_job job = {.index = index, .track = track};
    const size_t numbers = track->group_panels * VQ_CODE_PANEL * track->dim;
    vq_parallel_for(ctx, track->groups, 1 + PIECE_WORK / numbers, follow_groups, &job);
    memcpy(track->before, index->codes, track->n_codes * track->dim * sizeof(float));
}
