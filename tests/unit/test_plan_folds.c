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

#include "nn/ops.h"
#include "support/golden.h"
#include "support/small_graph.h"

/* ---- a graph with everything to fold ------------------------------------------------- */

enum { CHANNELS = 5, SIZE = 6, BATCH = 2 };

static vq_value conv(const small_graph *n, const char *name, vq_value in)
{
    return small_graph_conv(n, name, CHANNELS, CHANNELS, in);
}

/* x + second(relu(first(relu(x)))) */
static vq_value block(const small_graph *n, const char *const names[5], vq_value x)
{
    const vq_value first = conv(n, names[1], small_graph_relu(n, names[0], x));
    const vq_value second = conv(n, names[3], small_graph_relu(n, names[2], first));
    return small_graph_put(n, &vq_op_add, names[4], NULL, second, x);
}

/* Two residual blocks after one another and a relu; then an edge behind a relu that two
 * convolutions read, and one that a sum of no convolution reads. */
static void net_open(small_graph *n)
{
    static const char *const names[2][5] = {{"a0", "a1", "a2", "a3", "a4"},
                                            {"b0", "b1", "b2", "b3", "b4"}};
    small_graph_open(n, BATCH, SIZE, CHANNELS);
    const vq_value root = conv(n, "root", n->x);
    const vq_value twice = block(n, names[1], block(n, names[0], root));
    const vq_value out = small_graph_relu(n, "out", twice);
    const vq_value fork = small_graph_relu(n, "fork", conv(n, "fork conv", out));
    const vq_value left = conv(n, "left", fork);
    const vq_value right = small_graph_relu(n, "right", conv(n, "rc", fork));
    const vq_value last = small_graph_relu(n, "last", conv(n, "last conv", left));
    small_graph_end(n, small_graph_put(n, &vq_op_add, "y", NULL, last, right));
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
    small_graph n;
    net_open(&n);
    vq_plan *plan = small_graph_plan(&n, &vq_backend_portable, true, false);
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
    small_graph_close(&n);
}

/* ---- numbers ------------------------------------------------------------------------- */

static float *run(const small_graph *n, const vq_backend *backend, bool training, bool all,
                  size_t *count)
{
    vq_plan *plan = small_graph_plan(n, backend, training, all);
    float *got = small_graph_run(n, plan, training, count);
    vq_plan_destroy(plan);
    return got;
}

/* A term of a sum may come earlier or later. */
static void folding_changes_no_number(void **state)
{
    (void)state;
    small_graph n;
    net_open(&n);
    for (int training = 0; training < 2; training++) {
        size_t count;
        float *plain = run(&n, golden_unfolded(), training, true, &count);
        float *folded = run(&n, &vq_backend_portable, training, false, &count);
        small_graph_compare(folded, plain, count, 1e-6);
        test_free(plain);
        test_free(folded);
    }
    small_graph_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_relu_is_folded_where_it_can_be),
        cmocka_unit_test(folding_changes_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
