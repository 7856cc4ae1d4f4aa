/* SPDX-License-Identifier: Apache-2.0
 * bench/exactness/cases.c -- inputs made by additions and products alone, each rounded as IEEE 754
 * says: no function of a library of mathematics has a say in their bits. */
#include "cases.h"
#include "base/parallel.h"
#include "base/random.h"
#include <stdbool.h>
#include <string.h>

enum { SEED = 20240608, CODES_STEP = 1 << 20 };

static const struct {
    const char *name;
    float offset;
} kinds[KINDS] = {
    [NEAR] = {"offset 0", 0.0f},          [FAR] = {"offset 100", 100.0f},
    [FARTHER] = {"offset 1000", 1000.0f}, [COPIES] = {"copies", 0.0f},
    [SUBNORMAL] = {"subnormal", 0.0f},
};

const char *case_name(case_kind kind)
{
    return kinds[kind].name;
}

static vq_random stream(const exact_case *c, size_t step, size_t item)
{
    const uint64_t name = ((uint64_t)c->n_codes << 20 | (uint64_t)c->dim << 4 | c->kind);
    return vq_random_stream(SEED + name, VQ_RANDOM_TEST, step, (uint32_t)item);
}

/* Between -2 and 2, likeliest at 0. */
static float number(vq_random *random)
{
    const float one = vq_random_uniform(random), other = vq_random_uniform(random);
    return 2.0f * (one + other - 1.0f);
}

/* Among subnormal cases some vectors are so throughout, and of the others every third number. */
static float scale(const exact_case *c, bool throughout, size_t d)
{
    return c->kind == SUBNORMAL && (throughout || d % 3 == 1) ? 1e-40f : 1.0f;
}

void case_codes(const exact_case *c, float *codes)
{
    const size_t dim = c->dim;
    for (size_t j = 0; j < c->n_codes; j++) {
        vq_random random = stream(c, CODES_STEP, j);
        if (c->kind == COPIES && j % 2) {
            memcpy(codes + j * dim, codes + vq_random_below(&random, j) * dim, dim * sizeof *codes);
            continue;
        }
        for (size_t d = 0; d < dim; d++)
            codes[j * dim + d] = scale(c, j % 5 == 2, d) * number(&random) + kinds[c->kind].offset;
    }
}

/* A quarter anywhere, a quarter near a code, the rest next to a code but for one in 16: these lie
 * half-way between two codes, where rounding alone decides. */
static void make_vector(const exact_case *c, const float *codes, size_t item, float *x)
{
    vq_random random = stream(c, 0, item);
    const float *one = codes + vq_random_below(&random, c->n_codes) * c->dim;
    const float *other = codes + vq_random_below(&random, c->n_codes) * c->dim;
    for (size_t d = 0; d < c->dim; d++) {
        const float noise = scale(c, item % 3 == 0, d) * number(&random);
        if (item % 4 == 0) x[d] = noise + kinds[c->kind].offset;
        else if (item % 4 == 1) x[d] = one[d] + 0.25f * noise;
        else if (item % 16 == 2) x[d] = 0.5f * one[d] + 0.5f * other[d];
        else x[d] = one[d] + 0x1p-12f * noise;
    }
}

typedef struct vectors_job {
    const exact_case *c;
    const float *codes;
    size_t first;
    float *x;
} vectors_job;

static void make_some(void *arg, size_t begin, size_t end, int thread)
{
    const vectors_job *job = arg;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        make_vector(job->c, job->codes, job->first + i, job->x + i * job->c->dim);
}

void case_vectors(vq_context *ctx, const exact_case *c, const float *codes, size_t first,
                  size_t count, float *x)
{
    vectors_job job = {c, codes, first, x};
    vq_parallel_for(ctx, count, 1, make_some, &job);
}
