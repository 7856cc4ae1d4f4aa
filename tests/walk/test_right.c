/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_right.c -- the right reading against PyTorch and the library. */
#include "walk/walk_test.h"

#include "examples/walk/4_right.c"
#undef main

static void test_against_pytorch(void **state)
{
    static reading r;
    golden file;
    (void)state;
    walk_open(&file, "walk_right");
    read_rightly(&r);
    walk_compare_codes(&file, "q", 0, PLACES, r.q);
    walk_compare(&file, "z_q", 0, PLACES * DIM, r.z_q);
    assert_int_equal(same_in_library(&r), PLACES);
    walk_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
