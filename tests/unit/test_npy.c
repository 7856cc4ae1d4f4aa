/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_npy.c -- a row for each .npy header that is accepted or refused, both byte and
 * memory orders, and the exact bytes that numpy.save writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/tensor.h>

#include <cmocka.h> /* needs all of the above */

#include "support/fixture.h"

enum { FILE_MAX = 512, PREFIX = 10 };

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

/* Version 1.0, the header as it stands, `data` bytes 0, 1, 2, ...; in memory of exactly that
 * size, so that a sanitizer sees any step beyond it. */
static vq_status parse(vq_context *ctx, const char *header, size_t data, vq_array *out)
{
    const size_t length = strlen(header), size = PREFIX + length + data;
    unsigned char *file = malloc(size);
    assert_non_null(file);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (unsigned char)(length & 0xff);
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + PREFIX, header, length);
    for (size_t i = 0; i < data; i++) file[PREFIX + length + i] = (unsigned char)i;
    const vq_status status = vq_npy_parse(ctx, file, size, out);
    free(file);
    return status;
}

#define HEADER(descr, order, shape)                                                                \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

static void test_accepted(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        vq_dtype dtype;
        vq_shape shape;
    } rows[] = {
        {HEADER("'<f4'", "False", "(2, 3)") "   \n", 24, VQ_F32, {2, {2, 3}}},
        {HEADER("'=f4'", "False", "(2,3)"), 24, VQ_F32, {2, {2, 3}}},
        {HEADER("'f8'", "False", "()"), 8, VQ_F64, {0, {0}}},
        {HEADER("'<f2'", "True", "(3,)"), 6, VQ_F16, {1, {3}}},
        {HEADER("'|u1'", "False", "(1, 2, 3, 1, 1)"), 6, VQ_U8, {5, {1, 2, 3, 1, 1}}},
        {HEADER("'|i1'", "False", "(0,)"), 0, VQ_I8, {1, {0}}},
        {HEADER("'|b1'", "False", "(4, 0)"), 0, VQ_BOOL, {2, {4, 0}}},
        {HEADER("'<u2'", "False", "(2L, 1L)"), 4, VQ_U16, {2, {2, 1}}},
        {HEADER("'<i2'", "False", "( 2 , )"), 4, VQ_I16, {1, {2}}},
        {HEADER("'<u8'", "False", "(1,)"), 8, VQ_U64, {1, {1}}},
        {"{\"shape\":(1,1),\"fortran_order\":False,\"descr\":\"<i8\"}", 8, VQ_I64, {2, {1, 1}}},
        {"\n{ 'descr' : '<i4',\n'fortran_order':False , 'shape':(1,1)\n}\t\n",
         4,
         VQ_I32,
         {2, {1, 1}}},
    };
    place *p = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vq_array array;
        if (parse(p->ctx, rows[i].header, rows[i].data, &array) != VQ_OK)
            fail_msg("%s: %s", rows[i].header, vq_context_error(p->ctx));
        assert_int_equal(array.dtype, rows[i].dtype);
        assert_int_equal(array.shape.rank, rows[i].shape.rank);
        assert_memory_equal(array.shape.dim, rows[i].shape.dim, sizeof array.shape.dim);
        assert_string_equal(array.name, "");
        for (size_t j = 0; j < rows[i].data; j++)
            assert_int_equal(((unsigned char *)array.data)[j], j);
        vq_array_clear(p->ctx, &array);
        assert_null(array.data);
    }
}

static const struct {
    const char *header;
    vq_status status;
    const char *words;
} refused_rows[] = {
    /* all have 4 bytes of data */
    {"", VQ_E_FORMAT, "is not a Python dict"},
    {"[]", VQ_E_FORMAT, "is not a Python dict"},
    {"{", VQ_E_FORMAT, "lacks a text"},
    {"{}", VQ_E_FORMAT, "has no key \"descr\""},
    {"{,}", VQ_E_FORMAT, "lacks a text"},
    {"{'descr", VQ_E_FORMAT, "does not end"},
    {"{'descr'}", VQ_E_FORMAT, "lacks ':' after \"descr\""},
    {"{'descr': '<f4', 'shape': (1,)}", VQ_E_FORMAT, "has no key \"fortran_order\""},
    {"{'descr': '<f4', 'fortran_order': False}", VQ_E_FORMAT, "has no key \"shape\""},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", VQ_E_FORMAT,
     "has the unknown key \"x\""},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", VQ_E_FORMAT,
     "has the key \"descr\" twice"},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", VQ_E_FORMAT, "lacks a comma"},
    {"{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (1,)}", VQ_E_FORMAT,
     "not one that numpy writes"},
    {HEADER("'<f4'", "False", "(1,)") "x", VQ_E_FORMAT, "goes on after its dict"},
    {HEADER("'<f4'", "0", "(1,)"), VQ_E_FORMAT, "neither True nor False"},
    {HEADER("'<f4'", "false", "(1,)"), VQ_E_FORMAT, "neither True nor False"},
    {HEADER("'<f4'", "Falsely", "(1,)"), VQ_E_FORMAT, "lacks a comma"},
    {HEADER("'<f4'", "False", "[1]"), VQ_E_FORMAT, "is not a tuple"},
    {HEADER("'<f4'", "False", "1"), VQ_E_FORMAT, "is not a tuple"},
    {HEADER("'<f4'", "False", "(1)"), VQ_E_FORMAT, "a number in parentheses"},
    {HEADER("'<f4'", "False", "(-1,)"), VQ_E_FORMAT, "not a tuple of whole numbers"},
    {HEADER("'<f4'", "False", "(01,)"), VQ_E_FORMAT, "not a tuple of whole numbers"},
    {HEADER("'<f4'", "False", "(True,)"), VQ_E_FORMAT, "not a tuple of whole numbers"},
    {HEADER("'<f4'", "False", "(1.0,)"), VQ_E_FORMAT, "lacks a comma"},
    {HEADER("'<f4'", "False", "(1 1)"), VQ_E_FORMAT, "lacks a comma"},
    {HEADER("'<f4'", "False", "(,)"), VQ_E_FORMAT, "not a tuple of whole numbers"},
    {HEADER("'<f4'", "False", "(1,"), VQ_E_FORMAT, "not a tuple of whole numbers"},
    {HEADER("'<f4'", "False", "(281474976710657,)"), VQ_E_FORMAT, "larger than 2^48"},
    {HEADER("'<f4'", "False", "(99999999999999999999999,)"), VQ_E_FORMAT, "larger than 2^48"},
    {HEADER("'<f4'", "False", "(281474976710656, 281474976710656)"), VQ_E_FORMAT,
     "larger than any memory"},
    {HEADER("'<f4'", "False", "(2,)"), VQ_E_FORMAT, "takes 8 bytes, but 4 follow"},
    {HEADER("'<f2'", "False", "(1,)"), VQ_E_FORMAT, "takes 2 bytes, but 4 follow"},
    {HEADER("'<f3'", "False", "(1,)"), VQ_E_UNSUPPORTED, "type \"<f3\""},
    {HEADER("'<q4'", "False", "(1,)"), VQ_E_FORMAT, "unknown type \"<q4\""},
    {HEADER("''", "False", "(1,)"), VQ_E_FORMAT, "unknown type \"\""},
    {HEADER("4", "False", "(1,)"), VQ_E_FORMAT, "lacks a text"},
    {HEADER("'|O'", "False", "(1,)"), VQ_E_UNSUPPORTED, "Python objects"},
    {HEADER("'<U1'", "False", "(1,)"), VQ_E_UNSUPPORTED, "elements of type \"<U1\""},
    {HEADER("'|S4'", "False", "(1,)"), VQ_E_UNSUPPORTED, "elements of type \"|S4\""},
    {HEADER("'|V4'", "False", "(1,)"), VQ_E_UNSUPPORTED, "elements of type \"|V4\""},
    {HEADER("'<c8'", "False", "(1,)"), VQ_E_UNSUPPORTED, "elements of type \"<c8\""},
    {HEADER("'<M8[ns]'", "False", "(1,)"), VQ_E_UNSUPPORTED, "elements of type \"<M8[ns]\""},
    {HEADER("[('x', '<f4')]", "False", "(1,)"), VQ_E_UNSUPPORTED, "structures"},
    {HEADER("'<f4'", "False", "(1,1,1,1,1,1)"), VQ_E_UNSUPPORTED, "more than 5 dimensions"},
};

static void test_refused(void **state)
{
    place *p = *state;
    for (size_t i = 0; i < sizeof refused_rows / sizeof *refused_rows; i++) {
        vq_array array;
        if (parse(p->ctx, refused_rows[i].header, 4, &array) != refused_rows[i].status)
            fail_msg("%s gave %s", refused_rows[i].header, vq_context_error(p->ctx));
        fixture_error_names(p->ctx, refused_rows[i].words);
        assert_null(array.data);
        assert_null(array.name);
    }
}

static void test_versions(void **state)
{
    static const struct {
        unsigned char start[12];
        size_t size;
        const char *words;
    } rows[] = {
        {"", 0, "does not begin as"},
        {"\x93NUMPY\x01", 7, "does not begin as"},
        {"\x92NUMPY\x01\x00\x00\x00", 10, "does not begin as"},
        {"\x93NUMPY\x01\x01\x00\x00", 10, "version 1.1"},
        {"\x93NUMPY\x04\x00\x00\x00", 10, "version 4.0"},
        {"\x93NUMPY\x00\x00\x00\x00", 10, "version 0.0"},
        {"\x93NUMPY\x01\x00\x00", 9, "ends within its header's length"},
        {"\x93NUMPY\x02\x00\x00\x00", 10, "ends within its header's length"},
        {"\x93NUMPY\x01\x00\x02\x00{", 11, "would have 2 bytes, but only 1 follow"},
        {"\x93NUMPY\x02\x00\xff\xff\xff\xff", 12, "at most 10000"},
        {"\x93NUMPY\x03\x00\x11\x27\x00\x00", 12, "would have 10001 bytes; at most 10000"},
    };
    place *p = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vq_array array;
        assert_int_equal(vq_npy_parse(p->ctx, rows[i].start, rows[i].size, &array), VQ_E_FORMAT);
        fixture_error_names(p->ctx, rows[i].words);
    }
}

static void test_long_length(void **state)
{
    static const char header[] = HEADER("'|u1'", "False", "(2,)");
    place *p = *state;
    for (unsigned char version = 2; version <= 3; version++) {
        unsigned char file[FILE_MAX] = "\x93NUMPY";
        vq_array array;
        file[6] = version;
        file[8] = sizeof header - 1;
        memcpy(file + 12, header, sizeof header - 1);
        memcpy(file + 12 + sizeof header - 1, "\x07\x09", 2);
        assert_int_equal(vq_npy_parse(p->ctx, file, 12 + sizeof header + 1, &array), VQ_OK);
        assert_memory_equal(array.data, "\x07\x09", 2);
        vq_array_clear(p->ctx, &array);
    }
}

/* Bytes 0, 1, 2, ... in Fortran order: element (i, j, k) of 2 x 3 x 4 is i + 2 j + 6 k. */
static void test_fortran(void **state)
{
    place *p = *state;
    vq_array array;
    const char *header = HEADER("'|u1'", "True", "(2, 3, 4)");
    assert_int_equal(parse(p->ctx, header, 24, &array), VQ_OK);
    const unsigned char *data = array.data;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                assert_int_equal(data[(i * 3 + j) * 4 + k], i + 2 * j + 6 * k);
    vq_array_clear(p->ctx, &array);
}

static void test_byte_order(void **state)
{
    place *p = *state;
    vq_array array;
    assert_int_equal(parse(p->ctx, HEADER("'>u2'", "False", "(2,)"), 4, &array), VQ_OK);
    const uint16_t pair[] = {0x0001, 0x0203};
    assert_memory_equal(array.data, pair, sizeof pair);
    vq_array_clear(p->ctx, &array);
    assert_int_equal(parse(p->ctx, HEADER("'>u8'", "False", "(1,)"), 8, &array), VQ_OK);
    const uint64_t one = UINT64_C(0x0001020304050607);
    assert_memory_equal(array.data, &one, sizeof one);
    vq_array_clear(p->ctx, &array);
    assert_int_equal(parse(p->ctx, HEADER("'>u4'", "True", "(1, 2)"), 8, &array), VQ_OK);
    const uint32_t both[] = {0x00010203, 0x04050607};
    assert_memory_equal(array.data, both, sizeof both);
    vq_array_clear(p->ctx, &array);
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
        cmocka_unit_test_setup_teardown(test_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fortran, setup, teardown),
        cmocka_unit_test_setup_teardown(test_byte_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_save_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_allocation_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
