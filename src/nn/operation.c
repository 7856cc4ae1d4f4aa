/* SPDX-License-Identifier: Apache-2.0
 * nn/operation.c -- one convolution on the caller's arrays: a graph and a plan for each call. */
#include <string.h>
#include <vqvae/operation.h>

#include "nn/ops.h"
#include "nn/plan.h"

/* ---- where a gradient comes from: the term sum(y * g), whose gradient to y is g ----------- */

static vq_status upstream_declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    return vq_graph_term(ctx, graph, node, "sum", 1.0);
}

static vq_status upstream_infer(vq_context *ctx, const vq_node *node, const vq_desc *in,
                                vq_desc *out)
{
    (void)ctx, (void)node, (void)in, (void)out; /* both inputs are made alike below */
    return VQ_OK;
}

static vq_status upstream_forward(vq_step *run)
{
    const float *y = run->in[0].data, *g = run->in[1].data;
    const size_t count = vq_shape_count(&run->in[0].desc.shape);
    run->terms[0] = 0.0;
    for (size_t i = 0; i < count; i++) run->terms[0] += (double)y[i] * (double)g[i];
    return VQ_OK;
}

/* It is the only reader of y, so there is nothing to add to. */
static vq_status upstream_backward(vq_step *run)
{
    if (run->d_in[0].data)
        memcpy(run->d_in[0].data, run->in[1].data,
               vq_shape_count(&run->in[0].desc.shape) * sizeof(float));
    return VQ_OK;
}

static const vq_impl upstream_portable = {.name = "portable",
                                          .forward = upstream_forward,
                                          .backward = upstream_backward,
                                          .reads_in = true};

static const vq_op upstream = {.name = "upstream",
                               .n_in = 2,
                               .declare = upstream_declare,
                               .infer = upstream_infer,
                               .portable_f32 = &upstream_portable,
                               .differentiable = true,
                               .targets = 1};

/* ---- the convolution ------------------------------------------------------------------- */

typedef struct rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    float *numbers; /* weight and bias */
    vq_value x, y, dy;
    vq_desc in, out;
} rig;

static void clear(rig *r)
{
    vq_plan_destroy(r->plan);
    vq_graph_destroy(r->ctx, r->graph);
    vq_release(r->ctx, r->numbers);
}

/* Larger edges are refused by the plan; until then no sum of extents overflows. */
static vq_status check_extents(vq_context *ctx, const int64_t in[3])
{
    VQ_CHECK(ctx,
             in[0] >= 1 && in[1] >= 1 && in[2] >= 1 && in[0] <= INT32_MAX && in[1] <= INT32_MAX &&
                 in[2] <= INT32_MAX,
             VQ_E_SHAPE, "%lld images of %lldx%lld pixels: each extent must be 1 to %ld",
             (long long)in[0], (long long)in[2], (long long)in[1], (long)INT32_MAX);
    return VQ_OK;
}

static vq_status add_convolution(rig *r, const vq_conv_config *config, const int64_t in[3],
                                 bool bias)
{
    const vq_op *op = config->transposed ? &vq_op_conv_transpose2d : &vq_op_conv2d;
    vq_conv_attrs attrs = {.in = config->in, .out = config->out, .bias = bias};
    memcpy(attrs.kernel, config->kernel, sizeof attrs.kernel);
    memcpy(attrs.stride, config->stride, sizeof attrs.stride);
    memcpy(attrs.pad, config->pad, sizeof attrs.pad);
    r->in = (vq_desc){VQ_F32, {.rank = 4, .dim = {in[0], in[1], in[2], config->in}}};
    VQ_TRY(check_extents(r->ctx, in));
    VQ_TRY(vq_graph_create(r->ctx, &r->graph));
    VQ_TRY(vq_graph_input(r->ctx, r->graph, "x", &r->x));
    VQ_TRY(vq_graph_add(r->ctx, r->graph, op, "convolution", &attrs, &r->x, 1, &r->y));
    return op->infer(r->ctx, &r->graph->nodes[0], &r->in, &r->out);
}

static vq_status add_upstream(rig *r)
{
    VQ_TRY(vq_graph_input(r->ctx, r->graph, "dy", &r->dy));
    const vq_value in[2] = {r->y, r->dy};
    return vq_graph_add(r->ctx, r->graph, &upstream, "upstream", NULL, in, 2, NULL);
}

static vq_status make_plan(rig *r, const char *backend, const vq_conv_arrays *a)
{
    const vq_feed feeds[2] = {{r->x, r->in, a->dx != NULL}, {r->dy, r->out, false}};
    vq_plan_config config = {.training = a->dy != NULL,
                             .feeds = feeds,
                             .n_feeds = a->dy ? 2 : 1,
                             .wants = &r->y,
                             .n_wants = 1};
    VQ_TRY(vq_backend_find(r->ctx, backend, &config.backend));
    return vq_plan_create(r->ctx, r->graph, &config, &r->plan);
}

static void fill(const rig *r, const vq_conv_arrays *a)
{
    const float *from[2] = {a->weight, a->bias};
    for (int p = 0; p < r->graph->n_params; p++) {
        const vq_param *param = &r->graph->params[p];
        memcpy(r->numbers + param->at, from[p], param->count * sizeof(float));
    }
    memcpy(vq_plan_data(r->plan, r->x, NULL), a->x, vq_shape_count(&r->in.shape) * sizeof(float));
    if (a->dy)
        memcpy(vq_plan_data(r->plan, r->dy, NULL), a->dy,
               vq_shape_count(&r->out.shape) * sizeof(float));
}

static void take_gradients(const rig *r, const vq_conv_arrays *a)
{
    float *to[2] = {a->dweight, a->dbias};
    const float *gradients = vq_plan_reduction(r->plan, NULL);
    for (int p = 0; p < r->graph->n_params; p++) {
        const vq_param *param = &r->graph->params[p];
        if (to[p]) memcpy(to[p], gradients + param->at, param->count * sizeof(float));
    }
    if (a->dx)
        memcpy(a->dx, vq_plan_gradient(r->plan, r->x),
               vq_shape_count(&r->in.shape) * sizeof(float));
}

static vq_status run_all(rig *r, const vq_conv_config *config, const int64_t in[3],
                         const vq_conv_arrays *a)
{
    VQ_TRY(add_convolution(r, config, in, a->bias != NULL));
    if (a->dy) VQ_TRY(add_upstream(r));
    VQ_TRY(make_plan(r, config->backend, a));
    VQ_TRY(VQ_NEW(r->ctx, r->graph->trained_count, &r->numbers));
    vq_plan_bind(r->plan, r->numbers, NULL);
    fill(r, a);
    VQ_TRY(vq_plan_forward(r->plan));
    if (a->y)
        memcpy(a->y, vq_plan_data(r->plan, r->y, NULL),
               vq_shape_count(&r->out.shape) * sizeof(float));
    if (!a->dy) return VQ_OK;
    VQ_TRY(vq_plan_backward(r->plan));
    take_gradients(r, a);
    return VQ_OK;
}

vq_status vq_conv_size(vq_context *ctx, const vq_conv_config *config, const int64_t in[3],
                       int64_t out[4])
{
    rig r = {.ctx = ctx};
    const vq_status status = add_convolution(&r, config, in, false);
    if (status == VQ_OK) memcpy(out, r.out.shape.dim, 4 * sizeof *out);
    clear(&r);
    return status;
}

vq_status vq_conv_run(vq_context *ctx, const vq_conv_config *config, const int64_t in[3],
                      const vq_conv_arrays *arrays)
{
    vq_conv_arrays rest = *arrays;
    if (arrays->y && arrays->dy) { /* a plan for training may take other sums: y has its own */
        vq_conv_arrays forward = {
            .x = arrays->x, .weight = arrays->weight, .bias = arrays->bias, .y = arrays->y};
        VQ_TRY(vq_conv_run(ctx, config, in, &forward));
        rest.y = NULL;
    }
    rig r = {.ctx = ctx};
    const vq_status status = run_all(&r, config, in, &rest);
    clear(&r);
    return status;
}
