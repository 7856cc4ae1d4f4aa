/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_squares.c -- sums of squares: the same bits from every table, and the sum in
 * long double. */
#include "tables.h"
#include <math.h>

enum { MOST = 300 };

static void check(const vq_kernels *t, vq_random *random, size_t count, bool gaps, bool writes)
{
    float *x = guarded(random, count), *y = gaps ? guarded(random, count) : NULL;
    float *to[2] = {NULL, NULL};
    for (int i = 0; i < 2 && writes; i++) to[i] = guarded(random, count);
    const double got = t->squares(count, x, y, 0.3f, to[0]);
    const double expected = vq_kernels_portable.squares(count, x, y, 0.3f, to[1]);
    if (memcmp(&got, &expected, sizeof got) != 0)
        fail_msg("%s: squares of %zu numbers give %.17g, not %.17g", t->name, count, got, expected);
    if (writes && !same_guarded(to[0], to[1], count))
        fail_msg("%s: scaled gaps of %zu numbers", t->name, count);
    for (int i = 0; i < 2; i++) free_guarded(to[i]);
    free_guarded(x);
    free_guarded(y);
}

static void same_as_portable(const vq_kernels *t)
{
    vq_random random = test_stream(40);
    for (size_t count = 0; count < MOST; count++)
        for (int kind = 0; kind < 4; kind++) check(t, &random, count, kind & 1, kind & 2);
}

static void test_same(void **state)
{
    (void)state;
    for_each_table(same_as_portable);
}

static void near_definition(const vq_kernels *t)
{
    vq_random random = test_stream(41);
    for (size_t count = 1; count < MOST; count += 7) {
        float *x = guarded(&random, count), *y = guarded(&random, count);
        float *to = guarded(&random, count);
        long double all = 0.0L, gaps = 0.0L;
        for (size_t i = 0; i < count; i++) {
            const long double gap = (long double)x[i] - (long double)y[i];
            all += (long double)x[i] * (long double)x[i];
            gaps += gap * gap;
        }
        /* Each of count additions and products rounds by 2^-53 of the sum at most. */
        const long double bound = 3e-16L * (long double)count;
        assert_true(fabsl((long double)t->squares(count, x, NULL, 0.0f, NULL) - all) <=
                    bound * all);
        assert_true(fabsl((long double)t->squares(count, x, y, 0.7f, to) - gaps) <= bound * gaps);
        for (size_t i = 0; i < count; i++) {
            const double gap = 0.7 * ((double)x[i] - (double)y[i]);
            assert_true(fabs((double)to[i] - gap) <= 2e-7 * (fabs(gap) + 1.0));
        }
        free_guarded(x);
        free_guarded(y);
        free_guarded(to);
    }
}

static void test_definition(void **state)
{
    (void)state;
    for_each_table(near_definition);
}

/* What is not finite shows in the sum, wherever it stands. */
static void shows_infinities(const vq_kernels *t)
{
    vq_random random = test_stream(42);
    for (size_t at = 0; at < 40; at++) {
        float *x = guarded(&random, 40);
        x[at] = at % 2 ? NAN : -INFINITY;
        assert_true(!isfinite(t->squares(40, x, NULL, 0.0f, NULL)));
        free_guarded(x);
    }
}

static void test_infinities(void **state)
{
    (void)state;
    for_each_table(shows_infinities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_infinities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
