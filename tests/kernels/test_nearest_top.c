/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_nearest_top.c -- the few nearest codes, against all scores in order. */
#include "search_problem.h"

typedef struct scored {
    float score;
    int32_t code;
} scored;

static int by_score(const void *left, const void *right)
{
    const scored *a = left, *b = right;
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    return (a->code > b->code) - (a->code < b->code);
}

/* Scores that are finite, in order; returns how many. */
static size_t all_in_order(const vq_code_index *index, const float *x, scored *list)
{
    size_t count = 0;
    for (size_t j = 0; j < index->n_codes; j++) {
        float sum = 0.0f;
        for (size_t p = 0; p < index->dim; p++)
            sum = fmaf(x[p] - index->centre[p], index->codes[j * index->dim + p] - index->centre[p],
                       sum);
        const scored one = {index->half[j] - sum, (int32_t)j};
        if (isfinite(one.score)) list[count++] = one;
    }
    qsort(list, count, sizeof *list, by_score);
    return count;
}

static void check_row(const char *name, const vq_code_index *index, const float *x, size_t top,
                      const int32_t *got)
{
    scored *list = malloc(index->n_codes * sizeof *list);
    assert_non_null(list);
    const size_t count = all_in_order(index, x, list);
    for (size_t i = 0; i < top; i++) {
        const int32_t expected = i < count ? list[i].code : -1;
        if (got[i] != expected)
            fail_msg("%s: %zu codes of %zu, top %zu: place %zu has %d, not %d", name,
                     index->n_codes, index->dim, top, i, got[i], expected);
    }
    free(list);
}

static void check_top(const vq_kernels *t, const problem *p, size_t top, int threads)
{
    vq_context *ctx = table_context(t, threads);
    built_index b = build_index(ctx, p, 0);
    const size_t size = vq_nearest_top_workspace(ctx, &b.index, p->n, top);
    void *workspace = workspace_create(size);
    int32_t *idx = malloc((p->n * top + 1) * sizeof *idx);
    assert_non_null(idx);
    idx[p->n * top] = 0x7b7b7b7b;
    (void)vq_nearest_top(ctx, &b.index, p->n, p->x, top, idx, workspace);
    for (size_t i = 0; i < p->n; i++)
        check_row(t->name, &b.index, p->x + i * p->dim, top, idx + i * top);
    assert_int_equal(idx[p->n * top], 0x7b7b7b7b);
    free(idx);
    workspace_destroy(workspace, size);
    destroy_index(&b);
    vq_context_destroy(ctx);
}

/* More codes than a block holds (512 of 64 numbers), fewer, and one. */
static const size_t shapes[][3] = {
    {5, 64, 1100}, {3, 300, 250}, {7, 3, 40}, {2, 8, 1}, {4, 1, 33}, {3, 17, 16},
};

static void tops_of(const vq_kernels *t)
{
    vq_random random = test_stream(40);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t n_codes = shapes[s][2];
        const size_t tops[] = {1, n_codes < 2 ? 1 : 2, n_codes / 3 + 1, n_codes};
        problem p = problem_create(&random, shapes[s][0], shapes[s][1], n_codes, 1.0f);
        for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
            check_top(t, &p, tops[i], 1 + (int)i);
        problem_destroy(&p);
    }
}

static void test_order(void **state)
{
    (void)state;
    for_each_table(tops_of);
}

/* Whole numbers of few values: many equal scores, and equal codes. */
static void ties_of(const vq_kernels *t)
{
    vq_random random = test_stream(41);
    problem p = problem_create(&random, 6, 2, 90, 0.0f);
    for (size_t i = 0; i < p.n * p.dim; i++) p.x[i] = (float)vq_random_below(&random, 3);
    for (size_t i = 0; i < p.n_codes * p.dim; i++) p.codes[i] = (float)vq_random_below(&random, 3);
    check_top(t, &p, 7, 1);
    check_top(t, &p, 90, 2);
    check_top(t, &p, 70, 1); /* a heap in which most scores are equal to its last */
    problem_destroy(&p);
}

static void test_ties(void **state)
{
    (void)state;
    for_each_table(ties_of);
}

static void first_is_nearest(const vq_kernels *t)
{
    vq_random random = test_stream(42);
    vq_context *ctx = table_context(t, 2);
    problem p = problem_create(&random, 50, 20, 300, 5.0f);
    built_index b = build_index(ctx, &p, 0);
    const size_t size = vq_nearest_top_workspace(ctx, &b.index, p.n, 1);
    void *workspace = workspace_create(size);
    int32_t top[50], *expected = nearest(&p, t, 1);
    (void)vq_nearest_top(ctx, &b.index, p.n, p.x, 1, top, workspace);
    assert_memory_equal(top, expected + 1, sizeof top);
    free(expected);
    workspace_destroy(workspace, size);
    destroy_index(&b);
    vq_context_destroy(ctx);
    problem_destroy(&p);
}

static void test_first(void **state)
{
    (void)state;
    for_each_table(first_is_nearest);
}

static void not_numbers(const vq_kernels *t)
{
    vq_random random = test_stream(43);
    problem p = problem_create(&random, 6, 5, 40, 0.0f);
    p.x[1 * p.dim] = NAN;
    p.codes[7 * p.dim + 2] = NAN;
    p.codes[9 * p.dim] = INFINITY;
    check_top(t, &p, 40, 1);
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
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_not_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
