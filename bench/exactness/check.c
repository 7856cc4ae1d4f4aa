/* SPDX-License-Identifier: Apache-2.0
 * bench/exactness/check.c -- all distances in double, many vectors side by side. */
#include "check.h"
#include "base/parallel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL /* the header alone serves where the library is not installed */
#include <xxhash.h>

/* A tile of vectors in lanes, one number of each in a row, against a few codes at a time. */
enum { LANES = 16, CODES = 8 };

/* The compiler makes vectors of the loops over lanes, the widest that the processor has. */
#if defined(__x86_64__) && defined(__GNUC__)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE
#endif

static void *memory_for(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory) return memory;
    fprintf(stderr, "exactness: no memory for %zu x %zu bytes\n", count, size);
    exit(3);
}

static void find_mean(checker *k, const float *codes)
{
    for (size_t j = 0; j < k->n_codes; j++)
        for (size_t d = 0; d < k->dim; d++) k->mean[d] += (double)codes[j * k->dim + d];
    for (size_t d = 0; d < k->dim; d++) k->mean[d] /= (double)k->n_codes;
}

/* Codes with the same bits find one another in a table of twice as many places and more. */
static void find_copies(checker *k, const float *codes)
{
    size_t places = 1;
    while (places < 2 * k->n_codes) places *= 2;
    int32_t *table = memory_for(places, sizeof *table); /* 1 + index; 0: free */
    for (size_t j = 0; j < k->n_codes; j++) {
        const float *code = codes + j * k->dim;
        const size_t size = k->dim * sizeof *code;
        size_t at = XXH3_64bits(code, size) % places;
        while (table[at] && memcmp(codes + (size_t)(table[at] - 1) * k->dim, code, size) != 0)
            at = (at + 1) % places;
        if (table[at] == 0) table[at] = (int32_t)j + 1;
        k->first[j] = table[at] - 1;
    }
    free(table);
}

checker checker_create(const exact_case *c, const float *codes)
{
    const size_t dim = c->dim;
    checker k = {
        .n_codes = c->n_codes,
        .dim = dim,
        .mean = memory_for(dim, sizeof(double)),
        .codes = memory_for(c->n_codes * dim, sizeof(double)),
        .half = memory_for(c->n_codes, sizeof(double)),
        .first = memory_for(c->n_codes, sizeof(int32_t)),
    };
    find_mean(&k, codes);
    find_copies(&k, codes);
    for (size_t j = 0; j < k.n_codes; j++) {
        for (size_t d = 0; d < dim; d++) {
            const double gap = (double)codes[j * dim + d] - k.mean[d];
            k.codes[j * dim + d] = gap;
            k.half[j] += 0.5 * gap * gap;
        }
    }
    return k;
}

void checker_destroy(checker *k)
{
    free(k->mean);
    free(k->codes);
    free(k->half);
    free(k->first);
    *k = (checker){0};
}

/* Least of half - dot, and the half that gave it, lane by lane. x is dim x LANES. */
WIDE static void least_scores(const checker *k, const double *x, double *least, double *half)
{
    for (size_t i = 0; i < LANES; i++) least[i] = HUGE_VAL;
    for (size_t j = 0; j < k->n_codes; j += CODES) {
        double sum[CODES][LANES] = {{0.0}};
        const double *code = k->codes + j * k->dim;
        for (size_t d = 0; d < k->dim; d++)
            for (size_t c = 0; c < CODES; c++)
                for (size_t i = 0; i < LANES; i++)
                    sum[c][i] = fma(code[c * k->dim + d], x[d * LANES + i], sum[c][i]);
        for (size_t c = 0; c < CODES; c++)
            for (size_t i = 0; i < LANES; i++) {
                const double score = k->half[j + c] - sum[c][i];
                half[i] = score < least[i] ? k->half[j + c] : half[i];
                least[i] = score < least[i] ? score : least[i];
            }
    }
}

/* The chosen code's score by the same chain, so that the nearest code itself is off by 0. */
static double ratio_of(const checker *k, const double *x, int32_t choice, double least, double half)
{
    const double *code = k->codes + (size_t)choice * k->dim, chosen = k->half[choice];
    double dot = 0.0, square = 0.0;
    for (size_t d = 0; d < k->dim; d++) {
        dot = fma(code[d], x[d * LANES], dot);
        square += x[d * LANES] * x[d * LANES];
    }
    const double lengths = sqrt(square) + sqrt(2.0 * (chosen < half ? chosen : half));
    const double excess = 2.0 * (chosen - dot - least);
    if (k->first[choice] != choice || isnan(excess)) return HUGE_VAL;
    return excess > 0.0 ? excess / (8.0 * 0x1p-24 * lengths * lengths) : 0.0;
}

typedef struct check_job {
    const checker *k;
    size_t count;
    const float *x;
    const int32_t *idx;
    double *ratio, *tiles; /* tiles: dim x LANES for each thread */
} check_job;

static void check_some(void *arg, size_t begin, size_t end, int thread)
{
    const check_job *job = arg;
    const size_t dim = job->k->dim;
    double *tile = job->tiles + (size_t)thread * dim * LANES;
    for (size_t from = begin * LANES; from < end * LANES && from < job->count; from += LANES) {
        double least[LANES], half[LANES];
        const size_t left = job->count - from;
        for (size_t i = 0; i < LANES; i++)
            for (size_t d = 0; d < dim; d++)
                tile[d * LANES + i] =
                    i < left ? (double)job->x[(from + i) * dim + d] - job->k->mean[d] : 0.0;
        least_scores(job->k, tile, least, half);
        for (size_t i = 0; i < LANES && i < left; i++)
            job->ratio[from + i] =
                ratio_of(job->k, tile + i, job->idx[from + i], least[i], half[i]);
    }
}

double checker_run(vq_context *ctx, const checker *k, size_t count, const float *x,
                   const int32_t *idx, double *ratio)
{
    check_job job = {k, count, x, idx, ratio, NULL};
    double most = 0.0;
    job.tiles = memory_for((size_t)ctx->threads * k->dim * LANES, sizeof(double));
    vq_parallel_for(ctx, (count + LANES - 1) / LANES, 1, check_some, &job);
    for (size_t i = 0; i < count; i++) most = ratio[i] > most ? ratio[i] : most;
    free(job.tiles);
    return most;
}
