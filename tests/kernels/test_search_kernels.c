/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_search_kernels.c -- the kernels that a search is made of, bit for bit
 * against plain loops over fmaf(). */
#include "tables.h"
#include <float.h>
#include <math.h>

/* What the numbers are: small whole ones make ties, wild ones overflow, underflow and are no
 * numbers at all. */
enum { NORMAL, WHOLE, WILD, KINDS };

static float wild_number(vq_random *random)
{
    static const float some[] = {NAN,     INFINITY, -INFINITY, 0.0f,  -0.0f,
                                 FLT_MAX, -FLT_MAX, 1e-40f,    3e19f, -2e-30f};
    const size_t choice = vq_random_below(random, 8 * sizeof some / sizeof *some);
    return choice < sizeof some / sizeof *some ? some[choice] : vq_random_normal(random);
}

static float *numbers(vq_random *random, size_t count, int kind)
{
    float *buffer = guarded(random, count);
    for (size_t i = 0; i < count && kind != NORMAL; i++)
        buffer[i] = kind == WILD ? wild_number(random) : (float)vq_random_below(random, 5) - 2.0f;
    return buffer;
}

/* ---- argmin ----------------------------------------------------------------------- */

static void check_argmin(const vq_kernels *t, vq_random *random, size_t count, int kind)
{
    float *dot = numbers(random, count, kind), *half = numbers(random, count, kind);
    const int32_t first =
        (int32_t)(vq_random_below(random, 2) ? vq_random_below(random, 1000) : INT32_MAX - count);
    const float before = vq_random_below(random, 3) ? INFINITY : 1.0f;
    float best = before, expected_best = before;
    int32_t at = -1, expected = -1;
    for (size_t j = 0; j < count; j++)
        if (half[j] - dot[j] < expected_best) {
            expected_best = half[j] - dot[j];
            expected = first + (int32_t)j;
        }
    t->argmin(dot, half, count, first, &best, &at);
    if (at != expected || !(best == expected_best))
        fail_msg("%s: argmin of %zu, kind %d, gives %d, not %d", t->name, count, kind, at,
                 expected);
    free_guarded(dot);
    free_guarded(half);
}

static void argmins_of(const vq_kernels *t)
{
    vq_random random = test_stream(10);
    for (size_t count = 0; count < 70; count++)
        for (int i = 0; i < 12; i++) check_argmin(t, &random, count, i % KINDS);
}

static void test_argmin(void **state)
{
    (void)state;
    for_each_table(argmins_of);
}

/* ---- dots ------------------------------------------------------------------------- */

static float chain(size_t depth, const float *x, size_t x_step, const float *code)
{
    float sum = 0.0f;
    for (size_t p = 0; p < depth; p++) sum = fmaf(x[p * x_step], code[p * VQ_CODE_PANEL], sum);
    return sum;
}

/* The bits of what is not a number depend on the processor; nothing reads them. */
static int same_number(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static const float *code_at(const float *codes, size_t depth, size_t j)
{
    return codes + j / VQ_CODE_PANEL * VQ_CODE_PANEL * depth + j % VQ_CODE_PANEL;
}

static void check_dots(const vq_kernels *t, vq_random *random, size_t depth, size_t panels,
                       int kind)
{
    const size_t count = panels * VQ_CODE_PANEL;
    float *x = numbers(random, depth, kind), *codes = numbers(random, count * depth, kind);
    float *dot = guarded(random, count), *expected = guarded_copy(dot, count);
    t->dots(depth, x, codes, panels, dot);
    for (size_t j = 0; j < count; j++) {
        expected[j] = chain(depth, x, 1, code_at(codes, depth, j));
        if (!same_number(dot[j], expected[j]))
            fail_msg("%s: depth %zu, %zu panels: product %zu is %g, not %g", t->name, depth, panels,
                     j, (double)dot[j], (double)expected[j]);
        dot[j] = expected[j];
    }
    if (!same_guarded(dot, expected, count)) fail_msg("%s: dots write beyond their end", t->name);
    free_guarded(x);
    free_guarded(codes);
    free_guarded(dot);
    free_guarded(expected);
}

static const size_t depths[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,   10,  11,
                                12, 13, 14, 15, 16, 17, 64, 67, 256, 257, 300};
enum { DEPTHS = sizeof depths / sizeof *depths };

static void dots_of(const vq_kernels *t)
{
    vq_random random = test_stream(15);
    for (size_t d = 0; d < DEPTHS; d++)
        for (size_t panels = 0; panels < 20; panels += 1 + panels / 3)
            check_dots(t, &random, depths[d], panels, (int)(panels % KINDS));
}

static void test_dots(void **state)
{
    (void)state;
    for_each_table(dots_of);
}

/* ---- halves ----------------------------------------------------------------------- */

static void halves_of(const vq_kernels *t)
{
    vq_random random = test_stream(18);
    for (size_t d = 0; d < DEPTHS; d++) {
        const size_t depth = depths[d];
        float *codes = guarded(&random, depth * VQ_CODE_PANEL);
        float *half = guarded(&random, VQ_CODE_PANEL);
        float *expected = guarded_copy(half, VQ_CODE_PANEL);
        for (size_t j = 0; j < VQ_CODE_PANEL; j++) {
            double sum = 0.0;
            for (size_t p = 0; p < depth; p++) {
                const double number = (double)codes[p * VQ_CODE_PANEL + j];
                sum += number * number;
            }
            expected[j] = (float)(0.5 * sum);
        }
        t->halves(depth, codes, half);
        if (!same_guarded(half, expected, VQ_CODE_PANEL))
            fail_msg("%s: halves of %zu numbers", t->name, depth);
        free_guarded(codes);
        free_guarded(half);
        free_guarded(expected);
    }
}

static void test_halves(void **state)
{
    (void)state;
    for_each_table(halves_of);
}

/* ---- search ------------------------------------------------------------------------- */

/* Some lanes go on from an earlier search, one of them from what no score can beat. */
static void start_lanes(size_t lanes, vq_random *random, float *best, int32_t *at)
{
    for (size_t i = 0; i < lanes; i++) {
        const uint64_t choice = vq_random_below(random, 5);
        best[i] = choice == 0 ? 0.5f * (float)vq_random_below(random, 6) : INFINITY;
        if (choice == 1) best[i] = -INFINITY;
        at[i] = (int32_t)vq_random_below(random, 100);
    }
}

typedef struct search_kernel {
    const char *name;
    vq_search_fn *search;
    size_t lanes;
} search_kernel;

static void check_search(const search_kernel *t, vq_random *random, size_t depth, size_t count,
                         int kind)
{
    const size_t lanes = t->lanes, padded = (count + 15) / VQ_CODE_PANEL * VQ_CODE_PANEL;
    const int32_t first = 100 + (int32_t)vq_random_below(random, 1000);
    float *x = numbers(random, depth * lanes, kind);
    float *codes = numbers(random, padded * depth, kind), *half = numbers(random, padded, kind);
    float *best = guarded(random, lanes), *at = guarded(random, lanes);
    for (size_t j = count; j < padded; j++) half[j] = INFINITY;
    start_lanes(lanes, random, best, (int32_t *)at);
    float *expected_best = guarded_copy(best, lanes), *expected_at = guarded_copy(at, lanes);
    for (size_t i = 0; i < lanes; i++)
        for (size_t j = 0; j < count; j++) {
            const float score = half[j] - chain(depth, x + i, lanes, code_at(codes, depth, j));
            if (!(score < expected_best[i])) continue;
            expected_best[i] = score;
            ((int32_t *)expected_at)[i] = first + (int32_t)j;
        }
    t->search(depth, x, codes, half, count, first, best, (int32_t *)at);
    for (size_t i = 0; i < lanes; i++) {
        if (!(best[i] == expected_best[i]))
            fail_msg("%s: depth %zu, %zu codes, kind %d: lane %zu at %g, not %g", t->name, depth,
                     count, kind, i, (double)best[i], (double)expected_best[i]);
        best[i] = expected_best[i]; /* zeros may differ in their sign */
    }
    if (!same_guarded(at, expected_at, lanes) || !same_guarded(best, expected_best, lanes))
        fail_msg("%s: depth %zu, %zu codes, kind %d: another index", t->name, depth, count, kind);
    float *const all[] = {x, codes, half, best, at, expected_best, expected_at};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static void check_searches(const search_kernel *t)
{
    static const size_t counts[] = {0, 1, 15, 16, 17, 33, 50, 128, 203};
    vq_random random = test_stream(16);
    for (size_t d = 0; d < DEPTHS; d++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int kind = 0; kind < KINDS; kind++)
                check_search(t, &random, depths[d], counts[c], kind);
}

static void searches_of(const vq_kernels *t)
{
    check_searches(&(search_kernel){t->name, t->search, t->search_lanes});
    if (t->search_narrow)
        check_searches(&(search_kernel){t->name, t->search_narrow, t->search_lanes / 2});
}

static void test_search(void **state)
{
    (void)state;
    for_each_table(searches_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_argmin),
        cmocka_unit_test(test_dots),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
