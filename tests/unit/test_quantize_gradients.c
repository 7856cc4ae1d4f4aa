/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_quantize_gradients.c -- the quantisers' backward, in double. The terms are
 * checked by central differences (no code changes its rows within a step), the straight-through
 * part, which is an estimator, against its formula. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "nn/ops.h"
#include "nn/plan.h"
#include "quantize/quantize.h"

enum { IMAGES = 2, SIDE = 3, CODES = 5, DIM = 3, N = IMAGES * SIDE * SIDE, COUNT = N * DIM };

static const double commitment = 0.25, codebook_weight = 0.6, mse_weight = 1.7, step = 1e-5;

typedef struct rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    vq_value z, target, out[2];
    double *trained, *state;
    double *codebook; /* in one of them */
} rig;

static void must(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static void fill(double *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = (double)vq_random_normal(&random);
}

/* z -> quantiser -> mean squared error; with `shared`, z is added to q before the error, so
 * that the quantiser adds to a gradient that is already there. */
static void build(rig *r, const vq_op *op, double commit, double mse_share, bool shared)
{
    vq_context *ctx = r->ctx;
    const vq_quantize_attrs attrs = {.codes = CODES,
                                     .dim = DIM,
                                     .commitment = commit,
                                     .codebook = codebook_weight,
                                     .decay = 0.9,
                                     .epsilon = 1e-5};
    const vq_mse_attrs mse = {.weight = mse_share};
    must(ctx, vq_graph_create(ctx, &r->graph));
    must(ctx, vq_graph_input(ctx, r->graph, "z", &r->z));
    must(ctx, vq_graph_input(ctx, r->graph, "target", &r->target));
    must(ctx, vq_graph_add(ctx, r->graph, op, "quantizer", &attrs, &r->z, 1, r->out));
    vq_value ends[2] = {r->out[0], r->target};
    const vq_value summands[2] = {r->out[0], r->z};
    if (shared)
        must(ctx, vq_graph_add(ctx, r->graph, &vq_op_add, "sum", NULL, summands, 2, &ends[0]));
    must(ctx, vq_graph_add(ctx, r->graph, &vq_op_mse, "mse", &mse, ends, 2, NULL));
}

static void open_rig(rig *r, const vq_op *op, double commit, double mse_share, bool shared)
{
    *r = (rig){0};
    assert_int_equal(vq_context_create(NULL, &r->ctx), VQ_OK);
    build(r, op, commit, mse_share, shared);
    const vq_desc desc = {VQ_F64, {4, {IMAGES, SIDE, SIDE, DIM}}};
    const vq_feed feeds[2] = {{r->z, desc, true}, {r->target, desc, false}};
    const vq_plan_config config = {.precision = VQ_PRECISION_F64,
                                   .training = true,
                                   .feeds = feeds,
                                   .n_feeds = 2,
                                   .wants = r->out,
                                   .n_wants = 2};
    must(r->ctx, vq_plan_create(r->ctx, r->graph, &config, &r->plan));
    must(r->ctx, VQ_NEW(r->ctx, r->graph->trained_count, &r->trained));
    must(r->ctx, VQ_NEW(r->ctx, r->graph->state_count, &r->state));
    vq_plan_bind(r->plan, r->trained, r->state);
    r->codebook = op == &vq_op_quantize_gradient ? r->trained : r->state;
    fill(r->codebook, CODES * DIM, 0);
    fill(vq_plan_data(r->plan, r->z, NULL), COUNT, 1);
    fill(vq_plan_data(r->plan, r->target, NULL), COUNT, 2);
    must(r->ctx, vq_plan_forward(r->plan));
    must(r->ctx, vq_plan_backward(r->plan));
}

static void close_rig(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->ctx, r->graph);
    vq_release(r->ctx, r->trained);
    vq_release(r->ctx, r->state);
    vq_context_destroy(r->ctx);
}

static void near(const char *what, size_t i, double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-9 + 1e-7 * fabs(expected)))
        fail_msg("%s[%zu] is %.12g, expected %.12g", what, i, got, expected);
}

static const vq_op *const ops[] = {&vq_op_quantize_ema, &vq_op_quantize_gradient};

/* dz = dq + commitment * 2 (z - q) / (n D), and what reaches z beside the quantiser. */
static void test_straight_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const bool shared = i / 2;
        rig r;
        open_rig(&r, ops[i % 2], commitment, mse_weight, shared);
        const double *z = vq_plan_data(r.plan, r.z, NULL);
        const double *target = vq_plan_data(r.plan, r.target, NULL);
        const double *q = vq_plan_data(r.plan, r.out[0], NULL);
        const double *dz = vq_plan_gradient(r.plan, r.z);
        for (size_t k = 0; k < COUNT; k++) {
            const double end = q[k] + (shared ? z[k] : 0.0);
            const double dq = mse_weight * 2.0 * (end - target[k]) / COUNT;
            near("dz", k, dz[k],
                 (shared ? 2.0 * dq : dq) + commitment * 2.0 * (z[k] - q[k]) / COUNT);
        }
        close_rig(&r);
    }
}

static double term_with(rig *r, int term, double *number, double value)
{
    const double before = *number;
    *number = value;
    must(r->ctx, vq_plan_forward(r->plan));
    *number = before;
    return vq_plan_term(r->plan, term);
}

static double slope(rig *r, int term, double *number)
{
    const double x = *number;
    return (term_with(r, term, number, x + step) - term_with(r, term, number, x - step)) /
           (2.0 * step);
}

/* The commitment alone: nothing comes through q. */
static void test_commitment(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        rig r;
        double dz[COUNT];
        open_rig(&r, ops[i], commitment, 0.0, false);
        memcpy(dz, vq_plan_gradient(r.plan, r.z), sizeof dz);
        double *z = vq_plan_data(r.plan, r.z, NULL);
        for (size_t k = 0; k < COUNT; k++) near("dz", k, dz[k], commitment * slope(&r, 0, &z[k]));
        close_rig(&r);
    }
}

/* The codebook's term moves the codebook, neither the commitment nor the error behind q does. */
static void test_codebook(void **state)
{
    (void)state;
    rig r;
    double gradient[CODES * DIM];
    open_rig(&r, &vq_op_quantize_gradient, commitment, mse_weight, false);
    memcpy(gradient, vq_plan_reduction(r.plan, NULL), sizeof gradient);
    for (size_t k = 0; k < CODES * DIM; k++)
        near("d codebook", k, gradient[k], codebook_weight * slope(&r, 1, &r.codebook[k]));
    close_rig(&r);
}

/* 2 (n_k e_k - S_k) / (n D), which is 0 for codes that nobody chose. */
static void test_codebook_formula(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, &vq_op_quantize_gradient, commitment, mse_weight, false);
    const double *z = vq_plan_data(r.plan, r.z, NULL);
    const int32_t *codes = vq_plan_data(r.plan, r.out[1], NULL);
    const double *gradient = vq_plan_reduction(r.plan, NULL);
    for (size_t k = 0; k < CODES; k++)
        for (size_t d = 0; d < DIM; d++) {
            double count = 0.0, sum = 0.0;
            for (size_t i = 0; i < N; i++)
                if (codes[i] == (int32_t)k) {
                    count += 1.0;
                    sum += z[i * DIM + d];
                }
            near("d codebook", k * DIM + d, gradient[k * DIM + d],
                 codebook_weight * 2.0 * (count * r.codebook[k * DIM + d] - sum) / COUNT);
        }
    close_rig(&r);
}

/* In double too the first of equal codes is chosen. */
static void test_ties(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, &vq_op_quantize_ema, commitment, mse_weight, false);
    for (size_t k = 0; k < CODES * DIM; k++) r.codebook[k] = k < DIM ? 50.0 : 0.5;
    must(r.ctx, vq_plan_forward(r.plan));
    const int32_t *codes = vq_plan_data(r.plan, r.out[1], NULL);
    for (size_t i = 0; i < N; i++) assert_int_equal(codes[i], 1);
    close_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straight_through),
        cmocka_unit_test(test_commitment),
        cmocka_unit_test(test_codebook),
        cmocka_unit_test(test_codebook_formula),
        cmocka_unit_test(test_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
