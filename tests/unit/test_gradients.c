/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_gradients.c -- every operation's backward against central differences, in
 * double, by way of small graphs that end in a mean squared error.
 *
 * The loss is at most quadratic in each number but for ReLU's kinks, so central differences are
 * exact up to rounding: about 2^-52 / STEP relative to a loss near 1. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "nn/ops.h"
#include "nn/plan.h"

#define STEP 1e-5
#define ABSOLUTE 1e-9
#define RELATIVE 1e-7

enum { INPUTS = 3, SAMPLES = 97 }; /* numbers tried in each array, at most */

typedef struct net {
    vq_context *ctx;
    vq_graph *graph;
    vq_value in[INPUTS], target;
} net;

typedef struct example {
    const char *name;
    vq_value (*build)(net *n, const void *attrs); /* gives the value to compare */
    vq_conv_attrs conv;
    vq_shape in[INPUTS]; /* rank 0: no such input */
} example;

typedef struct rig {
    net net;
    vq_plan *plan;
    double *trained, *state;
} rig;

static void must(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static vq_value put(net *n, const vq_op *op, const char *name, const void *attrs,
                    const vq_value *in, int n_in)
{
    vq_value out[VQ_MAX_OUT] = {-1, -1};
    must(n->ctx, vq_graph_add(n->ctx, n->graph, op, name, attrs, in, n_in, out));
    return out[0];
}

/* ---- the graphs ---------------------------------------------------------------- */

static vq_value build_conv(net *n, const void *attrs)
{
    return put(n, &vq_op_conv2d, "conv", attrs, n->in, 1);
}

static vq_value build_transpose(net *n, const void *attrs)
{
    return put(n, &vq_op_conv_transpose2d, "conv", attrs, n->in, 1);
}

static vq_value build_relu(net *n, const void *attrs)
{
    (void)attrs;
    return put(n, &vq_op_relu, "relu", NULL, n->in, 1);
}

static vq_value build_add(net *n, const void *attrs)
{
    (void)attrs;
    return put(n, &vq_op_add, "add", NULL, n->in, 2);
}

static vq_value build_concat(net *n, const void *attrs)
{
    (void)attrs;
    return put(n, &vq_op_concat, "concat", NULL, n->in, 3);
}

/* The value itself: mse alone. */
static vq_value build_nothing(net *n, const void *attrs)
{
    (void)attrs;
    return n->in[0];
}

/* x + x, whose two gradients meet in one place. */
static vq_value build_double(net *n, const void *attrs)
{
    (void)attrs;
    const vq_value twice[2] = {n->in[0], n->in[0]};
    return put(n, &vq_op_add, "add", NULL, twice, 2);
}

static vq_value build_concat_twice(net *n, const void *attrs)
{
    (void)attrs;
    const vq_value twice[2] = {n->in[0], n->in[0]};
    return put(n, &vq_op_concat, "concat", NULL, twice, 2);
}

/* Two errors, the first of which runs backward last and finds a gradient to add to. */
static vq_value build_two_errors(net *n, const void *attrs)
{
    (void)attrs;
    const vq_mse_attrs mse = {.weight = 0.3};
    const vq_value ends[2] = {n->in[0], n->target};
    (void)put(n, &vq_op_mse, "early", &mse, ends, 2);
    return put(n, &vq_op_relu, "relu", NULL, n->in, 1);
}

/* x + conv(relu(x)), relu'd. */
static vq_value build_residual(net *n, const void *attrs)
{
    vq_value sum[2] = {put(n, &vq_op_relu, "relu", NULL, n->in, 1), n->in[0]};
    sum[0] = put(n, &vq_op_conv2d, "conv", attrs, sum, 1);
    const vq_value out = put(n, &vq_op_add, "add", NULL, sum, 2);
    return put(n, &vq_op_relu, "last", NULL, &out, 1);
}

/* One value read by every kind of operation: each adds to its gradient. */
static vq_value build_fan_out(net *n, const void *attrs)
{
    const vq_value x = put(n, &vq_op_conv2d, "first", attrs, n->in, 1);
    vq_value parts[5] = {x};
    parts[1] = put(n, &vq_op_relu, "relu", NULL, &x, 1);
    parts[2] = put(n, &vq_op_conv2d, "conv", attrs, &x, 1);
    parts[3] = put(n, &vq_op_conv_transpose2d, "transpose", attrs, &x, 1);
    const vq_value twice[2] = {x, parts[1]};
    parts[4] = put(n, &vq_op_add, "add", NULL, twice, 2);
    return put(n, &vq_op_concat, "concat", NULL, parts, 5);
}

/* 1x1, strided, both ways: the path without columns accumulates too. */
static vq_value build_down_up(net *n, const void *attrs)
{
    const vq_conv_attrs *a = attrs;
    vq_conv_attrs one = {.in = a->out, .out = a->out, .kernel = {1, 1}, .stride = {1, 1}};
    vq_conv_attrs back = *a;
    back.in = a->out;
    back.out = a->in;
    const vq_value low = put(n, &vq_op_conv2d, "down", a, n->in, 1);
    vq_value sum[2] = {low, put(n, &vq_op_conv2d, "one", &one, &low, 1)};
    sum[1] = put(n, &vq_op_conv_transpose2d, "one_back", &one, &sum[1], 1);
    const vq_value mixed = put(n, &vq_op_add, "add", NULL, sum, 2);
    return put(n, &vq_op_conv_transpose2d, "up", &back, &mixed, 1);
}

static const example examples[] = {
    {"mse", build_nothing, .in = {{4, {2, 3, 4, 5}}}},
    {"mse of vectors", build_nothing, .in = {{2, {7, 3}}}},
    {"relu", build_relu, .in = {{4, {2, 3, 4, 5}}}},
    {"add", build_add, .in = {{4, {1, 3, 4, 5}}, {4, {1, 3, 4, 5}}}},
    {"add to itself", build_double, .in = {{3, {3, 4, 5}}}},
    {"two errors", build_two_errors, .in = {{2, {7, 3}}}},
    {"concat with itself", build_concat_twice, .in = {{2, {7, 3}}}},
    {"concat", build_concat, .in = {{4, {2, 3, 2, 1}}, {4, {2, 3, 2, 4}}, {4, {2, 3, 2, 3}}}},
    {"concat of vectors", build_concat, .in = {{2, {3, 2}}, {2, {3, 1}}, {2, {3, 5}}}},
    {"conv 1x1", build_conv, {3, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, true}, {{4, {2, 3, 4, 3}}}},
    {"conv 1x1 stride 2",
     build_conv,
     {3, 2, {1, 1}, {2, 2}, {0, 0, 0, 0}, true},
     {{4, {2, 5, 4, 3}}}},
    {"conv 1x1 padded",
     build_conv,
     {2, 3, {1, 1}, {1, 1}, {1, 0, 0, 2}, true},
     {{4, {1, 3, 4, 2}}}},
    {"conv 3x3 pad 1", build_conv, {3, 4, {3, 3}, {1, 1}, {1, 1, 1, 1}, true}, {{4, {2, 5, 4, 3}}}},
    {"conv 3x3 no bias",
     build_conv,
     {1, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, false},
     {{4, {3, 4, 6, 1}}}},
    {"conv 4x4 stride 2",
     build_conv,
     {3, 5, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     {{4, {2, 8, 6, 3}}}},
    {"conv 2x3 uneven",
     build_conv,
     {2, 3, {2, 3}, {2, 1}, {0, 1, 2, 0}, true},
     {{4, {2, 5, 7, 2}}}},
    {"conv stride past kernel",
     build_conv,
     {2, 2, {2, 2}, {3, 4}, {0, 1, 1, 0}, true},
     {{4, {1, 9, 8, 2}}}},
    {"conv of padding alone",
     build_conv,
     {1, 2, {2, 2}, {2, 2}, {2, 3, 3, 2}, true},
     {{4, {1, 1, 2, 1}}}},
    {"conv kernel past image",
     build_conv,
     {1, 2, {5, 5}, {1, 1}, {2, 2, 2, 2}, true},
     {{4, {2, 2, 1, 1}}}},
    {"transpose 1x1",
     build_transpose,
     {3, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, true},
     {{4, {2, 3, 4, 3}}}},
    {"transpose 4x4 stride 2",
     build_transpose,
     {3, 2, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     {{4, {2, 4, 3, 3}}}},
    {"transpose 3x3 pad 1",
     build_transpose,
     {2, 4, {3, 3}, {1, 1}, {1, 1, 1, 1}, true},
     {{4, {1, 5, 4, 2}}}},
    {"transpose 3x2 uneven",
     build_transpose,
     {2, 3, {3, 2}, {2, 1}, {0, 1, 2, 0}, true},
     {{4, {2, 3, 5, 2}}}},
    {"transpose with gaps",
     build_transpose,
     {2, 1, {2, 2}, {3, 4}, {0, 0, 0, 0}, false},
     {{4, {1, 3, 2, 2}}}},
    {"residual block",
     build_residual,
     {3, 3, {3, 3}, {1, 1}, {1, 1, 1, 1}, true},
     {{4, {2, 4, 4, 3}}}},
    {"fan-out", build_fan_out, {3, 3, {3, 3}, {1, 1}, {1, 1, 1, 1}, true}, {{4, {2, 3, 4, 3}}}},
    {"down and up", build_down_up, {3, 4, {4, 4}, {2, 2}, {1, 1, 1, 1}, true}, {{4, {2, 4, 6, 3}}}},
};

/* ---- the driver ---------------------------------------------------------------- */

static void fill(double *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(7, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = 2.0 * (double)vq_random_uniform(&random) - 1.0;
}

static int feeds_of(const rig *r, const example *e, vq_feed *feeds)
{
    int n = 0;
    for (; n < INPUTS && e->in[n].rank; n++)
        feeds[n] = (vq_feed){.value = r->net.in[n],
                             .desc = {.dtype = VQ_F64, .shape = e->in[n]},
                             .wants_gradient = true};
    return n;
}

/* Shape of a value, told by a plan for use. */
static vq_desc shape_of(const rig *r, const example *e, vq_value value)
{
    vq_feed feeds[INPUTS];
    const vq_plan_config config = {.precision = VQ_PRECISION_F64,
                                   .feeds = feeds,
                                   .n_feeds = feeds_of(r, e, feeds),
                                   .wants = &value,
                                   .n_wants = 1};
    vq_plan *plan = NULL;
    vq_desc desc;
    must(r->net.ctx, vq_plan_create(r->net.ctx, r->net.graph, &config, &plan));
    (void)vq_plan_data(plan, value, &desc);
    vq_plan_destroy(plan);
    return desc;
}

static void new_numbers(rig *r)
{
    vq_context *ctx = r->net.ctx;
    must(ctx, VQ_NEW(ctx, r->net.graph->trained_count, &r->trained));
    must(ctx, VQ_NEW(ctx, r->net.graph->state_count, &r->state));
    fill(r->trained, r->net.graph->trained_count, 100);
    fill(r->state, r->net.graph->state_count, 101);
    vq_plan_bind(r->plan, r->trained, r->state);
}

static void open_rig(rig *r, const example *e)
{
    vq_context_config context;
    *r = (rig){0};
    vq_context_config_default(&context);
    context.threads = 2;
    assert_int_equal(vq_context_create(&context, &r->net.ctx), VQ_OK);
    vq_context *ctx = r->net.ctx;
    must(ctx, vq_graph_create(ctx, &r->net.graph));
    for (int i = 0; i < INPUTS && e->in[i].rank; i++) {
        const char *const names[INPUTS] = {"a", "b", "c"};
        must(ctx, vq_graph_input(ctx, r->net.graph, names[i], &r->net.in[i]));
    }
    must(ctx, vq_graph_input(ctx, r->net.graph, "target", &r->net.target));
    const vq_value ends[2] = {e->build(&r->net, &e->conv), r->net.target};
    const vq_mse_attrs mse = {.weight = 0.7};
    (void)put(&r->net, &vq_op_mse, "loss", &mse, ends, 2);

    vq_feed feeds[INPUTS + 1];
    int n = feeds_of(r, e, feeds);
    feeds[n] = (vq_feed){.value = ends[1], .desc = shape_of(r, e, ends[0])};
    const vq_plan_config config = {
        .precision = VQ_PRECISION_F64, .training = true, .feeds = feeds, .n_feeds = n + 1};
    must(ctx, vq_plan_create(ctx, r->net.graph, &config, &r->plan));
    new_numbers(r);
    for (int i = 0; i <= n; i++)
        fill(vq_plan_data(r->plan, feeds[i].value, NULL), vq_shape_count(&feeds[i].desc.shape),
             (uint32_t)i);
}

static void close_rig(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->net.ctx, r->net.graph);
    vq_release(r->net.ctx, r->trained);
    vq_release(r->net.ctx, r->state);
    vq_context_destroy(r->net.ctx);
}

static double loss_with(rig *r, double *number, double value)
{
    const double before = *number;
    *number = value;
    must(r->net.ctx, vq_plan_forward(r->plan));
    *number = before;
    return vq_plan_loss(r->plan);
}

static void check_array(rig *r, const char *what, double *numbers, const double *gradient,
                        size_t count)
{
    const size_t step = 1 + count / SAMPLES;
    for (size_t i = 0; i < count; i += step) {
        const double x = numbers[i];
        const double slope =
            (loss_with(r, &numbers[i], x + STEP) - loss_with(r, &numbers[i], x - STEP)) /
            (2.0 * STEP);
        if (!(fabs(slope - gradient[i]) <= ABSOLUTE + RELATIVE * fabs(slope)))
            fail_msg("%s[%zu]: backward gives %.12g, differences give %.12g", what, i, gradient[i],
                     slope);
    }
}

/* Gradients are copied: forward may reuse their memory. */
static void check_copy(rig *r, const char *what, double *numbers, const double *gradient,
                       size_t count)
{
    double *copy = NULL;
    must(r->net.ctx, VQ_NEW(r->net.ctx, count, &copy));
    memcpy(copy, gradient, count * sizeof *copy);
    check_array(r, what, numbers, copy, count);
    vq_release(r->net.ctx, copy);
}

static void check_gradients(void **state)
{
    const example *e = *state;
    rig r;
    open_rig(&r, e);
    for (int i = 0; i < INPUTS && e->in[i].rank; i++) {
        must(r.net.ctx, vq_plan_forward(r.plan));
        must(r.net.ctx, vq_plan_backward(r.plan));
        char what[16];
        (void)snprintf(what, sizeof what, "input %d", i);
        check_copy(&r, what, vq_plan_data(r.plan, r.net.in[i], NULL),
                   vq_plan_gradient(r.plan, r.net.in[i]), vq_shape_count(&e->in[i]));
    }
    must(r.net.ctx, vq_plan_forward(r.plan));
    must(r.net.ctx, vq_plan_backward(r.plan));
    for (int p = 0; p < r.net.graph->n_params; p++) {
        const vq_param *param = &r.net.graph->params[p];
        const double *gradients = vq_plan_reduction(r.plan, NULL);
        check_copy(&r, param->name, r.trained + param->at, gradients + param->at, param->count);
    }
    close_rig(&r);
}

int main(void)
{
    enum { EXAMPLES = sizeof examples / sizeof *examples };
    struct CMUnitTest tests[EXAMPLES];
    for (size_t i = 0; i < EXAMPLES; i++)
        tests[i] = (struct CMUnitTest){.name = examples[i].name,
                                       .test_func = check_gradients,
                                       .initial_state = (void *)(uintptr_t)&examples[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
