/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_loss.c -- the two stop-gradients against PyTorch's. */
#include "walk/walk_test.h"

#include "examples/walk/5_loss.c"
#undef main

static void test_against_pytorch(void **state)
{
    golden file;
    (void)state;
    walk_open(&file, "walk_loss");
    for (size_t t = 0; t < TERMS; t++) {
        double d_z[N * DIM], d_table[K * DIM];
        const double value = loss((int)t, z, table);
        gradient((int)t, false, d_z);
        gradient((int)t, true, d_table);
        walk_compare(&file, "value", t, 1, &value);
        walk_compare(&file, "d_z", t * N * DIM, N * DIM, d_z);
        walk_compare(&file, "d_table", t * K * DIM, K * DIM, d_table);
    }
    walk_close(&file);
}

/* One value; the gradient of the plain term is the sum of the other two. */
static void test_halves(void **state)
{
    double d_z[TERMS][N * DIM];
    (void)state;
    for (int t = 0; t < TERMS; t++) {
        gradient(t, false, d_z[t]);
        assert_true(fabs(loss(t, z, table) - loss(PLAIN, z, table)) < 1e-15);
    }
    for (int i = 0; i < N * DIM; i++) {
        assert_true(d_z[CODEBOOK][i] == 0.0);
        assert_true(fabs(d_z[PLAIN][i] - d_z[COMMITMENT][i]) < 1e-9);
    }
}

static void test_straight_through(void **state)
{
    double slope[2];
    (void)state;
    straight_through(slope);
    assert_true(slope[0] == 0.0);
    assert_true(fabs(slope[1] - 1.0) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_pytorch),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_straight_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
