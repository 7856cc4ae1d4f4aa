/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_embedding.c -- look-up and gradient of an embedding against PyTorch. */
#include "walk/walk_test.h"

#include "examples/walk/1_embedding.c"
#undef main

static void test_embedding(void **state)
{
    double table[ROWS * WIDTH], hot[IDS * ROWS], out[IDS * WIDTH], d_out[IDS * WIDTH];
    double d_table[ROWS * WIDTH];
    golden file;
    (void)state;
    walk_open(&file, "walk_embedding");
    fill(1, ROWS * WIDTH, table);
    fill(11, IDS * WIDTH, d_out);
    embed(table, hot, out);
    gradient(hot, d_out, d_table);
    walk_compare(&file, "out", 0, IDS * WIDTH, out);
    walk_compare(&file, "d_table", 0, ROWS * WIDTH, d_table);
    walk_close(&file);
}

/* Rows that no id names get none. */
static void test_unnamed_rows(void **state)
{
    double table[ROWS * WIDTH], hot[IDS * ROWS], out[IDS * WIDTH], d_table[ROWS * WIDTH];
    (void)state;
    fill(1, ROWS * WIDTH, table);
    embed(table, hot, out);
    gradient(hot, out, d_table);
    for (uint32_t r = 0; r < ROWS; r++) {
        int named = 0;
        for (int i = 0; i < IDS; i++) named += ids[i] == r;
        for (uint32_t d = 0; d < WIDTH; d++)
            assert_true((d_table[r * WIDTH + d] != 0.0) == (named > 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_unnamed_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
