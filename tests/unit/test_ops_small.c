/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_ops_small.c -- relu, add, concat, pixels and mse: where numbers go, numbers
 * that are not finite, and shapes that are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nn/ops.h"
#include "nn/plan.h"

enum { INPUTS = 3 };

typedef struct rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    vq_value in[INPUTS], out;
} rig;

static void must(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static void add_node(rig *r, const vq_op *op, int n_in)
{
    static const char *const names[INPUTS] = {"a", "b", "c"};
    const vq_mse_attrs mse = {.weight = 1.0};
    assert_int_equal(vq_context_create(NULL, &r->ctx), VQ_OK);
    must(r->ctx, vq_graph_create(r->ctx, &r->graph));
    for (int i = 0; i < n_in; i++)
        must(r->ctx, vq_graph_input(r->ctx, r->graph, names[i], &r->in[i]));
    must(r->ctx, vq_graph_add(r->ctx, r->graph, op, "node", &mse, r->in, n_in, &r->out));
}

static void open_rig(rig *r, const vq_op *op, const vq_desc *in, int n_in)
{
    vq_feed feeds[INPUTS];
    *r = (rig){0};
    add_node(r, op, n_in);
    for (int i = 0; i < n_in; i++) feeds[i] = (vq_feed){.value = r->in[i], .desc = in[i]};
    const vq_plan_config config = {.backend = &vq_backend_portable,
                                   .training = op->n_out == 0,
                                   .feeds = feeds,
                                   .n_feeds = n_in,
                                   .wants = &r->out,
                                   .n_wants = op->n_out};
    must(r->ctx, vq_plan_create(r->ctx, r->graph, &config, &r->plan));
}

static void close_rig(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->ctx, r->graph);
    vq_context_destroy(r->ctx);
}

static void feed(const rig *r, int input, const void *numbers, size_t size)
{
    memcpy(vq_plan_data(r->plan, r->in[input], NULL), numbers, size);
}

static void test_relu(void **state)
{
    static const float x[6] = {-1.5f, 0.0f, 2.5f, NAN, -INFINITY, INFINITY};
    const vq_desc in = {VQ_F32, {1, {6}}};
    rig r;
    (void)state;
    open_rig(&r, &vq_op_relu, &in, 1);
    feed(&r, 0, x, sizeof x);
    must(r.ctx, vq_plan_forward(r.plan));
    const float *y = vq_plan_data(r.plan, r.out, NULL);
    assert_true(y[0] == 0.0f && y[1] == 0.0f && y[2] == 2.5f && y[4] == 0.0f);
    assert_true(isnan(y[3]) && isinf(y[5]));
    close_rig(&r);
}

static void test_concat(void **state)
{
    static const float a[6] = {0, 1, 2, 3, 4, 5}, b[2] = {10, 11}, c[4] = {20, 21, 22, 23};
    static const float joined[12] = {0, 1, 2, 10, 20, 21, 3, 4, 5, 11, 22, 23};
    const vq_desc in[3] = {{VQ_F32, {4, {1, 2, 1, 3}}},
                           {VQ_F32, {4, {1, 2, 1, 1}}},
                           {VQ_F32, {4, {1, 2, 1, 2}}}};
    vq_desc out;
    rig r;
    (void)state;
    open_rig(&r, &vq_op_concat, in, 3);
    feed(&r, 0, a, sizeof a);
    feed(&r, 1, b, sizeof b);
    feed(&r, 2, c, sizeof c);
    must(r.ctx, vq_plan_forward(r.plan));
    assert_memory_equal(vq_plan_data(r.plan, r.out, &out), joined, sizeof joined);
    assert_int_equal(out.shape.dim[3], 6);
    close_rig(&r);
}

/* Every byte, as PyTorch's x.float() / 255 - 0.5 has it. */
static void test_pixels(void **state)
{
    const vq_desc in = {VQ_U8, {4, {1, 16, 16, 1}}};
    uint8_t bytes[256];
    vq_desc out;
    rig r;
    (void)state;
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    open_rig(&r, &vq_op_pixels, &in, 1);
    feed(&r, 0, bytes, sizeof bytes);
    must(r.ctx, vq_plan_forward(r.plan));
    const float *y = vq_plan_data(r.plan, r.out, &out);
    assert_int_equal(out.dtype, VQ_F32);
    assert_true(y[0] == -0.5f && y[255] == 0.5f);
    for (int i = 0; i < 256; i++) {
        const volatile float part = (float)i / 255.0f; /* rounded before the subtraction */
        assert_true(y[i] == part - 0.5f);
    }
    close_rig(&r);
}

static void test_mse(void **state)
{
    static const float x[4] = {1.0f, 2.0f, -1.0f, 0.0f}, target[4] = {0.0f, 2.0f, 1.0f, 0.5f};
    const vq_desc in[2] = {{VQ_F32, {2, {2, 2}}}, {VQ_F32, {2, {2, 2}}}};
    rig r;
    (void)state;
    open_rig(&r, &vq_op_mse, in, 2);
    feed(&r, 0, x, sizeof x);
    feed(&r, 1, target, sizeof target);
    must(r.ctx, vq_plan_forward(r.plan));
    assert_true(vq_plan_term(r.plan, 0) == (1.0 + 0.0 + 4.0 + 0.25) / 4.0);
    assert_string_equal(r.graph->terms[0].name, "node.mse");
    close_rig(&r);
}

static void test_refusals(void **state)
{
    static const struct {
        const vq_op *op;
        int n_in;
        vq_desc in[2];
        const char *sentence;
    } refused[] = {
        {&vq_op_relu, 1, {{VQ_I32, {1, {4}}}}, "node: input 0 holds i32, but f32 or f64 is needed"},
        {&vq_op_pixels, 1, {{VQ_F32, {1, {4}}}}, "node: pixels are u8, not f32"},
        {&vq_op_add,
         2,
         {{VQ_F32, {2, {3, 4}}}, {VQ_F32, {2, {3, 5}}}},
         "node: axis 1 is 4 in input 0 and 5 in input 1"},
        {&vq_op_add,
         2,
         {{VQ_F32, {2, {3, 4}}}, {VQ_F32, {1, {4}}}},
         "node: input 0 has 2 axes, input 1 has 1"},
        {&vq_op_add,
         2,
         {{VQ_F32, {1, {4}}}, {VQ_F64, {1, {4}}}},
         "node: input 1 holds f64, but input 0 holds f32"},
        {&vq_op_concat,
         2,
         {{VQ_F32, {2, {3, 4}}}, {VQ_F32, {2, {2, 4}}}},
         "node: axis 0 is 2 in input 1 and 3 in input 0"},
        {&vq_op_concat,
         2,
         {{VQ_F32, {2, {3, 4}}}, {VQ_F32, {3, {3, 4, 1}}}},
         "node: input 1 has 3 axes, input 0 has 2"},
        {&vq_op_concat, 1, {{VQ_F32, {0}}}, "node: a scalar has no last axis to join along"},
        {&vq_op_mse,
         2,
         {{VQ_F32, {2, {3, 4}}}, {VQ_F32, {2, {4, 3}}}},
         "node: axis 0 is 3 in input 0 and 4 in input 1"},
        {&vq_op_mse,
         2,
         {{VQ_F32, {2, {0, 4}}}, {VQ_F32, {2, {0, 4}}}},
         "node: the mean over no numbers does not exist"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        rig r = {0};
        vq_desc out;
        add_node(&r, refused[i].op, refused[i].n_in);
        assert_int_equal(refused[i].op->infer(r.ctx, &r.graph->nodes[0], refused[i].in, &out),
                         VQ_E_SHAPE);
        assert_string_equal(vq_context_error(r.ctx), refused[i].sentence);
        close_rig(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relu), cmocka_unit_test(test_concat),   cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_mse),  cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
