/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_kmeans.c -- k-means: Lloyd's iterations against their definition in double, the
 * odds of k-means++ against all sequences it could draw, the same bits for any number of threads,
 * and vectors that are too few, too alike or not numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "quantize/kmeans.h"
#include "support/fixture.h"
#include "support/golden.h"

static vq_context *context_of(int threads)
{
    vq_context_config config;
    vq_context *ctx;
    vq_context_config_default(&config);
    config.threads = threads;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    return ctx;
}

/* Unit noise around `blobs` centres that lie about `spread` apart. */
static float *sample(size_t n, size_t dim, size_t blobs, float spread)
{
    float *x = malloc(n * dim * sizeof *x);
    vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 1, (uint32_t)dim);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        vq_random centre =
            vq_random_stream(3, VQ_RANDOM_TEST, 2, (uint32_t)vq_random_below(&random, blobs));
        for (size_t d = 0; d < dim; d++)
            x[i * dim + d] = spread * vq_random_normal(&centre) + vq_random_normal(&random);
    }
    return x;
}

/* ---- Lloyd's iterations -------------------------------------------------------------- */

typedef struct problem {
    size_t n, dim, codes;
    const float *x;
} problem;

/* Nearest centroid by the definition; its squared distance, and that of the next one. */
static size_t nearest(const problem *p, const double *centroids, size_t i, double *best,
                      double *next)
{
    size_t at = 0;
    *best = *next = HUGE_VAL;
    for (size_t k = 0; k < p->codes; k++) {
        double square = 0.0;
        for (size_t d = 0; d < p->dim; d++) {
            const double gap = (double)p->x[i * p->dim + d] - centroids[k * p->dim + d];
            square += gap * gap;
        }
        if (square < *best) {
            *next = *best;
            *best = square;
            at = k;
        } else if (square < *next) {
            *next = square;
        }
    }
    return at;
}

/* One iteration in double; returns the inertia before it, and the counts. */
static double iterate(const problem *p, double *centroids, double *counts)
{
    double *sums = calloc(p->codes * p->dim, sizeof *sums), inertia = 0.0, best, next;
    memset(counts, 0, p->codes * sizeof *counts);
    for (size_t i = 0; i < p->n; i++) {
        const size_t k = nearest(p, centroids, i, &best, &next);
        /* Where rounding could decide, the comparison would be of luck. */
        assert_true(next - best > 1e-4);
        inertia += best;
        counts[k] += 1.0;
        for (size_t d = 0; d < p->dim; d++) sums[k * p->dim + d] += (double)p->x[i * p->dim + d];
    }
    for (size_t at = 0; at < p->codes * p->dim; at++)
        centroids[at] = sums[at] / counts[at / p->dim];
    free(sums);
    return inertia;
}

typedef struct told {
    double inertia[16];
    int64_t iterations, stop_at;
} told;

static bool listen(void *user, int64_t iteration, double inertia)
{
    told *t = user;
    assert_int_equal(iteration, ++t->iterations);
    t->inertia[iteration - 1] = inertia;
    return iteration != t->stop_at;
}

static void check_against_double(size_t n, size_t dim, size_t codes, float spread)
{
    enum { ITERATIONS = 4 };
    vq_context *ctx = context_of(2);
    float *x = sample(n, dim, codes, spread), *centroids = malloc(codes * dim * sizeof *centroids);
    double *wanted = malloc(codes * dim * sizeof *wanted), *counts = malloc(codes * sizeof *counts);
    uint64_t *given = malloc(codes * sizeof *given);
    const problem p = {n, dim, codes, x};
    double inertia, expected[ITERATIONS + 1];
    told t = {.stop_at = -1};
    vq_kmeans_config config = {.codes = codes, .dim = dim, .seed = 1};
    must(ctx, vq_kmeans_fit(ctx, &config, n, x, centroids, NULL));
    for (size_t i = 0; i < codes * dim; i++) wanted[i] = (double)centroids[i];
    for (int i = 0; i < ITERATIONS; i++) expected[i] = iterate(&p, wanted, counts);
    config.start = VQ_KMEANS_GIVEN;
    config.iterations = ITERATIONS;
    const vq_kmeans_report report = {given, &inertia, listen, &t};
    must(ctx, vq_kmeans_fit(ctx, &config, n, x, centroids, &report));
    for (size_t i = 0; i < codes * dim; i++)
        assert_true(fabs((double)centroids[i] - wanted[i]) < 1e-5 * (1.0 + fabs(wanted[i])));
    expected[ITERATIONS] = iterate(&p, wanted, counts);
    t.inertia[t.iterations] = inertia;
    for (int64_t i = 0; i <= t.iterations; i++)
        assert_true(fabs(t.inertia[i] - expected[i]) < 1e-5 * expected[i]);
    for (size_t k = 0; k < codes; k++) assert_true((double)given[k] == counts[k]);
    free(given);
    free(counts);
    free(wanted);
    free(centroids);
    free(x);
    vq_context_destroy(ctx);
}

static void test_iterations(void **state)
{
    (void)state;
    check_against_double(150, 2, 7, 9.0f);
    check_against_double(900, 17, 12, 3.0f);
    check_against_double(300, 64, 40, 2.0f);
}

/* A mean of many numbers far from 0, where sums in f32 would lose the digits. */
static void test_far(void **state)
{
    enum { N = 300000 };
    vq_context *ctx = context_of(3);
    float *x = malloc(N * sizeof *x), centroid;
    double sum = 0.0;
    (void)state;
    assert_non_null(x);
    for (size_t i = 0; i < N; i++) {
        x[i] = 1000.0f + (float)(i % 7);
        sum += (double)x[i];
    }
    const vq_kmeans_config config = {.codes = 1, .dim = 1, .iterations = 3};
    must(ctx, vq_kmeans_fit(ctx, &config, N, x, &centroid, NULL));
    assert_true(centroid == (float)(sum / N));
    free(x);
    vq_context_destroy(ctx);
}

/* ---- threads --------------------------------------------------------------------------- */

static void same_bits(size_t n, size_t dim, size_t codes, vq_kmeans_start start)
{
    const size_t size = codes * dim * sizeof(float);
    float *x = sample(n, dim, 1 + codes / 2, 1.0f), *first = malloc(size), *again = malloc(size);
    double inertia[2];
    for (int threads = 1; threads <= 4; threads++) {
        vq_context *ctx = context_of(threads);
        const vq_kmeans_config config = {
            .codes = codes, .dim = dim, .iterations = 5, .start = start, .seed = 9, .item = 4};
        const vq_kmeans_report report = {.inertia = &inertia[threads > 1]};
        must(ctx, vq_kmeans_fit(ctx, &config, n, x, threads > 1 ? again : first, &report));
        if (threads > 1) {
            assert_memory_equal(first, again, size);
            assert_true(inertia[0] == inertia[1]);
        }
        vq_context_destroy(ctx);
    }
    free(first);
    free(again);
    free(x);
}

static void test_threads(void **state)
{
    (void)state;
    for (vq_kmeans_start start = VQ_KMEANS_PLUS_PLUS; start <= VQ_KMEANS_RANDOM; start++) {
        same_bits(20000, 8, 130, start);
        same_bits(9000, 1, 33, start);
        same_bits(5000, 64, 1500, start);
    }
}

/* ---- starts ------------------------------------------------------------------------------ */

enum { POINTS = 6, DRAWN = 4, SEEDS = 40000 };

static const float points[POINTS] = {0.0f, 1.0f, 1.5f, 4.0f, 9.0f, 9.5f};

/* Probability of every set of four that the definition draws, one after another. */
static void odds_of(unsigned chosen, int depth, double odds, double *odds_of_set)
{
    double share[POINTS], total = 0.0;
    if (depth == DRAWN) {
        odds_of_set[chosen] += odds;
        return;
    }
    for (int i = 0; i < POINTS; i++) {
        share[i] = chosen ? HUGE_VAL : 1.0;
        for (int j = 0; j < POINTS; j++)
            if (chosen >> j & 1u)
                share[i] = fmin(share[i], pow((double)points[i] - (double)points[j], 2.0));
        total += share[i];
    }
    for (int i = 0; i < POINTS; i++)
        if (share[i] > 0.0)
            odds_of(chosen | 1u << i, depth + 1, odds * share[i] / total, odds_of_set);
}

static void test_odds(void **state)
{
    double expected[1 << POINTS] = {0.0}, counted[1 << POINTS] = {0.0};
    vq_context *ctx = context_of(1);
    vq_kmeans_config config = {.codes = DRAWN, .dim = 1};
    (void)state;
    odds_of(0, 0, 1.0, expected);
    for (config.seed = 0; config.seed < SEEDS; config.seed++) {
        float centroids[DRAWN];
        unsigned set = 0;
        must(ctx, vq_kmeans_fit(ctx, &config, POINTS, points, centroids, NULL));
        for (int k = 0; k < DRAWN; k++)
            for (int i = 0; i < POINTS; i++) set |= centroids[k] == points[i] ? 1u << i : 0u;
        counted[set] += 1.0 / SEEDS;
    }
    for (unsigned set = 0; set < 1u << POINTS; set++) {
        const double deviation = sqrt(expected[set] * (1.0 - expected[set]) / SEEDS);
        if (fabs(counted[set] - expected[set]) > 4.5 * deviation)
            fail_msg("set %x: drawn with %g, not %g +- %g", set, counted[set], expected[set],
                     deviation);
    }
    vq_context_destroy(ctx);
}

/* One start's inertia is worse by chance; of well parted blobs k-means++ finds nearly all. */
static void test_blobs(void **state)
{
    enum { N = 4000, DIM = 16, BLOBS = 60 };
    vq_context *ctx = context_of(2);
    float *x = sample(N, DIM, BLOBS, 30.0f), centroids[BLOBS * DIM];
    double inertia[2];
    (void)state;
    for (vq_kmeans_start start = VQ_KMEANS_PLUS_PLUS; start <= VQ_KMEANS_RANDOM; start++) {
        const vq_kmeans_config config = {.codes = BLOBS, .dim = DIM, .start = start};
        const vq_kmeans_report report = {.inertia = &inertia[start]};
        must(ctx, vq_kmeans_fit(ctx, &config, N, x, centroids, &report));
    }
    assert_true(inertia[0] < 0.2 * inertia[1]);
    free(x);
    vq_context_destroy(ctx);
}

static void test_random_rows(void **state)
{
    enum { N = 50, CODES = 50 };
    vq_context *ctx = context_of(1);
    float x[N], centroids[CODES], other[CODES];
    bool seen[N] = {false};
    (void)state;
    for (int i = 0; i < N; i++) x[i] = (float)i;
    vq_kmeans_config config = {.codes = CODES, .dim = 1, .start = VQ_KMEANS_RANDOM};
    must(ctx, vq_kmeans_fit(ctx, &config, N, x, centroids, NULL));
    for (int k = 0; k < CODES; k++) {
        assert_false(seen[(int)centroids[k]]);
        seen[(int)centroids[k]] = true;
    }
    config.item = 1;
    must(ctx, vq_kmeans_fit(ctx, &config, N, x, other, NULL));
    assert_memory_not_equal(centroids, other, sizeof other);
    vq_context_destroy(ctx);
}

/* ---- what is odd ---------------------------------------------------------------------------- */

/* Two of three centroids lie where no vector is nearest to them: they take the farthest ones. */
static void test_empty(void **state)
{
    const float x[] = {0.0f, 1.0f, 2.0f, 3.0f, 50.0f, 90.0f};
    float centroids[] = {1.0f, 900.0f, -900.0f};
    uint64_t counts[3];
    double inertia;
    vq_context *ctx = context_of(1);
    const vq_kmeans_config config = {
        .codes = 3, .dim = 1, .iterations = 1, .start = VQ_KMEANS_GIVEN};
    const vq_kmeans_report report = {.counts = counts, .inertia = &inertia};
    (void)state;
    must(ctx, vq_kmeans_fit(ctx, &config, 6, x, centroids, &report));
    assert_true(centroids[0] == 1.5f && centroids[1] == 90.0f && centroids[2] == 50.0f);
    assert_true(counts[0] == 4 && counts[1] == 1 && counts[2] == 1 && inertia == 5.0);
    vq_context_destroy(ctx);
}

static void keep_sentence(void *user, vq_log_level level, const char *sentence)
{
    assert_int_equal(level, VQ_LOG_WARNING);
    assert_non_null(strstr(sentence, "only 3 of the 12 vectors are distinct"));
    ++*(int *)user;
}

static void test_alike(void **state)
{
    float x[12 * 2], centroids[7 * 2];
    uint64_t counts[7];
    double inertia;
    int warnings = 0;
    vq_context *ctx;
    vq_context_config context;
    (void)state;
    vq_context_config_default(&context);
    context.log = keep_sentence;
    context.log_user = &warnings;
    assert_int_equal(vq_context_create(&context, &ctx), VQ_OK);
    for (int i = 0; i < 12; i++) x[2 * i] = x[2 * i + 1] = (float)(i % 3) * 0.1f;
    const vq_kmeans_config config = {.codes = 7, .dim = 2, .iterations = 10};
    const vq_kmeans_report report = {.counts = counts, .inertia = &inertia};
    must(ctx, vq_kmeans_fit(ctx, &config, 12, x, centroids, &report));
    assert_true(inertia == 0.0);
    assert_int_equal(warnings, 1);
    int used = 0;
    for (int k = 0; k < 7; k++) {
        assert_true(counts[k] == 0 || counts[k] == 4);
        used += counts[k] != 0;
    }
    assert_int_equal(used, 3);
    vq_context_destroy(ctx);
}

static void test_refusals(void **state)
{
    vq_context *ctx = context_of(1);
    float x[10] = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f, 8.0f, 9.0f, 10.0f}, centroids[10];
    vq_kmeans_config config = {.codes = 6, .dim = 2, .iterations = 5};
    told t = {.stop_at = 2};
    const vq_kmeans_report report = {.progress = listen, .user = &t};
    (void)state;
    assert_int_equal(vq_kmeans_fit(ctx, &config, 5, x, centroids, NULL), VQ_E_ARG);
    fixture_error_names(ctx, "5 vectors are too few for 6 codes");
    config.codes = 0;
    assert_int_equal(vq_kmeans_fit(ctx, &config, 5, x, centroids, NULL), VQ_E_ARG);
    fixture_error_names(ctx, "0 codes were asked for");
    config = (vq_kmeans_config){.codes = 2};
    assert_int_equal(vq_kmeans_fit(ctx, &config, 5, x, centroids, NULL), VQ_E_ARG);
    config = (vq_kmeans_config){.codes = 2, .dim = 1, .iterations = -1};
    assert_int_equal(vq_kmeans_fit(ctx, &config, 5, x, centroids, NULL), VQ_E_ARG);
    fixture_error_names(ctx, "-1 iterations");
    config = (vq_kmeans_config){.codes = 2, .dim = 1, .iterations = 5, .start = VQ_KMEANS_GIVEN};
    centroids[0] = 1.0f;
    centroids[1] = 1.5f;
    assert_int_equal(vq_kmeans_fit(ctx, &config, 10, x, centroids, &report), VQ_E_CANCELLED);
    x[7] = NAN;
    x[9] = INFINITY;
    config.dim = 2;
    assert_int_equal(vq_kmeans_fit(ctx, &config, 5, x, centroids, NULL), VQ_E_NUMERIC);
    fixture_error_names(ctx, "2 of 10 numbers are not finite, the first, nan, in vector 3");
    vq_context_destroy(ctx);
}

static void test_memory(void **state)
{
    float *x = sample(100, 3, 4, 1.0f), centroids[10 * 3];
    const vq_kmeans_config config = {.codes = 10, .dim = 3, .iterations = 2};
    vq_status status = VQ_E_NOMEM;
    (void)state;
    for (long fail_at = 1; status != VQ_OK; fail_at++) {
        fixture_faults faults = {.fail_at = fail_at};
        vq_context *faulty = fixture_faulty_context(&faults, NULL);
        const long live = faults.live;
        status = vq_kmeans_fit(faulty, &config, 100, x, centroids, NULL);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        assert_int_equal(faults.live, live);
        vq_context_destroy(faulty);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iterations), cmocka_unit_test(test_far),
        cmocka_unit_test(test_threads),    cmocka_unit_test(test_odds),
        cmocka_unit_test(test_blobs),      cmocka_unit_test(test_random_rows),
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_alike),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
