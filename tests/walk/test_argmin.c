/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_argmin.c -- argmin as steps: without ties, with them, and softened. */
#include "walk/walk_test.h"

#include "examples/walk/6_argmin.c"
#undef main

static void test_without_ties(void **state)
{
    (void)state;
    static const double orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                        {3, 1, 2}, {2, 3, 1}, {3, 2, 1}};
    assert_true(argmin2(1, 2) == 0.0 && argmin2(2, 1) == 1.0);
    for (int i = 0; i < 6; i++) {
        const double *x = orders[i];
        assert_true(argmin3(x[0], x[1], x[2]) == lowest(3, x));
        assert_true(argmin3(x[0], x[1], x[2]) == argmin_of(3, x));
    }
    uint32_t seed = 1;
    for (size_t n = 2; n <= MOST; n++)
        for (int draw = 0; draw < 1000; draw++) {
            double x[MOST];
            for (size_t k = 0; k < n; k++) x[k] = next_number(&seed);
            const double before = argmin_of(n, x);
            assert_true(before == lowest(n, x));
            x[(size_t)draw % n] += 1e-9; /* the derivative is 0 */
            assert_true(argmin_of(n, x) == before);
        }
}

/* All that share the least value are added up, which may name a place that does not exist. */
static void test_ties(void **state)
{
    (void)state;
    const double last[5] = {4, 4, 3, 3, 3};
    assert_true(argmin2(1, 1) == 1.0);
    assert_true(argmin3(1, 1, 2) == 1.0);
    assert_true(argmin3(1, 2, 1) == 2.0);
    assert_true(argmin3(2, 1, 1) == 3.0);
    assert_true(argmin3(1, 1, 1) == 3.0);
    assert_true(argmin_of(5, last) == 2.0 + 3.0 + 4.0);
}

/* The steeper, the nearer the value, and the derivative goes to 0 apart from ties, to infinity
 * in them. */
static void test_sigmoids(void **state)
{
    (void)state;
    double error = 1.0, tied = 0.0;
    for (double s = 1.0; s <= 1e4; s *= 10.0) {
        const double value = soft(0.1, s);
        const double measured = (soft(1e-9, s) - soft(-1e-9, s)) / 2e-9;
        assert_true(1.0 - value < error);
        assert_true(fabs(measured / (s / 4.0) - 1.0) < 1e-4);
        assert_true(measured > 9.0 * tied);
        error = fmax(1.0 - value, 1e-30);
        tied = measured;
    }
    assert_true((soft(0.1 + 1e-6, 1e4) - soft(0.1, 1e4)) / 1e-6 < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_ties),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_sigmoids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
