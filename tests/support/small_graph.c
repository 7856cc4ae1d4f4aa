/* SPDX-License-Identifier: Apache-2.0
 * tests/support/small_graph.c -- see small_graph.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "nn/ops.h"
#include "support/fixture.h"
#include "support/golden.h"
#include "support/small_graph.h"

enum { EDGES_MOST = 32 };

void small_graph_open(small_graph *g, int64_t batch, int64_t size, int64_t channels)
{
    *g = (small_graph){.ctx = fixture_context(),
                       .desc = {.dtype = VQ_F32,
                                .shape = {.rank = 4, .dim = {batch, size, size, channels}}}};
    must(g->ctx, vq_graph_create(g->ctx, &g->graph));
    must(g->ctx, vq_graph_input(g->ctx, g->graph, "x", &g->x));
}

vq_value small_graph_put(const small_graph *g, const vq_op *op, const char *name, const void *attrs,
                         vq_value first, vq_value second)
{
    const vq_value in[2] = {first, second};
    vq_value out = -1;
    must(g->ctx, vq_graph_add(g->ctx, g->graph, op, name, attrs, in, second < 0 ? 1 : 2, &out));
    return out;
}

vq_value small_graph_conv(const small_graph *g, const char *name, int64_t from, int64_t to,
                          vq_value in)
{
    const vq_conv_attrs attrs = {.in = from,
                                 .out = to,
                                 .kernel = {3, 3},
                                 .stride = {1, 1},
                                 .pad = {1, 1, 1, 1},
                                 .bias = true};
    return small_graph_put(g, &vq_op_conv2d, name, &attrs, in, -1);
}

vq_value small_graph_relu(const small_graph *g, const char *name, vq_value in)
{
    return small_graph_put(g, &vq_op_relu, name, NULL, in, -1);
}

static void fill(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = vq_random_uniform(&random) - 0.5f;
}

void small_graph_end(small_graph *g, vq_value y)
{
    g->y = y;
    must(g->ctx, vq_graph_input(g->ctx, g->graph, "upstream", &g->upstream));
    (void)small_graph_put(g, &golden_probe, "probe", NULL, y, g->upstream);
    must(g->ctx, VQ_NEW(g->ctx, g->graph->trained_count, &g->trained));
    fill(g->trained, g->graph->trained_count, 1);
}

void small_graph_close(small_graph *g)
{
    vq_release(g->ctx, g->trained);
    vq_graph_destroy(g->ctx, g->graph);
    vq_context_destroy(g->ctx);
}

vq_plan *small_graph_plan(const small_graph *g, const vq_backend *backend, bool training, bool all)
{
    const vq_feed feeds[2] = {{.value = g->x, .desc = g->desc, .wants_gradient = training},
                              {.value = g->upstream, .desc = g->desc}};
    vq_value wants[EDGES_MOST];
    int n_wants = 0;
    assert_in_range(g->graph->n_values, 1, EDGES_MOST);
    for (vq_value v = 0; v < g->graph->n_values; v++)
        if (v != g->x && v != g->upstream && (all || v == g->y)) wants[n_wants++] = v;
    const vq_plan_config config = {.backend = backend,
                                   .training = training,
                                   .feeds = feeds,
                                   .n_feeds = training ? 2 : 1,
                                   .wants = wants,
                                   .n_wants = n_wants};
    vq_plan *plan;
    must(g->ctx, vq_plan_create(g->ctx, g->graph, &config, &plan));
    vq_plan_bind(plan, g->trained, NULL);
    return plan;
}

float *small_graph_run(const small_graph *g, vq_plan *plan, bool training, size_t *count)
{
    const size_t one = vq_shape_count(&g->desc.shape), trained = g->graph->trained_count;
    *count = training ? 2 * one + trained : one;
    float *got = test_calloc(*count, sizeof *got);
    fill(vq_plan_data(plan, g->x, NULL), one, 2);
    if (training) fill(vq_plan_data(plan, g->upstream, NULL), one, 3);
    must(g->ctx, vq_plan_forward(plan));
    memcpy(got, vq_plan_data(plan, g->y, NULL), one * sizeof *got);
    if (!training) return got;
    must(g->ctx, vq_plan_backward(plan));
    memcpy(got + one, vq_plan_gradient(plan, g->x), one * sizeof *got);
    memcpy(got + 2 * one, vq_plan_reduction(plan, NULL), trained * sizeof *got);
    return got;
}

void small_graph_compare(const float *got, const float *expected, size_t count, double bound)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)expected[i]));
    assert_true(largest > 0.0);
    for (size_t i = 0; i < count; i++) {
        const double off = fabs((double)got[i] - (double)expected[i]);
        /* A number that is none is not near to anything. */
        if (!(off <= bound * largest))
            fail_msg("number %zu is off by %g, the largest is %g", i, off, largest);
    }
}
