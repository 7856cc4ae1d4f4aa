/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_ops_conv.c -- convolutions in f32, to the
 * bit: each number is one chain of fused multiply-adds that begins at the bias and goes over (r, s,
 * i), of transposed ones over places and channels, whatever the blocks, the batch, the threads and
 * the instruction set. Expected numbers come from plain loops. */
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
} example;

/* The second and third take several blocks and chunks that begin within images. */
static const example examples[] = {
    {"conv 3x2 uneven", &vq_op_conv2d, {3, 5, {3, 2}, {2, 1}, {0, 1, 2, 0}, true}, 3, 7, 6},
    {"conv in chunks", &vq_op_conv2d, {64, 5, {3, 3}, {1, 1}, {1, 1, 1, 1}, true}, 2, 48, 48},
    {"transpose in chunks",
     &vq_op_conv_transpose2d,
     {6, 64, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     2,
     40,
     40},
    {"conv 1x1", &vq_op_conv2d, {33, 17, {1, 1}, {1, 1}, {0, 0, 0, 0}, true}, 5, 5, 3},
    /* Whole vectors of channels are read where they lie, and the last tile of outputs overlaps. */
    {"conv 1x1, whole vectors",
     &vq_op_conv2d,
     {32, 20, {1, 1}, {1, 1}, {0, 0, 0, 0}, true},
     31,
     9,
     8},
    {"conv 1x1, four panels", &vq_op_conv2d, {64, 18, {1, 1}, {1, 1}, {0, 0, 0, 0}, true}, 2, 5, 3},
    {"transpose 1x1",
     &vq_op_conv_transpose2d,
     {33, 17, {1, 1}, {1, 1}, {0, 0, 0, 0}, true},
     2,
     5,
     3},
    {"transpose to 2 in blocks",
     &vq_op_conv_transpose2d,
     {16, 2, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     2,
     70,
     60},
    {"transpose uneven cells",
     &vq_op_conv_transpose2d,
     {7, 2, {5, 4}, {2, 3}, {1, 0, 2, 1}, true},
     2,
     6,
     5},
    {"transpose 4x4 to 3",
     &vq_op_conv_transpose2d,
     {20, 3, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     3,
     5,
     6},
    /* Here taps in the padding are left out, forward and backward. */
    {"conv 3x3, small images",
     &vq_op_conv2d,
     {20, 35, {3, 3}, {1, 1}, {1, 1, 1, 1}, true},
     7,
     8,
     8},
    {"conv 5x4, padding wider than the image",
     &vq_op_conv2d,
     {3, 18, {5, 4}, {2, 1}, {3, 4, 6, 5}, true},
     40,
     3,
     3},
    {"transpose 4x4, small images",
     &vq_op_conv_transpose2d,
     {20, 18, {4, 4}, {2, 2}, {1, 1, 1, 1}, true},
     13,
     8,
     7},
};

typedef struct rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    vq_value in, target, out;
    size_t in_count, out_count;
    vq_shape out_shape;
    float *trained;
} rig;

static void must(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static void fill(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(11, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = 2.0f * vq_random_uniform(&random) - 1.0f;
}

static void open_context(rig *r, int threads, const char *cpu)
{
    vq_context_config config;
    vq_context_config_default(&config);
    config.threads = threads;
    config.cpu = cpu;
    assert_int_equal(vq_context_create(&config, &r->ctx), VQ_OK);
}

static vq_shape out_shape_of(const example *e, const vq_node *node, int64_t images, vq_context *ctx)
{
    vq_desc out;
    const vq_desc in = {VQ_F32, {4, {images, e->height, e->width, e->attrs.in}}};
    must(ctx, e->op->infer(ctx, node, &in, &out));
    return out.shape;
}

/* The convolution, then a mean squared error that gives it a gradient. */
static void open_rig(rig *r, const example *e, int64_t images, int threads, const char *cpu)
{
    *r = (rig){0};
    open_context(r, threads, cpu);
    must(r->ctx, vq_graph_create(r->ctx, &r->graph));
    must(r->ctx, vq_graph_input(r->ctx, r->graph, "in", &r->in));
    must(r->ctx, vq_graph_input(r->ctx, r->graph, "target", &r->target));
    must(r->ctx, vq_graph_add(r->ctx, r->graph, e->op, "conv", &e->attrs, &r->in, 1, &r->out));
    const vq_value ends[2] = {r->out, r->target};
    const vq_mse_attrs mse = {.weight = 1.0};
    must(r->ctx, vq_graph_add(r->ctx, r->graph, &vq_op_mse, "mse", &mse, ends, 2, NULL));

    r->out_shape = out_shape_of(e, &r->graph->nodes[0], images, r->ctx);
    const vq_feed feeds[2] = {
        {r->in, {VQ_F32, {4, {images, e->height, e->width, e->attrs.in}}}, true},
        {r->target, {VQ_F32, r->out_shape}, false},
    };
    const vq_plan_config config = {.backend = &vq_backend_portable,
                                   .training = true,
                                   .feeds = feeds,
                                   .n_feeds = 2,
                                   .wants = &r->out,
                                   .n_wants = 1};
    must(r->ctx, vq_plan_create(r->ctx, r->graph, &config, &r->plan));
    must(r->ctx, VQ_NEW(r->ctx, r->graph->trained_count, &r->trained));
    r->in_count = vq_shape_count(&feeds[0].desc.shape);
    r->out_count = vq_shape_count(&r->out_shape);
    fill(r->trained, r->graph->trained_count, 0);
    fill(vq_plan_data(r->plan, r->in, NULL), r->in_count, 1);
    fill(vq_plan_data(r->plan, r->target, NULL), r->out_count, 2);
    vq_plan_bind(r->plan, r->trained, NULL);
    must(r->ctx, vq_plan_forward(r->plan));
    must(r->ctx, vq_plan_backward(r->plan));
}

static void close_rig(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->ctx, r->graph);
    vq_release(r->ctx, r->trained);
    vq_context_destroy(r->ctx);
}

/* ---- plain loops ---------------------------------------------------------------- */

/* One output of a convolution. */
static float conv_at(const rig *r, const example *e, const int64_t at[4])
{
    const vq_conv_attrs *a = &e->attrs;
    const float *x = vq_plan_data(r->plan, r->in, NULL);
    float sum = r->trained[r->graph->params[1].at + (size_t)at[3]];
    for (int64_t k = 0; k < a->kernel[0] * a->kernel[1]; k++) {
        const int64_t h = at[1] * a->stride[0] + k / a->kernel[1] - a->pad[0];
        const int64_t w = at[2] * a->stride[1] + k % a->kernel[1] - a->pad[1];
        if (h < 0 || h >= e->height || w < 0 || w >= e->width) continue;
        for (int64_t i = 0; i < a->in; i++) {
            const float weight = r->trained[(at[3] * a->in + i) * a->kernel[0] * a->kernel[1] + k];
            sum = fmaf(x[((at[0] * e->height + h) * e->width + w) * a->in + i], weight, sum);
        }
    }
    return sum;
}

/* One output of a transposed convolution. */
static float transpose_at(const rig *r, const example *e, const int64_t at[4])
{
    const vq_conv_attrs *a = &e->attrs;
    const float *x = vq_plan_data(r->plan, r->in, NULL);
    float sum = r->trained[r->graph->params[1].at + (size_t)at[3]];
    for (int64_t place = 0; place < e->height * e->width; place++) {
        const int64_t h = place / e->width, w = place % e->width;
        const int64_t kh = at[1] + a->pad[0] - h * a->stride[0];
        const int64_t kw = at[2] + a->pad[1] - w * a->stride[1];
        if (kh < 0 || kh >= a->kernel[0] || kw < 0 || kw >= a->kernel[1]) continue;
        for (int64_t i = 0; i < a->in; i++) {
            const int64_t line = (i * a->out + at[3]) * a->kernel[0] + kh;
            sum = fmaf(x[((at[0] * e->height + h) * e->width + w) * a->in + i],
                       r->trained[line * a->kernel[1] + kw], sum);
        }
    }
    return sum;
}

static void check_forward(const rig *r, const example *e)
{
    const float *y = vq_plan_data(r->plan, r->out, NULL);
    const int64_t *dim = r->out_shape.dim;
    /* A prime step visits all channels, borders and chunks of the larger shapes. */
    const size_t step = r->out_count > 20000 ? 37 : 1;
    for (size_t i = 0; i < r->out_count; i += step) {
        const int64_t place = (int64_t)i / dim[3];
        const int64_t at[4] = {place / (dim[1] * dim[2]), place / dim[2] % dim[1], place % dim[2],
                               (int64_t)i % dim[3]};
        const float expected = e->op == &vq_op_conv2d ? conv_at(r, e, at) : transpose_at(r, e, at);
        if (memcmp(&y[i], &expected, sizeof expected) != 0)
            fail_msg("output %zu is %.9g, loops give %.9g", i, (double)y[i], (double)expected);
    }
}

/* Gradient of weight (o, i, k) of the convolution C between an image and its map: one chain over
 * all places, whatever chunks they were worked off in. Points outside the image add nothing. */
static float weight_slope(const example *e, const vq_shape *image, const float *x,
                          const vq_shape *map, const float *dy, const int64_t at[3])
{
    const vq_conv_attrs *a = &e->attrs;
    const int64_t rows = map->dim[1], columns = map->dim[2];
    float sum = 0.0f;
    for (int64_t place = 0; place < map->dim[0] * rows * columns; place++) {
        const int64_t n = place / (rows * columns);
        const int64_t h = place / columns % rows * a->stride[0] + at[2] / a->kernel[1] - a->pad[0];
        const int64_t w = place % columns * a->stride[1] + at[2] % a->kernel[1] - a->pad[1];
        if (h < 0 || h >= image->dim[1] || w < 0 || w >= image->dim[2]) continue;
        const float *pixel = x + ((n * image->dim[1] + h) * image->dim[2] + w) * image->dim[3];
        sum = fmaf(dy[place * map->dim[3] + at[0]], pixel[at[1]], sum);
    }
    return sum;
}

static void check_weights(rig *r, const example *e)
{
    const vq_shape in = {4, {r->out_shape.dim[0], e->height, e->width, e->attrs.in}};
    const bool transposed = e->op == &vq_op_conv_transpose2d;
    const vq_shape *image = transposed ? &r->out_shape : &in;
    const vq_shape *map = transposed ? &in : &r->out_shape;
    const float *y = vq_plan_data(r->plan, r->out, NULL);
    const float *target = vq_plan_data(r->plan, r->target, NULL);
    const float *x = vq_plan_data(r->plan, r->in, NULL), *got = vq_plan_reduction(r->plan, NULL);
    const float scale = (float)(2.0 / (double)r->out_count);
    float *dy = NULL;
    must(r->ctx, VQ_NEW(r->ctx, r->out_count, &dy));
    for (size_t i = 0; i < r->out_count; i++) dy[i] = scale * (y[i] - target[i]);
    const size_t count = r->graph->params[0].count;
    const int64_t taps = e->attrs.kernel[0] * e->attrs.kernel[1];
    for (size_t i = 0; i < count; i += 1 + count / 61) {
        const int64_t k = (int64_t)i;
        const int64_t at[3] = {k / taps / image->dim[3], k / taps % image->dim[3], k % taps};
        const float expected =
            weight_slope(e, image, transposed ? dy : x, map, transposed ? x : dy, at);
        if (memcmp(&got[i], &expected, sizeof expected) != 0)
            fail_msg("d weight %zu is %.9g, loops give %.9g", i, (double)got[i], (double)expected);
    }
    vq_release(r->ctx, dy);
}

static void test_loops(void **state)
{
    const example *e = *state;
    rig r;
    open_rig(&r, e, e->images, 2, NULL);
    check_forward(&r, e);
    check_weights(&r, e);
    close_rig(&r);
}

/* ---- equal bits ----------------------------------------------------------------- */

static bool same_bits(const float *a, const float *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

static void check_same(const rig *a, const rig *b)
{
    assert_true(same_bits(vq_plan_data(a->plan, a->out, NULL), vq_plan_data(b->plan, b->out, NULL),
                          a->out_count));
    assert_true(
        same_bits(vq_plan_gradient(a->plan, a->in), vq_plan_gradient(b->plan, b->in), a->in_count));
    assert_true(same_bits(vq_plan_reduction(a->plan, NULL), vq_plan_reduction(b->plan, NULL),
                          a->graph->trained_count));
}

static void test_threads(void **state)
{
    rig one, other;
    open_rig(&one, *state, 2, 1, NULL);
    for (int threads = 2; threads <= 5; threads++) {
        open_rig(&other, *state, 2, threads, NULL);
        check_same(&one, &other);
        close_rig(&other);
    }
    close_rig(&one);
}

static void test_instructions(void **state)
{
    rig best, portable;
    open_rig(&best, *state, 1, 2, NULL);
    open_rig(&portable, *state, 1, 2, "portable");
    check_same(&best, &portable);
    close_rig(&best);
    close_rig(&portable);
}

/* An image has the same output alone and as the first or the last of a batch. */
static void test_batch(void **state)
{
    const example *e = *state;
    rig batch, alone;
    open_rig(&batch, e, e->images, 2, NULL);
    open_rig(&alone, e, 1, 2, NULL);
    const size_t n = (size_t)e->images;
    const float *in = vq_plan_data(batch.plan, batch.in, NULL);
    const float *out = vq_plan_data(batch.plan, batch.out, NULL);
    for (size_t i = 0; i < n; i += n - 1) {
        memcpy(vq_plan_data(alone.plan, alone.in, NULL), in + i * alone.in_count,
               alone.in_count * sizeof *in);
        must(alone.ctx, vq_plan_forward(alone.plan));
        assert_true(same_bits(vq_plan_data(alone.plan, alone.out, NULL), out + i * alone.out_count,
                              alone.out_count));
    }
    close_rig(&batch);
    close_rig(&alone);
}

/* ---- refusals ------------------------------------------------------------------- */

static vq_status try_infer(vq_context *ctx, const vq_op *op, const vq_conv_attrs *attrs, vq_desc in)
{
    vq_graph *graph = NULL;
    vq_value value, out;
    vq_desc desc;
    must(ctx, vq_graph_create(ctx, &graph));
    must(ctx, vq_graph_input(ctx, graph, "in", &value));
    vq_status status = vq_graph_add(ctx, graph, op, "stem", attrs, &value, 1, &out);
    if (status == VQ_OK) status = op->infer(ctx, &graph->nodes[0], &in, &desc);
    vq_graph_destroy(ctx, graph);
    return status;
}

static void test_refusals(void **state)
{
    static const struct {
        const vq_op *op;
        vq_conv_attrs attrs;
        vq_desc in;
        vq_status status;
        const char *sentence;
    } refused[] = {
        {&vq_op_conv2d,
         {3, 4, {3, 3}, {1, 1}, {0}, true},
         {VQ_F32, {4, {1, 8, 8, 5}}},
         VQ_E_SHAPE,
         "stem: the input has 5 channels, but the weights expect 3"},
        {&vq_op_conv2d,
         {3, 4, {3, 3}, {1, 1}, {0}, true},
         {VQ_F32, {2, {8, 3}}},
         VQ_E_SHAPE,
         "stem: the input has 2 axes, but 4 are needed: N,H,W,C"},
        {&vq_op_conv2d,
         {3, 4, {3, 3}, {1, 1}, {0}, true},
         {VQ_U8, {4, {1, 8, 8, 3}}},
         VQ_E_SHAPE,
         "stem: input 0 holds u8, but f32 or f64 is needed"},
        {&vq_op_conv2d,
         {3, 4, {3, 5}, {1, 1}, {0, 1, 0, 0}, true},
         {VQ_F32, {4, {1, 8, 3, 3}}},
         VQ_E_SHAPE,
         "stem: a padded width of 4 is smaller than the kernel's 5"},
        {&vq_op_conv_transpose2d,
         {3, 4, {2, 2}, {1, 1}, {1, 0, 1, 0}, true},
         {VQ_F32, {4, {1, 1, 3, 3}}},
         VQ_E_SHAPE,
         "stem: a padding of 2 leaves nothing of the output's height of 2"},
        {&vq_op_conv2d,
         {0, 4, {3, 3}, {1, 1}, {0}, true},
         {VQ_F32, {4, {1, 8, 8, 0}}},
         VQ_E_ARG,
         "stem: a number of channels in of 0, but it must be 1 to 65536"},
        {&vq_op_conv2d,
         {3, 4, {3, 3}, {1, 0}, {0}, true},
         {VQ_F32, {4, {1, 8, 8, 3}}},
         VQ_E_ARG,
         "stem: a stride of 0, but it must be 1 to 65536"},
        {&vq_op_conv_transpose2d,
         {3, 4, {3, 3}, {1, 1}, {0, 0, -1, 0}, true},
         {VQ_F32, {4, {1, 8, 8, 3}}},
         VQ_E_ARG,
         "stem: a padding of -1, but it must be 0 to 65536"},
    };
    (void)state;
    rig r = {0};
    open_context(&r, 1, NULL);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(try_infer(r.ctx, refused[i].op, &refused[i].attrs, refused[i].in),
                         refused[i].status);
        assert_string_equal(vq_context_error(r.ctx), refused[i].sentence);
    }
    vq_context_destroy(r.ctx);
}

int main(void)
{
    enum { EXAMPLES = sizeof examples / sizeof *examples };
    static const CMUnitTestFunction functions[] = {test_loops, test_threads, test_instructions,
                                                   test_batch};
    enum { KINDS = sizeof functions / sizeof *functions };
    struct CMUnitTest tests[EXAMPLES * KINDS + 1];
    size_t n = 0;
    for (size_t i = 0; i < EXAMPLES; i++)
        for (size_t k = 0; k < KINDS; k++)
            tests[n++] = (struct CMUnitTest){.name = examples[i].name,
                                             .test_func = functions[k],
                                             .initial_state = (void *)(uintptr_t)&examples[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_refusals);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
