/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_onednn.c -- oneDNN's convolutions against the portable ones: outputs and all
 * gradients, alone and in chains whose inner edges are blocked, and what a plan for use promises:
 * the same bits whatever the batch and the threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>
#ifdef VQ_HAVE_ONEDNN
#include <dnnl.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/random.h"
#include "model/builder.h"
#include "nn/onednn/onednn.h"
#include "nn/ops.h"
#include "nn/plan_parts.h"
#include "support/golden.h"

#ifndef VQ_HAVE_ONEDNN
int main(void)
{
    puts("this build has no oneDNN");
    return 77;
}
#else

static size_t allocations;

static void *count_alloc(void *user, size_t size)
{
    (void)user;
    allocations++;
    return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void count_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static vq_context *context_with(int threads)
{
    vq_context *ctx;
    vq_context_config config;
    vq_context_config_default(&config);
    config.threads = threads;
    config.allocator = (vq_allocator){.alloc = count_alloc, .release = count_release};
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    return ctx;
}

static void fill(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(11, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = vq_random_uniform(&random) - 0.5f;
}

/* |got - expected| relative to the largest number expected. */
static void compare(const char *what, const float *got, const float *expected, size_t count,
                    double allowed)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double size = expected[i] < 0 ? -(double)expected[i] : (double)expected[i];
        const double difference = (double)got[i] - (double)expected[i];
        if (size > largest) largest = size;
        /* Not "greater", so that a NaN counts. */
        if (!(difference <= worst && -difference <= worst))
            worst = difference < 0 ? -difference : difference;
    }
    if (!(worst <= allowed * largest) || largest == 0.0)
        fail_msg("%s: off by %g, the largest number is %g, allowed is %g of it", what, worst,
                 largest, allowed);
}

/* ---- one graph on one backend ---------------------------------------------------- */

typedef struct rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    vq_value x, upstream, y;
    float *trained;
} rig;

typedef void build_fn(rig *r, const void *arg);

static vq_value add_node(rig *r, const vq_op *op, const char *name, const void *attrs,
                         vq_value first, vq_value second)
{
    const vq_value in[2] = {first, second};
    vq_value out;
    must(r->ctx, vq_graph_add(r->ctx, r->graph, op, name, attrs, in, second < 0 ? 1 : 2, &out));
    return out;
}

/* y is built from x by `build`; in training the loss is sum(y * upstream). */
static void rig_build(rig *r, vq_context *ctx, build_fn *build, const void *arg)
{
    *r = (rig){.ctx = ctx};
    must(ctx, vq_graph_create(ctx, &r->graph));
    must(ctx, vq_graph_input(ctx, r->graph, "x", &r->x));
    build(r, arg);
    must(ctx, vq_graph_input(ctx, r->graph, "upstream", &r->upstream));
    const vq_value ends[2] = {r->y, r->upstream};
    must(ctx, vq_graph_add(ctx, r->graph, &golden_probe, "probe", NULL, ends, 2, NULL));
    must(ctx, VQ_NEW(ctx, r->graph->trained_count, &r->trained));
    fill(r->trained, r->graph->trained_count, 1);
}

static void rig_plan(rig *r, const vq_backend *backend, vq_shape in, vq_shape out)
{
    vq_desc desc;
    const vq_feed feeds[2] = {
        {.value = r->x, .desc = {.dtype = VQ_F32, .shape = in}, .wants_gradient = true},
        {.value = r->upstream, .desc = {.dtype = VQ_F32, .shape = out}},
    };
    const vq_plan_config config = {.backend = backend,
                                   .training = true,
                                   .feeds = feeds,
                                   .n_feeds = 2,
                                   .wants = &r->y,
                                   .n_wants = 1};
    must(r->ctx, vq_plan_create(r->ctx, r->graph, &config, &r->plan));
    vq_plan_bind(r->plan, r->trained, NULL);
    fill(vq_plan_data(r->plan, r->x, &desc), vq_shape_count(&in), 2);
    fill(vq_plan_data(r->plan, r->upstream, &desc), vq_shape_count(&out), 3);
}

static void rig_run(rig *r)
{
    must(r->ctx, vq_plan_forward(r->plan));
    must(r->ctx, vq_plan_backward(r->plan));
}

static void rig_close(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->ctx, r->graph);
    vq_release(r->ctx, r->trained);
}

static const vq_planned *step_of(const rig *r, const char *name)
{
    for (int s = 0; s < r->plan->n_steps; s++)
        if (strcmp(r->plan->steps[s].run.node->name, name) == 0) return &r->plan->steps[s];
    return NULL;
}

/* Output and gradients of both, with the tolerance of a few hundred roundings. */
static void compare_rigs(const char *name, const rig *got, const rig *expected)
{
    const double allowed = 2e-5;
    char what[256];
    vq_desc desc;
    const float *y = vq_plan_data(got->plan, got->y, &desc);
    const size_t outputs = vq_shape_count(&desc.shape);
    (void)snprintf(what, sizeof what, "%s: output", name);
    compare(what, y, vq_plan_data(expected->plan, expected->y, NULL), outputs, allowed);
    (void)vq_plan_data(got->plan, got->x, &desc);
    (void)snprintf(what, sizeof what, "%s: gradient of x", name);
    compare(what, vq_plan_gradient(got->plan, got->x),
            vq_plan_gradient(expected->plan, expected->x), vq_shape_count(&desc.shape), allowed);
    const float *a = vq_plan_reduction(got->plan, NULL);
    const float *b = vq_plan_reduction(expected->plan, NULL);
    for (int p = 0; p < got->graph->n_params; p++) {
        const vq_param *param = &got->graph->params[p];
        (void)snprintf(what, sizeof what, "%s: gradient of %s", name, param->name);
        compare(what, a + param->at, b + param->at, param->count, allowed);
    }
}

/* Builds, runs and compares; `look` sees the prepared plan of oneDNN. */
static void check(const char *name, build_fn *build, const void *arg, vq_shape in, vq_shape out,
                  void (*look)(const rig *r))
{
    vq_context *ctx = context_with(2);
    rig got, expected;
    rig_build(&got, ctx, build, arg);
    rig_build(&expected, ctx, build, arg);
    rig_plan(&got, &vq_backend_onednn, in, out);
    rig_plan(&expected, &vq_backend_portable, in, out);
    if (look) look(&got);
    rig_run(&got);
    rig_run(&expected);
    compare_rigs(name, &got, &expected);
    const size_t before = allocations;
    rig_run(&got); /* gradients are written anew, not added to */
    assert_int_equal(allocations, before);
    compare_rigs(name, &got, &expected);
    rig_close(&got);
    rig_close(&expected);
    vq_context_destroy(ctx);
}

/* ---- single operations, rows on both sides ----------------------------------------- */

typedef struct single {
    bool transposed, relu, residual;
    vq_conv_attrs attrs;
} single;

static void build_single(rig *r, const void *arg)
{
    const single *s = arg;
    r->y = add_node(r, s->transposed ? &vq_op_conv_transpose2d : &vq_op_conv2d, "op", &s->attrs,
                    r->x, -1);
    if (s->residual) r->y = add_node(r, &vq_op_add, "sum", NULL, r->x, r->y);
    if (s->relu) r->y = add_node(r, &vq_op_relu, "relu", NULL, r->y, -1);
}

static int64_t pick(vq_random *random, const int64_t *from, size_t count)
{
    return from[vq_random_below(random, count)];
}

static int64_t extent(const single *s, int axis, int64_t size)
{
    const vq_conv_attrs *a = &s->attrs;
    const int64_t pads = a->pad[axis] + a->pad[2 + axis];
    return s->transposed ? (size - 1) * a->stride[axis] + a->kernel[axis] - pads
                         : (size + pads - a->kernel[axis]) / a->stride[axis] + 1;
}

static single random_single(vq_random *random)
{
    static const int64_t channels[] = {1, 3, 5, 16, 17, 31, 32, 48, 64};
    const size_t n = sizeof channels / sizeof *channels;
    single s = {.transposed = vq_random_below(random, 2),
                .relu = vq_random_below(random, 2),
                .attrs = {.in = pick(random, channels, n),
                          .out = pick(random, channels, n),
                          .bias = vq_random_below(random, 4) > 0}};
    for (int axis = 0; axis < 2; axis++) {
        s.attrs.kernel[axis] = 1 + (int64_t)vq_random_below(random, 4);
        s.attrs.stride[axis] = 1 + (int64_t)vq_random_below(random, 2);
        s.attrs.pad[axis] = (int64_t)vq_random_below(random, (uint64_t)s.attrs.kernel[axis]);
        s.attrs.pad[2 + axis] = (int64_t)vq_random_below(random, (uint64_t)s.attrs.kernel[axis]);
    }
    return s;
}

static void random_shapes_match(void **state)
{
    (void)state;
    for (uint32_t item = 0; item < 60; item++) {
        vq_random random = vq_random_stream(3, VQ_RANDOM_TEST, 1, item);
        const single s = random_single(&random);
        const vq_conv_attrs *a = &s.attrs;
        const int64_t n = 1 + (int64_t)vq_random_below(&random, 4);
        const int64_t h = 5 + (int64_t)vq_random_below(&random, 6);
        const int64_t w = 5 + (int64_t)vq_random_below(&random, 6);
        const vq_shape in = {4, {n, h, w, a->in}};
        const vq_shape out = {4, {n, extent(&s, 0, h), extent(&s, 1, w), a->out}};
        char name[128];
        (void)snprintf(name, sizeof name,
                       "%s %lldx%lld stride %lld,%lld, %lld to %lld on %lldx%lld",
                       s.transposed ? "transposed" : "conv", (long long)a->kernel[0],
                       (long long)a->kernel[1], (long long)a->stride[0], (long long)a->stride[1],
                       (long long)a->in, (long long)a->out, (long long)h, (long long)w);
        check(name, build_single, &s, in, out, NULL);
    }
}

static void look_residual(const rig *r)
{
    assert_int_equal(step_of(r, "op")->run.residual, 1);
}

/* x + conv(x): both summands are the same edge, and odd channels take other code paths. */
static void sums_with_the_input_match(void **state)
{
    (void)state;
    const int64_t channels[] = {3, 16, 17, 64};
    for (size_t i = 0; i < 4; i++) {
        const single s = {.residual = true,
                          .relu = i % 2,
                          .attrs = {.in = channels[i],
                                    .out = channels[i],
                                    .kernel = {3, 3},
                                    .stride = {1, 1},
                                    .pad = {1, 1, 1, 1},
                                    .bias = true}};
        const vq_shape shape = {4, {3, 8, 6, channels[i]}};
        check("x + conv(x)", build_single, &s, shape, shape, look_residual);
    }
}

/* ---- chains ------------------------------------------------------------------------ */

static vq_value conv(rig *r, const char *name, vq_value x, int64_t in, int64_t out, int64_t kernel)
{
    const int64_t p = kernel / 2;
    const vq_conv_attrs attrs = {.in = in,
                                 .out = out,
                                 .kernel = {kernel, kernel},
                                 .stride = {1, 1},
                                 .pad = {p, p, p, p},
                                 .bias = true};
    return add_node(r, &vq_op_conv2d, name, &attrs, x, -1);
}

static vq_value resample(rig *r, const char *name, const vq_op *op, vq_value x, int64_t in,
                         int64_t out)
{
    const vq_conv_attrs attrs = {.in = in,
                                 .out = out,
                                 .kernel = {4, 4},
                                 .stride = {2, 2},
                                 .pad = {1, 1, 1, 1},
                                 .bias = true};
    return add_node(r, op, name, &attrs, x, -1);
}

/* x + conv1x1(relu(conv3x3(relu(x)))), then relu where `end`. */
static vq_value block(rig *r, const char *prefix, vq_value x, int64_t channels, bool end)
{
    char name[5][VQ_NAME_SIZE];
    static const char *const parts[5] = {"relu0", "conv3", "relu1", "conv1", "sum"};
    for (int i = 0; i < 5; i++) (void)snprintf(name[i], sizeof name[i], "%s.%s", prefix, parts[i]);
    vq_value h = add_node(r, &vq_op_relu, name[0], NULL, x, -1);
    h = conv(r, name[1], h, channels, 32, 3);
    h = add_node(r, &vq_op_relu, name[2], NULL, h, -1);
    h = conv(r, name[3], h, 32, channels, 1);
    h = add_node(r, &vq_op_add, name[4], NULL, x, h);
    return end ? add_node(r, &vq_op_relu, "end", NULL, h, -1) : h;
}

/* An autoencoder in small: every fold and both layouts. */
static void build_chain(rig *r, const void *arg)
{
    const int64_t channels = *(const int64_t *)arg;
    vq_value h = resample(r, "down", &vq_op_conv2d, r->x, 3, channels);
    h = add_node(r, &vq_op_relu, "down.relu", NULL, h, -1);
    h = conv(r, "conv", h, channels, channels, 3);
    h = block(r, "block0", h, channels, false);
    h = block(r, "block1", h, channels, true);
    h = resample(r, "up0", &vq_op_conv_transpose2d, h, channels, 32);
    h = add_node(r, &vq_op_relu, "up0.relu", NULL, h, -1);
    r->y = resample(r, "up1", &vq_op_conv_transpose2d, h, 32, 3);
}

/* Two convolutions of one edge: the second to run backward adds to its gradient. */
static void build_fan_out(rig *r, const void *arg)
{
    const int64_t channels = *(const int64_t *)arg;
    const vq_value h = conv(r, "first", r->x, channels, channels, 1);
    const vq_value wide = conv(r, "wide", h, channels, channels, 3);
    r->y = add_node(r, &vq_op_add, "sum", NULL, wide, conv(r, "narrow", h, channels, channels, 1));
}

static void look_added(const rig *r)
{
    assert_true(step_of(r, "wide")->run.add[0] != step_of(r, "narrow")->run.add[0]);
}

static void gradients_of_a_fan_out_add_up(void **state)
{
    (void)state;
    const int64_t channels[] = {5, 32};
    for (int i = 0; i < 2; i++) {
        const vq_shape shape = {4, {2, 7, 8, channels[i]}};
        check("fan-out", build_fan_out, &channels[i], shape, shape, look_added);
    }
}

static void look_blocked(const rig *r)
{
    static const char *const inner[] = {"down", "conv", "block0.conv3", "block1.conv1", "up0"};
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        assert_int_equal(step_of(r, inner[i])->run.out[0].layout, VQ_LAYOUT_BLOCKED16);
    assert_int_equal(step_of(r, "up1")->run.out[0].layout, VQ_LAYOUT_ROWS);
    assert_true(step_of(r, "down")->run.relu && step_of(r, "up0")->run.relu);
    assert_int_equal(step_of(r, "block1.conv1")->run.residual, 1);
    assert_true(step_of(r, "block1.conv1")->run.relu);
    /* The first sum is made where the convolution before it left its output. */
    const vq_step *sum = &step_of(r, "block0.conv1")->run;
    assert_ptr_equal(sum->in[1].data, sum->out[0].data);
    assert_ptr_equal(sum->d_in[1].data, sum->d_out[0].data);
}

static void look_rows(const rig *r)
{
    assert_int_equal(step_of(r, "conv")->run.out[0].layout, VQ_LAYOUT_ROWS);
}

static void chains_match(void **state)
{
    (void)state;
    const vq_shape in = {4, {2, 16, 12, 3}}, out = {4, {2, 32, 24, 3}};
    const int64_t blocked = 48, odd = 20;
    check("blocked chain", build_chain, &blocked, in, out, look_blocked);
    check("chain of rows", build_chain, &odd, in, out, look_rows);
}

static void the_same_run_gives_the_same_bits(void **state)
{
    (void)state;
    const vq_shape in = {4, {4, 16, 16, 3}}, out = {4, {4, 32, 32, 3}};
    const int64_t channels = 64;
    vq_context *ctx = context_with(2);
    rig r[2];
    for (int i = 0; i < 2; i++) {
        rig_build(&r[i], ctx, build_chain, &channels);
        rig_plan(&r[i], &vq_backend_onednn, in, out);
        rig_run(&r[i]);
    }
    const size_t bytes = r[0].graph->trained_count * sizeof(float);
    assert_int_equal(
        memcmp(vq_plan_reduction(r[0].plan, NULL), vq_plan_reduction(r[1].plan, NULL), bytes), 0);
    for (int i = 0; i < 2; i++) rig_close(&r[i]);
    vq_context_destroy(ctx);
}

/* ---- plans for use ------------------------------------------------------------------- */

enum { IMAGES = 32, MAX_NUMBERS = 1 << 20 };

typedef struct use {
    int threads;
    int64_t batch;
} use;

/* Latents and reconstructions of IMAGES images of `size`, `batch` at a time. */
static size_t run_model(const char *json, int64_t size, use u, float *to)
{
    vq_context *ctx = context_with(u.threads);
    vq_model_config config;
    vq_graph *graph;
    vq_plan *plan;
    float *trained, *state;
    size_t written = 0;
    vq_model_config_default(&config);
    must(ctx, vq_model_config_read(ctx, json, &config));
    must(ctx, vq_model_build(ctx, &config, 1.0, &graph));
    must(ctx, VQ_NEW(ctx, graph->trained_count, &trained));
    must(ctx, VQ_NEW(ctx, graph->state_count, &state));
    vq_graph_init(graph, 5, trained, state);
    const vq_value wants[2] = {vq_graph_find(graph, "latent.0"),
                               vq_graph_find(graph, "reconstruction")};
    const vq_feed feed = {.value = vq_graph_find(graph, "pixels"),
                          .desc = {VQ_U8, {4, {u.batch, size, size, config.channels}}}};
    const vq_plan_config plan_config = {
        .backend = &vq_backend_onednn, .feeds = &feed, .n_feeds = 1, .wants = wants, .n_wants = 2};
    must(ctx, vq_plan_create(ctx, graph, &plan_config, &plan));
    vq_plan_bind(plan, trained, state);
    const size_t pixels = (size_t)(size * size * config.channels);
    uint8_t *in = vq_plan_data(plan, feed.value, NULL);
    for (int64_t first = 0; first < IMAGES; first += u.batch) {
        for (size_t i = 0; i < (size_t)u.batch * pixels; i++)
            in[i] = (uint8_t)(((size_t)first * pixels + i) * 2654435761u >> 13);
        must(ctx, vq_plan_forward(plan));
        for (int64_t n = 0; n < u.batch && first + n < IMAGES; n++)
            for (int k = 0; k < 2; k++) {
                vq_desc desc;
                const float *from = vq_plan_data(plan, wants[k], &desc);
                const size_t each = vq_shape_count(&desc.shape) / (size_t)u.batch;
                assert_true(written + each <= MAX_NUMBERS);
                memcpy(to + written, from + (size_t)n * each, each * sizeof *to);
                written += each;
            }
    }
    vq_plan_destroy(plan);
    vq_graph_destroy(ctx, graph);
    vq_release(ctx, trained);
    vq_release(ctx, state);
    vq_context_destroy(ctx);
    return written;
}

static void batch_and_threads_change_no_bit(void **state)
{
    static const char *const models[] = {
        "{\"channels\": 3}",
        "{\"channels\": 1, \"level\": [{\"width\": 40, \"narrow\": 24, \"block_width\": 20,"
        " \"blocks\": 1, \"k\": 8, \"d\": 6}]}",
    };
    static const int64_t sizes[] = {32, 28};
    static const use uses[] = {{1, 1}, {2, 1}, {1, 7}, {2, 7}, {1, 32}, {2, 32}, {3, 32}};
    static float first[MAX_NUMBERS], other[MAX_NUMBERS];
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        const size_t count = run_model(models[m], sizes[m], uses[0], first);
        for (size_t i = 1; i < sizeof uses / sizeof *uses; i++) {
            assert_int_equal(run_model(models[m], sizes[m], uses[i], other), count);
            for (size_t k = 0; k < count; k++)
                if (memcmp(&first[k], &other[k], sizeof *first) != 0)
                    fail_msg("model %zu, batch %lld, %d threads: number %zu is %.9g, not %.9g", m,
                             (long long)uses[i].batch, uses[i].threads, k, (double)other[k],
                             (double)first[k]);
        }
    }
}

/* A plan for use packs its weights once, but not those of another binding. */
static void other_weights_are_packed_anew(void **state)
{
    (void)state;
    const single s = {.attrs = {.in = 32,
                                .out = 32,
                                .kernel = {3, 3},
                                .stride = {1, 1},
                                .pad = {1, 1, 1, 1},
                                .bias = true}};
    vq_context *ctx = context_with(1);
    rig r;
    rig_build(&r, ctx, build_single, &s);
    const vq_feed feed = {.value = r.x, .desc = {VQ_F32, {4, {1, 6, 6, 32}}}};
    const vq_plan_config config = {
        .backend = &vq_backend_onednn, .feeds = &feed, .n_feeds = 1, .wants = &r.y, .n_wants = 1};
    must(ctx, vq_plan_create(ctx, r.graph, &config, &r.plan));
    assert_true(step_of(&r, "op")->run.saved_size > 0);
    float *doubled;
    must(ctx, VQ_NEW(ctx, r.graph->trained_count, &doubled));
    for (size_t i = 0; i < r.graph->trained_count; i++) doubled[i] = 2.0f * r.trained[i];
    fill(vq_plan_data(r.plan, r.x, NULL), 6 * 6 * 32, 2);
    float once[6 * 6 * 32];
    const float *y = vq_plan_data(r.plan, r.y, NULL);
    vq_plan_bind(r.plan, r.trained, NULL);
    must(ctx, vq_plan_forward(r.plan));
    memcpy(once, y, sizeof once);
    vq_plan_bind(r.plan, doubled, NULL);
    for (int run = 0; run < 2; run++) {
        must(ctx, vq_plan_forward(r.plan));
        for (size_t i = 0; i < sizeof once / sizeof *once; i++) assert_true(y[i] == 2.0f * once[i]);
    }
    vq_release(ctx, doubled);
    rig_close(&r);
    vq_context_destroy(ctx);
}

static void the_callers_threads_are_left_alone(void **state)
{
    (void)state;
#ifdef _OPENMP
    const vq_shape in = {4, {2, 16, 12, 3}}, out = {4, {2, 32, 24, 3}};
    const int64_t channels = 32, before = omp_get_max_threads();
    vq_context *ctx = context_with(5);
    rig r;
    rig_build(&r, ctx, build_chain, &channels);
    rig_plan(&r, &vq_backend_onednn, in, out);
    rig_run(&r);
    assert_int_equal(omp_get_max_threads(), before);
    rig_close(&r);
    vq_context_destroy(ctx);
#else
    skip();
#endif
}

/* Version and instruction set of the library that is loaded, not of the context. */
static void arithmetic_names_the_library(void **state)
{
    (void)state;
    char told[VQ_ARITHMETIC_SIZE], version[24];
    vq_context *ctx = context_with(1);
    const dnnl_version_t *dnnl = dnnl_version();
    (void)snprintf(version, sizeof version, "onednn %d.%d.%d ", dnnl->major, dnnl->minor,
                   dnnl->patch);
    vq_backend_onednn.arithmetic(ctx, told, sizeof told);
    assert_ptr_equal(strstr(told, version), told);
    if (dnnl_get_effective_cpu_isa() == dnnl_cpu_isa_avx2) assert_non_null(strstr(told, " avx2 +"));
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shapes_match),
        cmocka_unit_test(sums_with_the_input_match),
        cmocka_unit_test(chains_match),
        cmocka_unit_test(gradients_of_a_fan_out_add_up),
        cmocka_unit_test(the_same_run_gives_the_same_bits),
        cmocka_unit_test(batch_and_threads_change_no_bit),
        cmocka_unit_test(other_weights_are_packed_anew),
        cmocka_unit_test(the_callers_threads_are_left_alone),
        cmocka_unit_test(arithmetic_names_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
