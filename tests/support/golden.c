/* SPDX-License-Identifier: Apache-2.0
 * tests/support/golden.c -- golden files: reading, tolerances, comparing. */
#include "support/golden.h"
#include "nn/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nn/onednn/onednn.h"

/* Tests run in the root of the sources. */
#define FOLDER "tests/golden/"

enum { LINE_SIZE = 512, NAME_SIZE = 128 };

void must(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

/* Rows are: file, op, rtol, atol, derivation, sha256, with tabs between. */
static void read_tolerances(golden *file)
{
    char line[LINE_SIZE], name[NAME_SIZE];
    bool found = false;
    FILE *table = fopen(FOLDER "golden.tsv", "r");
    assert_non_null(table);
    while (!found && fgets(line, sizeof line, table))
        found = sscanf(line, "%127s %*s %lf %lf", name, &file->rtol, &file->atol) == 3 &&
                strcmp(name, file->name) == 0;
    (void)fclose(table);
    if (!found) fail_msg("golden.tsv has no row for %s", file->name);
}

void golden_open(golden *file, vq_context *ctx, const char *name)
{
    char path[NAME_SIZE];
    *file = (golden){.ctx = ctx, .name = name};
    read_tolerances(file);
    (void)snprintf(path, sizeof path, FOLDER "%s.safetensors", name);
    must(ctx, vq_safetensors_load(ctx, path, &file->archive));
}

void golden_close(golden *file)
{
    vq_archive_clear(file->ctx, &file->archive);
}

const vq_array *golden_find(const golden *file, const char *format, ...)
{
    char name[NAME_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return vq_archive_find(&file->archive, name);
}

const vq_array *golden_get(const golden *file, const char *format, ...)
{
    char name[NAME_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const vq_array *array = vq_archive_find(&file->archive, name);
    if (!array) fail_msg("%s has no array %s", file->name, name);
    return array;
}

/* Written so that a NaN is never close. */
static bool is_close(const golden *file, double expected, double got)
{
    return fabs(got - expected) <= file->atol + file->rtol * fabs(expected);
}

static void compare(const golden *file, const vq_array *expected, size_t first, size_t count,
                    const float *got)
{
    const float *numbers = (const float *)expected->data + first;
    assert_int_equal(expected->dtype, VQ_F32);
    assert_non_null(got);
    for (size_t i = 0; i < count; i++)
        if (!is_close(file, (double)numbers[i], (double)got[i]))
            fail_msg("%s: %s[%zu] is %.9g, PyTorch has %.9g; allowed: rtol %g, atol %g", file->name,
                     expected->name, first + i, (double)got[i], (double)numbers[i], file->rtol,
                     file->atol);
}

void golden_compare(const golden *file, const vq_array *expected, const float *got)
{
    compare(file, expected, 0, vq_shape_count(&expected->shape), got);
}

void golden_compare_row(const golden *file, const vq_array *expected, size_t row, const float *got)
{
    const size_t count = vq_shape_count(&expected->shape) / (size_t)expected->shape.dim[0];
    compare(file, expected, row * count, count, got);
}

void golden_compare_number(const golden *file, const char *what, double expected, double got)
{
    if (!is_close(file, expected, got))
        fail_msg("%s: %s is %.9g, PyTorch has %.9g; allowed: rtol %g, atol %g", file->name, what,
                 got, expected, file->rtol, file->atol);
}

const vq_backend *const *golden_backends(void)
{
    static const vq_backend *const backends[] = {
        &vq_backend_portable,
#ifdef VQ_HAVE_ONEDNN
        &vq_backend_onednn,
#endif
        NULL,
    };
    return backends;
}

static const vq_impl *find_unfolded(const vq_op *op)
{
    static vq_impl conv;
    if (op != &vq_op_conv2d) return op->portable_f32;
    conv = *op->portable_f32;
    conv.folds = 0;
    return &conv;
}

const vq_backend *golden_unfolded(void)
{
    static vq_backend backend;
    backend = vq_backend_portable;
    backend.find = find_unfolded;
    return &backend;
}
