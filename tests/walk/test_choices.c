/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_choices.c -- how often the mistaken choice is the right one. */
#include "walk/walk_test.h"

#include "examples/walk/3_choices.c"
#undef main

/* Chance alone would give 8 of 1000. */
static void test_counts(void **state)
{
    (void)state;
    const int plain = count_agreements(0.0), centred = count_agreements(0.5);
    assert_in_range(plain, 0, 20);
    assert_in_range(centred, 100, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
