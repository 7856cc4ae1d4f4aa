/* SPDX-License-Identifier: Apache-2.0
 * Arrays written by rows: the same bytes as those saved at once, and nothing half done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/fixture.h"
#include <vqvae/tensor.h>

enum { ROWS = 3000, WIDE = 1500, THIN = 7 }; /* several of the pieces that the spool is copied in */

static void ok(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static uint16_t *wide_numbers(void)
{
    uint16_t *numbers = malloc(sizeof *numbers * ROWS * WIDE);
    assert_non_null(numbers);
    for (size_t i = 0; i < (size_t)ROWS * WIDE; i++) numbers[i] = (uint16_t)(i * 2654435761u >> 7);
    return numbers;
}

static void assert_same_file(vq_context *ctx, const char *path, const char *other)
{
    vq_bytes a = {0}, b = {0};
    ok(ctx, vq_file_read(ctx, path, SIZE_MAX, &a));
    ok(ctx, vq_file_read(ctx, other, SIZE_MAX, &b));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    vq_release(ctx, a.data);
    vq_release(ctx, b.data);
}

/* Rows in portions of 1, 2, 4, ... */
static void npy_by_rows(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    char name[] = "", path[512], other[512];
    uint16_t *numbers = wide_numbers();
    vq_array_writer *writer = NULL;
    vq_array rows = {.name = name, .dtype = VQ_U16, .shape = {3, {0, WIDE / 3, 3}}};
    snprintf(path, sizeof path, "%s", fixture_path(&folder, "a.npy"));
    snprintf(other, sizeof other, "%s", fixture_path(&folder, "b.npy"));
    ok(ctx, vq_array_writer_create(ctx, path, &writer));
    for (int64_t at = 0, n = 1; at < ROWS; at += rows.shape.dim[0], n *= 2) {
        rows.shape.dim[0] = n < ROWS - at ? n : ROWS - at;
        rows.data = numbers + at * WIDE;
        ok(ctx, vq_array_writer_add(writer, &rows));
    }
    ok(ctx, vq_array_writer_commit(writer, NULL, NULL, 0));
    vq_array_writer_destroy(writer);
    rows.shape.dim[0] = ROWS;
    rows.data = numbers;
    ok(ctx, vq_npy_save(ctx, other, &rows));
    assert_same_file(ctx, path, other);
    free(numbers);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

static void archive_by_rows(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    char wide_name[] = "a.wide", thin_name[] = "b.thin", first_name[] = "first";
    char key[] = "kind", value[] = "codes", *keys[] = {key}, *values[] = {value};
    char path[512], other[512];
    uint16_t *numbers = wide_numbers();
    vq_array_writer *writer = NULL;
    vq_array arrays[2] = {
        {.name = first_name, .dtype = VQ_U16, .shape = {2, {0, WIDE}}},
        {.name = thin_name, .dtype = VQ_U8, .shape = {2, {0, THIN}}},
    };
    snprintf(path, sizeof path, "%s", fixture_path(&folder, "a.safetensors"));
    snprintf(other, sizeof other, "%s", fixture_path(&folder, "b.safetensors"));
    ok(ctx, vq_array_writer_create(ctx, path, &writer));
    const uint8_t *bytes = (const uint8_t *)numbers;
    for (int64_t at = 0, n = 1; at < ROWS; at += n, n = 1 + at % 77) {
        if (n > ROWS - at) n = ROWS - at;
        arrays[0].shape.dim[0] = arrays[1].shape.dim[0] = n;
        arrays[0].data = numbers + at * WIDE;
        arrays[1].data = (void *)(uintptr_t)(bytes + at * THIN);
        ok(ctx, vq_array_writer_add(writer, &arrays[0]));
        if (at % 3 > 0) ok(ctx, vq_array_writer_add(writer, &arrays[0]));
        ok(ctx, vq_array_writer_add(writer, &arrays[1]));
    }
    ok(ctx, vq_array_writer_rename(writer, "first", "a.wide"));
    assert_int_equal(vq_array_writer_rename(writer, "first", "x"), VQ_E_ARG);
    assert_int_equal(vq_array_writer_rename(writer, "a.wide", "b.thin"), VQ_E_ARG);
    ok(ctx, vq_array_writer_commit(writer, keys, values, 1));
    vq_array_writer_destroy(writer);

    /* The same rows at once, the repeated ones among them. */
    uint16_t *twice = malloc(sizeof *twice * 2 * ROWS * WIDE);
    int64_t n_twice = 0;
    assert_non_null(twice);
    for (int64_t at = 0, n = 1; at < ROWS; at += n, n = 1 + at % 77) {
        if (n > ROWS - at) n = ROWS - at;
        for (int again = 0; again < (at % 3 > 0 ? 2 : 1); again++, n_twice += n)
            memcpy(twice + n_twice * WIDE, numbers + at * WIDE, sizeof *twice * WIDE * (size_t)n);
    }
    arrays[0] = (vq_array){wide_name, VQ_U16, {2, {n_twice, WIDE}}, twice};
    arrays[1] = (vq_array){thin_name, VQ_U8, {2, {ROWS, THIN}}, numbers};
    const vq_archive whole = {arrays, 2, keys, values, 1};
    ok(ctx, vq_safetensors_save(ctx, other, &whole));
    assert_same_file(ctx, path, other);
    assert_int_equal(fixture_folder_count(&folder), 2);
    free(twice);
    free(numbers);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

static void refused_and_given_up(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    char name[] = "a", second[] = "b", key[] = "k", *keys[] = {key}, before[] = "before";
    uint32_t numbers[6] = {0};
    vq_array_writer *writer = NULL;
    vq_array rows = {name, VQ_U32, {2, {2, 3}}, numbers};
    vq_bytes left = {0};
    const char *path = fixture_path(&folder, "kept.npy");
    assert_int_equal(vq_array_writer_create(ctx, "codes.txt", &writer), VQ_E_ARG);
    assert_null(writer);
    ok(ctx, vq_file_replace(ctx, path, before, sizeof before));
    ok(ctx, vq_array_writer_create(ctx, path, &writer));
    assert_int_equal(vq_array_writer_commit(writer, NULL, NULL, 0), VQ_E_ARG);
    ok(ctx, vq_array_writer_add(writer, &rows));
    rows.shape.dim[1] = 2;
    assert_int_equal(vq_array_writer_add(writer, &rows), VQ_E_SHAPE);
    rows.shape.dim[1] = 3;
    rows.name = second;
    assert_int_equal(vq_array_writer_add(writer, &rows), VQ_E_ARG);
    rows.name = name;
    rows.dtype = VQ_I32;
    assert_int_equal(vq_array_writer_add(writer, &rows), VQ_E_SHAPE);
    assert_int_equal(vq_array_writer_commit(writer, keys, keys, 1), VQ_E_ARG);
    vq_array_writer_destroy(writer);
    ok(ctx, vq_file_read(ctx, path, SIZE_MAX, &left));
    assert_memory_equal(left.data, before, sizeof before);
    vq_release(ctx, left.data);
    assert_int_equal(fixture_folder_count(&folder), 1); /* nothing temporary was left */
    fixture_folder_remove(&folder);
    vq_array_writer_destroy(NULL);
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_by_rows),
        cmocka_unit_test(archive_by_rows),
        cmocka_unit_test(refused_and_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
