/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/search_problem.h -- vectors and codebooks to be searched, and the search of
 * them by a table, for the tests of whole searches. */
#ifndef VQ_TESTS_KERNELS_SEARCH_PROBLEM_H
#define VQ_TESTS_KERNELS_SEARCH_PROBLEM_H

#include "base/sizes.h"
#include "kernels/nearest.h"
#include "kernels/pack.h"
#include "tables.h"
#include <float.h>
#include <math.h>

typedef struct problem {
    size_t n, dim, n_codes;
    float *x, *codes;
} problem;

static inline void copy_row(float *to, const float *from, size_t dim)
{
    memcpy(to, from, dim * sizeof *to);
}

/** Unit noise around a common offset. Some codes are copies of earlier ones, and some
 *  vectors lie on a code. */
static inline problem problem_create(vq_random *random, size_t n, size_t dim, size_t n_codes,
                                     float offset)
{
    problem p = {n, dim, n_codes, guarded(random, n * dim), guarded(random, n_codes * dim)};
    for (size_t i = 0; i < n * dim; i++) p.x[i] += offset;
    for (size_t i = 0; i < n_codes * dim; i++) p.codes[i] += offset;
    for (size_t j = 1; j < n_codes; j++)
        if (j % 5 == 4 || j + 1 == n_codes)
            copy_row(p.codes + j * dim, p.codes + vq_random_below(random, j) * dim, dim);
    for (size_t i = 0; i < n; i += 3)
        copy_row(p.x + i * dim, p.codes + vq_random_below(random, n_codes) * dim, dim);
    return p;
}

static inline void problem_destroy(problem *p)
{
    free_guarded(p->x);
    free_guarded(p->codes);
}

/** To the nearest number of bf16, ties to the even one; subnormal ones are zero. */
static inline float rounded(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    if (fabsf(number) < FLT_MIN) bits &= 0x80000000u;
    bits = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/** An index and the memory it lies in. */
typedef struct built_index {
    vq_code_index index;
    void *memory;
    size_t size;
} built_index;

/* Bytes that an index needs whether it is screened or not. */
static inline size_t index_size(const vq_code_index *index)
{
    const size_t codes = index->panels * VQ_CODE_PANEL;
    return 6 * 64 + (2 * index->dim + codes * (index->dim + 1)) * sizeof(float) +
           codes * index->screen.words * sizeof(uint32_t) + index->panels * sizeof(vq_screen_group);
}

/** Builds an index; `screened` makes it screened where the table can, however small it is. */
static inline built_index build_index(vq_context *ctx, const problem *p, int screened)
{
    built_index b = {.memory = NULL};
    b.size = vq_code_index_plan(ctx, p->dim, p->n_codes, SIZE_MAX, &b.index);
    if (screened && b.index.kernels->screening) {
        b.index.screened = true;
        b.size = index_size(&b.index);
    }
    b.memory = workspace_create(b.size);
    vq_code_index_build(ctx, p->codes, b.memory, &b.index);
    return b;
}

static inline void destroy_index(built_index *b)
{
    workspace_destroy(b->memory, b->size);
}

/** Codes of all vectors, between two guards that are checked: the first is [1]. */
static inline int32_t *nearest_by(const problem *p, const vq_kernels *kernels, int threads,
                                  int screened)
{
    vq_context *ctx = table_context(kernels, threads);
    built_index b = build_index(ctx, p, screened);
    const size_t size = vq_nearest_workspace(ctx, &b.index, p->n);
    void *workspace = workspace_create(size);
    int32_t *idx = malloc((p->n + 2) * sizeof *idx);
    assert_non_null(idx);
    idx[0] = idx[p->n + 1] = 0x7b7b7b7b;
    (void)vq_nearest_run(ctx, &b.index, p->n, p->x, idx + 1, workspace);
    destroy_index(&b);
    vq_context_destroy(ctx);
    assert_int_equal(idx[0], 0x7b7b7b7b);
    assert_int_equal(idx[p->n + 1], 0x7b7b7b7b);
    workspace_destroy(workspace, size);
    return idx;
}

static inline int32_t *nearest(const problem *p, const vq_kernels *kernels, int threads)
{
    return nearest_by(p, kernels, threads, 0);
}

#endif
