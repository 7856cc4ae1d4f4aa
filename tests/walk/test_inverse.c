/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_inverse.c -- where multiplying by E+ keeps distances, and where not. */
#include "walk/walk_test.h"

#include "examples/walk/3_inverse.c"
#undef main

static view v;

static double off(const double *square)
{
    return furthest(CODES * DIM, square, v.target);
}

/* Over draws: with the square outside it holds, with squares inside it never does. */
static void test_full_rank(void **state)
{
    (void)state;
    assert_true(make_table(DIM, &v));
    assert_true(v.from_identity < 1e-12);
    for (uint32_t seed = 100; seed < 110; seed++) {
        fill(seed, DIM, v.z);
        look(&v);
        assert_true(off(v.outside) < 1e-12);
        assert_true(off(v.inside) > 0.5);
    }
}

/* Of rank 16 E.E+ is a projection, not the identity, and neither form holds. */
static void test_half_rank(void **state)
{
    double product[DIM * DIM], twice[DIM * DIM];
    (void)state;
    assert_true(make_table(DIM / 2, &v));
    assert_true(v.from_identity > 0.4);
    multiply(DIM, CODES, DIM, v.embed, v.inverse, product);
    multiply(DIM, DIM, DIM, product, product, twice);
    assert_true(furthest(DIM * DIM, product, twice) < 1e-12);
    for (uint32_t seed = 100; seed < 110; seed++) {
        fill(seed, DIM, v.z);
        look(&v);
        assert_true(off(v.outside) > 0.1);
        assert_true(off(v.inside) > 0.1);
    }
}

/* What is called the pseudo-inverse of the rank 16 table is one: E E+ E = E, E+ E E+ = E+. */
static void test_half_rank_inverse(void **state)
{
    double product[DIM * DIM], again[DIM * CODES], back[CODES * DIM];
    (void)state;
    assert_true(make_table(DIM / 2, &v));
    multiply(DIM, CODES, DIM, v.embed, v.inverse, product);
    multiply(DIM, DIM, CODES, product, v.embed, again);
    multiply(CODES, DIM, DIM, v.inverse, product, back);
    assert_true(furthest(DIM * CODES, again, v.embed) < 1e-12);
    assert_true(furthest(CODES * DIM, back, v.inverse) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_rank),
        cmocka_unit_test(test_half_rank),
        cmocka_unit_test(test_half_rank_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
