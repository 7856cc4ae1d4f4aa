/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_matrix.c -- rows of .npy matrices in every type and order, and refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/context.h"
#include "support/fixture.h"
#include "support/golden.h"
#include "tensor/numbers.h"
#include <vqvae/tensor.h>

enum { ROWS = 3000, COLUMNS = 7 }; /* more numbers than are brought in at a time */

static vq_context *ctx;
static fixture_folder folder;

static float number(int row, int column)
{
    return (float)(row % 512) - 256.0f + 0.25f * (float)column;
}

/* The numbers in a type and an order, behind the header that numpy writes. */
static const char *write_matrix(const char *descr, bool fortran, size_t size)
{
    static unsigned char bytes[128 + ROWS * COLUMNS * 8];
    const char *path = fixture_path(&folder, "matrix.npy");
    memset(bytes, ' ', 128);
    (void)snprintf((char *)bytes + 10, 118,
                   "{'descr': '%s', 'fortran_order': %s, 'shape': (%d, %d), }", descr,
                   fortran ? "True" : "False", ROWS, COLUMNS);
    bytes[10 + strlen((char *)bytes + 10)] = ' ';
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    bytes[127] = '\n';
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        const int row = fortran ? i % ROWS : i / COLUMNS, column = fortran ? i / ROWS : i % COLUMNS;
        const float f32 = number(row, column);
        const double f64 = (double)f32;
        unsigned char *to = bytes + 128 + (size_t)i * size;
        memcpy(to, size == 8 ? (const void *)&f64 : (const void *)&f32, size);
        if (*descr == '>') vq_numbers_swap(to, 1, size);
    }
    fixture_write(path, bytes, 128 + ROWS * COLUMNS * size);
    return path;
}

static void check_matrix(const char *path)
{
    static float all[ROWS * COLUMNS];
    float some[3 * COLUMNS];
    vq_matrix *matrix;
    must(ctx, vq_matrix_open(ctx, path, &matrix));
    assert_int_equal(vq_matrix_rows(matrix), ROWS);
    assert_int_equal(vq_matrix_columns(matrix), COLUMNS);
    must(ctx, vq_matrix_read(matrix, 0, ROWS, all));
    for (int i = 0; i < ROWS * COLUMNS; i++)
        assert_true(all[i] == number(i / COLUMNS, i % COLUMNS));
    must(ctx, vq_matrix_read(matrix, ROWS - 3, 3, some));
    assert_memory_equal(some, all + (ROWS - 3) * COLUMNS, sizeof some);
    must(ctx, vq_matrix_read(matrix, ROWS, 0, some));
    assert_int_equal(vq_matrix_read(matrix, ROWS - 2, 3, some), VQ_E_ARG);
    fixture_error_names(ctx, "3 rows from row 2998 on were asked for; it has 3000");
    assert_int_equal(vq_matrix_read(matrix, -1, 1, some), VQ_E_ARG);
    vq_matrix_close(matrix);
}

static void test_orders(void **state)
{
    (void)state;
    check_matrix(write_matrix("<f4", false, 4));
    check_matrix(write_matrix("<f8", false, 8));
    check_matrix(write_matrix(">f4", false, 4));
    check_matrix(write_matrix("<f4", true, 4));
    check_matrix(write_matrix(">f8", true, 8));
}

/* Values of IEEE 754-2019, table 3.5: the least and the greatest of each kind. */
static void test_halves(void **state)
{
    (void)state;
    static const uint16_t half[] = {0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00,
                                    0x3555, 0xc000, 0x7bff, 0x7c00, 0xfc00, 0x7e01};
    static const float f32[] = {0.0f,        -0.0f, 0x1p-24f, 0x1.ff8p-15f, 0x1p-14f, 1.0f,
                                0x1.554p-2f, -2.0f, 65504.0f, INFINITY,     -INFINITY};
    static const uint16_t brain[] = {0x3f80, 0xc2f7, 0x0001};
    float got[12];
    vq_numbers_to_f32(VQ_F16, half, 12, got);
    assert_memory_equal(got, f32, sizeof f32);
    assert_true(isnan(got[11]));
    vq_numbers_to_f32(VQ_BF16, brain, 3, got);
    assert_true(got[0] == 1.0f && got[1] == -123.5f && got[2] == 0x1p-133f);
}

static void refuse(const char *path, vq_status status, const char *words)
{
    vq_matrix *matrix;
    assert_int_equal(vq_matrix_open(ctx, path, &matrix), status);
    assert_null(matrix);
    fixture_error_names(ctx, words);
}

static void test_refusals(void **state)
{
    (void)state;
    uint8_t bytes[] = {1, 2};
    float numbers[] = {1.0f, 2.0f};
    const char *path = fixture_path(&folder, "no.npy");
    refuse(path, VQ_E_IO, "no.npy");
    vq_array array = {.dtype = VQ_U8, .shape = {2, {1, 2}}, .data = bytes};
    must(ctx, vq_npy_save(ctx, path, &array));
    refuse(path, VQ_E_UNSUPPORTED, "the matrix holds u8 numbers; f32, f64 and f16 are read");
    array = (vq_array){.dtype = VQ_F32, .shape = {1, {2}}, .data = numbers};
    must(ctx, vq_npy_save(ctx, path, &array));
    refuse(path, VQ_E_SHAPE, "an array of rank 1; a matrix of vectors has rank 2");
    array.shape = (vq_shape){2, {2, 0}};
    must(ctx, vq_npy_save(ctx, path, &array));
    refuse(path, VQ_E_SHAPE, "a matrix of 2 x 0 numbers is empty");
    fixture_write(path, "no matrix", 9);
    refuse(path, VQ_E_FORMAT, "no.npy");
}

static int open_all(void **state)
{
    (void)state;
    fixture_folder_make(&folder);
    return vq_context_create(NULL, &ctx) == VQ_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
