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

#include "base/random.h"
#include "nn/ops.h"
#include "nn/plan_parts.h"
#include "support/fixture.h"
#include "support/golden.h"

enum { CHANNELS = 16, SIZE = 6, BATCH = 2, COUNT = BATCH * SIZE * SIZE * CHANNELS };

/* b = relu(first(x)), e = relu(second(b) + b), t = third(b, e), y = (t + b) + relu(t): what has one
 * reader may fold into its convolution, t must not. */
typedef struct net {
    vq_context *ctx;
    vq_graph *graph;
    vq_value x, upstream, y;
    float *trained;
} net;

typedef enum wanted { WANT_Y, WANT_ALL } wanted;

static vq_value put(const net *n, const vq_op *op, const char *name, const void *attrs,
                    vq_value first, vq_value second)
{
    const vq_value in[2] = {first, second};
    vq_value out = -1;
    must(n->ctx, vq_graph_add(n->ctx, n->graph, op, name, attrs, in, second < 0 ? 1 : 2, &out));
    return out;
}

static vq_value put_conv(const net *n, const char *name, int64_t from, int64_t to, vq_value in)
{
    const vq_conv_attrs attrs = {.in = from,
                                 .out = to,
                                 .kernel = {3, 3},
                                 .stride = {1, 1},
                                 .pad = {1, 1, 1, 1},
                                 .bias = true};
    return put(n, &vq_op_conv2d, name, &attrs, in, -1);
}

static void fill(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = vq_random_uniform(&random) - 0.5f;
}

static void net_open(net *n)
{
    *n = (net){.ctx = fixture_context()};
    must(n->ctx, vq_graph_create(n->ctx, &n->graph));
    must(n->ctx, vq_graph_input(n->ctx, n->graph, "x", &n->x));
    const vq_value first = put_conv(n, "first", CHANNELS, CHANNELS, n->x);
    const vq_value b = put(n, &vq_op_relu, "b", NULL, first, -1);
    const vq_value second = put_conv(n, "second", CHANNELS, CHANNELS, b);
    const vq_value sum = put(n, &vq_op_add, "sum", NULL, second, b);
    const vq_value e = put(n, &vq_op_relu, "e", NULL, sum, -1);
    const vq_value both = put(n, &vq_op_concat, "both", NULL, b, e);
    const vq_value t = put_conv(n, "third", 2 * CHANNELS, CHANNELS, both);
    const vq_value u = put(n, &vq_op_add, "u", NULL, t, b);
    const vq_value v = put(n, &vq_op_relu, "v", NULL, t, -1);
    n->y = put(n, &vq_op_add, "y", NULL, u, v);
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

static vq_desc image(int64_t height, int64_t width, int64_t channels)
{
    return (vq_desc){.dtype = VQ_F32,
                     .shape = {.rank = 4, .dim = {BATCH, height, width, channels}}};
}

static vq_plan *plan_of(const net *n, const vq_backend *backend, bool training, wanted wanted_edges)
{
    enum { MOST = 16 };
    vq_value wants[MOST];
    int n_wants = 0;
    const vq_desc desc = image(SIZE, SIZE, CHANNELS);
    const vq_feed feeds[2] = {{.value = n->x, .desc = desc, .wants_gradient = training},
                              {.value = n->upstream, .desc = desc}};
    assert_in_range(n->graph->n_values, 1, MOST);
    for (vq_value v = 0; v < n->graph->n_values; v++)
        if (v != n->x && v != n->upstream && (wanted_edges == WANT_ALL || v == n->y))
            wants[n_wants++] = v;
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
    net n;
    net_open(&n);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++)
        for (int training = 0; training < 2; training++) {
            vq_plan *plan = plan_of(&n, *backend, training, WANT_Y);
            check_places(plan);
            check_spans(plan);
            vq_plan_destroy(plan);
        }
    net_close(&n);
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

static numbers run(const net *n, const vq_backend *backend, wanted wanted_edges, watch *w)
{
    vq_plan *plan = plan_of(n, backend, true, wanted_edges);
    if (w) vq_plan_observe(plan, 0, note, w);
    const size_t trained = n->graph->trained_count;
    numbers got = {.count = 2 * COUNT + trained,
                   .bytes = vq_plan_bytes(plan),
                   .steps = vq_plan_rows(plan)};
    got.all = test_calloc(got.count, sizeof *got.all);
    fill(vq_plan_data(plan, n->x, NULL), COUNT, 2);
    fill(vq_plan_data(plan, n->upstream, NULL), COUNT, 3);
    must(n->ctx, vq_plan_forward(plan));
    memcpy(got.all, vq_plan_data(plan, n->y, NULL), COUNT * sizeof(float));
    must(n->ctx, vq_plan_backward(plan));
    memcpy(got.all + COUNT, vq_plan_gradient(plan, n->x), COUNT * sizeof(float));
    memcpy(got.all + 2 * COUNT, vq_plan_reduction(plan, NULL), trained * sizeof(float));
    if (w) check_watch(plan, w);
    vq_plan_destroy(plan);
    return got;
}

/* Both plans run the same code on numbers that lie elsewhere; folds would change the order of sums.
 * */
static void sharing_memory_changes_no_bit(void **state)
{
    (void)state;
    net n;
    net_open(&n);
    const numbers shared = run(&n, golden_unfolded(), WANT_Y, NULL);
    const numbers apart = run(&n, golden_unfolded(), WANT_ALL, NULL);
    assert_true(shared.bytes < apart.bytes);
    assert_memory_equal(shared.all, apart.all, shared.count * sizeof(float));
    test_free(shared.all);
    test_free(apart.all);
    net_close(&n);
}

/* It computes the two kinds of gradients apart. */
static void watching_changes_no_bit(void **state)
{
    (void)state;
    net n;
    net_open(&n);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        watch w = {0};
        const numbers plain = run(&n, *backend, WANT_Y, NULL);
        const numbers watched = run(&n, *backend, WANT_Y, &w);
        assert_memory_equal(watched.all, plain.all, plain.count * sizeof(float));
        test_free(plain.all);
        test_free(watched.all);
    }
    net_close(&n);
}

/* Relative to the largest number of all; a NaN is not close to anything. */
static void compare(const numbers *got, const numbers *expected)
{
    double largest = 0.0;
    for (size_t i = 0; i < expected->count; i++)
        if ((double)expected->all[i] > largest) largest = (double)expected->all[i];
    assert_true(largest > 0.0);
    for (size_t i = 0; i < expected->count; i++) {
        const double off = (double)got->all[i] - (double)expected->all[i];
        if (!(off <= 1e-5 * largest && -off <= 1e-5 * largest))
            fail_msg("number %zu is off by %g, the largest is %g", i, off, largest);
    }
}

/* Edges that somebody wants are neither folded away nor blocked. */
static void folding_changes_no_number(void **state)
{
    (void)state;
    net n;
    net_open(&n);
    const numbers plain = run(&n, &vq_backend_portable, WANT_ALL, NULL);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        const numbers folded = run(&n, *backend, WANT_Y, NULL);
        const numbers unfolded = run(&n, *backend, WANT_ALL, NULL);
        assert_int_equal(unfolded.steps, plain.steps);
        /* first with its relu, second with the sum and its relu */
        assert_int_equal(folded.steps, plain.steps - 3);
        compare(&folded, &plain);
        compare(&unfolded, &plain);
        test_free(folded.all);
        test_free(unfolded.all);
    }
    test_free(plain.all);
    net_close(&n);
}

/* ---- what is refused ------------------------------------------------------------- */

/* Plans y from feeds of x alone, on the first of the backends. */
static vq_status try_plan(const net *n, const vq_feed *feeds, int n_feeds, vq_value want)
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
    net n;
    net_open(&n);
    assert_int_equal(try_plan(&n, NULL, 0, n.y), VQ_E_ARG);
    fixture_error_names(n.ctx, "first needs the edge x");
    net_close(&n);
}

static void shapes_that_do_not_fit_are_named(void **state)
{
    (void)state;
    net n;
    vq_value other;
    net_open(&n);
    must(n.ctx, vq_graph_input(n.ctx, n.graph, "other", &other));
    const vq_value sum = put(&n, &vq_op_add, "uneven sum", NULL, n.x, other);
    const vq_value joined = put(&n, &vq_op_concat, "uneven join", NULL, n.x, other);
    const vq_feed narrow = {.value = n.x, .desc = image(SIZE, SIZE, CHANNELS - 1)};
    const vq_feed feeds[2] = {{.value = n.x, .desc = image(SIZE, SIZE, CHANNELS)},
                              {.value = other, .desc = image(SIZE, SIZE + 1, CHANNELS)}};
    assert_int_equal(try_plan(&n, &narrow, 1, n.y), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "first");
    assert_int_equal(try_plan(&n, feeds, 2, sum), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "uneven sum");
    assert_int_equal(try_plan(&n, feeds, 2, joined), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "uneven join");
    net_close(&n);
}

static void edges_beyond_counting_are_named(void **state)
{
    (void)state;
    net n;
    net_open(&n);
    const vq_value wide = put_conv(&n, "wide", CHANNELS, 64, n.x);
    const vq_feed whole = {.value = n.x, .desc = image(65536, 65536, CHANNELS)};
    const vq_feed half = {.value = n.x, .desc = image(4096, 8192, CHANNELS)};
    assert_int_equal(try_plan(&n, &whole, 1, n.y), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "x would be 2x65536x65536x16");
    assert_int_equal(try_plan(&n, &half, 1, wide), VQ_E_SHAPE);
    fixture_error_names(n.ctx, "wide would be 2x4096x8192x64");
    net_close(&n);
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
    net n;
    net_open(&n);
    const vq_value once = put(&n, &greedy, "once", NULL, n.x, -1);
    const vq_value twice = put(&n, &greedy, "twice", NULL, once, -1);
    const vq_feed feed = {.value = n.x, .desc = image(SIZE, SIZE, CHANNELS)};
    assert_int_equal(try_plan(&n, &feed, 1, twice), VQ_E_NOMEM);
    fixture_error_names(n.ctx, "more bytes than can be counted");
    net_close(&n);
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
