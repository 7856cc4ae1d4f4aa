/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_golden_ops.c -- every operation of every backend against PyTorch: outputs, and
 * the gradients of inputs and parameters for a given gradient of the output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nn/ops.h"
#include "support/golden.h"

static vq_context *ctx;

static int open_context(void **state)
{
    (void)state;
    return vq_context_create(NULL, &ctx) == VQ_OK ? 0 : -1;
}

static int close_context(void **state)
{
    (void)state;
    vq_context_destroy(ctx);
    return 0;
}

static void load_param(const golden *file, int number, const golden_rig *rig, const char *suffix)
{
    float *to = golden_rig_param(rig, suffix);
    const vq_array *from = golden_find(file, "case%d.%s", number, suffix);
    assert_int_equal(to != NULL, from != NULL);
    if (to) memcpy(to, from->data, vq_shape_count(&from->shape) * sizeof *to);
}

static void compare_param(const golden *file, int number, const golden_rig *rig, const char *suffix)
{
    if (golden_rig_param(rig, suffix))
        golden_compare(file, golden_get(file, "case%d.d%s", number, suffix),
                       golden_rig_gradient(rig, suffix));
}

static bool same_shape(const vq_shape *a, const vq_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

/* Runs one case: inputs `in`, whose gradients have a "d" before their names. */
static void run_case(const golden *file, int number, const vq_backend *backend, const vq_op *op,
                     const void *attrs, const char *const *in, int n_in)
{
    golden_rig rig;
    vq_desc desc;
    golden_rig_config config = {.backend = backend,
                                .op = op,
                                .attrs = attrs,
                                .n_in = n_in,
                                .upstream = golden_get(file, "case%d.dy", number)};
    for (int i = 0; i < n_in; i++) config.in[i] = golden_get(file, "case%d.%s", number, in[i]);
    golden_rig_open(&rig, ctx, &config);
    load_param(file, number, &rig, "weight");
    load_param(file, number, &rig, "bias");
    must(ctx, vq_plan_forward(rig.plan));
    const vq_array *y = golden_get(file, "case%d.y", number);
    const float *got = vq_plan_data(rig.plan, rig.out[0], &desc);
    assert_true(same_shape(&desc.shape, &y->shape));
    golden_compare(file, y, got);
    must(ctx, vq_plan_backward(rig.plan));
    for (int i = 0; i < n_in; i++)
        golden_compare(file, golden_get(file, "case%d.d%s", number, in[i]),
                       vq_plan_gradient(rig.plan, rig.in[i]));
    compare_param(file, number, &rig, "weight");
    compare_param(file, number, &rig, "bias");
    golden_rig_close(&rig);
}

static vq_conv_attrs conv_attrs(const golden *file, int number)
{
    const int32_t *a = golden_get(file, "case%d.attrs", number)->data;
    return (vq_conv_attrs){.in = a[0],
                           .out = a[1],
                           .kernel = {a[2], a[3]},
                           .stride = {a[4], a[5]},
                           .pad = {a[6], a[7], a[8], a[9]},
                           .bias = golden_find(file, "case%d.bias", number) != NULL};
}

/* All cases of a file on all backends; returns how many cases there are. */
static int run_file(const char *name, const vq_op *op, const char *const *in, int n_in)
{
    golden file;
    int number = 0;
    golden_open(&file, ctx, name);
    for (; golden_find(&file, "case%d.dy", number); number++)
        for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
            vq_conv_attrs attrs = {0};
            if (op->attrs_size) attrs = conv_attrs(&file, number);
            run_case(&file, number, *backend, op, op->attrs_size ? &attrs : NULL, in, n_in);
        }
    golden_close(&file);
    return number;
}

static void test_conv2d(void **state)
{
    (void)state;
    assert_int_equal(run_file("conv2d", &vq_op_conv2d, (const char *const[]){"x"}, 1), 8);
}

static void test_conv_transpose2d(void **state)
{
    (void)state;
    assert_int_equal(
        run_file("conv_transpose2d", &vq_op_conv_transpose2d, (const char *const[]){"x"}, 1), 7);
}

static void test_relu(void **state)
{
    (void)state;
    assert_int_equal(run_file("relu", &vq_op_relu, (const char *const[]){"x"}, 1), 5);
}

static void test_add(void **state)
{
    (void)state;
    assert_int_equal(run_file("add", &vq_op_add, (const char *const[]){"a", "b"}, 2), 5);
}

static void test_concat(void **state)
{
    static const char *const names[] = {"x0", "x1", "x2", "x3"};
    golden file;
    int number = 0;
    (void)state;
    golden_open(&file, ctx, "concat");
    for (; golden_find(&file, "case%d.dy", number); number++) {
        int n_in = 0;
        while (n_in < 4 && golden_find(&file, "case%d.%s", number, names[n_in])) n_in++;
        for (const vq_backend *const *backend = golden_backends(); *backend; backend++)
            run_case(&file, number, *backend, &vq_op_concat, NULL, names, n_in);
    }
    assert_int_equal(number, 5);
    golden_close(&file);
}

static void run_mse(const golden *file, int number, const vq_backend *backend)
{
    golden_rig rig;
    const double *weight = golden_get(file, "case%d.weight", number)->data;
    const double *mse = golden_get(file, "case%d.mse", number)->data;
    const vq_mse_attrs attrs = {.weight = *weight};
    const golden_rig_config config = {.backend = backend,
                                      .op = &vq_op_mse,
                                      .attrs = &attrs,
                                      .n_in = 2,
                                      .in = {golden_get(file, "case%d.x", number),
                                             golden_get(file, "case%d.target", number)}};
    golden_rig_open(&rig, ctx, &config);
    must(ctx, vq_plan_forward(rig.plan));
    golden_compare_number(file, "mse", *mse, vq_plan_term(rig.plan, 0));
    golden_compare_number(file, "loss", *weight * *mse, vq_plan_loss(rig.plan));
    must(ctx, vq_plan_backward(rig.plan));
    golden_compare(file, golden_get(file, "case%d.dx", number),
                   vq_plan_gradient(rig.plan, rig.in[0]));
    golden_rig_close(&rig);
}

static void test_mse(void **state)
{
    golden file;
    int number = 0;
    (void)state;
    golden_open(&file, ctx, "mse");
    for (; golden_find(&file, "case%d.x", number); number++)
        for (const vq_backend *const *backend = golden_backends(); *backend; backend++)
            run_mse(&file, number, *backend);
    assert_int_equal(number, 5);
    golden_close(&file);
}

static void run_pixels(const golden *file, int number, const vq_backend *backend)
{
    golden_rig rig;
    const golden_rig_config config = {.backend = backend,
                                      .op = &vq_op_pixels,
                                      .n_in = 1,
                                      .in = {golden_get(file, "case%d.x", number)},
                                      .inference = true};
    golden_rig_open(&rig, ctx, &config);
    must(ctx, vq_plan_forward(rig.plan));
    golden_compare(file, golden_get(file, "case%d.y", number),
                   vq_plan_data(rig.plan, rig.out[0], NULL));
    golden_rig_close(&rig);
}

static void test_pixels(void **state)
{
    golden file;
    int number = 0;
    (void)state;
    golden_open(&file, ctx, "pixels");
    for (; golden_find(&file, "case%d.x", number); number++)
        for (const vq_backend *const *backend = golden_backends(); *backend; backend++)
            run_pixels(&file, number, *backend);
    assert_int_equal(number, 5);
    golden_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv2d), cmocka_unit_test(test_conv_transpose2d),
        cmocka_unit_test(test_relu),   cmocka_unit_test(test_add),
        cmocka_unit_test(test_concat), cmocka_unit_test(test_mse),
        cmocka_unit_test(test_pixels),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
