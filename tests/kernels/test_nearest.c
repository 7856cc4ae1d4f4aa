/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_nearest.c -- the search for the nearest code: the same index from every
 * table and number of threads, and a distance that double precision agrees with. */
#include "kernels/nearest.h"
#include "tables.h"
#include <math.h>

static void check_argmin(const vq_kernels *t, vq_random *random, size_t count)
{
    float *dot = guarded(random, count), *half = guarded(random, count);
    /* Halves of whole numbers give many ties; some scores are not numbers. */
    for (size_t j = 0; j < count; j++) {
        dot[j] = 0.0f;
        half[j] = 0.5f * (float)vq_random_below(random, 8);
        if (vq_random_below(random, 9) == 0) half[j] = NAN;
    }
    const int32_t first = (int32_t)vq_random_below(random, 1000);
    const float before = vq_random_below(random, 3) ? INFINITY : 1.0f;
    float best = before, expected_best = before;
    int32_t at = 0, expected = 0;
    for (size_t j = 0; j < count; j++)
        if (half[j] < expected_best) {
            expected_best = half[j];
            expected = first + (int32_t)j;
        }
    t->argmin(dot, half, count, first, &best, &at);
    if (at != expected || memcmp(&best, &expected_best, sizeof best) != 0)
        fail_msg("%s: argmin of %zu gives %d, not %d", t->name, count, at, expected);
    free_guarded(dot);
    free_guarded(half);
}

static void argmins_of(const vq_kernels *t)
{
    vq_random random = test_stream(10);
    for (size_t count = 0; count < 70; count++)
        for (int i = 0; i < 8; i++) check_argmin(t, &random, count);
}

static void test_argmin(void **state)
{
    (void)state;
    for_each_table(argmins_of);
}

typedef struct problem {
    size_t n, dim, n_codes;
    float *x, *codes;
} problem;

/* Unit noise around a common offset. Some codes are copies of earlier ones, and some
 * vectors lie on a code. */
static problem problem_create(vq_random *random, size_t n, size_t dim, size_t n_codes, float offset)
{
    problem p = {n, dim, n_codes, guarded(random, n * dim), guarded(random, n_codes * dim)};
    for (size_t i = 0; i < n * dim; i++) p.x[i] += offset;
    for (size_t i = 0; i < n_codes * dim; i++) p.codes[i] += offset;
    for (size_t j = 1; j < n_codes; j++)
        if (j % 5 == 4 || j + 1 == n_codes)
            memcpy(p.codes + j * dim, p.codes + vq_random_below(random, j) * dim,
                   dim * sizeof *p.codes);
    for (size_t i = 0; i < n; i += 3)
        memcpy(p.x + i * dim, p.codes + vq_random_below(random, n_codes) * dim, dim * sizeof *p.x);
    return p;
}

static void problem_destroy(problem *p)
{
    free_guarded(p->x);
    free_guarded(p->codes);
}

static int32_t *nearest(const problem *p, const vq_kernels *kernels, int threads)
{
    vq_context ctx = {.threads = threads, .kernels = kernels};
    vq_code_index index;
    const size_t packed = vq_code_index_plan(&ctx, p->dim, p->n_codes, &index);
    void *memory = workspace_create(packed);
    const size_t size = vq_nearest_workspace(&ctx, &index, p->n);
    void *workspace = workspace_create(size);
    int32_t *idx = malloc((p->n + 2) * sizeof *idx);
    assert_non_null(idx);
    idx[0] = idx[p->n + 1] = 0x7b7b7b7b;
    vq_code_index_build(&ctx, p->codes, memory, &index);
    vq_nearest_run(&ctx, &index, p->n, p->x, idx + 1, workspace);
    workspace_destroy(memory, packed);
    assert_int_equal(idx[0], 0x7b7b7b7b);
    assert_int_equal(idx[p->n + 1], 0x7b7b7b7b);
    workspace_destroy(workspace, size);
    return idx;
}

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
        cmocka_unit_test(test_argmin),      cmocka_unit_test(test_distance),
        cmocka_unit_test(test_same),        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_not_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
