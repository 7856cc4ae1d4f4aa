/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_golden_quantize.c -- twenty training steps of each quantiser against PyTorch:
 * codes, vectors, losses, gradients, and the codebook after every step. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "quantize/quantize.h"
#include "support/golden.h"

enum { STEPS = 20, CODES = 16, DIM = 4, ROWS = 64 };

/* As in golden_quantize.py. */
static const double commitment = 0.25, codebook_weight = 1.0, learning_rate = 1e-2;

static vq_context *ctx;
static golden input; /* z of all steps, and the gradient of the output */

/* A step's part of an array that holds all steps along its first axis. */
static vq_array step_of(const vq_array *all, int step)
{
    vq_array one = *all;
    one.shape.rank--;
    memmove(one.shape.dim, one.shape.dim + 1, (size_t)one.shape.rank * sizeof *one.shape.dim);
    one.data = (unsigned char *)all->data +
               (size_t)step * vq_shape_count(&one.shape) * vq_dtype_size(one.dtype);
    return one;
}

static void open_rig(golden_rig *rig, const vq_backend *backend, const vq_op *op,
                     const vq_quantize_attrs *attrs)
{
    const vq_array z = step_of(golden_get(&input, "z"), 0);
    const golden_rig_config config = {.backend = backend,
                                      .op = op,
                                      .attrs = attrs,
                                      .n_in = 1,
                                      .in = {&z},
                                      .upstream = golden_get(&input, "dq")};
    golden_rig_open(rig, ctx, &config);
}

static double term_named(const golden_rig *rig, const char *name)
{
    for (int t = 0; t < rig->graph->n_terms; t++)
        if (strcmp(rig->graph->terms[t].name, name) == 0) return vq_plan_term(rig->plan, t);
    fail_msg("the graph has no term %s", name);
    return 0.0;
}

static void compare_codes(const golden *file, const golden_rig *rig, int step)
{
    const vq_array expected = step_of(golden_get(file, "codes"), step);
    const int32_t *wanted = expected.data;
    vq_desc desc;
    const int32_t *got = vq_plan_data(rig->plan, rig->out[1], &desc);
    assert_int_equal(desc.dtype, VQ_I32);
    assert_int_equal(vq_shape_count(&desc.shape), ROWS);
    /* The script saw to it that no code is chosen by less than rounding errors. */
    for (int i = 0; i < ROWS; i++)
        if (got[i] != wanted[i])
            fail_msg("%s: step %d, row %d: code %d, PyTorch has %d", file->name, step, i,
                     (int)got[i], (int)wanted[i]);
}

/* Forward and backward on the data of one step; everything that both quantisers share. */
static void run_step(const golden *file, golden_rig *rig, int step)
{
    const vq_array z = step_of(golden_get(&input, "z"), step);
    memcpy(vq_plan_data(rig->plan, rig->in[0], NULL), z.data, ROWS * DIM * sizeof(float));
    must(ctx, vq_plan_forward(rig->plan));
    compare_codes(file, rig, step);
    const float *commit = golden_get(file, "commitment")->data;
    golden_compare_number(file, "commitment", (double)commit[step],
                          term_named(rig, "node.commitment"));
    must(ctx, vq_plan_backward(rig->plan));
    golden_compare_row(file, golden_get(file, "dz"), (size_t)step,
                       vq_plan_gradient(rig->plan, rig->in[0]));
}

static void load_codebook(const golden *file, golden_rig *rig)
{
    float *codebook = golden_rig_param(rig, "codebook");
    assert_non_null(codebook);
    memcpy(codebook, golden_get(file, "codebook0")->data, CODES * DIM * sizeof *codebook);
}

static void run_ema(const golden *file, const vq_backend *backend, vq_ema_start start)
{
    const vq_quantize_attrs attrs = {.codes = CODES,
                                     .dim = DIM,
                                     .commitment = commitment,
                                     .decay = 0.99,
                                     .epsilon = 1e-5,
                                     .start = start};
    golden_rig rig;
    open_rig(&rig, backend, &vq_op_quantize_ema, &attrs);
    load_codebook(file, &rig);
    float *counts = golden_rig_param(&rig, "counts"), *sums = golden_rig_param(&rig, "sums");
    for (int k = 0; k < CODES; k++) counts[k] = start == VQ_EMA_ONE ? 1.0f : 0.0f;
    if (start != VQ_EMA_DEBIAS)
        memcpy(sums, golden_get(file, "codebook0")->data, CODES * DIM * sizeof *sums);
    for (int step = 0; step < STEPS; step++) {
        run_step(file, &rig, step);
        golden_compare_row(file, golden_get(file, "q"), (size_t)step,
                           vq_plan_data(rig.plan, rig.out[0], NULL));
        must(ctx, vq_plan_update(rig.plan, rig.state, step + 1));
        golden_compare_row(file, golden_get(file, "codebook"), (size_t)step,
                           golden_rig_param(&rig, "codebook"));
        golden_compare_row(file, golden_get(file, "counts"), (size_t)step, counts);
        golden_compare_row(file, golden_get(file, "sums"), (size_t)step, sums);
    }
    golden_rig_close(&rig);
}

static void ema(const char *name, vq_ema_start start)
{
    golden file;
    golden_open(&file, ctx, name);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++)
        run_ema(&file, *backend, start);
    golden_close(&file);
}

static void test_ema_one(void **state)
{
    (void)state;
    ema("quantize_ema_one", VQ_EMA_ONE);
}

static void test_ema_zero(void **state)
{
    (void)state;
    ema("quantize_ema_zero", VQ_EMA_ZERO);
}

static void test_ema_debias(void **state)
{
    (void)state;
    ema("quantize_ema_debias", VQ_EMA_DEBIAS);
}

static vq_adam_step adam_at(int step)
{
    const double b1 = 0.9, b2 = 0.999;
    return (vq_adam_step){.rate = (float)(learning_rate / (1.0 - pow(b1, step))),
                          .decay1 = (float)b1,
                          .decay2 = (float)b2,
                          .correction2 = (float)(1.0 / sqrt(1.0 - pow(b2, step))),
                          .epsilon = 1e-8f,
                          .weight_decay = 1.0f,
                          .scale = 1.0f};
}

static void run_gradient(const golden *file, const vq_backend *backend)
{
    const vq_quantize_attrs attrs = {
        .codes = CODES, .dim = DIM, .commitment = commitment, .codebook = codebook_weight};
    float moment1[CODES * DIM] = {0}, moment2[CODES * DIM] = {0};
    golden_rig rig;
    open_rig(&rig, backend, &vq_op_quantize_gradient, &attrs);
    load_codebook(file, &rig);
    for (int step = 0; step < STEPS; step++) {
        const vq_adam_step adam = adam_at(step + 1);
        float *codebook = golden_rig_param(&rig, "codebook");
        run_step(file, &rig, step);
        golden_compare_number(file, "the codebook term", term_named(&rig, "node.commitment"),
                              term_named(&rig, "node.codebook"));
        const float *gradient = golden_rig_gradient(&rig, "codebook");
        golden_compare_row(file, golden_get(file, "dcodebook"), (size_t)step, gradient);
        vq_kernels_of(ctx)->adam(CODES * DIM, &adam, codebook, gradient, moment1, moment2, NULL);
        golden_compare_row(file, golden_get(file, "codebook"), (size_t)step, codebook);
    }
    golden_rig_close(&rig);
}

static void test_gradient(void **state)
{
    golden file;
    (void)state;
    golden_open(&file, ctx, "quantize_gradient");
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++)
        run_gradient(&file, *backend);
    golden_close(&file);
}

static int open_all(void **state)
{
    (void)state;
    if (vq_context_create(NULL, &ctx) != VQ_OK) return -1;
    golden_open(&input, ctx, "quantize_input");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    golden_close(&input);
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ema_one),
        cmocka_unit_test(test_ema_zero),
        cmocka_unit_test(test_ema_debias),
        cmocka_unit_test(test_gradient),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
