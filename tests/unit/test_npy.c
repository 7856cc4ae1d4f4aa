/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_npy.c -- a table of .npy files that are accepted or refused, each with what is
 * read of it or the exact sentence, and the exact bytes that numpy.save writes. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vqvae/tensor.h>

#include <cmocka.h> /* needs all of the above */

#include "support/fixture.h"
#include "support/table.h"

enum { FILE_MAX = 512, PREFIX = 10, PREFIX_MAX = 64, CONTENT_MAX = 1024 };

#define HEADER(descr, order, shape)                                                                \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

typedef struct place {
    vq_context *ctx;
    fixture_folder folder;
} place;

static int setup(void **state)
{
    place *p = malloc(sizeof *p);
    assert_non_null(p);
    p->ctx = fixture_context();
    fixture_folder_make(&p->folder);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    fixture_folder_remove(&p->folder);
    vq_context_destroy(p->ctx);
    free(p);
    return 0;
}

/* ---- the table of cases ------------------------------------------------------------ */

/* Magic, version and length as the cell says; returns how many bytes they take. */
static size_t compose_start(char *cell, size_t header_size, unsigned char *to)
{
    const bool plain = strcmp(cell, "-") == 0 || strncmp(cell, "first ", 6) == 0;
    const bool wide = strcmp(cell, "2.0") == 0 || strcmp(cell, "3.0") == 0;
    if (!plain && !wide) {
        const size_t size = table_unescape(cell);
        memcpy(to, cell, size);
        return size;
    }
    memcpy(to, "\x93NUMPY\x01", 8);
    if (wide) to[6] = (unsigned char)(*cell - '0');
    const size_t width = wide ? 4 : 2;
    for (size_t i = 0; i < width; i++) to[8 + i] = (unsigned char)(header_size >> (8 * i));
    return 8 + width;
}

/* In memory of exactly the file's size, so that a sanitizer sees any step beyond it. */
static unsigned char *compose(const table_row *row, size_t *size)
{
    const size_t header_size = table_unescape(row->cells[2]);
    const size_t data = strtoul(row->cells[3], NULL, 10);
    unsigned char *file = malloc(PREFIX_MAX + header_size + data);
    assert_non_null(file);
    size_t at = compose_start(row->cells[1], header_size, file);
    memcpy(file + at, row->cells[2], header_size);
    at += header_size;
    for (size_t i = 0; i < data; i++) file[at + i] = (unsigned char)i;
    *size = at + data;
    if (strncmp(row->cells[1], "first ", 6) == 0) *size = strtoul(row->cells[1] + 6, NULL, 10);
    unsigned char *exact = malloc(*size ? *size : 1);
    assert_non_null(exact);
    memcpy(exact, file, *size);
    free(file);
    return exact;
}

/* numpy's letter and bytes of the type, the extents, the numbers as they lie: f4[2,3]:0001... */
static void describe(const vq_array *array, char *to)
{
    const size_t size = vq_dtype_size(array->dtype);
    int at = snprintf(to, CONTENT_MAX, "%c%zu[", *vq_dtype_name(array->dtype), size);
    for (int i = 0; i < array->shape.rank; i++)
        at += snprintf(to + at, CONTENT_MAX - (size_t)at, "%s%lld", i ? "," : "",
                       (long long)array->shape.dim[i]);
    at += snprintf(to + at, CONTENT_MAX - (size_t)at, "]:");
    const unsigned char *data = array->data;
    for (size_t i = 0; i < size * vq_shape_count(&array->shape); i++)
        at += snprintf(to + at, CONTENT_MAX - (size_t)at, "%02x", data[i]);
}

/* Columns: case, start, header, data, reference (numpy), ours, content or sentence. */
static void check_case(void *user, const table_row *row)
{
    place *p = user;
    char content[CONTENT_MAX];
    size_t size;
    vq_array array;
    unsigned char *file = compose(row, &size);
    const vq_status status = vq_npy_parse(p->ctx, file, size, &array);
    const char *verdict = status == VQ_OK              ? "accepts"
                          : status == VQ_E_FORMAT      ? "refuses"
                          : status == VQ_E_UNSUPPORTED ? "lacks"
                                                       : vq_status_name(status);
    snprintf(content, sizeof content, "%s", vq_context_error(p->ctx));
    if (status == VQ_OK) describe(&array, content);
    if (strcmp(verdict, row->cells[5]) != 0 || strcmp(content, row->cells[6]) != 0)
        fail_msg("line %zu: %s: %s, %s", row->line, row->cells[0], verdict, content);
    /* Nothing is read that numpy would not read. */
    if (status == VQ_OK) assert_string_equal(row->cells[4], "accepts");
    else assert_true(!array.data && !array.name);
    vq_array_clear(p->ctx, &array);
    free(file);
}

static void test_every_case(void **state)
{
    assert_true(table_read("tests/tables/npy.tsv", 7, check_case, *state) >= 100);
}

/* What numpy 2.4 writes: room for 21 digits of the first extent, then spaces up to 128 bytes. */
static void test_bytes(void **state)
{
    static const struct {
        vq_dtype dtype;
        vq_shape shape;
        const char *dict;
        size_t size; /* of the header, prefix included */
    } rows[] = {
        {VQ_F32, {2, {2, 3}}, HEADER("'<f4'", "False", "(2, 3)"), 128},
        {VQ_U8, {1, {3}}, HEADER("'|u1'", "False", "(3,)"), 128},
        {VQ_BOOL, {0, {0}}, HEADER("'|b1'", "False", "()"), 128},
        {VQ_I64, {1, {0}}, HEADER("'<i8'", "False", "(0,)"), 128},
    };
    place *p = *state;
    const char *path = fixture_path(&p->folder, "bytes");
    unsigned char data[24];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char expected[FILE_MAX];
        const vq_array array = {.dtype = rows[i].dtype, .shape = rows[i].shape, .data = data};
        const size_t bytes = vq_shape_count(&array.shape) * vq_dtype_size(array.dtype);
        memset(expected, ' ', sizeof expected);
        memcpy(expected, "\x93NUMPY\x01\x00", 8);
        expected[8] = (unsigned char)(rows[i].size - PREFIX);
        expected[9] = 0;
        memcpy(expected + PREFIX, rows[i].dict, strlen(rows[i].dict));
        expected[rows[i].size - 1] = '\n';
        memcpy(expected + rows[i].size, data, bytes);
        assert_int_equal(vq_npy_save(p->ctx, path, &array), VQ_OK);
        if (!fixture_holds(path, expected, rows[i].size + bytes)) fail_msg("row %zu", i);
    }
}

static void test_round_trip(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "array.npy");
    unsigned char data[2 * 3 * 8];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 91 + 5);
    for (int dtype = 0; dtype < VQ_DTYPE_COUNT; dtype++) {
        const vq_array array = {.dtype = (vq_dtype)dtype, .shape = {2, {2, 3}}, .data = data};
        vq_array back;
        if (dtype == VQ_BF16) continue;
        assert_int_equal(vq_npy_save(p->ctx, path, &array), VQ_OK);
        assert_int_equal(vq_npy_load(p->ctx, path, &back), VQ_OK);
        assert_int_equal(back.dtype, dtype);
        assert_int_equal(back.shape.rank, 2);
        assert_memory_equal(back.data, data, 6 * vq_dtype_size(array.dtype));
        vq_array_clear(p->ctx, &back);
        assert_int_equal(vq_npy_describe(p->ctx, path, &back), VQ_OK);
        assert_int_equal(back.dtype, dtype);
        assert_int_equal(vq_shape_count(&back.shape), 6);
        assert_null(back.data);
        vq_array_clear(p->ctx, &back);
    }
}

static void test_save_refused(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "array.npy");
    unsigned char data[2] = {0};
    vq_array array = {.dtype = VQ_BF16, .shape = {1, {1}}, .data = data}, back;
    assert_int_equal(vq_npy_save(p->ctx, path, &array), VQ_E_UNSUPPORTED);
    fixture_error_names(p->ctx, "no bf16 numbers");
    array = (vq_array){.dtype = VQ_U8, .shape = {1, {-1}}, .data = data};
    assert_int_equal(vq_npy_save(p->ctx, path, &array), VQ_E_ARG);
    array = (vq_array){.dtype = VQ_DTYPE_COUNT, .data = data};
    assert_int_equal(vq_npy_save(p->ctx, path, &array), VQ_E_ARG);
    assert_int_equal(fixture_folder_count(&p->folder), 0);
    assert_int_equal(vq_npy_load(p->ctx, path, &back), VQ_E_IO);
    fixture_write(path, "no array", 8);
    assert_int_equal(vq_npy_load(p->ctx, path, &back), VQ_E_FORMAT);
    assert_memory_equal(vq_context_error(p->ctx), path, strlen(path));
}

/* Only the header of a file that is far too long is read. */
static void test_oversized(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "sparse.npy");
    unsigned char data = 1;
    vq_array array = {.dtype = VQ_U8, .data = &data};
    assert_int_equal(vq_npy_save(p->ctx, path, &array), VQ_OK);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_int_equal(vq_npy_load(p->ctx, path, &array), VQ_E_FORMAT);
    fixture_error_names(p->ctx, "takes 1 bytes, but 1099511627648 follow");
    assert_int_equal(vq_npy_describe(p->ctx, path, &array), VQ_E_FORMAT);
    fixture_error_names(p->ctx, "sparse.npy: the .npy array takes 1 bytes");
}

static void test_every_allocation_fails(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "array.npy");
    unsigned char data[4] = {1, 2, 3, 4};
    const vq_array array = {.dtype = VQ_U8, .shape = {1, {4}}, .data = data};
    vq_status status = VQ_E_NOMEM;
    for (long at = 1; status != VQ_OK; at++) {
        fixture_faults memory = {.fail_at = at};
        vq_context *ctx = fixture_faulty_context(&memory, NULL);
        vq_array back = {0};
        status = vq_npy_save(ctx, path, &array);
        if (status == VQ_OK) status = vq_npy_load(ctx, path, &back);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        vq_array_clear(ctx, &back);
        vq_context_destroy(ctx);
        assert_int_equal(memory.live, 0);
        assert_in_range(at, 1, 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_case, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_save_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversized, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_allocation_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
