/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_codebook.c -- the public codebook: nearest codes against their definition,
 * look-up, a step against its formulas, many readers, and every refusal. */
#include <math.h>
#include <pthread.h>
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

enum { CODES = 37, DIM = 6, ROWS = 301, READERS = 4 };

static vq_context *ctx;
static float vectors[CODES * DIM], rows[ROWS * DIM];

static vq_codebook *make(int start)
{
    vq_codebook_config config;
    vq_codebook *book;
    vq_codebook_config_default(&config);
    config.codes = CODES;
    config.dim = DIM;
    config.start = start;
    must(ctx, vq_codebook_create(ctx, &config, vectors, &book));
    return book;
}

static double squared(const float *a, const float *b)
{
    double sum = 0.0;
    for (int d = 0; d < DIM; d++) sum += pow((double)a[d] - (double)b[d], 2.0);
    return sum;
}

static void test_nearest(void **state)
{
    (void)state;
    uint32_t index[ROWS];
    float distance[ROWS], q[ROWS * DIM];
    vq_codebook *book = make(0);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, index, distance));
    must(ctx, vq_codebook_lookup(ctx, book, ROWS, index, q));
    for (int i = 0; i < ROWS; i++) {
        const float *z = rows + i * DIM;
        const double own = squared(z, vectors + index[i] * DIM);
        for (int k = 0; k < CODES; k++) assert_true(own <= squared(z, vectors + k * DIM) + 1e-5);
        assert_true(fabs(own - (double)distance[i]) <= 1e-6 * own);
        assert_memory_equal(q + i * DIM, vectors + index[i] * DIM, DIM * sizeof *q);
    }
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, index, NULL));
    vq_codebook_destroy(ctx, book);
}

/* Codes 5 and 20 are one vector: the lower index wins. */
static void test_tie(void **state)
{
    (void)state;
    uint32_t index;
    memcpy(vectors + 20 * DIM, vectors + 5 * DIM, DIM * sizeof *vectors);
    vq_codebook *book = make(0);
    must(ctx, vq_codebook_nearest(ctx, book, 1, vectors + 20 * DIM, &index, NULL));
    assert_int_equal(index, 5);
    vq_codebook_destroy(ctx, book);
}

/* The formulas in double; the golden files of tests/walk hold the numbers of the original. */
static void test_step(void **state)
{
    (void)state;
    double count[CODES], sum[CODES * DIM], diff, squares = 0.0, total = 0.0;
    uint32_t index[ROWS], before[ROWS];
    float q[ROWS * DIM];
    vq_codebook *book = make(1);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, before, NULL));
    must(ctx, vq_codebook_step(ctx, book, ROWS, rows, q, index, &diff));
    assert_memory_equal(index, before, sizeof index);
    for (int k = 0; k < CODES; k++) count[k] = 0.0;
    for (int k = 0; k < CODES * DIM; k++) sum[k] = 0.99 * (double)vectors[k];
    for (int i = 0; i < ROWS; i++) {
        count[index[i]] += 0.01;
        total += 0.01;
        squares += squared(rows + i * DIM, vectors + index[i] * DIM);
        for (int d = 0; d < DIM; d++)
            sum[index[i] * DIM + (uint32_t)d] += 0.01 * (double)rows[i * DIM + d];
        assert_memory_equal(q + i * DIM, vectors + index[i] * DIM, DIM * sizeof *q);
    }
    assert_true(fabs(diff - squares / (ROWS * DIM)) < 1e-9);
    for (int k = 0; k < CODES * DIM; k++) {
        const double e = sum[k] / ((count[k / DIM] + 1e-5) / (total + CODES * 1e-5) * total);
        assert_true(fabs((double)vq_codebook_vectors(book)[k] - e) <= 1e-5 * fabs(e) + 1e-6);
    }
    must(ctx, vq_codebook_step(ctx, book, ROWS, rows, NULL, NULL, NULL));
    vq_codebook_destroy(ctx, book);
}

static void test_seed(void **state)
{
    (void)state;
    vq_codebook_config config = {.codes = 500, .dim = 4, .decay = 0.9, .epsilon = 1e-5, .seed = 3};
    vq_codebook *book[3];
    double squares = 0.0;
    for (int i = 0; i < 3; i++) {
        config.seed = i < 2 ? 3 : 4;
        must(ctx, vq_codebook_create(ctx, &config, NULL, &book[i]));
    }
    const float *first = vq_codebook_vectors(book[0]);
    assert_memory_equal(first, vq_codebook_vectors(book[1]), 2000 * sizeof *first);
    assert_memory_not_equal(first, vq_codebook_vectors(book[2]), 2000 * sizeof *first);
    for (int i = 0; i < 2000; i++) squares += (double)first[i] * (double)first[i];
    assert_true(fabs(squares / 2000 - 1.0) < 0.2); /* six standard deviations */
    assert_int_equal(vq_codebook_configuration(book[2])->codes, 500);
    for (int i = 0; i < 3; i++) vq_codebook_destroy(ctx, book[i]);
}

typedef struct reader {
    const vq_codebook *book;
    uint32_t index[ROWS];
    vq_status status;
} reader;

static void *read_many(void *arg)
{
    reader *r = arg;
    vq_context *own;
    r->status = vq_context_create(NULL, &own);
    for (int i = 0; i < 20 && r->status == VQ_OK; i++)
        r->status = vq_codebook_nearest(own, r->book, ROWS, rows, r->index, NULL);
    vq_context_destroy(own);
    return NULL;
}

static void test_readers(void **state)
{
    (void)state;
    static reader readers[READERS];
    pthread_t threads[READERS];
    uint32_t index[ROWS];
    vq_codebook *book = make(0);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, index, NULL));
    for (int i = 0; i < READERS; i++) {
        readers[i].book = book;
        assert_int_equal(pthread_create(&threads[i], NULL, read_many, &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].status, VQ_OK);
        assert_memory_equal(index, readers[i].index, sizeof index);
    }
    vq_codebook_destroy(ctx, book);
}

static void test_refusals(void **state)
{
    (void)state;
    vq_codebook_config config = {.codes = 2, .dim = 2, .decay = 0.99, .epsilon = 1e-5, .start = 3};
    const float bad[4] = {0.0f, 1.0f, NAN, 2.0f};
    const uint32_t beyond = CODES;
    uint32_t index;
    float q[DIM];
    vq_codebook *book;
    assert_int_equal(vq_codebook_create(ctx, &config, NULL, &book), VQ_E_ARG);
    assert_null(book);
    fixture_error_names(ctx, "the start 3 is none of");
    config.start = 0;
    assert_int_equal(vq_codebook_create(ctx, &config, bad, &book), VQ_E_NUMERIC);
    fixture_error_names(ctx, "code 1 holds nan");
    config.decay = 1.0;
    assert_int_equal(vq_codebook_create(ctx, &config, NULL, &book), VQ_E_ARG);
    fixture_error_names(ctx, "decay 1");

    book = make(0);
    assert_int_equal(vq_codebook_lookup(ctx, book, 1, &beyond, q), VQ_E_ARG);
    fixture_error_names(ctx, "code 37 was asked for, but there are 37");
    assert_int_equal(vq_codebook_nearest(ctx, book, 0, rows, &index, NULL), VQ_E_SHAPE);
    const float infinite[DIM] = {INFINITY};
    assert_int_equal(vq_codebook_step(ctx, book, 1, infinite, NULL, NULL, NULL), VQ_E_NUMERIC);
    assert_memory_equal(vq_codebook_vectors(book), vectors, sizeof vectors);
    vq_codebook_destroy(ctx, book);
}

static vq_status use(vq_context *faulty)
{
    const vq_codebook_config config = {.codes = CODES, .dim = DIM, .decay = 0.9, .epsilon = 1e-5};
    vq_codebook *book;
    vq_status status = vq_codebook_create(faulty, &config, vectors, &book);
    if (status == VQ_OK) status = vq_codebook_step(faulty, book, ROWS, rows, NULL, NULL, NULL);
    vq_codebook_destroy(faulty, book);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    vq_status status = VQ_E_NOMEM;
    for (long fail_at = 1; status != VQ_OK; fail_at++) {
        fixture_faults faults = {.fail_at = fail_at};
        vq_context *faulty = fixture_faulty_context(&faults, NULL);
        const long live = faults.live;
        status = use(faulty);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        assert_int_equal(faults.live, live);
        vq_context_destroy(faulty);
    }
}

static int open_all(void **state)
{
    (void)state;
    vq_random random = vq_random_stream(1, VQ_RANDOM_TEST, 0, 0);
    for (int i = 0; i < CODES * DIM; i++) vectors[i] = vq_random_normal(&random);
    for (int i = 0; i < ROWS * DIM; i++) rows[i] = vq_random_normal(&random);
    return vq_context_create(NULL, &ctx) == VQ_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),  cmocka_unit_test(test_step),
        cmocka_unit_test(test_seed),     cmocka_unit_test(test_readers),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_tie),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
