/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_codebook_revive.c -- a codebook of one's own whose codes lie out of reach: who is
 * revived, where, and what becomes of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "quantize/codebook.h"
#include "support/fixture.h"
#include "support/golden.h"

enum { CODES = 16, NEAR = 4, DIM = 3, ROWS = 160, AGE = 500 };

static vq_context *ctx;
static float rows[ROWS * DIM];

/* All but the first few codes lie far from every vector, as does the origin, where averages that
 * start at 0 put what they have not seen. */
static vq_codebook *make(int start, int steps)
{
    float vectors[CODES * DIM];
    vq_codebook_config config;
    vq_codebook *book;
    vq_codebook_config_default(&config);
    config.codes = CODES;
    config.dim = DIM;
    config.start = start;
    for (int i = 0; i < CODES * DIM; i++) vectors[i] = i < NEAR * DIM ? rows[i] : 100.0f + (float)i;
    must(ctx, vq_codebook_create(ctx, &config, vectors, &book));
    for (int i = 0; i < steps; i++)
        must(ctx, vq_codebook_step(ctx, book, ROWS, rows, &(vq_quantized){0}));
    return book;
}

static int64_t used(const vq_codebook *book)
{
    uint32_t indices[ROWS];
    vq_codebook_usage usage;
    vq_codebook_statistics told;
    must(ctx, vq_codebook_usage_create(ctx, book, &usage));
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, indices, NULL));
    must(ctx, vq_codebook_usage_add(ctx, book, ROWS, indices, NULL, &usage));
    vq_codebook_measure(book, &usage, &told);
    vq_codebook_usage_clear(ctx, &usage);
    return told.used;
}

static int row_of(const float *code)
{
    for (int i = 0; i < ROWS; i++)
        if (memcmp(code, rows + i * DIM, DIM * sizeof *code) == 0) return i;
    return -1;
}

static void test_revived(void **state)
{
    (void)state;
    for (int start = 0; start <= 2; start += 2) {
        vq_codebook *book = make(start, AGE);
        float kept[NEAR * DIM];
        bool taken[ROWS] = {false};
        int64_t n;
        memcpy(kept, vq_codebook_vectors(book), sizeof kept);
        assert_int_equal(used(book), NEAR);
        must(ctx, vq_codebook_revive(ctx, book, 0.03, ROWS, rows, &n));
        assert_int_equal(n, CODES - NEAR);
        assert_memory_equal(kept, vq_codebook_vectors(book), sizeof kept);
        for (int k = NEAR; k < CODES; k++) { /* another vector for every code */
            const int row = row_of(vq_codebook_vectors(book) + k * DIM);
            assert_true(row >= 0 && !taken[row]);
            taken[row] = true;
        }
        assert_int_equal(used(book), CODES); /* and found there at once */
        /* Counts and sums moved along: a step leaves the codes among the vectors. */
        must(ctx, vq_codebook_step(ctx, book, ROWS, rows, &(vq_quantized){0}));
        assert_int_equal(used(book), CODES);
        must(ctx, vq_codebook_revive(ctx, book, 0.03, ROWS, rows, &n));
        assert_int_equal(n, 0);
        vq_codebook_destroy(ctx, book);
    }
}

/* Half of the mean count, and sums to match: as soon after the start as averages from 0 leave a
 * trace of it in all they hold. */
static void test_averages(void **state)
{
    (void)state;
    vq_codebook *book = make(2, 5);
    const vq_ema_state *ema = &book->state;
    double mean = 0.0;
    for (int k = 0; k < CODES; k++) mean += (double)ema->counts[k] / CODES;
    must(ctx, vq_codebook_revive(ctx, book, 0.03, ROWS, rows, NULL));
    for (int k = NEAR; k < CODES; k++) {
        assert_true(fabs((double)ema->counts[k] - 0.5 * mean) < 1e-6 * mean);
        for (int d = k * DIM; d < (k + 1) * DIM; d++) {
            const double sum = (double)ema->counts[k] * (double)ema->codebook[d];
            assert_true(fabs((double)ema->sums[d] - sum) < 1e-6 * sum);
        }
    }
    vq_codebook_destroy(ctx, book);
}

static void test_few_vectors(void **state)
{
    (void)state;
    vq_codebook *book = make(0, AGE), *again = make(0, AGE);
    int64_t n;
    must(ctx, vq_codebook_revive(ctx, book, 0.03, 5, rows, &n));
    assert_int_equal(n, 5);
    must(ctx, vq_codebook_revive(ctx, book, 0.03, ROWS, rows, &n));
    assert_int_equal(n, CODES - NEAR - 5);
    must(ctx, vq_codebook_revive(ctx, again, 0.03, 5, rows, NULL));
    must(ctx, vq_codebook_revive(ctx, again, 0.03, ROWS, rows, NULL));
    assert_memory_equal(vq_codebook_vectors(book), vq_codebook_vectors(again),
                        CODES * DIM * sizeof(float));
    vq_codebook_destroy(ctx, book);
    vq_codebook_destroy(ctx, again);
}

static void test_nobody(void **state)
{
    (void)state;
    for (int start = 0; start < 3; start++) { /* a new codebook knows of no use */
        vq_codebook *book = make(start, 0);
        int64_t n = -1;
        must(ctx, vq_codebook_revive(ctx, book, 0.03, ROWS, rows, &n));
        assert_int_equal(n, 0);
        vq_codebook_destroy(ctx, book);
    }
    vq_codebook *book = make(0, AGE);
    must(ctx, vq_codebook_revive(ctx, book, 0.0, ROWS, rows, NULL));
    assert_int_equal(used(book), NEAR);
    vq_codebook_destroy(ctx, book);
}

static void test_refused(void **state)
{
    (void)state;
    vq_codebook *book = make(0, AGE);
    float bad[DIM] = {0.0f, 0.0f, 0.0f};
    bad[1] /= bad[0];
    assert_int_equal(vq_codebook_revive(ctx, book, 0.03, 0, rows, NULL), VQ_E_SHAPE);
    assert_int_equal(vq_codebook_revive(ctx, book, -0.1, ROWS, rows, NULL), VQ_E_ARG);
    assert_int_equal(vq_codebook_revive(ctx, book, 1.5, ROWS, rows, NULL), VQ_E_ARG);
    fixture_error_names(ctx, "the share 1.5 of the even use");
    assert_int_equal(vq_codebook_revive(ctx, book, 0.03, 1, bad, NULL), VQ_E_NUMERIC);
    fixture_error_names(ctx, "vector 0 holds");
    assert_int_equal(used(book), NEAR);
    vq_codebook_destroy(ctx, book);
}

static int begin(void **state)
{
    (void)state;
    vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 0, 0);
    for (int i = 0; i < ROWS * DIM; i++) rows[i] = 10.0f + vq_random_normal(&random);
    return vq_context_create(NULL, &ctx) == VQ_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_revived),     cmocka_unit_test(test_averages),
        cmocka_unit_test(test_few_vectors), cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
