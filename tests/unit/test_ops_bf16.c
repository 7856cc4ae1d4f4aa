/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_ops_bf16.c -- plans that multiply in bf16: output, data gradient and weights'
 * gradient of convolutions against plain loops in double over numbers rounded to bf16; and plans
 * for use against those for training.
 *
 * Every product of two such numbers is exact in f32, so a chain of n products from its start rounds
 * n times, as adding a zero is exact: what it gives is off by at most g(n) (|start| + sum |x y|),
 * g(n) = n u / (1 - n u), u = 2^-24. Tiles add two chains of at most 16 products to one another and
 * their sum to the chain: no more roundings of a product than there are products. */
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

typedef struct example {
    const char *name;
    const vq_op *op;
    vq_conv_attrs attrs;
    int64_t images, height, width;
    bool relu; /* before it, which the step takes over */
} example;

/* Odd and even channels, odd and even widths of the map, several blocks and chunks. */
static const example examples[] = {
    {"conv 4x4 from 3",
     &vq_op_conv2d,
     {3, 8, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     3,
     12,
     14,
     false},
    {"conv uneven", &vq_op_conv2d, {5, 7, {3, 2}, {2, 1}, {0, 1, 2, 0}, true}, 3, 7, 6, false},
    {"conv 3x3", &vq_op_conv2d, {32, 17, {3, 3}, {1, 1}, {1, 1, 1, 1}, true}, 2, 9, 9, false},
    {"conv in chunks",
     &vq_op_conv2d,
     {64, 5, {3, 3}, {1, 1}, {1, 1, 1, 1}, true},
     1,
     48,
     47,
     false},
    {"conv 1x1", &vq_op_conv2d, {64, 17, {1, 1}, {1, 1}, {0, 0, 0, 0}, true}, 5, 5, 3, false},
    {"conv 1x1 from 1", &vq_op_conv2d, {1, 2, {1, 1}, {1, 1}, {0, 0, 0, 0}, true}, 1, 1, 1, false},
    {"transpose 4x4 to 3",
     &vq_op_conv_transpose2d,
     {20, 3, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     3,
     5,
     6,
     false},
    {"transpose uneven",
     &vq_op_conv_transpose2d,
     {7, 18, {5, 4}, {2, 3}, {1, 0, 2, 1}, true},
     2,
     6,
     5,
     false},
    {"relu, conv 3x3", &vq_op_conv2d, {32, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, true}, 2, 7, 7, true},
    {"relu, conv from 3", &vq_op_conv2d, {3, 6, {3, 3}, {1, 1}, {1, 1, 1, 1}, true}, 2, 7, 7, true},
    {"relu, transpose",
     &vq_op_conv_transpose2d,
     {20, 3, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     3,
     5,
     5,
     true},
};

typedef struct rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    vq_value in, target, out;
    vq_shape in_shape, out_shape;
    float *trained;
    float *slopes; /* what the mean squared error sends into the convolution */
} rig;

static void must(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static void fill(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(11, VQ_RANDOM_TEST, 1, item);
    for (size_t i = 0; i < count; i++) to[i] = 2.0f * vq_random_uniform(&random) - 1.0f;
}

static void make_graph(rig *r, const example *e)
{
    const vq_mse_attrs mse = {.weight = 1.0};
    must(r->ctx, vq_graph_create(r->ctx, &r->graph));
    must(r->ctx, vq_graph_input(r->ctx, r->graph, "in", &r->in));
    must(r->ctx, vq_graph_input(r->ctx, r->graph, "target", &r->target));
    vq_value from = r->in;
    if (e->relu)
        must(r->ctx, vq_graph_add(r->ctx, r->graph, &vq_op_relu, "relu", NULL, &r->in, 1, &from));
    must(r->ctx, vq_graph_add(r->ctx, r->graph, e->op, "conv", &e->attrs, &from, 1, &r->out));
    const vq_value ends[2] = {r->out, r->target};
    must(r->ctx, vq_graph_add(r->ctx, r->graph, &vq_op_mse, "mse", &mse, ends, 2, NULL));
}

static void run_plan(rig *r)
{
    const size_t in = vq_shape_count(&r->in_shape), out = vq_shape_count(&r->out_shape);
    must(r->ctx, VQ_NEW(r->ctx, r->graph->trained_count, &r->trained));
    must(r->ctx, VQ_NEW(r->ctx, out, &r->slopes));
    fill(r->trained, r->graph->trained_count, 0);
    fill(vq_plan_data(r->plan, r->in, NULL), in, 1);
    fill(vq_plan_data(r->plan, r->target, NULL), out, 2);
    vq_plan_bind(r->plan, r->trained, NULL);
    must(r->ctx, vq_plan_forward(r->plan));
    must(r->ctx, vq_plan_backward(r->plan));
    const float *y = vq_plan_data(r->plan, r->out, NULL);
    const float *target = vq_plan_data(r->plan, r->target, NULL);
    const float scale = (float)(2.0 / (double)out);
    for (size_t i = 0; i < out; i++) r->slopes[i] = scale * (y[i] - target[i]);
}

static void open_rig(rig *r, const example *e, int threads, const char *cpu)
{
    vq_context_config config;
    vq_desc out;
    *r = (rig){0};
    vq_context_config_default(&config);
    config.threads = threads;
    config.cpu = cpu;
    assert_int_equal(vq_context_create(&config, &r->ctx), VQ_OK);
    make_graph(r, e);
    const vq_desc in = {VQ_F32, {4, {e->images, e->height, e->width, e->attrs.in}}};
    must(r->ctx, e->op->infer(r->ctx, &r->graph->nodes[e->relu ? 1 : 0], &in, &out));
    r->in_shape = in.shape;
    r->out_shape = out.shape;
    const vq_feed feeds[2] = {{r->in, in, true}, {r->target, out, false}};
    const vq_plan_config plan = {.precision = VQ_PRECISION_BF16,
                                 .training = true,
                                 .feeds = feeds,
                                 .n_feeds = 2,
                                 .wants = &r->out,
                                 .n_wants = 1};
    must(r->ctx, vq_plan_create(r->ctx, r->graph, &plan, &r->plan));
    run_plan(r);
}

static void close_rig(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->ctx, r->graph);
    vq_release(r->ctx, r->trained);
    vq_release(r->ctx, r->slopes);
    vq_context_destroy(r->ctx);
}

/* ---- plain loops ---------------------------------------------------------------- */

/* To the nearest number of 8 bits, by arithmetic alone: with |x| in [2^(e-1), 2^e), the last bit of
 * 1.5 * 2^(e + 44) in double is worth 2^(e - 8). */
static double rounded(float x)
{
    int exponent;
    if (x == 0.0f) return 0.0;
    (void)frexp((double)x, &exponent);
    const double large = ldexp(1.5, exponent + 44);
    volatile double sum = (double)x + large;
    return sum - large;
}

typedef struct number {
    double sum, size;
    size_t n;
} number;

static void add(number *to, float x, float y)
{
    const double product = rounded(x) * rounded(y);
    to->sum += product;
    to->size += fabs(product);
    to->n++;
}

/* Every product that the convolution makes: a number of `in`, one of `out`, a weight. */
typedef void visit_fn(void *user, size_t in, size_t out, size_t weight);

/* One image place and one map place under one tap of the kernel, all channels. */
static void visit_place(const example *e, size_t image, size_t map, size_t tap, visit_fn *visit,
                        void *user)
{
    const bool transposed = e->op == &vq_op_conv_transpose2d;
    const size_t taps = (size_t)(e->attrs.kernel[0] * e->attrs.kernel[1]);
    const size_t ins = (size_t)e->attrs.in, outs = (size_t)e->attrs.out;
    const size_t from = transposed ? map : image, to = transposed ? image : map;
    for (size_t i = 0; i < ins; i++)
        for (size_t o = 0; o < outs; o++) {
            const size_t weight = transposed ? i * outs + o : o * ins + i;
            visit(user, from * ins + i, to * outs + o, weight * taps + tap);
        }
}

static void visit_all(const rig *r, const example *e, visit_fn *visit, void *user)
{
    const bool transposed = e->op == &vq_op_conv_transpose2d;
    const int64_t *image = transposed ? r->out_shape.dim : r->in_shape.dim;
    const int64_t *map = transposed ? r->in_shape.dim : r->out_shape.dim;
    const vq_conv_attrs *a = &e->attrs;
    for (int64_t place = 0; place < map[0] * map[1] * map[2]; place++)
        for (int64_t tap = 0; tap < a->kernel[0] * a->kernel[1]; tap++) {
            const int64_t n = place / (map[1] * map[2]);
            const int64_t h =
                place / map[2] % map[1] * a->stride[0] + tap / a->kernel[1] - a->pad[0];
            const int64_t w = place % map[2] * a->stride[1] + tap % a->kernel[1] - a->pad[1];
            if (h < 0 || h >= image[1] || w < 0 || w >= image[2]) continue;
            visit_place(e, (size_t)((n * image[1] + h) * image[2] + w), (size_t)place, (size_t)tap,
                        visit, user);
        }
}

typedef struct sums {
    bool relu;
    const float *x, *weights, *slopes;
    number *out, *d_in, *d_weights;
} sums;

static void visit(void *user, size_t in, size_t out, size_t weight)
{
    sums *s = user;
    const float x = s->relu && s->x[in] < 0.0f ? 0.0f : s->x[in];
    add(&s->out[out], x, s->weights[weight]);
    add(&s->d_in[in], s->relu && x <= 0.0f ? 0.0f : s->slopes[out], s->weights[weight]);
    add(&s->d_weights[weight], s->slopes[out], x);
}

static void check(const char *what, size_t i, float got, const number *n, double start)
{
    const double roundings = (double)n->n * 0x1p-24;
    const double bound = roundings / (1.0 - roundings) * (n->size + fabs(start)) + 0x1p-120;
    if (!(fabs((double)got - (start + n->sum)) <= bound))
        fail_msg("%s %zu is %.9g, loops give %.12g and allow %.3g", what, i, (double)got,
                 start + n->sum, bound);
}

static void check_loops(const example *e, const char *cpu)
{
    rig r;
    open_rig(&r, e, 2, cpu);
    const size_t in = vq_shape_count(&r.in_shape), out = vq_shape_count(&r.out_shape);
    const size_t weights = r.graph->params[0].count;
    sums s = {.relu = e->relu, .weights = r.trained, .slopes = r.slopes};
    s.x = vq_plan_data(r.plan, r.in, NULL);
    must(r.ctx, VQ_NEW(r.ctx, out, &s.out));
    must(r.ctx, VQ_NEW(r.ctx, in, &s.d_in));
    must(r.ctx, VQ_NEW(r.ctx, weights, &s.d_weights));
    visit_all(&r, e, visit, &s);
    const float *y = vq_plan_data(r.plan, r.out, NULL), *d_in = vq_plan_gradient(r.plan, r.in);
    const float *d_weights = vq_plan_reduction(r.plan, NULL);
    const float *bias = r.trained + r.graph->params[1].at;
    for (size_t i = 0; i < out; i++)
        check("output", i, y[i], &s.out[i], (double)bias[i % (size_t)e->attrs.out]);
    for (size_t i = 0; i < in; i++) check("d input", i, d_in[i], &s.d_in[i], 0.0);
    for (size_t i = 0; i < weights; i++) check("d weight", i, d_weights[i], &s.d_weights[i], 0.0);
    vq_release(r.ctx, s.out);
    vq_release(r.ctx, s.d_in);
    vq_release(r.ctx, s.d_weights);
    close_rig(&r);
}

/* Bounds that this processor does not reach run what it has. */
static const char *const cpus[] = {"portable", "avx2", "avx512bf16", "amx"};

static void test_loops(void **state)
{
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) check_loops(*state, cpus[i]);
}

/* ---- equal bits ----------------------------------------------------------------- */

static void check_same(const rig *a, const rig *b)
{
    const size_t in = vq_shape_count(&a->in_shape), out = vq_shape_count(&a->out_shape);
    assert_memory_equal(vq_plan_data(a->plan, a->out, NULL), vq_plan_data(b->plan, b->out, NULL),
                        out * sizeof(float));
    assert_memory_equal(vq_plan_gradient(a->plan, a->in), vq_plan_gradient(b->plan, b->in),
                        in * sizeof(float));
    assert_memory_equal(vq_plan_reduction(a->plan, NULL), vq_plan_reduction(b->plan, NULL),
                        a->graph->trained_count * sizeof(float));
}

static void check_alike(const example *e, int threads, const char *cpu, int others,
                        const char *other_cpu)
{
    rig one, other;
    open_rig(&one, e, threads, cpu);
    open_rig(&other, e, others, other_cpu);
    check_same(&one, &other);
    close_rig(&other);
    close_rig(&one);
}

/* Threads never change a bit; neither do instruction sets that compute in f32. */
static void test_same(void **state)
{
    check_alike(*state, 1, "avx512", 3, "portable");
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        check_alike(*state, 1, cpus[i], 2, cpus[i]);
        check_alike(*state, 1, cpus[i], 3, cpus[i]);
    }
}

/* A plan for use packs its weights once, and gives what the one for training does. */
static void test_use(void **state)
{
    rig r;
    open_rig(&r, *state, 2, NULL);
    const size_t in = vq_shape_count(&r.in_shape), out = vq_shape_count(&r.out_shape);
    const vq_feed feed = {r.in, {VQ_F32, r.in_shape}, false};
    const vq_plan_config config = {.precision = VQ_PRECISION_BF16,
                                   .fast = true,
                                   .feeds = &feed,
                                   .n_feeds = 1,
                                   .wants = &r.out,
                                   .n_wants = 1};
    vq_plan *use;
    must(r.ctx, vq_plan_create(r.ctx, r.graph, &config, &use));
    vq_plan_bind(use, r.trained, NULL);
    fill(vq_plan_data(use, r.in, NULL), in, 1);
    for (int turn = 0; turn < 2; turn++) must(r.ctx, vq_plan_forward(use));
    assert_memory_equal(vq_plan_data(use, r.out, NULL), vq_plan_data(r.plan, r.out, NULL),
                        out * sizeof(float));
    vq_plan_destroy(use);
    close_rig(&r);
}

static void test_described(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, &examples[0], 1, NULL);
    for (vq_direction d = VQ_FORWARD; d < VQ_DIRECTIONS; d++)
        assert_ptr_equal(strstr(vq_plan_row_at(r.plan, 0).implementation[d], "portable bf16 "),
                         vq_plan_row_at(r.plan, 0).implementation[d]);
    close_rig(&r);
}

int main(void)
{
    enum { EXAMPLES = sizeof examples / sizeof *examples };
    struct CMUnitTest tests[3 * EXAMPLES + 1];
    size_t n = 0;
    for (size_t i = 0; i < EXAMPLES; i++) {
        void *const its = (void *)(uintptr_t)&examples[i];
        tests[n++] = (struct CMUnitTest){examples[i].name, test_loops, NULL, NULL, its};
        tests[n++] = (struct CMUnitTest){examples[i].name, test_same, NULL, NULL, its};
        tests[n++] = (struct CMUnitTest){examples[i].name, test_use, NULL, NULL, its};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_described);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
