/* SPDX-License-Identifier: Apache-2.0
 * nn/plan_shape.c -- which nodes run, and the shape of every edge. */
#include "nn/plan_parts.h"
#include "tensor/shape.h"

/* Marks the nodes that the wanted edges, and in training the terms, need. */
static void mark_needed(const vq_plan *plan, bool *needed)
{
    const vq_graph *graph = plan->graph;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const vq_node *node = &graph->nodes[i];
        needed[i] = plan->training && node->n_terms > 0;
        for (int o = 0; o < node->n_out; o++) needed[i] |= plan->edges[node->out[o]].wanted;
        for (int later = i + 1; later < graph->n_nodes && !needed[i]; later++) {
            if (!needed[later]) continue;
            const vq_node *user = &graph->nodes[later];
            for (int k = 0; k < user->n_in; k++)
                for (int o = 0; o < node->n_out; o++)
                    needed[i] |= user->in[k] == node->out[o] && !plan->edges[node->out[o]].fed;
        }
        /* What is fed from outside is not computed, even when asked for. */
        for (int o = 0; o < node->n_out; o++)
            if (plan->edges[node->out[o]].fed) needed[i] = false;
    }
}

static const vq_impl *choose(const vq_plan *plan, const vq_node *node, const vq_desc *in,
                             const vq_desc *out)
{
    if (plan->f64) return node->op->portable_f64;
    const vq_impl *impl = plan->backend->find(node->op);
    if (impl && (!impl->supports || impl->supports(node, in, out))) return impl;
    return node->op->portable_f32;
}

/* Some implementations count the numbers of an edge in 32 bits. */
static vq_status check_size(vq_context *ctx, const char *name, const vq_desc *desc)
{
    char shape[128];
    size_t bytes;
    const bool fits = vq_shape_bytes(&desc->shape, desc->dtype, &bytes) &&
                      bytes / vq_dtype_size(desc->dtype) <= INT32_MAX &&
                      bytes <= SIZE_MAX - VQ_ALIGNMENT;
    vq_shape_text(&desc->shape, shape, sizeof shape);
    VQ_CHECK(ctx, fits, VQ_E_SHAPE,
             "%s would be %s, more than %ld numbers: take smaller batches or images", name, shape,
             (long)INT32_MAX);
    return VQ_OK;
}

static vq_status add_step(vq_plan *plan, const vq_node *node)
{
    vq_context *ctx = plan->ctx;
    vq_desc in[VQ_MAX_IN] = {0}, out[VQ_MAX_OUT] = {0};
    for (int i = 0; i < node->n_in; i++) {
        const vq_edge *edge = &plan->edges[node->in[i]];
        VQ_CHECK(ctx, edge->fed || edge->producer >= 0, VQ_E_ARG,
                 "%s needs the edge %s, which is neither fed nor computed", node->name,
                 plan->graph->value_names[node->in[i]]);
        in[i] = edge->desc;
    }
    VQ_TRY(node->op->infer(ctx, node, in, out));
    for (int o = 0; o < node->n_out; o++) VQ_TRY(check_size(ctx, node->name, &out[o]));
    vq_planned *step = &plan->steps[plan->n_steps];
    *step = (vq_planned){.n_in = node->n_in, .n_out = node->n_out};
    step->run = (vq_step){.ctx = ctx,
                          .node = node,
                          .impl = choose(plan, node, in, out),
                          .training = plan->training,
                          .bf16 = plan->bf16,
                          .exact = plan->exact,
                          .residual = -1};
    VQ_CHECK(ctx, step->run.impl, VQ_E_UNSUPPORTED, "%s: no implementation of %s", node->name,
             node->op->name);
    for (int i = 0; i < node->n_in; i++) step->in[i] = node->in[i];
    for (int o = 0; o < node->n_out; o++) {
        vq_edge *edge = &plan->edges[node->out[o]];
        step->out[o] = node->out[o];
        edge->desc = out[o];
        edge->producer = plan->n_steps;
    }
    plan->n_steps++;
    return VQ_OK;
}

static vq_status mark_ends(vq_plan *plan, const vq_plan_config *config)
{
    const int n = plan->graph->n_values;
    for (int v = 0; v < n; v++)
        plan->edges[v] = (vq_edge){.producer = -1, .data = -1, .gradient = -1};
    for (int i = 0; i < config->n_feeds; i++) {
        const vq_feed *feed = &config->feeds[i];
        VQ_CHECK(plan->ctx, feed->value >= 0 && feed->value < n, VQ_E_ARG,
                 "feed %d is no edge of the graph", i);
        vq_edge *edge = &plan->edges[feed->value];
        VQ_TRY(check_size(plan->ctx, plan->graph->value_names[feed->value], &feed->desc));
        edge->fed = true;
        edge->desc = feed->desc;
        edge->keep_gradient = feed->wants_gradient;
    }
    for (int i = 0; i < config->n_wants; i++) {
        VQ_CHECK(plan->ctx, config->wants[i] >= 0 && config->wants[i] < n, VQ_E_ARG,
                 "wanted edge %d is no edge of the graph", i);
        plan->edges[config->wants[i]].wanted = true;
    }
    return VQ_OK;
}

vq_status vq_plan_shapes(vq_plan *plan, const vq_plan_config *config)
{
    vq_context *ctx = plan->ctx;
    const vq_graph *graph = plan->graph;
    vq_status status = VQ_OK;
    bool *needed = NULL;
    VQ_TRY(VQ_NEW(ctx, graph->n_values, &plan->edges));
    VQ_TRY(VQ_NEW(ctx, graph->n_nodes, &plan->steps));
    VQ_TRY(mark_ends(plan, config));
    VQ_TRY(VQ_NEW(ctx, graph->n_nodes, &needed));
    mark_needed(plan, needed);
    for (int i = 0; i < graph->n_nodes; i++)
        if (needed[i]) VQ_TRY_TO(add_step(plan, &graph->nodes[i]));
done:
    vq_release(ctx, needed);
    return status;
}
