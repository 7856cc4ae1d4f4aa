/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_quantize_ema.c -- the choice of codes, what forward leaves for the update
 * phase, the moving averages of the three starts, and codebooks drawn from data, in f32. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "nn/plan.h"
#include "quantize/quantize.h"

typedef struct rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    vq_value in, out[2];
    size_t n, dim, n_codes;
    float *trained, *state;
    float *codebook, *sums, *counts; /* the last two NULL where the codebook is trained */
} rig;

static void must(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static float *param_named(const rig *r, const char *name)
{
    for (int p = 0; p < r->graph->n_params; p++) {
        const vq_param *param = &r->graph->params[p];
        if (strcmp(param->name, name) == 0)
            return (param->kind == VQ_PARAM_STATE ? r->state : r->trained) + param->at;
    }
    return NULL;
}

static void open_rig(rig *r, const vq_op *op, const vq_quantize_attrs *attrs, int64_t n,
                     int threads)
{
    vq_context_config context;
    *r = (rig){.n = (size_t)n, .dim = (size_t)attrs->dim, .n_codes = (size_t)attrs->codes};
    vq_context_config_default(&context);
    context.threads = threads;
    assert_int_equal(vq_context_create(&context, &r->ctx), VQ_OK);
    vq_context *ctx = r->ctx;
    must(ctx, vq_graph_create(ctx, &r->graph));
    must(ctx, vq_graph_input(ctx, r->graph, "z", &r->in));
    must(ctx, vq_graph_add(ctx, r->graph, op, "top", attrs, &r->in, 1, r->out));
    const vq_feed feed = {r->in, {VQ_F32, {2, {n, attrs->dim}}}, true};
    const vq_plan_config config = {.backend = &vq_backend_portable,
                                   .training = true,
                                   .feeds = &feed,
                                   .n_feeds = 1,
                                   .wants = r->out,
                                   .n_wants = 2};
    must(ctx, vq_plan_create(ctx, r->graph, &config, &r->plan));
    must(ctx, VQ_NEW(ctx, r->graph->trained_count, &r->trained));
    must(ctx, VQ_NEW(ctx, r->graph->state_count, &r->state));
    vq_graph_init(r->graph, 5, r->trained, r->state);
    vq_plan_bind(r->plan, r->trained, r->state);
    r->codebook = param_named(r, "top.codebook");
    r->sums = param_named(r, "top.sums");
    r->counts = param_named(r, "top.counts");
}

static void close_rig(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->ctx, r->graph);
    vq_release(r->ctx, r->trained);
    vq_release(r->ctx, r->state);
    vq_context_destroy(r->ctx);
}

static void fill_normal(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(9, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = vq_random_normal(&random);
}

static float *vectors(const rig *r)
{
    return vq_plan_data(r->plan, r->in, NULL);
}
static const int32_t *codes(const rig *r)
{
    return vq_plan_data(r->plan, r->out[1], NULL);
}

/* n_k, then S_k. */
static const float *left_sums(const rig *r)
{
    return (const float *)vq_plan_reduction(r->plan, NULL) + r->graph->trained_count;
}

static const vq_quantize_attrs usual = {
    .codes = 12, .dim = 5, .commitment = 0.25, .codebook = 1.0, .decay = 0.9, .epsilon = 1e-5};

/* ---- choice --------------------------------------------------------------------- */

static void test_ties(void **state)
{
    (void)state;
    static const vq_op *const ops[] = {&vq_op_quantize_ema, &vq_op_quantize_gradient};
    for (size_t o = 0; o < 2; o++) {
        rig r;
        open_rig(&r, ops[o], &usual, 40, 2);
        /* Codes 3, 7 and 11 are one vector; the rest are far away. */
        fill_normal(r.codebook, r.n_codes * r.dim, 0);
        for (size_t i = 0; i < r.n_codes * r.dim; i++) r.codebook[i] += 50.0f;
        for (size_t d = 0; d < r.dim; d++)
            r.codebook[3 * r.dim + d] = r.codebook[7 * r.dim + d] = r.codebook[11 * r.dim + d] =
                0.1f;
        fill_normal(vectors(&r), r.n * r.dim, 1);
        must(r.ctx, vq_plan_forward(r.plan));
        for (size_t i = 0; i < r.n; i++) assert_int_equal(codes(&r)[i], 3);
        for (size_t k = 0; k < r.n_codes; k++)
            assert_true(left_sums(&r)[k] == (k == 3 ? 40.0f : 0.0f));
        close_rig(&r);
    }
}

static void test_forward(void **state)
{
    (void)state;
    rig r;
    open_rig(&r, &vq_op_quantize_ema, &usual, 301, 3);
    fill_normal(vectors(&r), r.n * r.dim, 1);
    must(r.ctx, vq_plan_forward(r.plan));
    const float *q = vq_plan_data(r.plan, r.out[0], NULL);
    double counts[12] = {0}, sums[12 * 5] = {0}, squares = 0.0;
    for (size_t i = 0; i < r.n * r.dim; i++) {
        const size_t code = (size_t)codes(&r)[i / r.dim], d = i % r.dim;
        const double z = (double)vectors(&r)[i];
        assert_true(q[i] == r.codebook[code * r.dim + d]);
        squares += (z - (double)q[i]) * (z - (double)q[i]);
        sums[code * r.dim + d] += z;
        counts[code] += d == 0;
    }
    assert_true(fabs(vq_plan_term(r.plan, 0) - squares / (double)(r.n * r.dim)) < 1e-12);
    for (size_t k = 0; k < r.n_codes; k++) assert_true((double)left_sums(&r)[k] == counts[k]);
    /* At most 301 additions of numbers below 5. */
    for (size_t k = 0; k < r.n_codes * r.dim; k++)
        assert_true(fabs((double)left_sums(&r)[r.n_codes + k] - sums[k]) < 301 * 300 * 6e-8);
    close_rig(&r);
}

static void test_threads(void **state)
{
    (void)state;
    const vq_quantize_attrs attrs = {.codes = 30, .dim = 70, .decay = 0.9, .epsilon = 1e-5};
    float kept[30 * 71];
    double term = 0.0;
    for (int threads = 1; threads <= 5; threads++) {
        rig r;
        open_rig(&r, &vq_op_quantize_ema, &attrs, 1000, threads);
        fill_normal(vectors(&r), r.n * r.dim, 1);
        must(r.ctx, vq_plan_forward(r.plan));
        if (threads == 1) {
            memcpy(kept, left_sums(&r), sizeof kept);
            term = vq_plan_term(r.plan, 0);
        }
        assert_int_equal(memcmp(kept, left_sums(&r), sizeof kept), 0);
        assert_true(term == vq_plan_term(r.plan, 0));
        close_rig(&r);
    }
}

static void test_not_finite(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    rig r;
    open_rig(&r, &vq_op_quantize_ema, &usual, 20, 2);
    for (size_t i = 0; i < 3; i++) {
        fill_normal(vectors(&r), r.n * r.dim, 1);
        vectors(&r)[13 * r.dim + 4] = vectors(&r)[17 * r.dim] = bad[i];
        assert_int_equal(vq_plan_forward(r.plan), VQ_E_NUMERIC);
        const char *sentence = vq_context_error(r.ctx);
        assert_non_null(strstr(sentence, "top: 2 of 100 numbers to quantise are not finite"));
        assert_non_null(strstr(sentence, "in vector 13"));
    }
    close_rig(&r);
}

/* ---- update --------------------------------------------------------------------- */

/* Counts and sums in double, as the formulas of the three starts have them. */
typedef struct averages {
    double count[12], sum[12 * 5];
} averages;

static void follow(averages *a, const float *left, const vq_quantize_attrs *attrs)
{
    for (int k = 0; k < 12; k++)
        a->count[k] = attrs->decay * a->count[k] + (1.0 - attrs->decay) * (double)left[k];
    for (int i = 0; i < 12 * 5; i++)
        a->sum[i] = attrs->decay * a->sum[i] + (1.0 - attrs->decay) * (double)left[12 + i];
}

static void check_codebook(const rig *r, const averages *a, const vq_quantize_attrs *attrs,
                           double correction)
{
    double total = 0.0;
    for (int k = 0; k < 12; k++) total += a->count[k] / correction;
    for (int i = 0; i < 12 * 5; i++) {
        const double count = a->count[i / 5] / correction;
        const double smooth = (count + attrs->epsilon) / (total + 12.0 * attrs->epsilon) * total;
        const double expected = a->sum[i] / correction / smooth;
        if (!(fabs((double)r->codebook[i] - expected) <= 1e-5 * (1.0 + fabs(expected))))
            fail_msg("codebook[%d] is %.9g, expected %.9g", i, (double)r->codebook[i], expected);
    }
}

static void run_updates(vq_ema_start start)
{
    vq_quantize_attrs attrs = usual;
    rig r;
    averages a = {0};
    attrs.start = start;
    attrs.init = VQ_CODEBOOK_NORMAL;
    open_rig(&r, &vq_op_quantize_ema, &attrs, 64, 2);
    for (int k = 0; k < 12; k++) a.count[k] = start == VQ_EMA_ONE ? 1.0 : 0.0;
    for (int i = 0; i < 12 * 5; i++)
        a.sum[i] = start == VQ_EMA_DEBIAS ? 0.0 : (double)r.codebook[i];
    for (int step = 1; step <= 6; step++) {
        fill_normal(vectors(&r), r.n * r.dim, (uint32_t)step);
        must(r.ctx, vq_plan_forward(r.plan));
        follow(&a, left_sums(&r), &attrs);
        must(r.ctx, vq_plan_update(r.plan, r.state, step));
        check_codebook(&r, &a, &attrs, start == VQ_EMA_DEBIAS ? 1.0 - pow(attrs.decay, step) : 1.0);
    }
    close_rig(&r);
}

static void test_updates(void **state)
{
    (void)state;
    run_updates(VQ_EMA_ONE);
    run_updates(VQ_EMA_ZERO);
    run_updates(VQ_EMA_DEBIAS);
}

/* Where a code that nobody chose goes in the first step: the three starts differ here. */
static void test_unused(void **state)
{
    (void)state;
    for (int start = VQ_EMA_ONE; start <= VQ_EMA_DEBIAS; start++) {
        vq_quantize_attrs attrs = usual;
        rig r;
        attrs.start = (vq_ema_start)start;
        attrs.epsilon = 1e-7;
        open_rig(&r, &vq_op_quantize_ema, &attrs, 64, 1);
        for (size_t d = 0; d < r.dim; d++) {
            r.codebook[d] = 99.0f; /* far from every vector */
            if (start != VQ_EMA_DEBIAS) r.sums[d] = 99.0f;
        }
        fill_normal(vectors(&r), r.n * r.dim, 1);
        must(r.ctx, vq_plan_forward(r.plan));
        assert_true(left_sums(&r)[0] == 0.0f);
        must(r.ctx, vq_plan_update(r.plan, r.state, 1));
        const double after = (double)r.codebook[0];
        if (start == VQ_EMA_ONE) assert_true(fabs(after - 99.0) < 1e-3);
        if (start == VQ_EMA_ZERO) assert_true(after > 99e5);
        if (start == VQ_EMA_DEBIAS) assert_true(after == 0.0);
        close_rig(&r);
    }
}

static void test_nothing_to_update_from(void **state)
{
    (void)state;
    vq_quantize_attrs attrs = usual;
    rig r;
    attrs.start = VQ_EMA_ZERO;
    open_rig(&r, &vq_op_quantize_ema, &attrs, 4, 1);
    assert_int_equal(vq_plan_update(r.plan, r.state, 1), VQ_E_NUMERIC);
    assert_string_equal(vq_context_error(r.ctx), "top: the moving counts of its codes add up to 0");
    close_rig(&r);
}

/* ---- codebooks from data ---------------------------------------------------------- */

/* Number of the row of z that code k is, or -1. */
static int row_of(const rig *r, size_t k)
{
    for (size_t i = 0; i < r->n; i++)
        if (memcmp(vectors(r) + i * r->dim, r->codebook + k * r->dim, r->dim * sizeof(float)) == 0)
            return (int)i;
    return -1;
}

static void test_start_rows(void **state)
{
    (void)state;
    static const int64_t sizes[] = {12, 13, 500, 7};
    vq_quantize_attrs attrs = usual;
    attrs.init = VQ_CODEBOOK_DATA;
    for (size_t i = 0; i < 4; i++) {
        bool seen[500] = {0};
        size_t distinct = 0;
        rig r;
        open_rig(&r, &vq_op_quantize_ema, &attrs, sizes[i], 2);
        fill_normal(vectors(&r), r.n * r.dim, 4);
        must(r.ctx, vq_plan_start(r.plan, 77));
        for (size_t k = 0; k < r.n_codes; k++) {
            const int row = row_of(&r, k);
            assert_in_range(row, 0, sizes[i] - 1);
            distinct += !seen[row];
            seen[row] = true;
            assert_true(r.counts[k] == 1.0f);
        }
        assert_int_equal(distinct, r.n < r.n_codes ? r.n : r.n_codes);
        assert_int_equal(memcmp(r.sums, r.codebook, r.n_codes * r.dim * sizeof(float)), 0);
        close_rig(&r);
    }
}

static void start_with(const vq_op *op, vq_quantize_attrs attrs, uint64_t seed, float *codebook)
{
    rig r;
    open_rig(&r, op, &attrs, 500, 2);
    fill_normal(vectors(&r), r.n * r.dim, 4);
    must(r.ctx, vq_plan_start(r.plan, seed));
    memcpy(codebook, r.codebook, 12 * 5 * sizeof(float));
    if (attrs.start == VQ_EMA_DEBIAS && op == &vq_op_quantize_ema)
        for (size_t i = 0; i < 12 * 5; i++) assert_true(r.sums[i] == 0.0f);
    close_rig(&r);
}

static void test_start_seeds(void **state)
{
    (void)state;
    vq_quantize_attrs attrs = usual;
    float first[12 * 5], other[12 * 5];
    attrs.init = VQ_CODEBOOK_DATA;
    start_with(&vq_op_quantize_ema, attrs, 1, first);
    start_with(&vq_op_quantize_gradient, attrs, 1, other);
    assert_int_equal(memcmp(first, other, sizeof first), 0);
    attrs.start = VQ_EMA_DEBIAS;
    start_with(&vq_op_quantize_ema, attrs, 1, other);
    assert_int_equal(memcmp(first, other, sizeof first), 0);
    start_with(&vq_op_quantize_ema, attrs, 2, other);
    assert_int_not_equal(memcmp(first, other, sizeof first), 0);
    /* Other kinds of codebook stay as they were drawn. */
    attrs.init = VQ_CODEBOOK_UNIFORM;
    start_with(&vq_op_quantize_ema, attrs, 1, first);
    start_with(&vq_op_quantize_ema, attrs, 2, other);
    assert_int_equal(memcmp(first, other, sizeof first), 0);
    for (size_t i = 0; i < 12 * 5; i++) assert_true(fabs((double)first[i]) <= sqrt(3.0 / 5.0));
}

/* ---- refusals --------------------------------------------------------------------- */

static void refuse(vq_context *ctx, const vq_op *op, const vq_quantize_attrs *attrs, vq_desc in,
                   vq_status expected, const char *sentence)
{
    vq_graph *graph = NULL;
    vq_value value, out[2];
    vq_desc desc[2];
    must(ctx, vq_graph_create(ctx, &graph));
    must(ctx, vq_graph_input(ctx, graph, "z", &value));
    vq_status status = vq_graph_add(ctx, graph, op, "top", attrs, &value, 1, out);
    if (status == VQ_OK) status = op->infer(ctx, &graph->nodes[0], &in, desc);
    assert_int_equal(status, expected);
    assert_string_equal(vq_context_error(ctx), sentence);
    vq_graph_destroy(ctx, graph);
}

static void test_refusals(void **state)
{
    (void)state;
    const vq_desc fits = {VQ_F32, {2, {8, 5}}}, narrow = {VQ_F32, {2, {8, 4}}};
    const vq_desc none = {VQ_F32, {2, {0, 5}}}, bytes = {VQ_U8, {2, {8, 5}}};
    vq_context *ctx;
    vq_quantize_attrs attrs = usual;
    assert_int_equal(vq_context_create(NULL, &ctx), VQ_OK);
    refuse(ctx, &vq_op_quantize_ema, &attrs, narrow, VQ_E_SHAPE,
           "top: the vectors have 4 numbers, but the codes have 5");
    refuse(ctx, &vq_op_quantize_ema, &attrs, none, VQ_E_SHAPE, "top: there are no vectors");
    refuse(ctx, &vq_op_quantize_gradient, &attrs, bytes, VQ_E_SHAPE,
           "top: input 0 holds u8, but f32 or f64 is needed");
    attrs.codes = 0;
    refuse(ctx, &vq_op_quantize_ema, &attrs, fits, VQ_E_ARG,
           "top: 0 codes, but 1 to 2147483647 are allowed");
    attrs = usual;
    attrs.decay = 1.0;
    refuse(ctx, &vq_op_quantize_ema, &attrs, fits, VQ_E_ARG,
           "top: the decay 1 must be at least 0 and less than 1");
    attrs = usual;
    attrs.epsilon = 0.0;
    refuse(ctx, &vq_op_quantize_ema, &attrs, fits, VQ_E_ARG,
           "top: the epsilon 0 must be greater than 0");
    attrs = usual;
    attrs.codebook = -1.0;
    refuse(ctx, &vq_op_quantize_gradient, &attrs, fits, VQ_E_ARG,
           "top: the weight -1 of the codebook term must be 0 or more");
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_updates),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_nothing_to_update_from),
        cmocka_unit_test(test_start_rows),
        cmocka_unit_test(test_start_seeds),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
