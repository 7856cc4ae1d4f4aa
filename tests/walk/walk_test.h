/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/walk_test.h -- what the tests of the walk share. Each includes one program of
 * examples/walk whole, its main renamed, and tests the functions that the page shows. */
#ifndef VQ_TESTS_WALK_TEST_H
#define VQ_TESTS_WALK_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/golden.h"

#define main example_main
int example_main(void);

/* Compares doubles with the golden array of that name. */
static inline void walk_compare(const golden *file, const char *name, size_t first, size_t count,
                                const double *got)
{
    const vq_array *array = golden_get(file, "%s", name);
    const float *expected = array->data;
    assert_int_equal(array->dtype, VQ_F32);
    assert_true(first + count <= vq_shape_count(&array->shape));
    for (size_t i = 0; i < count; i++)
        golden_compare_number(file, name, (double)expected[first + i], got[i]);
}

/* Compares codes, which are equal or not. */
static inline void walk_compare_codes(const golden *file, const char *name, size_t first,
                                      size_t count, const uint32_t *got)
{
    const vq_array *array = golden_get(file, "%s", name);
    const int32_t *expected = array->data;
    assert_int_equal(array->dtype, VQ_I32);
    assert_true(first + count <= vq_shape_count(&array->shape));
    for (size_t i = 0; i < count; i++) assert_int_equal(got[i], expected[first + i]);
}

/* Opens a golden file of the walk with a context of its own. */
static inline void walk_open(golden *file, const char *name)
{
    vq_context *ctx;
    assert_int_equal(vq_context_create(NULL, &ctx), VQ_OK);
    golden_open(file, ctx, name);
}

static inline void walk_close(golden *file)
{
    vq_context *ctx = file->ctx;
    golden_close(file);
    vq_context_destroy(ctx);
}

#endif
