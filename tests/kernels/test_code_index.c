/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_code_index.c -- a codebook packed for searching: its centre, the halves of
 * the squared lengths, the panels, and the bounds that screening goes by. */
#include "search_problem.h"

static const size_t shapes[][2] = {{1, 1}, {3, 16}, {5, 17}, {64, 31}, {67, 500}, {200, 9}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const float *packed_code(const vq_code_index *index, size_t j)
{
    return index->packed + j / VQ_CODE_PANEL * VQ_CODE_PANEL * index->dim + j % VQ_CODE_PANEL;
}

static void check_panels(const vq_kernels *t, const vq_code_index *index)
{
    for (size_t j = 0; j < index->panels * VQ_CODE_PANEL; j++) {
        double sum = 0.0;
        for (size_t p = 0; p < index->dim; p++) {
            const float number = packed_code(index, j)[p * VQ_CODE_PANEL];
            const float expected =
                j < index->n_codes ? index->codes[j * index->dim + p] - index->centre[p] : 0.0f;
            if (number != expected) fail_msg("%s: number %zu of code %zu", t->name, p, j);
            sum += (double)number * (double)number;
        }
        const float half = index->half[j];
        if (j >= index->n_codes && !(half == INFINITY)) fail_msg("%s: padding is found", t->name);
        if (j < index->n_codes && !(fabs((double)half - 0.5 * sum) <= 0x1p-24 * sum))
            fail_msg("%s: half of code %zu is %g, not %g", t->name, j, (double)half, 0.5 * sum);
    }
}

static void panels_of(const vq_kernels *t)
{
    vq_random random = test_stream(30);
    for (size_t s = 0; s < SHAPES; s++)
        for (int threads = 1; threads <= 3; threads++) {
            vq_context *ctx = table_context(t, threads);
            problem p = problem_create(&random, 0, shapes[s][0], shapes[s][1], 10.0f);
            built_index b = build_index(ctx, &p, 0);
            check_panels(t, &b.index);
            destroy_index(&b);
            vq_context_destroy(ctx);
            problem_destroy(&p);
        }
}

static void test_panels(void **state)
{
    (void)state;
    for_each_table(panels_of);
}

/* The centre decides how the distances round, so every table must find the same. */
static void same_as_portable(const vq_kernels *t)
{
    vq_random random = test_stream(31);
    for (size_t s = 0; s < SHAPES; s++) {
        vq_context *ctx = table_context(t, 2);
        vq_context portable = {.threads = 1, .kernels = &vq_kernels_portable};
        problem p = problem_create(&random, 0, shapes[s][0], shapes[s][1], 3.0f);
        built_index a = build_index(ctx, &p, 1), b = build_index(&portable, &p, 0);
        const size_t padded = a.index.panels * VQ_CODE_PANEL;
        assert_memory_equal(a.index.centre, b.index.centre, p.dim * sizeof(float));
        assert_memory_equal(a.index.half, b.index.half, padded * sizeof(float));
        assert_memory_equal(a.index.packed, b.index.packed, padded * p.dim * sizeof(float));
        destroy_index(&a);
        destroy_index(&b);
        vq_context_destroy(ctx);
        problem_destroy(&p);
    }
}

static void test_same(void **state)
{
    (void)state;
    for_each_table(same_as_portable);
}

/* Codes that were never used may lie anywhere; the distances of the others must not suffer. */
static void test_centre(void **state)
{
    enum { DIM = 70, CODES = 60 };
    vq_random random = test_stream(32);
    vq_context ctx = {.threads = 1, .kernels = &vq_kernels_portable};
    (void)state;
    for (size_t lost = 0; lost <= CODES / 4; lost += 5) {
        problem p = problem_create(&random, 0, DIM, CODES, 1000.0f);
        for (size_t j = 0; j < lost; j++)
            for (size_t d = 0; d < DIM; d++) p.codes[(7 * j % CODES) * DIM + d] *= 1e5f;
        built_index b = build_index(&ctx, &p, 0);
        for (size_t d = 0; d < DIM; d++)
            if (!(fabsf(b.index.centre[d] - 1000.0f) < 4.0f))
                fail_msg("%zu codes far away move the centre to %g", lost,
                         (double)b.index.centre[d]);
        destroy_index(&b);
        problem_destroy(&p);
    }
}

/* The bounds of screening.h, E, R and 8 u H, hold in double. */
static void check_group(const vq_kernels *t, const vq_code_index *index, size_t group)
{
    const vq_screen_group *bound = &index->screen.groups[group];
    for (size_t j = 0; j < VQ_CODE_PANEL && group * VQ_CODE_PANEL + j < index->n_codes; j++) {
        const float *code = packed_code(index, group * VQ_CODE_PANEL + j);
        double length = 0.0, gap = 0.0;
        for (size_t p = 0; p < index->dim; p++) {
            const double number = (double)code[p * VQ_CODE_PANEL];
            const double lost = number - (double)rounded(code[p * VQ_CODE_PANEL]);
            length += number * number;
            gap += lost * lost;
        }
        if (!((double)bound->length >= sqrt(length) && (double)bound->gap >= sqrt(gap)))
            fail_msg("%s: group %zu: bounds %g and %g of code %zu, which has %g and %g", t->name,
                     group, (double)bound->length, (double)bound->gap, j, sqrt(length), sqrt(gap));
        if (!((double)bound->fixed >=
              0x1p-21 * (double)index->half[group * VQ_CODE_PANEL + j] + 0x1p-122))
            fail_msg("%s: group %zu: the fixed bound %g", t->name, group, (double)bound->fixed);
        if (!((double)bound->length < 1e3 && (double)bound->gap < 10.0))
            fail_msg("%s: group %zu: bounds that exclude nothing", t->name, group);
    }
}

static void groups_of(const vq_kernels *t)
{
    vq_random random = test_stream(33);
    for (size_t s = 0; s < SHAPES && t->screening; s++) {
        vq_context *ctx = table_context(t, 2);
        problem p = problem_create(&random, 0, shapes[s][0], shapes[s][1], -20.0f);
        built_index b = build_index(ctx, &p, 1);
        for (size_t group = 0; group < b.index.panels; group++) check_group(t, &b.index, group);
        destroy_index(&b);
        vq_context_destroy(ctx);
        problem_destroy(&p);
    }
}

static void test_groups(void **state)
{
    (void)state;
    for_each_table(groups_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_panels),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_centre),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
