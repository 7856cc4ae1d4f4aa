/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_plan_folds.c -- what a plan folds into its convolutions and who masks the
 * gradient behind a relu, against a plan whose convolutions fold nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "nn/ops.h"
#include "nn/plan_parts.h"
#include "support/fixture.h"
#include "support/golden.h"

/* ---- a graph with everything to fold ------------------------------------------------- */

enum { CHANNELS = 5, SIZE = 6, BATCH = 2, COUNT = BATCH * SIZE * SIZE * CHANNELS, MOST = 24 };

typedef struct net {
    vq_context *ctx;
    vq_graph *graph;
    vq_value x, upstream, y;
    float *trained;
} net;

static vq_value put(const net *n, const vq_op *op, const char *name, const void *attrs,
                    vq_value first, vq_value second)
{
    const vq_value in[2] = {first, second};
    vq_value out = -1;
    must(n->ctx, vq_graph_add(n->ctx, n->graph, op, name, attrs, in, second < 0 ? 1 : 2, &out));
    return out;
}

static vq_value conv(const net *n, const char *name, vq_value in)
{
    const vq_conv_attrs attrs = {.in = CHANNELS,
                                 .out = CHANNELS,
                                 .kernel = {3, 3},
                                 .stride = {1, 1},
                                 .pad = {1, 1, 1, 1},
                                 .bias = true};
    return put(n, &vq_op_conv2d, name, &attrs, in, -1);
}

static vq_value relu_of(const net *n, const char *name, vq_value in)
{
    return put(n, &vq_op_relu, name, NULL, in, -1);
}

/* x + second(relu(first(relu(x)))) */
static vq_value block(const net *n, const char *const names[5], vq_value x)
{
    const vq_value first = conv(n, names[1], relu_of(n, names[0], x));
    const vq_value second = conv(n, names[3], relu_of(n, names[2], first));
    return put(n, &vq_op_add, names[4], NULL, second, x);
}

static void fill(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(5, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = vq_random_uniform(&random) - 0.5f;
}

/* Two residual blocks after one another and a relu; then an edge behind a relu that two
 * convolutions read, and one that a sum of no convolution reads. */
static void net_open(net *n)
{
    static const char *const names[2][5] = {{"a0", "a1", "a2", "a3", "a4"},
                                            {"b0", "b1", "b2", "b3", "b4"}};
    *n = (net){.ctx = fixture_context()};
    must(n->ctx, vq_graph_create(n->ctx, &n->graph));
    must(n->ctx, vq_graph_input(n->ctx, n->graph, "x", &n->x));
    const vq_value root = conv(n, "root", n->x);
    const vq_value twice = block(n, names[1], block(n, names[0], root));
    const vq_value out = relu_of(n, "out", twice);
    const vq_value fork = relu_of(n, "fork", conv(n, "fork conv", out));
    const vq_value left = conv(n, "left", fork), right = relu_of(n, "right", conv(n, "rc", fork));
    const vq_value last = relu_of(n, "last", conv(n, "last conv", left));
    n->y = put(n, &vq_op_add, "y", NULL, last, right);
    must(n->ctx, vq_graph_input(n->ctx, n->graph, "upstream", &n->upstream));
    (void)put(n, &golden_probe, "probe", NULL, n->y, n->upstream);
    must(n->ctx, VQ_NEW(n->ctx, n->graph->trained_count, &n->trained));
    fill(n->trained, n->graph->trained_count, 1);
}

static void net_close(net *n)
{
    vq_release(n->ctx, n->trained);
    vq_graph_destroy(n->ctx, n->graph);
    vq_context_destroy(n->ctx);
}

/* Where `all` edges are wanted none is folded away. */
static vq_plan *plan_of(const net *n, const vq_backend *backend, bool training, bool all)
{
    const vq_desc desc = {.dtype = VQ_F32,
                          .shape = {.rank = 4, .dim = {BATCH, SIZE, SIZE, CHANNELS}}};
    const vq_feed feeds[2] = {{.value = n->x, .desc = desc, .wants_gradient = training},
                              {.value = n->upstream, .desc = desc}};
    vq_value wants[MOST];
    int n_wants = 0;
    assert_in_range(n->graph->n_values, 1, MOST);
    for (vq_value v = 0; v < n->graph->n_values; v++)
        if (v != n->x && v != n->upstream && (all || v == n->y)) wants[n_wants++] = v;
    const vq_plan_config config = {.backend = backend,
                                   .training = training,
                                   .feeds = feeds,
                                   .n_feeds = training ? 2 : 1,
                                   .wants = wants,
                                   .n_wants = n_wants};
    vq_plan *plan;
    must(n->ctx, vq_plan_create(n->ctx, n->graph, &config, &plan));
    vq_plan_bind(plan, n->trained, NULL);
    return plan;
}

static const vq_step *step_named(const vq_plan *plan, const char *name)
{
    for (int s = 0; s < plan->n_steps; s++)
        if (strcmp(plan->steps[s].run.node->name, name) == 0) return &plan->steps[s].run;
    return NULL;
}

/* ---- what is folded ------------------------------------------------------------------ */

typedef struct expected {
    const char *node;
    bool relu, masked, add, relu_in, mask;
} expected;

/* `masked` is the producer's side of what `mask` is on the last step that writes its gradient: of
 * the two readers of fork, left is that step; the sum y writes those of last and right. */
static void every_relu_is_folded_where_it_can_be(void **state)
{
    static const expected rows[] = {
        {"root", false, false, false, false, false},
        {"a1", true, true, false, true, false},
        {"a3", false, false, true, false, true},
        {"b1", true, true, false, true, false},
        {"b3", true, true, true, false, true},
        {"fork conv", true, true, false, false, true},
        {"left", false, false, false, false, true},
        {"rc", true, true, false, false, false},
        {"last conv", true, true, false, false, false},
        {"y", false, false, false, false, true},
    };
    (void)state;
    net n;
    net_open(&n);
    vq_plan *plan = plan_of(&n, &vq_backend_portable, true, false);
    assert_int_equal(plan->n_steps, (int)(sizeof rows / sizeof *rows) + 1); /* and the probe */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const expected *row = &rows[i];
        const vq_step *run = step_named(plan, row->node);
        assert_non_null(run);
        if (run->relu != row->relu || run->masked != row->masked ||
            (run->residual >= 0) != row->add || run->relu_in != row->relu_in ||
            run->mask[0] != row->mask)
            fail_msg("%s: relu %d, masked %d, residual %d, relu_in %d, mask %d", row->node,
                     run->relu, run->masked, run->residual, run->relu_in, run->mask[0]);
    }
    vq_plan_destroy(plan);
    net_close(&n);
}

/* ---- numbers ------------------------------------------------------------------------- */

/* y, and in training the gradient of x and those of the parameters. */
static float *run(const net *n, const vq_backend *backend, bool training, bool all, size_t *count)
{
    vq_plan *plan = plan_of(n, backend, training, all);
    const size_t trained = n->graph->trained_count;
    *count = training ? 2 * COUNT + trained : COUNT;
    float *got = test_calloc(*count, sizeof *got);
    fill(vq_plan_data(plan, n->x, NULL), COUNT, 2);
    if (training) fill(vq_plan_data(plan, n->upstream, NULL), COUNT, 3);
    must(n->ctx, vq_plan_forward(plan));
    memcpy(got, vq_plan_data(plan, n->y, NULL), COUNT * sizeof *got);
    if (training) {
        must(n->ctx, vq_plan_backward(plan));
        memcpy(got + COUNT, vq_plan_gradient(plan, n->x), COUNT * sizeof *got);
        memcpy(got + 2 * COUNT, vq_plan_reduction(plan, NULL), trained * sizeof *got);
    }
    vq_plan_destroy(plan);
    return got;
}

/* A term of a sum may come earlier or later: relative to the largest number of all. */
static void compare(const float *got, const float *expected_numbers, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        if ((double)expected_numbers[i] > largest) largest = (double)expected_numbers[i];
    assert_true(largest > 0.0);
    for (size_t i = 0; i < count; i++) {
        const double off = (double)got[i] - (double)expected_numbers[i];
        if (!(off <= 1e-6 * largest && -off <= 1e-6 * largest))
            fail_msg("number %zu is off by %g, the largest is %g", i, off, largest);
    }
}

static void folding_changes_no_number(void **state)
{
    (void)state;
    net n;
    net_open(&n);
    for (int training = 0; training < 2; training++) {
        size_t count;
        float *plain = run(&n, golden_unfolded(), training, true, &count);
        float *folded = run(&n, &vq_backend_portable, training, false, &count);
        compare(folded, plain, count);
        test_free(plain);
        test_free(folded);
    }
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_relu_is_folded_where_it_can_be),
        cmocka_unit_test(folding_changes_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
