/* SPDX-License-Identifier: Apache-2.0
 * tests/support/golden_rig.c -- one operation in a graph of its own, run on golden numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/golden.h"

static vq_status probe_declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    return vq_graph_term(ctx, graph, node, "sum", 1.0);
}

static vq_status probe_infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    (void)node;
    (void)out;
    VQ_CHECK(ctx, vq_shape_count(&in[0].shape) == vq_shape_count(&in[1].shape), VQ_E_SHAPE,
             "probe: the gradient has %zu numbers, the output %zu", vq_shape_count(&in[1].shape),
             vq_shape_count(&in[0].shape));
    return VQ_OK;
}

static vq_status probe_forward(vq_step *run)
{
    const float *y = run->in[0].data, *g = run->in[1].data;
    run->terms[0] = 0.0;
    for (size_t i = 0; i < vq_shape_count(&run->in[0].desc.shape); i++)
        run->terms[0] += (double)y[i] * (double)g[i];
    return VQ_OK;
}

static vq_status probe_backward(vq_step *run)
{
    const float *g = run->in[1].data;
    float *dy = run->d_in[0].data;
    if (!dy) return VQ_OK;
    for (size_t i = 0; i < vq_shape_count(&run->in[0].desc.shape); i++)
        dy[i] = g[i] + (run->add[0] ? dy[i] : 0.0f);
    return VQ_OK;
}

static const vq_impl probe_impl = {
    .name = "probe",
    .forward = probe_forward,
    .backward = probe_backward,
    .reads_in = true,
};

const vq_op golden_probe = {
    .name = "probe",
    .n_in = 2,
    .declare = probe_declare,
    .infer = probe_infer,
    .portable_f32 = &probe_impl,
    .differentiable = true,
    .targets = 1,
};

static void build(golden_rig *rig, const golden_rig_config *config)
{
    vq_context *ctx = rig->ctx;
    must(ctx, vq_graph_create(ctx, &rig->graph));
    for (int i = 0; i < config->n_in; i++) {
        char name[VQ_NAME_SIZE];
        (void)snprintf(name, sizeof name, "in%d", i);
        must(ctx, vq_graph_input(ctx, rig->graph, name, &rig->in[i]));
    }
    must(ctx, vq_graph_add(ctx, rig->graph, config->op, "node", config->attrs, rig->in,
                           config->n_in, rig->out));
    if (!config->upstream) return;
    must(ctx, vq_graph_input(ctx, rig->graph, "upstream", &rig->upstream));
    const vq_value ends[2] = {rig->out[0], rig->upstream};
    must(ctx, vq_graph_add(ctx, rig->graph, &golden_probe, "probe", NULL, ends, 2, NULL));
}

static vq_feed feed_of(vq_value value, const vq_array *array, bool wants_gradient)
{
    return (vq_feed){.value = value,
                     .desc = {.dtype = array->dtype, .shape = array->shape},
                     .wants_gradient = wants_gradient};
}

static void copy_to(const golden_rig *rig, vq_value value, const vq_array *array)
{
    void *to = vq_plan_data(rig->plan, value, NULL);
    assert_non_null(to);
    memcpy(to, array->data, vq_shape_count(&array->shape) * vq_dtype_size(array->dtype));
}

static void prepare(golden_rig *rig, const golden_rig_config *config)
{
    vq_feed feeds[VQ_MAX_IN + 1];
    int n = 0;
    for (; n < config->n_in; n++)
        feeds[n] = feed_of(rig->in[n], config->in[n],
                           !config->inference && n < config->n_in - config->op->targets);
    if (config->upstream) feeds[n++] = feed_of(rig->upstream, config->upstream, false);
    const vq_plan_config plan = {.backend = config->backend,
                                 .precision = VQ_PRECISION_F32,
                                 .training = !config->inference,
                                 .feeds = feeds,
                                 .n_feeds = n,
                                 .wants = rig->out,
                                 .n_wants = config->op->n_out};
    must(rig->ctx, vq_plan_create(rig->ctx, rig->graph, &plan, &rig->plan));
}

void golden_rig_open(golden_rig *rig, vq_context *ctx, const golden_rig_config *config)
{
    *rig = (golden_rig){.ctx = ctx};
    build(rig, config);
    prepare(rig, config);
    must(ctx, VQ_NEW(ctx, rig->graph->trained_count, &rig->trained));
    must(ctx, VQ_NEW(ctx, rig->graph->state_count, &rig->state));
    vq_plan_bind(rig->plan, rig->trained, rig->state);
    for (int i = 0; i < config->n_in; i++) copy_to(rig, rig->in[i], config->in[i]);
    if (config->upstream) copy_to(rig, rig->upstream, config->upstream);
}

void golden_rig_close(golden_rig *rig)
{
    vq_plan_destroy(rig->plan);
    vq_graph_destroy(rig->ctx, rig->graph);
    vq_release(rig->ctx, rig->trained);
    vq_release(rig->ctx, rig->state);
}

static const vq_param *find_param(const golden_rig *rig, const char *suffix)
{
    char name[VQ_NAME_SIZE];
    (void)snprintf(name, sizeof name, "node.%s", suffix);
    for (int p = 0; p < rig->graph->n_params; p++)
        if (strcmp(rig->graph->params[p].name, name) == 0) return &rig->graph->params[p];
    return NULL;
}

float *golden_rig_param(const golden_rig *rig, const char *suffix)
{
    const vq_param *param = find_param(rig, suffix);
    if (!param) return NULL;
    return (param->kind == VQ_PARAM_TRAINED ? rig->trained : rig->state) + param->at;
}

const float *golden_rig_gradient(const golden_rig *rig, const char *suffix)
{
    const vq_param *param = find_param(rig, suffix);
    assert_non_null(param);
    size_t count;
    const float *gradients = vq_plan_reduction(rig->plan, &count);
    assert_in_range(param->at + param->count, 0, count);
    return gradients + param->at;
}
