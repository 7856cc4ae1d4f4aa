/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_census.c -- figures of a codebook against their definitions, written out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/census.h"
#include "support/fixture.h"
#include "support/golden.h"

enum { ROWS = 3001, DIM = 5, CODES = 48, USEFUL = 20, MANY = 40000 };

static vq_context *ctx;
static float rows[ROWS * DIM], codebook[CODES * DIM], moving[CODES];
static int32_t codes[ROWS];

static double squared(const float *a, const float *b)
{
    double sum = 0.0;
    for (int d = 0; d < DIM; d++) sum += pow((double)a[d] - (double)b[d], 2.0);
    return sum;
}

/* The first codes lie among the vectors, around (8, 0, 0, 0, 0) with numbers of falling variance;
 * then come 8 at the origin, 8 that repeat one of the first, 8 far away; the last 4 are placed by
 * a test. */
static void fill(void)
{
    static const float origin[DIM];
    vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 0, 0);
    for (int i = 0; i < ROWS * DIM; i++)
        rows[i] = (i % DIM == 0 ? 8.0f : 0.0f) + vq_random_normal(&random) / (float)(1 + i % DIM);
    for (int k = 0; k < CODES; k++) {
        float *e = codebook + k * DIM;
        moving[k] = k < USEFUL ? 5.0f : 0.5f;
        if (k < USEFUL) memcpy(e, rows + k * 7 * DIM, sizeof origin);
        else if (k < 28) memcpy(e, origin, sizeof origin);
        else if (k < 36) memcpy(e, codebook + (k - 28) * DIM, sizeof origin);
        else memcpy(e, origin, sizeof origin), e[1] = k < 44 ? 30.0f + (float)k : 90.0f;
        if (k >= 20 && k < 28) moving[k] = 1e-7f, e[2] = 1e-6f * (float)k;
    }
    for (int i = 0; i < ROWS; i++) {
        codes[i] = 0;
        for (int k = 1; k < CODES; k++)
            if (squared(rows + i * DIM, codebook + k * DIM) <
                squared(rows + i * DIM, codebook + codes[i] * DIM))
                codes[i] = k;
    }
}

static void begin(vq_census *census, const float *moving_counts)
{
    *census = (vq_census){.dim = DIM,
                          .n_codes = CODES,
                          .codebook = codebook,
                          .moving = moving_counts,
                          .epsilon = 1e-5};
    must(ctx, vq_census_begin(ctx, census));
}

static vq_codebook_figures figures_of(vq_census *census)
{
    vq_codebook_figures f;
    must(ctx, vq_census_figures(ctx, census, &f));
    return f;
}

static void near(double met, double wanted)
{
    if (!(fabs(met - wanted) <= 1e-9 * (1.0 + fabs(wanted))))
        fail_msg("%.12g, not %.12g", met, wanted);
}

static void reference_moments(double mean[DIM], double variance[DIM])
{
    for (int d = 0; d < DIM; d++) {
        mean[d] = variance[d] = 0.0;
        for (int i = 0; i < ROWS; i++) mean[d] += (double)rows[i * DIM + d] / ROWS;
        for (int i = 0; i < ROWS; i++)
            variance[d] += pow((double)rows[i * DIM + d] - mean[d], 2.0) / ROWS;
    }
}

static void test_moments(void **state)
{
    (void)state;
    vq_census census;
    double mean[DIM], variance[DIM], total = 0.0, error = 0.0, least = HUGE_VAL;
    begin(&census, moving);
    vq_census_add(&census, ROWS, rows, codes);
    const vq_codebook_figures f = figures_of(&census);
    reference_moments(mean, variance);
    for (int d = 0; d < DIM; d++) {
        near(f.variances[d], variance[d]);
        total += variance[d];
    }
    for (int i = 0; i < ROWS; i++) {
        static const float origin[DIM];
        error += squared(rows + i * DIM, codebook + codes[i] * DIM) / ROWS;
        least = fmin(least, sqrt(squared(rows + i * DIM, origin)));
    }
    near(f.spread, sqrt(total));
    near(f.error, error / total);
    near(f.vector_norm.least, least);
    near(f.variance.greatest, variance[0]);
    near(f.variance.median, variance[2]);
    assert_int_equal(f.vectors, ROWS);
    vq_census_clear(ctx, &census);
}

static void test_use(void **state)
{
    (void)state;
    vq_census census;
    uint64_t counts[CODES] = {0}, most = 0;
    double entropy = 0.0, distances[ROWS], chosen = 0.0;
    begin(&census, moving);
    vq_census_add(&census, ROWS, rows, codes);
    const vq_codebook_figures f = figures_of(&census);
    for (int i = 0; i < ROWS; i++) {
        counts[codes[i]]++;
        distances[i] = sqrt(squared(rows + i * DIM, codebook + codes[i] * DIM));
    }
    for (int k = 0; k < USEFUL; k++) {
        const double share = (double)counts[k] / ROWS;
        assert_true(share > 0.0);
        entropy -= share * log(share);
        if (counts[k] > most) most = counts[k];
    }
    assert_memory_equal(f.counts, counts, sizeof counts);
    assert_int_equal(f.used, USEFUL);
    for (int k = 0; k < USEFUL; k++) {
        static const float origin[DIM];
        chosen = fmax(chosen, sqrt(squared(codebook + k * DIM, origin)));
    }
    near(f.chosen_norm.greatest, chosen);
    near(f.used_norm.greatest, chosen);
    near(f.perplexity, exp(entropy));
    near(f.top_share, (double)most / ROWS);
    near(f.moving_total, 20 * 5.0 + 8 * (double)1e-7f + 20 * 0.5);
    /* All vectors are in the sample, so the median is theirs: as many lie below as above. */
    int below = 0;
    for (int i = 0; i < ROWS; i++) below += distances[i] < f.distance.median - 1e-12;
    assert_int_equal(below, ROWS / 2);
    vq_census_clear(ctx, &census);
}

/* Codes put at the means of their vectors have no lag, whatever chance adds; moved by v they have
 * |v|^2 over what is then their squared distance. */
static void test_lag(void **state)
{
    (void)state;
    static const float shift = 0.25f;
    vq_census census;
    float kept[CODES * DIM];
    double sums[CODES * DIM] = {0}, counts[CODES] = {0}, within = 0.0;
    memcpy(kept, codebook, sizeof kept);
    for (int i = 0; i < ROWS; i++) {
        counts[codes[i]] += 1.0;
        for (int d = 0; d < DIM; d++) sums[codes[i] * DIM + d] += (double)rows[i * DIM + d];
    }
    for (int i = 0; i < USEFUL * DIM; i++) codebook[i] = (float)(sums[i] / counts[i / DIM]);
    for (int i = 0; i < ROWS; i++) within += squared(rows + i * DIM, codebook + codes[i] * DIM);
    begin(&census, moving);
    vq_census_add(&census, ROWS, rows, codes);
    assert_true(figures_of(&census).lag < 1e-6);
    vq_census_clear(ctx, &census);

    for (int k = 0; k < USEFUL; k++) codebook[k * DIM + 1] += shift;
    begin(&census, moving);
    vq_census_add(&census, ROWS, rows, codes);
    const double moved = ROWS * (double)(shift * shift), chance = USEFUL * within / (ROWS - USEFUL);
    assert_true(fabs(figures_of(&census).lag - (moved - chance) / (within + moved)) < 1e-5);
    vq_census_clear(ctx, &census);
    memcpy(codebook, kept, sizeof kept);
}

/* The reach of a code by its definition, over all vectors. */
static bool in_reach(const float *e)
{
    double mean[DIM], variance[DIM], from_mean = 0.0;
    int nearest = 0;
    reference_moments(mean, variance);
    for (int i = 1; i < ROWS; i++)
        if (squared(rows + i * DIM, e) < squared(rows + nearest * DIM, e)) nearest = i;
    for (int d = 0; d < DIM; d++) from_mean += pow((double)rows[nearest * DIM + d] - mean[d], 2.0);
    return squared(rows + nearest * DIM, e) <= from_mean;
}

static void test_unused(void **state)
{
    (void)state;
    vq_census census;
    begin(&census, moving);
    vq_census_add(&census, ROWS, rows, codes);
    vq_codebook_figures f = figures_of(&census);
    assert_int_equal(f.at_origin, 8);
    assert_int_equal(f.forgotten, 8);
    assert_int_equal(f.duplicates, 8 + 4); /* the last four are one */
    assert_int_equal(f.out_of_reach, 8);
    assert_int_equal(f.crowded_out, 0);
    near(f.unused_norm.greatest, 90.0);
    vq_census_clear(ctx, &census);

    /* Without moving counts nothing was shrunk: those at the origin repeat each other. */
    begin(&census, NULL);
    vq_census_add(&census, ROWS, rows, codes);
    f = figures_of(&census);
    assert_int_equal(f.at_origin + f.forgotten, 0);
    assert_int_equal(f.duplicates, 8 + 4 + 8);
    assert_true(f.moving_total == 0.0);
    vq_census_clear(ctx, &census);
}

/* Codes that all lie far from the vectors are as different from each other as before: the same
 * repeat, and those at what was the origin. */
static void test_copies_far_away(void **state)
{
    (void)state;
    vq_census census;
    float kept[CODES * DIM];
    memcpy(kept, codebook, sizeof kept);
    for (int i = 0; i < CODES * DIM; i++) codebook[i] += 500.0f;
    begin(&census, moving);
    vq_census_add(&census, ROWS, rows, codes);
    const vq_codebook_figures f = figures_of(&census);
    assert_int_equal(f.duplicates, 8 + 4 + 8);
    assert_int_equal(f.out_of_reach + f.crowded_out, 8);
    vq_census_clear(ctx, &census);
    memcpy(codebook, kept, sizeof kept);
}

/* Code 47 goes outwards from the mean of the vectors while its vectors are taken by code 0. */
static void test_reach(void **state)
{
    (void)state;
    float *last = codebook + (CODES - 1) * DIM;
    int within = 0, beyond = 0;
    for (int i = 0; i < 24; i++) {
        vq_census census;
        memset(last, 0, DIM * sizeof *last);
        last[0] = 8.0f;
        last[1] = 0.05f + 0.25f * (float)i;
        begin(&census, moving);
        vq_census_add(&census, ROWS, rows, codes);
        const vq_codebook_figures f = figures_of(&census);
        assert_int_equal(f.out_of_reach + f.crowded_out + f.duplicates, 8 + 8 + 4);
        if (in_reach(last)) within += f.out_of_reach == 8;
        else beyond += f.out_of_reach == 9;
        assert_int_equal(within + beyond, i + 1);
        vq_census_clear(ctx, &census);
    }
    assert_true(within > 4 && beyond > 4);
    fill();
}

/* The longest direction from the covariance itself, squared over and over: C^1024. */
static double reference_line(void)
{
    double mean[DIM], variance[DIM], c[DIM][DIM] = {{0}}, power[DIM][DIM], longest = 0.0;
    reference_moments(mean, variance);
    for (int i = 0; i < ROWS * DIM * DIM; i++) {
        const int row = i / (DIM * DIM), a = i / DIM % DIM, b = i % DIM;
        c[a][b] += ((double)rows[row * DIM + a] - mean[a]) *
                   ((double)rows[row * DIM + b] - mean[b]) / ROWS;
    }
    memcpy(power, c, sizeof c);
    for (int step = 0; step < 10; step++) {
        double square[DIM][DIM] = {{0}}, trace = 0.0;
        for (int i = 0; i < DIM * DIM * DIM; i++)
            square[i / DIM % DIM][i % DIM] +=
                power[i / DIM % DIM][i / DIM / DIM] * power[i / DIM / DIM][i % DIM];
        for (int d = 0; d < DIM; d++) trace += square[d][d];
        for (int i = 0; i < DIM * DIM; i++)
            power[i / DIM][i % DIM] = square[i / DIM][i % DIM] / trace;
    }
    /* power is now the projection on that direction. */
    for (int i = 0; i < DIM * DIM; i++) longest += power[i / DIM][i % DIM] * c[i % DIM][i / DIM];
    double total = 0.0;
    for (int d = 0; d < DIM; d++) total += variance[d];
    return longest / total;
}

static double line_now(void)
{
    vq_census census;
    begin(&census, moving);
    vq_census_add(&census, ROWS, rows, codes);
    const double met = figures_of(&census).line;
    vq_census_clear(ctx, &census);
    return met;
}

static void test_line(void **state)
{
    (void)state;
    const double wanted = reference_line();
    assert_true(wanted > 0.6 && wanted < 0.8 && fabs(line_now() - wanted) < 1e-6);
    for (int i = 0; i < ROWS; i++) /* a line, and a little beside it */
        for (int d = 1; d < DIM; d++)
            rows[i * DIM + d] = (float)-d * rows[i * DIM] + 0.001f * rows[i * DIM + d];
    assert_true(line_now() > 0.999 && fabs(line_now() - reference_line()) < 1e-9);
    for (int i = 0; i < ROWS; i++) memcpy(rows + i * DIM, rows, DIM * sizeof *rows);
    assert_true(isnan(line_now()));
    fill();
}

/* Figures are the same to the bit however the vectors come. */
static void test_batches(void **state)
{
    (void)state;
    vq_census whole, parts;
    begin(&whole, moving);
    begin(&parts, moving);
    vq_census_add(&whole, ROWS, rows, codes);
    for (size_t at = 0, n = 1; at < ROWS; at += n, n = n % 97 + 1) {
        if (n > ROWS - at) n = ROWS - at;
        vq_census_add(&parts, n, rows + at * DIM, codes + at);
    }
    vq_codebook_figures a = figures_of(&whole), b = figures_of(&parts);
    assert_memory_equal(a.counts, b.counts, CODES * sizeof *a.counts);
    assert_memory_equal(a.variances, b.variances, DIM * sizeof *a.variances);
    a.counts = b.counts;
    a.variances = b.variances;
    assert_memory_equal(&a, &b, sizeof a);
    vq_census_clear(ctx, &whole);
    vq_census_clear(ctx, &parts);
}

/* Of many vectors each is in the sample with the same chance: vector i is (i, 0, ...). */
static void test_sample(void **state)
{
    (void)state;
    vq_census census;
    double mean = 0.0;
    begin(&census, moving);
    for (int i = 0; i < MANY; i++) {
        const float z[DIM] = {(float)i};
        const int32_t code = i % CODES;
        vq_census_add(&census, 1, z, &code);
    }
    assert_int_equal(census.sampled, census.room);
    assert_int_equal(census.sampled, 16384);
    for (size_t i = 0; i < census.sampled; i++) {
        const int32_t which = (int32_t)lrintf(census.sample[i * DIM]);
        assert_int_equal(census.sample_codes[i], which % CODES);
        mean += (double)which / (double)census.sampled;
    }
    /* The mean of 16384 even draws from 0..39999 strays by 90, less as none comes twice. */
    assert_true(fabs(mean - 0.5 * (MANY - 1)) < 5 * 90.0);
    vq_census_clear(ctx, &census);
}

static vq_status use(vq_context *faulty)
{
    vq_codebook_figures f;
    vq_census census = {.dim = DIM, .n_codes = CODES, .codebook = codebook, .epsilon = 1e-5};
    vq_status status = vq_census_begin(faulty, &census);
    if (status != VQ_OK) return status;
    vq_census_add(&census, ROWS, rows, codes);
    status = vq_census_figures(faulty, &census, &f);
    vq_census_clear(faulty, &census);
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

/* One code, one vector: nothing divides by zero. */
static void test_least(void **state)
{
    (void)state;
    static const float code = 2.0f, vector = 5.0f;
    static const int32_t chosen = 0;
    vq_census census = {.dim = 1, .n_codes = 1, .codebook = &code};
    must(ctx, vq_census_begin(ctx, &census));
    vq_census_add(&census, 1, &vector, &chosen);
    const vq_codebook_figures f = figures_of(&census);
    assert_true(f.perplexity == 1.0 && f.used == 1 && f.spread == 0.0 && isnan(f.line));
    assert_true(f.distance.median == 3.0 && isnan(f.error) && isnan(f.unused_norm.median));
    assert_true(f.lag == 0.0);
    vq_census_clear(ctx, &census);
}

static int open_all(void **state)
{
    (void)state;
    fill();
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
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_use),
        cmocka_unit_test(test_lag),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_copies_far_away),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_least),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
