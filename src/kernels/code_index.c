/* SPDX-License-Identifier: Apache-2.0
 * kernels/code_index.c -- a codebook packed for searching: centred, in panels, with half its
 * squared lengths and, where screening pays, in bf16. */
#include "base/parallel.h"
#include "base/sizes.h"
#include "kernels/nearest.h"
#include "kernels/pack.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>

/* Half the squared lengths between which f32 has room on both sides: for vectors far from the
 * codes, for codes nearer to one another than the farthest is. */
static const float half_least = 0x1p-81f, half_most = 0x1p59f;

enum {
    SAMPLE = 256,         /* codes whose mean is the centre */
    FAR = 4,              /* times the common distance: codes left out of it */
    PIECE_WORK = 1 << 14, /* numbers of codes for which a thread is worth waking */
    SCREEN_DIM_MAX = 1 << 17
};

/* By sizes alone, so that it does not depend on what the numbers are. */
static bool screening_pays(const vq_code_index *index, size_t n)
{
    const vq_screening *screening = index->kernels->screening;
    if (!screening || index->dim > SCREEN_DIM_MAX) return false;
    for (const vq_screen_sizes *least = screening->pays; least->dim; least++)
        if (index->dim >= least->dim && index->n_codes >= least->n_codes && n >= least->n)
            return true;
    return false;
}

/* Lays the arrays out; the same calls measure. */
static void layout(vq_code_index *index, vq_arena *arena)
{
    const size_t padded = index->panels * VQ_CODE_PANEL;
    index->centre = vq_arena_get(arena, index->dim, sizeof(float));
    index->sum = vq_arena_get(arena, index->dim, sizeof(float));
    index->half = vq_arena_get(arena, padded, sizeof(float));
    index->packed = vq_arena_get(arena, padded * index->dim, sizeof(float));
    if (!index->screened) return;
    index->screen.pairs = vq_arena_get(arena, padded * index->screen.words, sizeof(uint32_t));
    index->screen.groups = vq_arena_get(arena, index->panels, sizeof(vq_screen_group));
}

size_t vq_code_index_plan(const vq_context *ctx, size_t dim, size_t n_codes, size_t n,
                          vq_code_index *index)
{
    vq_arena arena = {0};
    *index = (vq_code_index){
        .kernels = vq_kernels_of(ctx),
        .dim = dim,
        .n_codes = n_codes,
        .panels = vq_ceil_div(n_codes, VQ_CODE_PANEL),
    };
    if (index->kernels->screening) index->screen.words = index->kernels->screening->words(dim);
    index->screened = screening_pays(index, n);
    layout(index, &arena);
    return arena.used;
}

static float median(float a, float b, float c)
{
    const float low = a < b ? a : b, high = a < b ? b : a;
    const float rest = high < c ? high : c;
    return low < rest ? rest : low;
}

/* A robust middle, number by number, of nine codes spread over the codebook: the median of three
 * medians (Tukey's ninther, "The ninther, a technique for low-effort robust resistance", 1978). */
static void find_middle(const float *const e[9], size_t dim, float *middle)
{
    for (size_t d = 0; d < dim; d++)
        middle[d] = median(median(e[0][d], e[1][d], e[2][d]), median(e[3][d], e[4][d], e[5][d]),
                           median(e[6][d], e[7][d], e[8][d]));
}

/* max |a_d - b_d|, which is the same in whatever order it is found. */
static float farthest_apart(const float *a, const float *b, size_t dim)
{
    enum { LANES = 16 };
    float most[LANES] = {0.0f};
    for (size_t d = 0; d < dim; d += LANES)
        for (size_t i = 0; i < LANES && d + i < dim; i++) {
            const float gap = fabsf(a[d + i] - b[d + i]);
            most[i] = gap > most[i] ? gap : most[i];
        }
    for (size_t i = 1; i < LANES; i++) most[0] = most[i] > most[0] ? most[i] : most[0];
    return most[0];
}

/* Rounds the centre to multiples of a power of two, an eighth of the reach of codes or less: what
 * has few bits, such as whole numbers, keeps them all when it is centred, and equal distances are
 * equal scores. Lengths hardly grow by a sixteenth of the reach. */
static void round_centre(float reach, size_t dim, float *centre)
{
    int exponent;
    if (!(reach > 0.0f) || !isfinite(reach)) return;
    (void)frexpf(reach, &exponent); /* reach < 2^exponent */
    const float step = ldexpf(0.0625f, exponent);
    for (size_t d = 0; step > 0.0f && d < dim; d++)
        if (fabsf(centre[d] / step) < 0x1p23f) centre[d] = rintf(centre[d] / step) * step;
}

/* The nine codes whose middle is taken. */
static void middle_codes(const vq_code_index *index, const float *e[9])
{
    for (size_t i = 0; i < 9; i++) e[i] = index->codes + i * index->n_codes / 9 * index->dim;
}

/* Rounding grows with the lengths of what is multiplied, and these are least about the mean of the
 * codes. But codes that were never used can be far away from all others, and would draw the mean
 * with them. So the centre is the mean of some codes spread over the codebook without
 * those that lie several times as far from its middle as is common. */
static void find_centre(const vq_code_index *index)
{
    const size_t dim = index->dim, n = index->n_codes < SAMPLE ? index->n_codes : SAMPLE;
    const float *e[9];
    float gap[9], reach, count = 0.0f;
    middle_codes(index, e);
    find_middle(e, dim, index->centre);
    for (size_t i = 0; i < 9; i++) gap[i] = farthest_apart(e[i], index->centre, dim);
    find_middle((const float *const[9]){gap, gap + 1, gap + 2, gap + 3, gap + 4, gap + 5, gap + 6,
                                        gap + 7, gap + 8},
                1, &reach);
    for (size_t d = 0; d < dim; d++) index->sum[d] = 0.0f;
    for (size_t i = 0; i < n; i++) {
        const float *code = index->codes + i * index->n_codes / n * dim;
        if (!(farthest_apart(code, index->centre, dim) <= FAR * reach)) continue;
        for (size_t d = 0; d < dim; d++) index->sum[d] += code[d] - index->centre[d];
        count += 1.0f;
    }
    for (size_t d = 0; count > 0.0f && d < dim; d++) index->centre[d] += index->sum[d] / count;
    round_centre(reach, dim, index->centre);
}

/* Rounds up what is computed of not negative numbers in a few roundings. */
static float upward(float value)
{
    return value * (1.0f + 0x1p-20f) + FLT_MIN;
}

static void screen_panel(const vq_code_index *index, size_t panel)
{
    const size_t first = panel * VQ_CODE_PANEL, left = index->n_codes - first;
    float length[VQ_CODE_PANEL], gap[VQ_CODE_PANEL];
    float longest = 0.0f, widest = 0.0f, highest = 0.0f;
    index->kernels->screening->pack_codes(index->dim, index->packed + first * index->dim,
                                          index->screen.pairs + first * index->screen.words, length,
                                          gap);
    for (size_t j = 0; j < VQ_CODE_PANEL && j < left; j++) {
        /* Written so that what is not a number counts as the largest. */
        if (!(length[j] + gap[j] <= longest)) longest = length[j] + gap[j];
        if (!(gap[j] <= widest)) widest = gap[j];
        if (!(index->half[first + j] <= highest)) highest = index->half[first + j];
    }
    index->screen.groups[panel] = (vq_screen_group){
        .length = upward(longest),
        .gap = upward(widest),
        .fixed = upward(highest * 0x1p-21f + (float)index->dim * 0x1p-120f),
    };
}

static void pack_panels(void *arg, size_t begin, size_t end, int thread)
{
    const vq_code_index *index = arg;
    const vq_lines lines = {
        .from = index->codes,
        .lane_step = index->dim,
        .depth_step = 1,
        .lanes = index->n_codes,
        .depth = index->dim,
        .shift = index->centre,
    };
    (void)thread;
    for (size_t panel = begin; panel < end; panel++) {
        const size_t first = panel * VQ_CODE_PANEL;
        float *packed = index->packed + first * index->dim;
        vq_pack_panels(index->kernels->pack, &lines, VQ_CODE_PANEL, panel, panel + 1, packed);
        for (size_t j = 0; index->scaled && j < VQ_CODE_PANEL && first + j < index->n_codes; j++)
            vq_pack_far(index, index->codes + (first + j) * index->dim, packed + j, VQ_CODE_PANEL);
        index->kernels->halves(index->dim, packed, index->half + first);
        for (size_t j = index->n_codes; j < (panel + 1) * VQ_CODE_PANEL; j++)
            index->half[j] = INFINITY;
        if (index->screened) screen_panel(index, panel);
    }
}

/* Whether the codes may stay as they have been packed. */
static bool is_within_range(const vq_code_index *index)
{
    float highest = 0.0f;
    for (size_t j = 0; j < index->n_codes; j++)
        if (!(index->half[j] <= highest)) highest = index->half[j];
    return highest >= half_least && highest <= half_most && vq_all_near(index->centre, index->dim);
}

/* The largest number of all codes less the centre; what is no finite number is left out. */
static double largest_number(const vq_code_index *index)
{
    double most = 0.0;
    for (size_t j = 0; j < index->n_codes; j++)
        for (size_t d = 0; d < index->dim; d++) {
            const double number = (double)index->codes[j * index->dim + d];
            const double gap = fabs(number - (double)index->centre[d]);
            if (gap > most && isfinite(gap)) most = gap;
        }
    return most;
}

/* Scales that number to between 1/2 and 1. A mean that overflowed is no centre; the middle cannot
 * overflow. Codes all the same need no scale, nor do ordinary ones beside infinite ones. */
static void find_scale(vq_code_index *index)
{
    const float *e[9];
    int exponent;
    middle_codes(index, e);
    for (size_t d = 0; d < index->dim; d++)
        if (!isfinite(index->centre[d])) find_middle(e, index->dim, index->centre);
    const double most = largest_number(index), square = 0.5 * most * most;
    index->scaled = most > 0.0 && (square < (double)half_least ||
                                   square * (double)index->dim > (double)half_most ||
                                   !vq_all_near(index->centre, index->dim));
    (void)frexp(most, &exponent);
    if (index->scaled) index->scale = ldexp(1.0, -exponent);
}

void vq_code_index_build(vq_context *ctx, const float *codes, void *memory, vq_code_index *index)
{
    vq_arena arena = {.base = memory, .capacity = SIZE_MAX};
    const size_t grain = 1 + PIECE_WORK / (VQ_CODE_PANEL * index->dim);
    layout(index, &arena);
    index->codes = codes;
    index->scaled = false;
    index->scale = 1.0;
    find_centre(index);
    vq_parallel_for(ctx, index->panels, grain, pack_panels, index);
    if (is_within_range(index)) return;
    find_scale(index);
    if (index->scaled) vq_parallel_for(ctx, index->panels, grain, pack_panels, index);
}
