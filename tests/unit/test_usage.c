/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_usage.c -- the usage of codes, which of them are dead, and their new places. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "quantize/usage.h"

enum { CODES = 40, STEPS = 300 };

typedef struct rig {
    vq_code_usage u;
    float usage[CODES];
    int32_t age[CODES];
} rig;

static void begin(rig *r, size_t vectors)
{
    r->u = (vq_code_usage){.codes = CODES, .vectors = vectors, .usage = r->usage, .age = r->age};
    vq_usage_begin(&r->u);
}

/* Code 0 is used by all the rest would have had; code 1 in every third step, 2 never. */
static void count(float *counts, int step, float even)
{
    for (int k = 0; k < CODES; k++) counts[k] = even;
    counts[1] = step % 3 == 0 ? even : 0.0f;
    counts[2] = 0.0f;
}

static void test_follow(void **state)
{
    static const size_t vectors[] = {4 * CODES, CODES / 4, 1};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const double even = (double)vectors[i] / CODES, window = fmax(20.0, 5.0 / even);
        double usage[3] = {even, even, even};
        float counts[CODES];
        rig r;
        begin(&r, vectors[i]);
        for (int step = 1; step <= STEPS; step++) {
            count(counts, step, (float)even);
            vq_usage_follow(&r.u, counts);
            for (int k = 0; k < 3; k++) usage[k] += ((double)counts[k] - usage[k]) / window;
            assert_int_equal(r.age[0], 0);
            assert_int_equal(r.age[1], step % 3);
            assert_int_equal(r.age[2], step);
        }
        for (int k = 0; k < 3; k++) assert_true(fabs((double)r.usage[k] - usage[k]) < 1e-4 * even);
    }
}

/* Never used: dead after ln(1/share) windows, whatever the even share is. */
static void test_dead(void **state)
{
    static const size_t vectors[] = {100 * CODES, 4 * CODES, CODES / 4};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const double even = (double)vectors[i] / CODES, window = fmax(20.0, 5.0 / even);
        const int due = (int)ceil(log(0.03) / log(1.0 - 1.0 / window));
        float counts[CODES];
        rig r;
        begin(&r, vectors[i]);
        for (int step = 1; step <= due; step++) {
            assert_int_equal(vq_usage_dead(&r.u, 0.03), 0);
            count(counts, step, (float)even);
            vq_usage_follow(&r.u, counts);
        }
        assert_int_equal(vq_usage_dead(&r.u, 0.03), 1);
        assert_int_equal(vq_usage_dead(&r.u, 0.0), 0);
    }
}

static void test_perplexity(void **state)
{
    rig r;
    (void)state;
    begin(&r, 100);
    assert_true(fabs(vq_usage_perplexity(&r.u) - CODES) < 1e-4);
    for (int k = 10; k < CODES; k++) r.usage[k] = 0.0f;
    assert_true(fabs(vq_usage_perplexity(&r.u) - 10.0) < 1e-4);
}

enum { DEAD = 25, VECTORS = 60 };

static size_t revive(rig *r, uint64_t seed, int64_t step, uint32_t item, size_t most,
                     vq_revival *out)
{
    begin(r, VECTORS);
    for (int k = 0; k < DEAD; k++) r->usage[k] = 0.01f;
    r->age[3] = 77;
    return vq_usage_revive(&r->u, 0.03, seed, step, item, most, out);
}

static void test_revive(void **state)
{
    vq_revival out[CODES], again[CODES];
    rig r;
    (void)state;
    for (size_t most = 1; most <= CODES; most++) {
        bool code[CODES] = {false}, row[VECTORS] = {false};
        const size_t n = revive(&r, 5, 20, 0, most, out);
        assert_int_equal(n, most < DEAD ? most : DEAD);
        for (size_t i = 0; i < n; i++) {
            assert_in_range(out[i].code, 0, DEAD - 1);
            assert_in_range(out[i].row, 0, VECTORS - 1);
            assert_false(code[out[i].code] || row[out[i].row]);
            code[out[i].code] = row[out[i].row] = true;
            assert_true(r.usage[out[i].code] == (float)(0.5 * VECTORS / CODES));
            assert_int_equal(r.age[out[i].code], 0);
        }
        for (int k = 0; k < DEAD; k++) assert_true(code[k] || r.usage[k] == 0.01f);
    }
    assert_int_equal(revive(&r, 5, 20, 0, CODES, again), DEAD);
    assert_memory_equal(out, again, DEAD * sizeof *out);
    for (int other = 0; other < 3; other++) {
        (void)revive(&r, 5 + (other == 0), 20 + (other == 1), other == 2, CODES, again);
        assert_memory_not_equal(out, again, DEAD * sizeof *out);
    }
}

/* There are not enough vectors for all. */
static void test_few_vectors(void **state)
{
    vq_revival out[CODES];
    rig r;
    (void)state;
    begin(&r, 4);
    memset(r.usage, 0, sizeof r.usage);
    assert_int_equal(vq_usage_revive(&r.u, 0.03, 1, 1, 0, CODES, out), 4);
    assert_int_equal(vq_usage_dead(&r.u, 0.03), CODES - 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follow),      cmocka_unit_test(test_dead),
        cmocka_unit_test(test_perplexity),  cmocka_unit_test(test_revive),
        cmocka_unit_test(test_few_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
