/* SPDX-License-Identifier: Apache-2.0
 * kernels/code_index.c -- a codebook packed for searching: centred, in panels, with half its
 * squared lengths and, where screening pays, in bf16. */
#include "base/parallel.h"
#include "kernels/nearest.h"
#include "kernels/pack.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>

enum {
    SAMPLE = 15,          /* codes whose median is the centre */
    SAMPLE_NUMBERS = 64,  /* numbers of them that are sorted at a time */
    PIECE_WORK = 1 << 14, /* numbers of codes for which a thread is worth waking */
    SCREEN_DIM_MAX = 1 << 17
};

/* Where screening is faster, measured on cores with AVX-512 BF16 with vectors and codes of normal
 * numbers: elsewhere, rounding the vectors and scoring survivors again eat up what it saves. With
 * fewer than 3 numbers neighbouring codes are so near that most pass. */
static bool screening_pays(const vq_code_index *index)
{
    static const struct {
        size_t dim, n_codes; /* both at least */
    } rows[] = {{3, 256}, {8, 128}};
    if (!index->kernels->screening || index->dim > SCREEN_DIM_MAX) return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (index->dim >= rows[i].dim && index->n_codes >= rows[i].n_codes) return true;
    return false;
}

/* Lays the arrays out; the same calls measure. */
static void layout(vq_code_index *index, vq_arena *arena)
{
    const size_t padded = index->panels * VQ_CODE_PANEL;
    index->centre = vq_arena_get(arena, index->dim, sizeof(float));
    index->half = vq_arena_get(arena, padded, sizeof(float));
    index->packed = vq_arena_get(arena, padded * index->dim, sizeof(float));
    if (!index->screened) return;
    index->screen.pairs =
        vq_arena_get(arena, padded * vq_ceil_div(index->dim, 2), sizeof(uint32_t));
    index->screen.groups = vq_arena_get(arena, index->panels, sizeof(vq_screen_group));
}

size_t vq_code_index_plan(const vq_context *ctx, size_t dim, size_t n_codes, vq_code_index *index)
{
    vq_arena arena = {0};
    *index = (vq_code_index){
        .kernels = vq_kernels_of(ctx),
        .dim = dim,
        .n_codes = n_codes,
        .panels = vq_ceil_div(n_codes, VQ_CODE_PANEL),
    };
    index->screened = screening_pays(index);
    layout(index, &arena);
    return arena.used;
}

/* Leaves the middle of `rows` numbers of every column in the middle row. Neighbours change places
 * until they are in order; without branches the columns are sorted side by side. */
static void sort_columns(float (*sample)[SAMPLE_NUMBERS], size_t rows)
{
    for (size_t round = 0; round < rows; round++)
        for (size_t i = round % 2; i + 1 < rows; i += 2)
            for (size_t d = 0; d < SAMPLE_NUMBERS; d++) {
                const float a = sample[i][d], b = sample[i + 1][d];
                sample[i][d] = a < b ? a : b;
                sample[i + 1][d] = a < b ? b : a;
            }
}

/* The centre is the median, number by number, of a few codes spread over the codebook: any point
 * among the codes serves, and unlike their mean the median stays there when some of them
 * are far away from the rest, as codes that were never used can be. */
static void find_centre(const vq_code_index *index)
{
    const size_t rows = index->n_codes < SAMPLE ? index->n_codes : SAMPLE;
    float sample[SAMPLE][SAMPLE_NUMBERS] = {{0.0f}};
    for (size_t from = 0; from < index->dim; from += SAMPLE_NUMBERS) {
        const size_t left = index->dim - from;
        const size_t count = left < SAMPLE_NUMBERS ? left : SAMPLE_NUMBERS;
        for (size_t i = 0; i < rows; i++) {
            const float *code = index->codes + i * index->n_codes / rows * index->dim + from;
            for (size_t d = 0; d < count; d++) sample[i][d] = code[d];
        }
        sort_columns(sample, rows);
        for (size_t d = 0; d < count; d++) index->centre[from + d] = sample[rows / 2][d];
    }
}

/* The square of a float is exact in double, so contracting it with the sum changes nothing. */
static void half_squares(const vq_code_index *index, size_t panel)
{
    const float *e = index->packed + panel * VQ_CODE_PANEL * index->dim;
    float *half = index->half + panel * VQ_CODE_PANEL;
    const size_t codes = index->n_codes - panel * VQ_CODE_PANEL;
    double sum[VQ_CODE_PANEL] = {0.0};
    for (size_t p = 0; p < index->dim; p++, e += VQ_CODE_PANEL)
        for (size_t j = 0; j < VQ_CODE_PANEL; j++) {
            const double number = (double)e[j];
            sum[j] += number * number;
        }
    for (size_t j = 0; j < VQ_CODE_PANEL; j++)
        half[j] = j < codes ? (float)(0.5 * sum[j]) : INFINITY;
}

/* Rounds up what is computed of not negative numbers in a few roundings. */
static float upward(float value)
{
    return value * (1.0f + 0x1p-20f) + FLT_MIN;
}

static void screen_panel(const vq_code_index *index, size_t panel)
{
    const size_t pairs = vq_ceil_div(index->dim, 2);
    const size_t left = index->n_codes - panel * VQ_CODE_PANEL;
    float length[VQ_CODE_PANEL], gap[VQ_CODE_PANEL];
    float longest = 0.0f, widest = 0.0f, highest = 0.0f;
    index->kernels->screening->pack(index->dim, VQ_CODE_PANEL,
                                    index->packed + panel * VQ_CODE_PANEL * index->dim,
                                    index->screen.pairs + panel * VQ_CODE_PANEL * pairs, length,
                                    gap);
    for (size_t j = 0; j < VQ_CODE_PANEL && j < left; j++) {
        /* Written so that what is not a number counts as the largest. */
        if (!(length[j] + gap[j] <= longest)) longest = length[j] + gap[j];
        if (!(gap[j] <= widest)) widest = gap[j];
        if (!(index->half[panel * VQ_CODE_PANEL + j] <= highest))
            highest = index->half[panel * VQ_CODE_PANEL + j];
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
        vq_pack_panels(index->kernels->pack, &lines, VQ_CODE_PANEL, panel, panel + 1,
                       index->packed + panel * VQ_CODE_PANEL * index->dim);
        half_squares(index, panel);
        if (index->screened) screen_panel(index, panel);
    }
}

void vq_code_index_build(vq_context *ctx, const float *codes, void *memory, vq_code_index *index)
{
    vq_arena arena = {.base = memory, .capacity = SIZE_MAX};
    layout(index, &arena);
    index->codes = codes;
    find_centre(index);
    vq_parallel_for(ctx, index->panels, 1 + PIECE_WORK / (VQ_CODE_PANEL * index->dim), pack_panels,
                    index);
}
