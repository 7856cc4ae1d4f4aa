/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_plan.c -- what a plan makes of a graph with a skip, a concatenation and an edge
 * of three readers: who lies where, that sharing and folding change no number, and what it
 * refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nn/ops.h"
#include "support/fixture.h"
#include "support/golden.h"
#include "support/small_graph.h"

enum { CHANNELS = 16, SIZE = 6, BATCH = 2 };

/* b = relu(first(x)), e = relu(second(b) + b), t = third(b, e), y = (t + b) + relu(t): what has one
 * reader may fold into its convolution, t must not. */
static void net_open(small_graph *n)
{
    small_graph_open(n, BATCH, SIZE, CHANNELS);
    const vq_value first = small_graph_conv(n, "first", CHANNELS, CHANNELS, n->x);
    const vq_value b = small_graph_relu(n, "b", first);
    const vq_value second = small_graph_conv(n, "second", CHANNELS, CHANNELS, b);
    const vq_value sum = small_graph_put(n, &vq_op_add, "sum", NULL, second, b);
    const vq_value e = small_graph_relu(n, "e", sum);
    const vq_value both = small_graph_put(n, &vq_op_concat, "both", NULL, b, e);
    const vq_value t = small_graph_conv(n, "third", 2 * CHANNELS, CHANNELS, both);
    const vq_value u = small_graph_put(n, &vq_op_add, "u", NULL, t, b);
    const vq_value v = small_graph_relu(n, "v", t);
    small_graph_end(n, small_graph_put(n, &vq_op_add, "y", NULL, u, v));
}

static vq_desc image(int64_t height, int64_t width, int64_t channels)
{
    return (vq_desc){.dtype = VQ_F32,
                     .shape = {.rank = 4, .dim = {BATCH, height, width, channels}}};
}

/* ---- who lies where -------------------------------------------------------------- */

static void check_places(const vq_plan *plan)
{
    size_t sum = 0;
    for (int i = 0; i < plan->n_storages; i++) {
        const vq_storage *a = &plan->storages[i];
        sum += a->size;
        assert_int_equal(a->at % VQ_ALIGNMENT, 0);
        assert_true(a->at + a->size <= plan->buffer_size);
        for (int j = 0; j < i; j++) {
            const vq_storage *b = &plan->storages[j];
            const bool together = a->from <= b->to && b->from <= a->to;
            const bool apart = a->at + a->size <= b->at || b->at + b->size <= a->at;
            if (together && !apart) fail_msg("storages %d and %d overlap", j, i);
        }
    }
    assert_true(plan->buffer_size < sum); /* some share */
}

/* What a step touches lives while the step runs. */
static void check_spans(const vq_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        const vq_planned *step = &plan->steps[s];
        for (int e = 0; e < step->n_in + step->n_out; e++) {
            const vq_value v = e < step->n_in ? step->in[e] : step->out[e - step->n_in];
            const vq_storage *data = &plan->storages[plan->edges[v].data];
            assert_true(data->from <= s && s <= data->to);
            if (!step->backward || plan->edges[v].gradient < 0) continue;
            const vq_storage *gradient = &plan->storages[plan->edges[v].gradient];
            const int time = vq_backward_time(plan, s);
            assert_true(gradient->from <= time && time <= gradient->to);
        }
    }
}

static void edges_of_one_time_lie_apart(void **state)
{
    (void)state;
    small_graph n;
    net_open(&n);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++)
        for (int training = 0; training < 2; training++) {
            vq_plan *plan = small_graph_plan(&n, *backend, training, false);
            check_places(plan);
            check_spans(plan);
            vq_plan_destroy(plan);
        }
    small_graph_close(&n);
}

/* ---- numbers --------------------------------------------------------------------- */

typedef struct numbers {
    float *all; /* y, the gradient of x, the gradients of the parameters */
    size_t count, bytes;
    int steps;
} numbers;

enum { STEPS_MOST = 16 };

/* How often each step began and ended in each direction, and that one ended before the next. */
typedef struct watch {
    int begun[STEPS_MOST][VQ_DIRECTIONS], ended[STEPS_MOST][VQ_DIRECTIONS];
    bool inside;
} watch;

static void note(void *user, size_t line, vq_direction direction, bool ended)
{
    watch *w = user;
    assert_in_range(line, 0, STEPS_MOST - 1);
    assert_int_equal(w->inside, ended);
    w->inside = !ended;
    (ended ? w->ended : w->begun)[line][direction]++;
}

/* Each direction that a row names ran once. */
static void check_watch(const vq_plan *plan, const watch *w)
{
    for (int s = 0; s < vq_plan_rows(plan); s++) {
        const vq_plan_row row = vq_plan_row_at(plan, s);
        for (int d = 0; d < VQ_DIRECTIONS; d++) {
            assert_int_equal(w->begun[s][d], row.implementation[d] != NULL);
            assert_int_equal(w->ended[s][d], row.implementation[d] != NULL);
        }
    }
}

static numbers run(const small_graph *n, const vq_backend *backend, bool all, watch *w)
{
    vq_plan *plan = small_graph_plan(n, backend, true, all);
    if (w) vq_plan_observe(plan, 0, note, w);
    numbers got = {.bytes = vq_plan_bytes(plan), .steps = vq_plan_rows(plan)};
    got.all = small_graph_run(n, plan, true, &got.count);
    if (w) check_watch(plan, w);
    vq_plan_destroy(plan);
    return got;
}

/* Both plans run the same code on numbers that lie elsewhere; folds would sum in another order. */
static void sharing_memory_changes_no_bit(void **state)
{
    (void)state;
    small_graph n;
    net_open(&n);
    const numbers shared = run(&n, golden_unfolded(), false, NULL);
    const numbers apart = run(&n, golden_unfolded(), true, NULL);
    assert_true(shared.bytes < apart.bytes);
    assert_memory_equal(shared.all, apart.all, shared.count * sizeof(float));
    test_free(shared.all);
    test_free(apart.all);
    small_graph_close(&n);
}

/* It computes the two kinds of gradients apart. */
static void watching_changes_no_bit(void **state)
{
    (void)state;
    small_graph n;
    net_open(&n);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        watch w = {0};
        const numbers plain = run(&n, *backend, false, NULL);
        const numbers watched = run(&n, *backend, false, &w);
        assert_memory_equal(watched.all, plain.all, plain.count * sizeof(float));
        test_free(plain.all);
        test_free(watched.all);
    }
    small_graph_close(&n);
}

/* Edges that somebody wants are neither folded away nor blocked. */
static void folding_changes_no_number(void **state)
{
    (void)state;
    small_graph n;
    net_open(&n);
    const numbers plain = run(&n, &vq_backend_portable, true, NULL);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        const numbers folded = run(&n, *backend, false, NULL);
        const numbers unfolded = run(&n, *backend, true, NULL);
        assert_int_equal(unfolded.steps, plain.steps);
        /* first with its relu, second with the sum and its relu */
        assert_int_equal(folded.steps, plain.steps - 3);
        small_graph_compare(folded.all, plain.all, plain.count, 1e-5);
        small_graph_compare(unfolded.all, plain.all, plain.count, 1e-5);
        test_free(folded.all);
        test_free(unfolded.all);
    }
    test_free(plain.all);
    small_graph_close(&n);
}

/* ---- what is refused ------------------------------------------------------------- */

/* Plans y from feeds of x alone, on the first of the backends. */
static vq_status try_plan(const small_graph *n, const vq_feed *feeds, int n_feeds, vq_value want)
{
    vq_plan *plan = NULL;
    const vq_plan_config config = {.backend = *golden_backends(),
                                   .feeds = feeds,
                                   .n_feeds = n_feeds,
                                   .wants = &want,
                                   .n_wants = 1};
    const vq_status status = vq_plan_create(n->ctx, n->graph, &config, &plan);
    if (status == VQ_OK) vq_plan_destroy(plan);
    else assert_null(plan);
    return status;
}

static void unfed_edges_are_named(void **state)
{
    (void)state;
    small_graph n;
    net_open(&n);
    assert_int_equal(try_plan(&n, NULL, 0, n.y), VQ_E_ARG);
    fixture_error_names(n.ctx, "first needs the edge x");
    small_graph_close(&n);
}

static void shapes_that_do_not_fit_are_named(void **state)
{
    (void)state;
    small_graph n;
    vq_value other;
    net_open(&n);
    must(n.ctx, vq_graph_input(n.ctx, n.graph, "other", &other));
    const vq_value sum = small_graph_put(&n, &vq_op_add, "uneven sum", NULL, n.x, other);
    const vq_value joined = small_graph_put(&n, &vq_op_concat, "uneven join", NULL, n.x, other);
    const vq_feed narrow = {.value = n.x, .desc = image(SIZE, SIZE, CHANNELS - 1)};
    const vq_feed feeds[2] = {{.value = n.x, .desc = image(SIZE, SIZE, CHANNELS)},
                              {.value = other, .desc = image(SIZE, SIZE + 1, CHANNELS)}};
    assert_int_equal(try_plan(&n, &narrow, 1, n.y), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "first");
    assert_int_equal(try_plan(&n, feeds, 2, sum), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "uneven sum");
    assert_int_equal(try_plan(&n, feeds, 2, joined), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "uneven join");
    small_graph_close(&n);
}

static void edges_beyond_counting_are_named(void **state)
{
    (void)state;
    small_graph n;
    net_open(&n);
    const vq_value wide = small_graph_conv(&n, "wide", CHANNELS, 64, n.x);
    const vq_feed whole = {.value = n.x, .desc = image(65536, 65536, CHANNELS)};
    const vq_feed half = {.value = n.x, .desc = image(4096, 8192, CHANNELS)};
    assert_int_equal(try_plan(&n, &whole, 1, n.y), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "x would be 2x65536x65536x16");
    assert_int_equal(try_plan(&n, &half, 1, wide), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "wide would be 2x4096x8192x64");
    small_graph_close(&n);
}

static vq_status greedy_infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    (void)ctx;
    (void)node;
    out[0] = in[0];
    return VQ_OK;
}

static vq_status greedy_prepare(vq_step *run)
{
    run->saved_size = SIZE_MAX / 2 + 1;
    return VQ_OK;
}

static vq_status greedy_forward(vq_step *run)
{
    (void)run;
    return VQ_OK;
}

/* Two steps that keep half of all memory each: a sum that wraps around would be small. */
static void sums_beyond_counting_are_refused(void **state)
{
    static const vq_impl impl = {.name = "greedy",
                                 .prepare = greedy_prepare,
                                 .forward = greedy_forward};
    static const vq_op greedy = {
        .name = "greedy", .n_in = 1, .n_out = 1, .infer = greedy_infer, .portable_f32 = &impl};
    (void)state;
    small_graph n;
    net_open(&n);
    const vq_value once = small_graph_put(&n, &greedy, "once", NULL, n.x, -1);
    const vq_value twice = small_graph_put(&n, &greedy, "twice", NULL, once, -1);
    const vq_feed feed = {.value = n.x, .desc = image(SIZE, SIZE, CHANNELS)};
    assert_int_equal(try_plan(&n, &feed, 1, twice), VQ_E_NOMEM);
    fixture_error_names(n.ctx, "more bytes than can be counted");
    small_graph_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_of_one_time_lie_apart),
        cmocka_unit_test(sharing_memory_changes_no_bit),
        cmocka_unit_test(watching_changes_no_bit),
        cmocka_unit_test(folding_changes_no_number),
        cmocka_unit_test(unfed_edges_are_named),
        cmocka_unit_test(shapes_that_do_not_fit_are_named),
        cmocka_unit_test(edges_beyond_counting_are_named),
        cmocka_unit_test(sums_beyond_counting_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
