/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_mistaken.c -- the mistaken reading against numpy, and its pseudo-inverse. */
#include "walk/walk_test.h"

#include "examples/walk/2_mistaken.c"
#undef main

static reading r;

static void test_against_numpy(void **state)
{
    golden file;
    (void)state;
    walk_open(&file, "walk_mistaken");
    assert_true(read_wrongly(&r));
    walk_compare(&file, "embed_inv", 0, CODES * DIM, r.embed_inv);
    walk_compare(&file, "dist_of_first", 0, CODES, r.dist);
    walk_compare_codes(&file, "ind", 0, PLACES, r.ind);
    walk_compare(&file, "output", 0, PLACES * DIM, r.output);
    walk_close(&file);
}

/* The four conditions of Penrose 1955; the second pair is symmetry. */
static void test_penrose(void **state)
{
    static double ee[DIM * DIM], pp[CODES * CODES], again[DIM * CODES], turned[CODES * CODES];
    (void)state;
    assert_true(read_wrongly(&r));
    multiply(DIM, CODES, DIM, r.embed, r.embed_inv, ee);
    multiply(CODES, DIM, CODES, r.embed_inv, r.embed, pp);
    multiply(DIM, DIM, CODES, ee, r.embed, again);
    assert_true(furthest(DIM * CODES, again, r.embed) < 1e-12);
    multiply(CODES, CODES, DIM, pp, r.embed_inv, again);
    assert_true(furthest(DIM * CODES, again, r.embed_inv) < 1e-12);
    turn(DIM, DIM, ee, turned);
    assert_true(furthest(DIM * DIM, ee, turned) < 1e-12);
    turn(CODES, CODES, pp, turned);
    assert_true(furthest(CODES * CODES, pp, turned) < 1e-12);
}

static void test_dependent_rows(void **state)
{
    const double twice[6] = {1.0, 2.0, 3.0, 2.0, 4.0, 6.0};
    double inverse[6];
    (void)state;
    assert_false(pseudo_inverse(2, 3, twice, inverse));
}

static void test_few_codes(void **state)
{
    (void)state;
    assert_true(read_wrongly(&r));
    assert_true(codes_used(r.ind) < CODES / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_numpy),
        cmocka_unit_test(test_penrose),
        cmocka_unit_test(test_dependent_rows),
        cmocka_unit_test(test_few_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
