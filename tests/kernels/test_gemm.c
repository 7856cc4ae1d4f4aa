/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_gemm.c -- packing, the micro-kernel and the whole product, bit for bit
 * against one chain of fmaf() per number. */
#include "kernels/gemm_f64.h"
#include "kernels/pack.h"
#include "tables.h"
#include <math.h>

/* The definition of the product that every kernel must meet. */
static void chain(const vq_gemm *g)
{
    for (size_t i = 0; i < g->m; i++)
        for (size_t j = 0; j < g->n; j++) {
            float sum = g->accumulate ? g->c[i * g->ldc + j] : 0.0f;
            for (size_t p = 0; p < g->k; p++)
                sum =
                    fmaf(g->a[i * g->a_row + p * g->a_col], g->b[p * g->b_row + j * g->b_col], sum);
            g->c[i * g->ldc + j] = sum;
        }
}

static void check_tile(const vq_kernels *t, vq_random *random, size_t depth, size_t m, size_t n,
                       int start)
{
    const size_t ldc = n + random_between(random, 0, 3), size = m * ldc;
    float *a = guarded(random, depth * t->tile_rows), *b = guarded(random, depth * t->tile_cols);
    float *c = guarded(random, size), *expected = guarded_copy(c, size);
    const vq_gemm g = {m, n, depth, a, 1, t->tile_rows, b, t->tile_cols, 1, expected, ldc, start};
    chain(&g);
    t->gemm_tile(depth, a, b, c, ldc, m, n, start);
    if (!same_guarded(c, expected, size))
        fail_msg("%s: tile %zu x %zu, depth %zu, start %d", t->name, m, n, depth, start);
    free_guarded(a);
    free_guarded(b);
    free_guarded(c);
    free_guarded(expected);
}

static void tiles_of(const vq_kernels *t)
{
    static const size_t depths[] = {0, 1, 2, 7, 33};
    vq_random random = test_stream(1);
    for (size_t m = 1; m <= t->tile_rows; m++)
        for (size_t n = 1; n <= t->tile_cols; n++)
            for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
                for (int start = 0; start < 2; start++)
                    check_tile(t, &random, depths[d], m, n, start);
}

static void test_tile(void **state)
{
    (void)state;
    for_each_table(tiles_of);
}

/* Lines side by side, lines one after another, and neither. */
enum { ALONG, ACROSS, SPREAD, WAYS };

static void check_pack(const vq_kernels *t, vq_random *random, size_t width, size_t lanes,
                       size_t depth, int way, int shifted)
{
    const size_t lane_step = way == ALONG ? 1 : way == ACROSS ? depth + 3 : 2 * depth + 5;
    const size_t depth_step = way == ALONG ? lanes + 2 : way == ACROSS ? 1 : 2;
    const size_t span = (lanes - 1) * lane_step + depth * depth_step + 1, size = width * depth;
    float *from = guarded(random, span), *shift = guarded(random, depth);
    float *to = guarded(random, size), *expected = guarded_copy(to, size);
    for (size_t p = 0; p < depth; p++)
        for (size_t i = 0; i < width; i++)
            expected[p * width + i] =
                i >= lanes ? 0.0f
                           : from[i * lane_step + p * depth_step] - (shifted ? shift[p] : 0.0f);
    const vq_panel panel = {from, lane_step, depth_step, lanes, depth, shifted ? shift : NULL};
    t->pack(&panel, width, to);
    if (!same_guarded(to, expected, size))
        fail_msg("%s: pack width %zu, %zu lanes, depth %zu, way %d, shift %d", t->name, width,
                 lanes, depth, way, shifted);
    free_guarded(from);
    free_guarded(shift);
    free_guarded(to);
    free_guarded(expected);
}

static void packs_of(const vq_kernels *t)
{
    static const size_t depths[] = {0, 1, 7, 8, 9, 16, 27};
    const size_t widths[] = {t->tile_rows, t->tile_cols, 3, 11};
    vq_random random = test_stream(2);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t lanes = 1; lanes <= widths[w]; lanes++)
            for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
                for (int way = 0; way < WAYS; way++)
                    for (int shifted = 0; shifted < 2; shifted++)
                        check_pack(t, &random, widths[w], lanes, depths[d], way, shifted);
}

static void test_pack(void **state)
{
    (void)state;
    for_each_table(packs_of);
}

static void panels_of(const vq_kernels *t)
{
    enum { LANES = 75, DEPTH = 37 };
    vq_random random = test_stream(5);
    const size_t width = t->tile_cols, panels = vq_ceil_div(LANES, width);
    const size_t size = panels * width * DEPTH;
    float *from = guarded(&random, LANES * DEPTH), *shift = guarded(&random, DEPTH);
    float *to = guarded(&random, size), *expected = guarded_copy(to, size);
    for (int along = 0; along < 2; along++) {
        const size_t lane_step = along ? 1 : DEPTH, depth_step = along ? LANES : 1;
        const vq_lines lines = {from, lane_step, depth_step, LANES, DEPTH, shift};
        for (size_t i = 0; i < panels * width; i++)
            for (size_t p = 0; p < DEPTH; p++)
                expected[(i / width * DEPTH + p) * width + i % width] =
                    i < LANES ? from[i * lane_step + p * depth_step] - shift[p] : 0.0f;
        /* In two parts, as threads do. */
        vq_pack_panels(t->pack, &lines, width, 1, panels, to + width * DEPTH);
        vq_pack_panels(t->pack, &lines, width, 0, 1, to);
        if (!same_guarded(to, expected, size)) fail_msg("%s: panels, along %d", t->name, along);
    }
    free_guarded(from);
    free_guarded(shift);
    free_guarded(to);
    free_guarded(expected);
}

static void test_panels(void **state)
{
    (void)state;
    for_each_table(panels_of);
}

/* Random strides: either way round, or with room between the numbers. */
static void random_steps(vq_random *random, size_t rows, size_t cols, size_t *row, size_t *col)
{
    const size_t gap = random_between(random, 1, 2);
    const int turned = vq_random_below(random, 2) == 1;
    *col = turned ? rows * gap + random_between(random, 0, 2) : gap;
    *row = turned ? gap : cols * gap + random_between(random, 0, 2);
}

static void check_product(const vq_kernels *t, vq_random *random, size_t m, size_t n, size_t k)
{
    vq_gemm g = {.m = m, .n = n, .k = k, .ldc = n + random_between(random, 0, 3)};
    const size_t size = m * g.ldc;
    g.accumulate = vq_random_below(random, 2) == 1;
    random_steps(random, m, k, &g.a_row, &g.a_col);
    random_steps(random, k, n, &g.b_row, &g.b_col);
    float *a = guarded(random, m * g.a_row + k * g.a_col);
    float *b = guarded(random, k * g.b_row + n * g.b_col);
    float *before = guarded(random, size), *expected = guarded_copy(before, size);
    g.a = a;
    g.b = b;
    g.c = expected;
    chain(&g);
    for (int threads = 1; threads <= 4; threads++) {
        vq_context ctx = {.threads = threads, .kernels = t};
        const size_t workspace_size = vq_gemm_workspace(&ctx, m, n, k);
        void *workspace = workspace_create(workspace_size);
        float *c = guarded_copy(before, size);
        g.c = c;
        vq_gemm_run(&ctx, &g, workspace);
        if (!same_guarded(c, expected, size))
            fail_msg("%s: %zu x %zu x %zu, %d threads, accumulate %d", t->name, m, n, k, threads,
                     g.accumulate);
        workspace_destroy(workspace, workspace_size);
        free_guarded(c);
    }
    free_guarded(a);
    free_guarded(b);
    free_guarded(before);
    free_guarded(expected);
}

static void products_of(const vq_kernels *t)
{
    /* Empty, single, around the tiles, and beyond each block: 128 rows, 1280 deep, 2^20
     * numbers of B. */
    static const size_t shapes[][3] = {
        {0, 3, 4},    {3, 0, 4},     {5, 7, 0},    {1, 1, 1},       {1, 40, 9},     {40, 1, 9},
        {9, 33, 1},   {8, 32, 64},   {6, 16, 257}, {17, 65, 30},    {300, 31, 70},  {130, 48, 513},
        {3, 2100, 5}, {64, 64, 300}, {515, 9, 27}, {3, 1700, 1300}, {50, 33, 2600},
    };
    vq_random random = test_stream(3);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_product(t, &random, shapes[i][0], shapes[i][1], shapes[i][2]);
    for (int i = 0; i < 60; i++)
        check_product(t, &random, random_between(&random, 1, 70), random_between(&random, 1, 70),
                      random_between(&random, 1, 90));
}

static void test_product(void **state)
{
    (void)state;
    for_each_table(products_of);
}

/* Small whole numbers, so that every sum is exact in both precisions. */
static void small_numbers(vq_random *random, size_t count, float *single, double *wide)
{
    for (size_t i = 0; i < count; i++) {
        single[i] = (float)vq_random_below(random, 9) - 4.0f;
        wide[i] = (double)single[i];
    }
}

static void test_double(void **state)
{
    enum { M = 5, N = 7, K = 9 };
    float a[M * K], b[K * N], c[M * N];
    double ad[M * K], bd[K * N], cd[M * N];
    vq_random random = test_stream(4);
    (void)state;
    small_numbers(&random, M * K, a, ad);
    small_numbers(&random, K * N, b, bd);
    small_numbers(&random, M * N, c, cd);
    for (int accumulate = 1; accumulate >= 0; accumulate--) {
        const vq_gemm g = {M, N, K, a, 1, M, b, 1, K, c, N, accumulate};
        const vq_gemm_double d = {M, N, K, ad, 1, M, bd, 1, K, cd, N, accumulate};
        chain(&g);
        vq_gemm_f64(&d);
        for (size_t i = 0; i < M * N; i++) assert_true((double)c[i] == cd[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tile),   cmocka_unit_test(test_pack),
        cmocka_unit_test(test_panels), cmocka_unit_test(test_product),
        cmocka_unit_test(test_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
