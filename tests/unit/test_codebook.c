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

#include "base/context.h"
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

/* Against all distances in order, and against the search for one. */
static void test_top(void **state)
{
    (void)state;
    enum { TOP = 5 };
    static uint32_t index[ROWS * TOP], one[ROWS];
    static float distance[ROWS * TOP];
    vq_codebook *book = make(0);
    must(ctx, vq_codebook_nearest_top(ctx, book, ROWS, rows, TOP, index, distance));
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, one, NULL));
    for (int i = 0; i < ROWS; i++) {
        const float *z = rows + i * DIM;
        assert_int_equal(index[i * TOP], one[i]);
        for (int t = 0; t < TOP; t++) {
            const double own = squared(z, vectors + index[i * TOP + t] * DIM);
            int nearer = 0;
            for (int k = 0; k < CODES; k++) nearer += squared(z, vectors + k * DIM) < own - 1e-5;
            assert_true(nearer <= t);
            assert_true(fabs(own - (double)distance[i * TOP + t]) <= 1e-6 * own);
            for (int u = 0; u < t; u++)
                assert_int_not_equal(index[i * TOP + u], index[i * TOP + t]);
        }
    }
    vq_codebook_destroy(ctx, book);
}

/* All codes of a far-off cloud, whose scores in f32 differ less than their distances do: rows rise,
 * equal distances by index, and are the same where no distances are wanted. */
static void test_top_rises(void **state)
{
    (void)state;
    enum { MANY = 2000, FAR = 3 };
    static float codes[MANY * 2], distance[FAR * MANY];
    static uint32_t index[FAR * MANY], alone[FAR * MANY];
    const float z[FAR * 2] = {900.0f, 10.0f, -7e3f, 3.0f, 0.1f, 0.2f};
    const vq_codebook_config config = {.codes = MANY, .dim = 2, .decay = 0.9, .epsilon = 1e-5};
    vq_codebook *book;
    vq_random random = vq_random_stream(8, VQ_RANDOM_TEST, 0, 0);
    for (int i = 0; i < MANY * 2; i++) codes[i] = 0.1f * vq_random_normal(&random);
    for (int i = 0; i < 20; i++) codes[2 * MANY - 20 + i] = codes[i]; /* ties */
    must(ctx, vq_codebook_create(ctx, &config, codes, &book));
    for (size_t top = 50; top <= MANY; top *= 40) {
        must(ctx, vq_codebook_nearest_top(ctx, book, FAR, z, top, index, distance));
        must(ctx, vq_codebook_nearest_top(ctx, book, FAR, z, top, alone, NULL));
        assert_memory_equal(index, alone, FAR * top * sizeof *index);
        for (size_t at = 0; at < FAR * top; at++) {
            if (at % top == 0) continue;
            assert_true(distance[at - 1] < distance[at] ||
                        (distance[at - 1] == distance[at] && index[at - 1] < index[at]));
        }
    }
    vq_codebook_destroy(ctx, book);
}

/* Far from the origin a distance must not be what is left of two large numbers. */
static void test_far_distances(void **state)
{
    (void)state;
    float far[CODES * DIM], z[DIM], distance;
    uint32_t index;
    const vq_codebook_config config = {.codes = CODES, .dim = DIM, .decay = 0.9, .epsilon = 1e-5};
    vq_codebook *book;
    for (int i = 0; i < CODES * DIM; i++) far[i] = 1e4f + 0.01f * vectors[i];
    for (int d = 0; d < DIM; d++) z[d] = far[7 * DIM + d];
    z[0] += 0.001f;
    must(ctx, vq_codebook_create(ctx, &config, far, &book));
    must(ctx, vq_codebook_nearest(ctx, book, 1, z, &index, &distance));
    const double own = squared(z, far + index * DIM);
    for (int k = 0; k < CODES; k++) assert_true(own <= squared(z, far + k * DIM));
    assert_true(own > 0.0 && fabs(own - (double)distance) <= 1e-6 * own);
    vq_codebook_destroy(ctx, book);
}

/* The same of every block of vectors, whatever is asked for; more than one block. */
static void test_quantize(void **state)
{
    (void)state;
    enum { MANY = 65536 + 300 };
    float *z = NULL, *q = NULL, *distance = NULL;
    uint32_t *index = NULL, one;
    double mse, sum = 0.0;
    vq_codebook *book = make(0);
    must(ctx, VQ_NEW(ctx, MANY * DIM, &z));
    must(ctx, VQ_NEW(ctx, MANY * DIM, &q));
    must(ctx, VQ_NEW(ctx, MANY, &distance));
    must(ctx, VQ_NEW(ctx, MANY, &index));
    for (int i = 0; i < MANY * DIM; i++) z[i] = rows[i % (ROWS * DIM)];
    must(ctx,
         vq_codebook_quantize(ctx, book, MANY, z, &(vq_quantized){index, q, distance, NULL, &mse}));
    for (int i = 0; i < MANY; i++) {
        const int same = i % ROWS;
        if (i < ROWS) {
            must(ctx, vq_codebook_nearest(ctx, book, 1, rows + i * DIM, &one, NULL));
            assert_int_equal(index[i], one);
        }
        assert_int_equal(index[i], index[same]);
        assert_memory_equal(q + i * DIM, vectors + index[i] * DIM, DIM * sizeof *q);
        sum += squared(z + i * DIM, q + i * DIM);
        assert_true(distance[i] == distance[same]);
    }
    assert_true(fabs(mse - sum / (MANY * (double)DIM)) <= 1e-12 * mse);
    vq_codebook_destroy(ctx, book);
    vq_release(ctx, z);
    vq_release(ctx, q);
    vq_release(ctx, distance);
    vq_release(ctx, index);
}

/* Three heaps far apart are found, whatever the threads; each code is the mean of its heap. */
static void test_fit(void **state)
{
    (void)state;
    enum { HEAPS = 3 };
    float z[ROWS * DIM];
    double sum[HEAPS * DIM] = {0.0}, inertia[2], own = 0.0;
    vq_codebook_fit_config config;
    vq_codebook *book, *same;
    uint32_t code[ROWS];
    for (int i = 0; i < ROWS * DIM; i++) z[i] = 0.1f * rows[i] + 10.0f * (float)(i / DIM % HEAPS);
    vq_codebook_fit_config_default(&config);
    config.codes = HEAPS;
    config.dim = DIM;
    must(ctx, vq_codebook_fit(ctx, &config, ROWS, z, &inertia[0], &book));
    const vq_context_config one = {.threads = 1};
    vq_context *alone;
    must(ctx, vq_context_create(&one, &alone));
    must(alone, vq_codebook_fit(alone, &config, ROWS, z, &inertia[1], &same));
    assert_memory_equal(vq_codebook_vectors(book), vq_codebook_vectors(same),
                        HEAPS * DIM * sizeof(float));
    assert_true(inertia[0] == inertia[1]);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, z, code, NULL));
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(code[i], code[i % HEAPS]);
        own += squared(z + i * DIM, vq_codebook_vectors(book) + code[i] * DIM);
        for (int d = 0; d < DIM; d++) sum[i % HEAPS * DIM + d] += (double)z[i * DIM + d];
    }
    assert_true(fabs(own - inertia[0]) <= 1e-5 * own);
    for (int h = 0; h < HEAPS; h++)
        for (int d = 0; d < DIM; d++) {
            const double mean = sum[h * DIM + d] / (ROWS / HEAPS + (h < ROWS % HEAPS));
            const float e = vq_codebook_vectors(book)[code[h] * DIM + (uint32_t)d];
            assert_true(fabs(mean - (double)e) <= 1e-5);
        }
    vq_codebook_destroy(ctx, book);
    vq_codebook_destroy(ctx, same);
    vq_context_destroy(alone);
    assert_int_equal(vq_codebook_fit(ctx, &config, 2, z, NULL, &book), VQ_E_ARG);
    fixture_error_names(ctx, "2 vectors cannot tell 3 codes apart");
    config.codes = 0;
    assert_int_equal(vq_codebook_fit(ctx, &config, ROWS, z, NULL, &book), VQ_E_ARG);
}

/* A step whose vectors all lie at one end of what the codes were fitted to moves the codes there by
 * the share that decay leaves to it, count for count, and no other. */
static void test_fit_holds(void **state)
{
    (void)state;
    enum { FITTED = 4000, HEAPS = 8, STEP = 100 };
    static float z[FITTED], batch[STEP];
    float before[HEAPS];
    vq_codebook_fit_config config;
    vq_codebook *book;
    uint32_t moved;
    vq_random random = vq_random_stream(9, VQ_RANDOM_TEST, 0, 0);
    for (int i = 0; i < FITTED; i++) z[i] = (float)(i % HEAPS) + 0.01f * vq_random_normal(&random);
    for (int i = 0; i < STEP; i++) batch[i] = 0.4f;
    vq_codebook_fit_config_default(&config);
    config.codes = HEAPS;
    must(ctx, vq_codebook_fit(ctx, &config, FITTED, z, NULL, &book));
    memcpy(before, vq_codebook_vectors(book), sizeof before);
    must(ctx, vq_codebook_step(ctx, book, STEP, batch, NULL));
    must(ctx, vq_codebook_nearest(ctx, book, 1, batch, &moved, NULL));
    for (uint32_t k = 0; k < HEAPS; k++) {
        const double now = (double)vq_codebook_vectors(book)[k], then = (double)before[k];
        const double count = FITTED / HEAPS, share = 0.01 * STEP / (0.99 * count + 0.01 * STEP);
        const double expected = k == moved ? then + share * (0.4 - then) : then;
        assert_true(fabs(now - expected) < 1e-5);
    }
    vq_codebook_destroy(ctx, book);
}

static void test_once(void **state)
{
    (void)state;
    uint32_t kept[ROWS], once[ROWS];
    vq_codebook *book = make(0);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, kept, NULL));
    must(ctx, vq_nearest_once(ctx, DIM, CODES, vectors, ROWS, rows, once));
    assert_memory_equal(kept, once, sizeof kept);
    must(ctx, vq_nearest_once(ctx, DIM, CODES, vectors, 1, rows, once));
    assert_int_equal(kept[0], once[0]);
    assert_int_equal(vq_nearest_once(ctx, DIM, 0, vectors, 1, rows, once), VQ_E_ARG);
    assert_int_equal(vq_nearest_once(ctx, DIM, CODES, vectors, 0, rows, once), VQ_E_SHAPE);
    vq_codebook_destroy(ctx, book);
}

/* Once a context has searched as many vectors, it asks for no more memory. */
static void test_no_memory_asked(void **state)
{
    (void)state;
    fixture_faults faults = {0};
    vq_context *counting = fixture_faulty_context(&faults, NULL);
    uint32_t index[ROWS];
    float distance[ROWS];
    vq_codebook *book = make(0);
    must(counting, vq_codebook_nearest(counting, book, ROWS, rows, index, distance));
    const long calls = faults.calls;
    for (int n = 1; n <= ROWS; n += 50)
        must(counting, vq_codebook_nearest(counting, book, (size_t)n, rows, index, distance));
    assert_int_equal(faults.calls, calls);
    vq_context_destroy(counting);
    vq_codebook_destroy(ctx, book);
}

static void test_statistics(void **state)
{
    (void)state;
    const float three[] = {3.0f, 4.0f, 0.0f, 0.0f, 6.0f, 8.0f};
    const vq_codebook_config config = {.codes = 3, .dim = 2, .decay = 0.9, .epsilon = 1e-5};
    const uint32_t codes[] = {0, 2, 0, 2}, beyond = 3;
    const float distances[] = {1.0f, 2.0f, 3.0f, 0.0f};
    vq_codebook *book;
    vq_codebook_usage usage;
    vq_codebook_statistics s;
    must(ctx, vq_codebook_create(ctx, &config, three, &book));
    vq_codebook_measure(book, NULL, &s);
    assert_true(s.least_norm == 0.0 && s.mean_norm == 5.0 && s.greatest_norm == 10.0);
    assert_true(s.used == 0 && s.perplexity == 0.0);
    must(ctx, vq_codebook_usage_create(ctx, book, &usage));
    must(ctx, vq_codebook_usage_add(ctx, book, 2, codes, distances, &usage));
    must(ctx, vq_codebook_usage_add(ctx, book, 2, codes + 2, distances + 2, &usage));
    assert_int_equal(vq_codebook_usage_add(ctx, book, 1, &beyond, NULL, &usage), VQ_E_ARG);
    fixture_error_names(ctx, "code 3 was counted, but there are 3");
    vq_codebook_measure(book, &usage, &s);
    assert_true(usage.counts[0] == 2 && usage.counts[1] == 0 && usage.counts[2] == 2);
    assert_true(s.used == 2 && fabs(s.perplexity - 2.0) < 1e-12 && s.mean_distance == 1.5);
    assert_true(usage.furthest == 3.0);
    vq_codebook_usage_clear(ctx, &usage);
    vq_codebook_destroy(ctx, book);
}

/* The formulas in double; the golden files of tests/walk hold the numbers of the original. */
static void test_step(void **state)
{
    (void)state;
    double count[CODES], sum[CODES * DIM], diff, squares = 0.0, total = 0.0;
    uint32_t index[ROWS], before[ROWS];
    float q[ROWS * DIM], gradient[ROWS * DIM];
    const vq_quantized out = {.vectors = q, .indices = index, .gradient = gradient, .mse = &diff};
    vq_codebook *book = make(1);
    must(ctx, vq_codebook_nearest(ctx, book, ROWS, rows, before, NULL));
    must(ctx, vq_codebook_step(ctx, book, ROWS, rows, &out));
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
        for (int d = 0; d < DIM; d++) {
            const int at = i * DIM + d;
            const double slope = 2.0 * ((double)rows[at] - (double)q[at]) / (ROWS * DIM);
            assert_true(fabs((double)gradient[at] - slope) <= 1e-6 * fabs(slope));
        }
    }
    assert_true(fabs(diff - squares / (ROWS * DIM)) < 1e-9);
    for (int k = 0; k < CODES * DIM; k++) {
        const double e = sum[k] / ((count[k / DIM] + 1e-5) / (total + CODES * 1e-5) * total);
        assert_true(fabs((double)vq_codebook_vectors(book)[k] - e) <= 1e-5 * fabs(e) + 1e-6);
    }
    must(ctx, vq_codebook_step(ctx, book, ROWS, rows, &(vq_quantized){0}));
    vq_codebook_destroy(ctx, book);
}

/* A step of which nothing is wanted but that it is made. */
static void test_step_alone(void **state)
{
    (void)state;
    vq_codebook *told = make(0), *alone = make(0);
    must(ctx, vq_codebook_step(ctx, told, ROWS, rows, &(vq_quantized){0}));
    must(ctx, vq_codebook_step(ctx, alone, ROWS, rows, NULL));
    assert_memory_not_equal(vq_codebook_vectors(alone), vectors, sizeof vectors);
    assert_memory_equal(vq_codebook_vectors(alone), vq_codebook_vectors(told), sizeof vectors);
    vq_codebook_destroy(ctx, told);
    vq_codebook_destroy(ctx, alone);
}

/* Finite vectors whose sum is not: the step is refused, and a codebook that was never asked for it
 * goes on with the same bits. */
static void test_step_beyond_f32(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static float huge[MANY];
    const float two[] = {0.0f, 1.0f}, gentle[] = {0.25f, 0.5f, 2.0f};
    const vq_codebook_config config = {.codes = 2, .dim = 1, .decay = 0.9, .epsilon = 1e-5};
    vq_codebook *tried, *untried;
    for (int i = 0; i < MANY; i++) huge[i] = i % 2 ? 1e36f : -1e36f;
    must(ctx, vq_codebook_create(ctx, &config, two, &tried));
    must(ctx, vq_codebook_create(ctx, &config, two, &untried));
    assert_int_equal(vq_codebook_step(ctx, tried, MANY, huge, NULL), VQ_E_NUMERIC);
    fixture_error_names(ctx, "a moving sum or a code would be greater than f32 can hold");
    assert_memory_equal(vq_codebook_vectors(tried), two, sizeof two);
    must(ctx, vq_codebook_step(ctx, tried, 3, gentle, NULL));
    must(ctx, vq_codebook_step(ctx, untried, 3, gentle, NULL));
    assert_memory_equal(vq_codebook_vectors(tried), vq_codebook_vectors(untried), sizeof two);
    vq_codebook_destroy(ctx, tried);
    vq_codebook_destroy(ctx, untried);
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
    uint32_t index, many[ROWS];
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
    assert_int_equal(vq_codebook_step(ctx, book, 1, infinite, &(vq_quantized){0}), VQ_E_NUMERIC);
    fixture_error_names(ctx, "vector 0 holds inf, which is not finite");
    assert_memory_equal(vq_codebook_vectors(book), vectors, sizeof vectors);
    assert_int_equal(vq_codebook_step(ctx, book, (1 << 24) + 1, rows, NULL), VQ_E_SHAPE);
    fixture_error_names(ctx, "a step of 16777217 vectors; 16777216 is the most");
    rows[(ROWS - 1) * DIM] = NAN;
    const float kept = rows[0];
    assert_int_equal(vq_codebook_nearest(ctx, book, ROWS, rows, many, NULL), VQ_E_NUMERIC);
    fixture_error_names(ctx, "vector 300 holds nan");
    assert_int_equal(vq_codebook_nearest_top(ctx, book, ROWS, rows, 1, many, NULL), VQ_E_NUMERIC);
    fixture_error_names(ctx, "vector 300 holds nan");
    rows[(ROWS - 1) * DIM] = kept;
    assert_int_equal(vq_codebook_nearest_top(ctx, book, 1, rows, 0, many, NULL), VQ_E_ARG);
    assert_int_equal(vq_codebook_nearest_top(ctx, book, 1, rows, CODES + 1, many, NULL), VQ_E_ARG);
    fixture_error_names(ctx, "38 nearest codes were asked for; 1 to 37 are there");
    vq_codebook_destroy(ctx, book);
}

static vq_status use(vq_context *faulty)
{
    const vq_codebook_config config = {.codes = CODES, .dim = DIM, .decay = 0.9, .epsilon = 1e-5};
    vq_codebook *book;
    vq_status status = vq_codebook_create(faulty, &config, vectors, &book);
    if (status == VQ_OK) status = vq_codebook_step(faulty, book, ROWS, rows, &(vq_quantized){0});
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
        status = use(faulty);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        vq_context_destroy(faulty); /* with the memory that it kept for searches */
        assert_int_equal(faults.live, 0);
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
        cmocka_unit_test(test_nearest),    cmocka_unit_test(test_step),
        cmocka_unit_test(test_seed),       cmocka_unit_test(test_readers),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_memory),
        cmocka_unit_test(test_tie),        cmocka_unit_test(test_top),
        cmocka_unit_test(test_quantize),   cmocka_unit_test(test_far_distances),
        cmocka_unit_test(test_fit),        cmocka_unit_test(test_once),
        cmocka_unit_test(test_statistics), cmocka_unit_test(test_no_memory_asked),
        cmocka_unit_test(test_step_alone), cmocka_unit_test(test_step_beyond_f32),
        cmocka_unit_test(test_fit_holds),  cmocka_unit_test(test_top_rises),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
