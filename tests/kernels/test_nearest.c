/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_nearest.c -- the search for the nearest code: the same index from every
 * table and number of threads, and a distance that double precision agrees with. */
#include "search_problem.h"

static double distance(const problem *p, size_t i, size_t j)
{
    double sum = 0.0;
    for (size_t d = 0; d < p->dim; d++) {
        const double gap = (double)p->x[i * p->dim + d] - (double)p->codes[j * p->dim + d];
        sum += gap * gap;
    }
    return sum;
}

/* Rounding may swap two codes that are nearly as near, so the distance is judged; of equal
 * codes only the first may be named. */
static void check_choice(const problem *p, size_t i, int32_t choice)
{
    double least = HUGE_VAL;
    assert_in_range(choice, 0, p->n_codes - 1);
    for (size_t j = 0; j < p->n_codes; j++) least = fmin(least, distance(p, i, j));
    const double got = distance(p, i, (size_t)choice);
    if (got > least + 1e-5 * (1.0 + least))
        fail_msg("%zu x %zu, %zu codes: vector %zu is at %g from code %d, at %g from another", p->n,
                 p->dim, p->n_codes, i, got, choice, least);
    for (size_t j = 0; j < (size_t)choice; j++)
        if (memcmp(p->codes + j * p->dim, p->codes + (size_t)choice * p->dim,
                   p->dim * sizeof(float)) == 0)
            fail_msg("vector %zu: code %d is a copy of code %zu", i, choice, j);
}

static const size_t shapes[][3] = {
    {0, 4, 3},   {1, 1, 1},   {1, 64, 512}, {7, 3, 2},     {40, 64, 31},   {33, 8, 33},
    {100, 5, 7}, {9, 67, 65}, {70, 1, 512}, {64, 16, 513}, {21, 64, 1100}, {5, 300, 40},
};
static const float offsets[] = {0.0f, 100.0f, 1000.0f};

static void test_distance(void **state)
{
    vq_random random = test_stream(11);
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++) {
            problem p =
                problem_create(&random, shapes[s][0], shapes[s][1], shapes[s][2], offsets[o]);
            int32_t *idx = nearest(&p, &vq_kernels_portable, 1);
            for (size_t i = 0; i < p.n; i++) check_choice(&p, i, idx[i + 1]);
            free(idx);
            problem_destroy(&p);
        }
}

static void same_as_portable(const vq_kernels *t)
{
    vq_random random = test_stream(12);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        problem p =
            problem_create(&random, shapes[s][0], shapes[s][1], shapes[s][2], offsets[s % 3]);
        int32_t *expected = nearest(&p, &vq_kernels_portable, 1);
        for (int threads = 1; threads <= 4; threads++) {
            int32_t *idx = nearest(&p, t, threads);
            if (memcmp(idx, expected, (p.n + 2) * sizeof *idx) != 0)
                fail_msg("%s: %zu x %zu, %zu codes, %d threads: not portable's codes", t->name, p.n,
                         p.dim, p.n_codes, threads);
            free(idx);
        }
        free(expected);
        problem_destroy(&p);
    }
}

static void test_same(void **state)
{
    (void)state;
    for_each_table(same_as_portable);
}

/* A batch must not change the codes of its members. */
static void alone_as_together(const vq_kernels *t)
{
    vq_random random = test_stream(13);
    problem p = problem_create(&random, 19, 24, 70, 3.0f);
    int32_t *together = nearest(&p, t, 2);
    for (size_t i = 0; i < p.n; i++) {
        const problem one = {1, p.dim, p.n_codes, p.x + i * p.dim, p.codes};
        int32_t *alone = nearest(&one, t, 1);
        assert_int_equal(alone[1], together[i + 1]);
        free(alone);
    }
    free(together);
    problem_destroy(&p);
}

static void test_batch(void **state)
{
    (void)state;
    for_each_table(alone_as_together);
}

/* Whole numbers leave nothing to round: of equal distances the lowest index must win. */
static void whole_numbers(const vq_kernels *t)
{
    static const size_t sizes[][2] = {{1, 3}, {1, 40}, {2, 30}, {4, 200}, {16, 513}, {64, 77}};
    vq_random random = test_stream(15);
    for (size_t s = 0; s < 8 * sizeof sizes / sizeof *sizes; s++) {
        const size_t dim = sizes[s / 8][0], n_codes = sizes[s / 8][1];
        const float offset = offsets[s % 3];
        problem p = problem_create(&random, 60, dim, n_codes, 0.0f);
        for (size_t i = 0; i < p.n * dim; i++)
            p.x[i] = offset + (float)random_between(&random, 0, 7);
        for (size_t i = 0; i < n_codes * dim; i++)
            p.codes[i] = offset + (float)random_between(&random, 0, 7);
        int32_t *idx = nearest(&p, t, 1);
        for (size_t i = 0; i < p.n; i++) {
            size_t best = 0;
            for (size_t j = 1; j < n_codes; j++)
                if (distance(&p, i, j) < distance(&p, i, best)) best = j;
            assert_int_equal(idx[i + 1], best);
        }
        free(idx);
        problem_destroy(&p);
    }
}

static void test_ties(void **state)
{
    (void)state;
    for_each_table(whole_numbers);
}

static void not_numbers(const vq_kernels *t)
{
    vq_random random = test_stream(14);
    problem p = problem_create(&random, 12, 6, 40, 0.0f);
    int32_t *before = nearest(&p, t, 1);
    p.x[5 * p.dim] = NAN;
    p.x[7 * p.dim + 2] = INFINITY;
    int32_t *after = nearest(&p, t, 1);
    assert_int_equal(after[5 + 1], 0);
    for (size_t i = 0; i < p.n; i++) {
        assert_in_range(after[i + 1], 0, p.n_codes - 1);
        if (i != 5 && i != 7) assert_int_equal(after[i + 1], before[i + 1]);
    }
    free(before);
    free(after);
    problem_destroy(&p);
}

static void test_not_numbers(void **state)
{
    (void)state;
    for_each_table(not_numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),    cmocka_unit_test(test_same),
        cmocka_unit_test(test_batch),       cmocka_unit_test(test_ties),
        cmocka_unit_test(test_not_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
