/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_codebook_range.c -- the public codebook among numbers whose squares f32 has no
 * room for: what it finds is what it finds among the same numbers times a power of two. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "support/fixture.h"
#include "support/golden.h"
#include <vqvae/codebook.h>

enum { CODES = 70, DIM = 5, ROWS = 203, TOP = 9 };

static vq_context *ctx;
static float vectors[CODES * DIM], rows[ROWS * DIM];

/* Multiples of 2^-8, so that their products with powers of two down to 2^-136 are exact. */
static void fill(vq_random *random, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++)
        to[i] = ldexpf(rintf(ldexpf(vq_random_normal(random), 8)), -8);
}

static void multiply(int power, size_t count, const float *from, float *to)
{
    for (size_t i = 0; i < count; i++) to[i] = ldexpf(from[i], power);
}

/* All that is asked of a codebook, with rows and codes times 2^power. */
typedef struct answers {
    uint32_t nearest[ROWS], once[ROWS], top[ROWS * TOP];
    float distance[ROWS];
    double mse;
} answers;

static void ask(int power, answers *a)
{
    float codes[CODES * DIM], z[ROWS * DIM];
    vq_codebook_config config;
    vq_codebook *book;
    multiply(power, CODES * DIM, vectors, codes);
    multiply(power, ROWS * DIM, rows, z);
    vq_codebook_config_default(&config);
    config.codes = CODES;
    config.dim = DIM;
    must(ctx, vq_codebook_create(ctx, &config, codes, &book));
    const vq_quantized out = {.indices = a->nearest, .distances = a->distance, .mse = &a->mse};
    must(ctx, vq_codebook_quantize(ctx, book, ROWS, z, &out));
    must(ctx, vq_codebook_nearest_top(ctx, book, ROWS, z, TOP, a->top, NULL));
    must(ctx, vq_nearest_once(ctx, DIM, CODES, codes, ROWS, z, a->once));
    vq_codebook_destroy(ctx, book);
}

static void test_powers(void **state)
{
    static const int powers[] = {-136, -100, -60, 60, 100, 120};
    static answers expected, got;
    (void)state;
    ask(0, &expected);
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
        ask(powers[i], &got);
        assert_memory_equal(got.nearest, expected.nearest, sizeof got.nearest);
        assert_memory_equal(got.once, expected.nearest, sizeof got.once);
        assert_memory_equal(got.top, expected.top, sizeof got.top);
        assert_true(got.mse == ldexp(expected.mse, 2 * powers[i]));
        for (size_t r = 0; r < ROWS; r++)
            assert_true(got.distance[r] == ldexpf(expected.distance[r], 2 * powers[i]));
    }
}

/* Far from all codes only the direction tells them apart, and a longer vector has the same code. */
static void test_directions(void **state)
{
    uint32_t near[ROWS], far[ROWS], top[ROWS];
    float z[ROWS * DIM];
    vq_codebook_config config;
    vq_codebook *book;
    (void)state;
    vq_codebook_config_default(&config);
    config.codes = CODES;
    config.dim = DIM;
    must(ctx, vq_codebook_create(ctx, &config, vectors, &book));
    multiply(70, ROWS * DIM, rows, z);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, z, near, NULL));
    multiply(124, ROWS * DIM, rows, z);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, z, far, NULL));
    must(ctx, vq_codebook_nearest_top(ctx, book, ROWS, z, 1, top, NULL));
    assert_memory_equal(far, near, sizeof far);
    assert_memory_equal(top, near, sizeof top);
    vq_codebook_destroy(ctx, book);
}

/* k-means with bounds (64 codes and more) and without. */
static void fit(int64_t codes, int power, float *centroids, double *inertia)
{
    float z[ROWS * DIM];
    vq_codebook_fit_config config;
    vq_codebook *book;
    multiply(power, ROWS * DIM, rows, z);
    vq_codebook_fit_config_default(&config);
    config.codes = codes;
    config.dim = DIM;
    must(ctx, vq_codebook_fit(ctx, &config, ROWS, z, inertia, &book));
    multiply(-power, (size_t)codes * DIM, vq_codebook_vectors(book), centroids);
    vq_codebook_destroy(ctx, book);
}

static void test_fit(void **state)
{
    static const int powers[] = {-100, -60, 60, 119};
    static const int64_t sizes[] = {7, 64};
    float expected[CODES * DIM], got[CODES * DIM];
    double inertia, again;
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        fit(sizes[s], 0, expected, &inertia);
        for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
            fit(sizes[s], powers[i], got, &again);
            assert_true(again == ldexp(inertia, 2 * powers[i]));
            assert_memory_equal(got, expected, (size_t)sizes[s] * DIM * sizeof *got);
        }
    }
}

/* What is no number is refused by every way in, among one code too. */
static void test_refusals(void **state)
{
    uint32_t index[ROWS];
    vq_codebook_config config;
    vq_codebook *book;
    (void)state;
    rows[100 * DIM + 3] = INFINITY;
    vq_codebook_config_default(&config);
    config.dim = DIM;
    for (config.codes = 1; config.codes <= CODES; config.codes += CODES - 1) {
        must(ctx, vq_codebook_create(ctx, &config, vectors, &book));
        assert_int_equal(vq_codebook_nearest(ctx, book, ROWS, rows, index, NULL), VQ_E_NUMERIC);
        fixture_error_names(ctx, "vector 100 holds inf, which is not finite");
        assert_int_equal(vq_codebook_nearest_top(ctx, book, ROWS, rows, 1, index, NULL),
                         VQ_E_NUMERIC);
        fixture_error_names(ctx, "vector 100 holds inf, which is not finite");
        vq_codebook_destroy(ctx, book);
        assert_int_equal(vq_nearest_once(ctx, DIM, (size_t)config.codes, vectors, ROWS, rows,
                                         index),
                         VQ_E_NUMERIC);
        fixture_error_names(ctx, "vector 100 holds inf, which is not finite");
    }
}

static int setup(void **state)
{
    vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 0, 0);
    (void)state;
    fill(&random, CODES * DIM, vectors);
    fill(&random, ROWS * DIM, rows);
    return vq_context_create(NULL, &ctx) == VQ_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powers),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
