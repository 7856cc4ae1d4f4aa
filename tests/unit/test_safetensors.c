/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_safetensors.c -- the exact bytes written, whole archives there and back, and
 * files that fail. What headers are accepted is in test_safetensors_reference.c. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vqvae/tensor.h>

#include <cmocka.h> /* needs all of the above */

#include "support/fixture.h"
#include "tensor/hash.h"
#include "tensor/shape.h"

enum { PREFIX = 8, FILE_MAX = 4096 };

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

/* Length, header, `data` bytes 0, 1, 2, ... */
static size_t compose(unsigned char *file, const char *header, size_t data)
{
    const uint64_t length = strlen(header);
    memcpy(file, &length, PREFIX);
    memcpy(file + PREFIX, header, (size_t)length);
    for (size_t i = 0; i < data; i++) file[PREFIX + length + i] = (unsigned char)i;
    return PREFIX + (size_t)length + data;
}

/* Arrays of every type, one with no elements, one scalar; keys out of order. */
typedef struct sample {
    vq_array arrays[VQ_DTYPE_COUNT + 2];
    vq_archive archive;
    char names[VQ_DTYPE_COUNT + 2][16];
} sample;

static unsigned char numbers[64];
static char *keys[] = {(char[]){"z"}, (char[]){"format"}, (char[]){"a \"quoted\" \xc3\xa9"}};
static char *values[] = {(char[]){""}, (char[]){"pt"}, (char[]){"{\n\t\"x\": 1}"}};

static void make_sample(sample *s)
{
    for (size_t i = 0; i < sizeof numbers; i++) numbers[i] = (unsigned char)(i * 37 + 1);
    for (int i = 0; i < VQ_DTYPE_COUNT + 2; i++) {
        const vq_shape pair = {2, {2, 3}}, empty = {3, {4, 0, 2}}, scalar = {0};
        snprintf(s->names[i], sizeof s->names[i], "t.%d", VQ_DTYPE_COUNT + 2 - i);
        s->arrays[i] = (vq_array){
            .name = s->names[i],
            .dtype = i < VQ_DTYPE_COUNT ? (vq_dtype)i : VQ_F32,
            .shape = i < VQ_DTYPE_COUNT    ? pair
                     : i == VQ_DTYPE_COUNT ? empty
                                           : scalar,
            .data = numbers,
        };
    }
    s->archive = (vq_archive){s->arrays, VQ_DTYPE_COUNT + 2, keys, values, 3};
}

/* Described, a file says the same of everything but its numbers. */
static void check_description(place *p, const char *path, const vq_archive *read)
{
    vq_archive told;
    assert_int_equal(vq_safetensors_describe(p->ctx, path, &told), VQ_OK);
    assert_int_equal(told.n_arrays, read->n_arrays);
    assert_int_equal(told.n_keys, read->n_keys);
    for (size_t i = 0; i < told.n_arrays; i++) {
        assert_string_equal(told.arrays[i].name, read->arrays[i].name);
        assert_int_equal(told.arrays[i].dtype, read->arrays[i].dtype);
        assert_memory_equal(&told.arrays[i].shape, &read->arrays[i].shape, sizeof(vq_shape));
        assert_null(told.arrays[i].data);
    }
    vq_archive_clear(p->ctx, &told);
}

static void test_round_trip(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "all");
    sample s;
    vq_archive back;
    make_sample(&s);
    assert_int_equal(vq_safetensors_save(p->ctx, path, &s.archive), VQ_OK);
    assert_int_equal(vq_safetensors_load(p->ctx, path, &back), VQ_OK);
    assert_int_equal(back.n_arrays, s.archive.n_arrays);
    for (size_t i = 0; i < s.archive.n_arrays; i++) {
        const vq_array *made = &s.arrays[i], *read = vq_archive_find(&back, made->name);
        size_t bytes;
        assert_non_null(read);
        assert_int_equal(read->dtype, made->dtype);
        assert_int_equal(read->shape.rank, made->shape.rank);
        assert_memory_equal(read->shape.dim, made->shape.dim, sizeof made->shape.dim);
        assert_true(vq_shape_bytes(&made->shape, made->dtype, &bytes));
        assert_memory_equal(read->data, numbers, bytes);
        assert_int_equal((uintptr_t)read->data % 64, 0);
        assert_true(vq_array_hash(read) == vq_array_hash(made));
    }
    assert_null(vq_archive_find(&back, "t"));
    check_description(p, path, &back);
    assert_int_equal(back.n_keys, 3);
    for (size_t i = 0; i < 3; i++) assert_string_equal(vq_archive_meta(&back, keys[i]), values[i]);
    for (size_t i = 1; i < 3; i++) assert_true(strcmp(back.keys[i - 1], back.keys[i]) < 0);
    assert_null(vq_archive_meta(&back, "Z"));
    vq_archive_clear(p->ctx, &back);
}

static void test_bytes(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},"
        "\"c\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[11,12]}}       ";
    place *p = *state;
    const char *path = fixture_path(&p->folder, "bytes");
    unsigned char data[12], expected[FILE_MAX];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)i;
    char *text[] = {(char[]){"b"}, (char[]){"a"}}, *number[] = {(char[]){"2"}, (char[]){"1"}};
    vq_array arrays[] = {
        {.name = (char[]){"c"}, .dtype = VQ_U8, .data = data + 11},
        {.name = (char[]){"b"}, .dtype = VQ_U8, .shape = {1, {3}}, .data = data + 8},
        {.name = (char[]){"w"}, .dtype = VQ_F32, .shape = {1, {2}}, .data = data},
    };
    const vq_archive archive = {arrays, 3, text, number, 2};
    const size_t size = compose(expected, header, sizeof data);
    assert_int_equal(strlen(header) % 8, 0);
    assert_int_equal(vq_safetensors_save(p->ctx, path, &archive), VQ_OK);
    assert_true(fixture_holds(path, expected, size));
}

static void test_save_refused(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "refused");
    unsigned char data[8] = {0};
    vq_array arrays[] = {
        {.name = (char[]){"a"}, .dtype = VQ_U8, .shape = {1, {2}}, .data = data},
        {.name = (char[]){"a"}, .dtype = VQ_F32, .shape = {1, {2}}, .data = data},
    };
    char *twice[] = {(char[]){"k"}, (char[]){"k"}}, *bad[] = {(char[]){"\xff"}};
    vq_archive archive = {.arrays = arrays, .n_arrays = 2};
    assert_int_equal(vq_safetensors_save(p->ctx, path, &archive), VQ_E_ARG);
    fixture_error_names(p->ctx, "two tensors have the name \"a\"");
    archive.n_arrays = 1;
    arrays[0].name = (char[]){"__metadata__"};
    assert_int_equal(vq_safetensors_save(p->ctx, path, &archive), VQ_E_ARG);
    arrays[0].name = bad[0];
    assert_int_equal(vq_safetensors_save(p->ctx, path, &archive), VQ_E_ARG);
    fixture_error_names(p->ctx, "not UTF-8");
    arrays[0].name = (char[]){"a"};
    arrays[0].shape.dim[0] = -1;
    assert_int_equal(vq_safetensors_save(p->ctx, path, &archive), VQ_E_ARG);
    archive = (vq_archive){.keys = twice, .values = twice, .n_keys = 2};
    assert_int_equal(vq_safetensors_save(p->ctx, path, &archive), VQ_E_ARG);
    fixture_error_names(p->ctx, "two metadata keys have the name \"k\"");
    archive = (vq_archive){.keys = twice, .values = bad, .n_keys = 1};
    assert_int_equal(vq_safetensors_save(p->ctx, path, &archive), VQ_E_ARG);
    assert_int_equal(fixture_folder_count(&p->folder), 0);
}

static void test_load_names_path(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "broken.safetensors");
    vq_archive archive;
    fixture_write(path, "12345678[]", 10);
    assert_int_equal(vq_safetensors_load(p->ctx, path, &archive), VQ_E_FORMAT);
    assert_memory_equal(vq_context_error(p->ctx), path, strlen(path));
    assert_int_equal(vq_safetensors_load(p->ctx, fixture_path(&p->folder, "no"), &archive),
                     VQ_E_IO);
}

/* Only the header of a file that is far too long is read. */
static void test_oversized(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "sparse.safetensors");
    vq_archive archive;
    fixture_write(path, "\x02\0\0\0\0\0\0\0{}", 10);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_int_equal(vq_safetensors_load(p->ctx, path, &archive), VQ_E_FORMAT);
    fixture_error_names(p->ctx, "take 0 bytes, but 1099511627766 follow");
}

static void test_every_allocation_fails(void **state)
{
    place *p = *state;
    const char *path = fixture_path(&p->folder, "file");
    vq_status status = VQ_E_NOMEM;
    sample s;
    make_sample(&s);
    for (long at = 1; status != VQ_OK; at++) {
        fixture_faults memory = {.fail_at = at};
        vq_context *ctx = fixture_faulty_context(&memory, NULL);
        vq_archive back = {0};
        status = vq_safetensors_save(ctx, path, &s.archive);
        if (status == VQ_OK) status = vq_safetensors_load(ctx, path, &back);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        vq_archive_clear(ctx, &back);
        vq_context_destroy(ctx);
        assert_int_equal(memory.live, 0);
        assert_in_range(at, 1, 200);
    }
}

static void test_dtypes(void **state)
{
    (void)state;
    assert_int_equal(vq_dtype_size(VQ_BF16), 2);
    assert_int_equal(vq_dtype_size(VQ_DTYPE_COUNT), 0);
    assert_string_equal(vq_dtype_name(VQ_U16), "u16");
    assert_string_equal(vq_dtype_name((vq_dtype)-1), "unknown");
    const vq_shape scalar = {0}, empty = {2, {3, 0}}, pair = {2, {3, 4}};
    assert_int_equal(vq_shape_count(&scalar), 1);
    assert_int_equal(vq_shape_count(&empty), 0);
    assert_int_equal(vq_shape_count(&pair), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_save_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_names_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversized, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_allocation_fails, setup, teardown),
        cmocka_unit_test(test_dtypes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
