/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_screened_search.c -- whole searches by way of bf16 give the codes of the
 * portable ones, also where the bounds exclude nothing or hardly anything. */
#include "search_problem.h"

static void check_same(const vq_kernels *t, const problem *p, const char *what)
{
    int32_t *expected = nearest(p, &vq_kernels_portable, 1);
    for (int threads = 1; threads <= 3; threads += 2) {
        int32_t *idx = nearest_by(p, t, threads, 1);
        for (size_t i = 0; i < p->n; i++)
            if (idx[i + 1] != expected[i + 1])
                fail_msg("%s: %s, dim %zu, %zu codes, %d threads: vector %zu of %zu: %d, not %d",
                         t->name, what, p->dim, p->n_codes, threads, i, p->n, idx[i + 1],
                         expected[i + 1]);
        free(idx);
    }
    free(expected);
}

static const size_t shapes[][3] = {
    {70, 32, 256},  {33, 33, 700},  {64, 64, 512},  {45, 64, 9000},
    {40, 100, 257}, {32, 256, 300}, {64, 300, 256}, {300, 8, 130},
};

static void random_of(const vq_kernels *t)
{
    static const float offsets[] = {0.0f, 100.0f, 1000.0f};
    vq_random random = test_stream(60);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes && t->screening; s++) {
        problem p =
            problem_create(&random, shapes[s][0], shapes[s][1], shapes[s][2], offsets[s % 3]);
        check_same(t, &p, "random");
        problem_destroy(&p);
    }
}

static void test_random(void **state)
{
    (void)state;
    for_each_table(random_of);
}

/* Codes that differ from a few others by one unit in the last place of one number. */
static void near_ties_of(const vq_kernels *t)
{
    enum { N = 64, DIM = 40, CODES = 400, FAMILIES = 6 };
    vq_random random = test_stream(61);
    for (int repeat = 0; repeat < 4 && t->screening; repeat++) {
        problem p = problem_create(&random, N, DIM, CODES, 0.0f);
        for (size_t j = FAMILIES; j < CODES; j++) {
            float *code = p.codes + j * DIM;
            float *number = code + vq_random_below(&random, DIM);
            copy_row(code, p.codes + j % FAMILIES * DIM, DIM);
            *number = nextafterf(*number, vq_random_below(&random, 2) ? 9.0f : -9.0f);
        }
        /* Beside a code, and half-way between two families. */
        for (size_t i = 0; i < N * DIM; i++)
            p.x[i] = i / DIM % 2 ? p.codes[i / DIM * DIM + i % DIM] + 0.1f * p.x[i]
                                 : 0.5f * p.codes[i % DIM] + 0.5f * p.codes[DIM + i % DIM];
        check_same(t, &p, "near ties");
        problem_destroy(&p);
    }
}

static void test_near_ties(void **state)
{
    (void)state;
    for_each_table(near_ties_of);
}

/* A block of short codes first, whose bounds are narrow, then pairs of long ones that are one
 * another's reverse. Vectors are the sum of a pair and so just as far from either: rounding to bf16
 * puts the wrong one first every other time. */
static void lengths_of(const vq_kernels *t)
{
    enum { N = 96, DIM = 64, BRIEF = 4100, /* a block */ PAIRS = 350, CODES = BRIEF + 2 * PAIRS };
    vq_random random = test_stream(65);
    if (!t->screening) return;
    problem p = problem_create(&random, N, DIM, CODES, 0.0f);
    for (size_t i = 0; i < BRIEF * DIM; i++) p.codes[i] *= 1e-3f;
    for (size_t j = BRIEF; j < BRIEF + PAIRS; j++)
        for (size_t d = 0; d < DIM; d++)
            p.codes[(j + PAIRS) * DIM + d] = p.codes[j * DIM + DIM - 1 - d];
    for (size_t i = 0; i < N; i++) {
        const float *code = p.codes + random_between(&random, BRIEF, BRIEF + PAIRS - 1) * DIM;
        for (size_t d = 0; d < DIM; d++) p.x[i * DIM + d] = code[d] + code[DIM - 1 - d];
    }
    check_same(t, &p, "lengths");
    problem_destroy(&p);
}

static void test_lengths(void **state)
{
    (void)state;
    for_each_table(lengths_of);
}

/* Nothing can be excluded, and the search goes on without screening; then a second codebook of
 * which only the first codes are equal, so that it comes back to it. */
static void equal_codes_of(const vq_kernels *t)
{
    vq_random random = test_stream(62);
    enum { CODES = 10240 }; /* some ten blocks, of which screening rests for seven */
    static const size_t equal[] = {CODES, 1000};
    for (size_t i = 0; i < 2 && t->screening; i++) {
        problem p = problem_create(&random, 64, 256, CODES, 1.0f);
        for (size_t j = 1; j < equal[i]; j++) copy_row(p.codes + j * p.dim, p.codes, p.dim);
        check_same(t, &p, "equal codes");
        problem_destroy(&p);
    }
}

static void test_equal_codes(void **state)
{
    (void)state;
    for_each_table(equal_codes_of);
}

static void scales_of(const vq_kernels *t)
{
    static const float scales[] = {1e-42f, 1e-30f, 1e-15f, 1e15f, 1e18f, 1e30f, 1e38f};
    vq_random random = test_stream(63);
    for (size_t s = 0; s < sizeof scales / sizeof *scales && t->screening; s++) {
        problem p = problem_create(&random, 50, 48, 300, 0.0f);
        for (size_t i = 0; i < p.n * p.dim; i++) p.x[i] *= scales[s];
        check_same(t, &p, "vectors of another scale");
        for (size_t i = 0; i < p.n_codes * p.dim; i++)
            if (s % 2 || i / p.dim % 2) p.codes[i] *= scales[s];
        check_same(t, &p, "codes of another scale");
        problem_destroy(&p);
    }
}

static void test_scales(void **state)
{
    (void)state;
    for_each_table(scales_of);
}

static void not_numbers_of(const vq_kernels *t)
{
    vq_random random = test_stream(64);
    for (int codes_too = 0; codes_too < 2 && t->screening; codes_too++) {
        problem p = problem_create(&random, 70, 64, 300, 2.0f);
        p.x[5 * p.dim + 3] = NAN;
        p.x[7 * p.dim] = INFINITY;
        for (size_t d = 0; d < p.dim; d++) p.x[40 * p.dim + d] = -INFINITY;
        if (codes_too) {
            p.codes[33 * p.dim + 63] = NAN;
            p.codes[190 * p.dim] = -INFINITY;
        }
        check_same(t, &p, "not numbers");
        int32_t *idx = nearest_by(&p, t, 1, 1);
        assert_int_equal(idx[5 + 1], 0);
        free(idx);
        problem_destroy(&p);
    }
}

static void test_not_numbers(void **state)
{
    (void)state;
    for_each_table(not_numbers_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),      cmocka_unit_test(test_near_ties),
        cmocka_unit_test(test_equal_codes), cmocka_unit_test(test_scales),
        cmocka_unit_test(test_lengths),     cmocka_unit_test(test_not_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
