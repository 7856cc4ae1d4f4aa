/* SPDX-License-Identifier: Apache-2.0
 * nn/graph.c -- building a graph: nodes, values, parameters, terms. */
#include "nn/graph.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "nn/op.h"

/* Makes room for one more element of an array that doubles as it grows. */
static vq_status grow(vq_context *ctx, void **array, int used, int *room, size_t size)
{
    if (used < *room) return VQ_OK;
    const int wider = *room ? 2 * *room : 16;
    void *bigger = NULL;
    VQ_TRY(vq_alloc(ctx, (size_t)wider, size, &bigger));
    if (used) memcpy(bigger, *array, (size_t)used * size);
    vq_release(ctx, *array);
    *array = bigger;
    *room = wider;
    return VQ_OK;
}

vq_status vq_graph_create(vq_context *ctx, vq_graph **out)
{
    return VQ_NEW(ctx, 1, out);
}

void vq_graph_destroy(vq_context *ctx, vq_graph *graph)
{
    if (!graph) return;
    for (int i = 0; i < graph->n_nodes; i++) vq_release(ctx, graph->nodes[i].attrs);
    vq_release(ctx, graph->nodes);
    vq_release(ctx, graph->params);
    vq_release(ctx, graph->terms);
    vq_release(ctx, graph->value_names);
    vq_release(ctx, graph);
}

static vq_status new_value(vq_context *ctx, vq_graph *graph, vq_value *out)
{
    VQ_TRY(grow(ctx, (void **)&graph->value_names, graph->n_values, &graph->values_room,
                sizeof *graph->value_names));
    *out = graph->n_values++;
    return VQ_OK;
}

vq_status vq_graph_name(vq_context *ctx, vq_graph *graph, vq_value value, const char *name)
{
    VQ_CHECK(ctx, vq_graph_find(graph, name) < 0, VQ_E_ARG, "two edges of the graph are named %s",
             name);
    VQ_CHECK(ctx, strlen(name) < VQ_NAME_SIZE, VQ_E_ARG, "the edge name %s is too long", name);
    (void)snprintf(graph->value_names[value], VQ_NAME_SIZE, "%s", name);
    return VQ_OK;
}

vq_status vq_graph_input(vq_context *ctx, vq_graph *graph, const char *name, vq_value *out)
{
    VQ_TRY(new_value(ctx, graph, out));
    return vq_graph_name(ctx, graph, *out, name);
}

vq_value vq_graph_find(const vq_graph *graph, const char *name)
{
    for (int v = 0; v < graph->n_values; v++)
        if (strcmp(graph->value_names[v], name) == 0) return v;
    return -1;
}

static vq_status check_node(vq_context *ctx, const vq_graph *graph, const vq_op *op,
                            const char *name, const vq_value *in, int n_in)
{
    VQ_CHECK(ctx, strlen(name) < VQ_NAME_SIZE, VQ_E_ARG, "the node name %s is too long", name);
    VQ_CHECK(ctx, n_in <= VQ_MAX_IN && (op->n_in < 0 ? n_in >= 1 : n_in == op->n_in), VQ_E_ARG,
             "%s: %s takes %d inputs, not %d", name, op->name, op->n_in, n_in);
    for (int i = 0; i < n_in; i++)
        VQ_CHECK(ctx, in[i] >= 0 && in[i] < graph->n_values, VQ_E_ARG,
                 "%s: input %d is no edge of this graph", name, i);
    for (int i = 0; i < graph->n_nodes; i++)
        VQ_CHECK(ctx, strcmp(graph->nodes[i].name, name) != 0, VQ_E_ARG, "two nodes are named %s",
                 name);
    return VQ_OK;
}

vq_status vq_graph_add(vq_context *ctx, vq_graph *graph, const vq_op *op, const char *name,
                       const void *attrs, const vq_value *in, int n_in, vq_value *out)
{
    VQ_TRY(check_node(ctx, graph, op, name, in, n_in));
    VQ_TRY(grow(ctx, (void **)&graph->nodes, graph->n_nodes, &graph->nodes_room,
                sizeof *graph->nodes));
    vq_node *node = &graph->nodes[graph->n_nodes];
    *node = (vq_node){.op = op, .n_in = n_in, .n_out = op->n_out};
    (void)snprintf(node->name, sizeof node->name, "%s", name);
    memcpy(node->in, in, (size_t)n_in * sizeof *in);
    if (op->attrs_size) {
        VQ_TRY(vq_alloc(ctx, 1, op->attrs_size, &node->attrs));
        memcpy(node->attrs, attrs, op->attrs_size);
    }
    /* From here on the graph owns the node, whatever fails next. */
    graph->n_nodes++;
    for (int i = 0; i < op->n_out; i++) {
        VQ_TRY(new_value(ctx, graph, &node->out[i]));
        out[i] = node->out[i];
    }
    return op->declare ? op->declare(ctx, graph, node) : VQ_OK;
}

vq_status vq_graph_param(vq_context *ctx, vq_graph *graph, vq_node *node, const vq_param_spec *spec)
{
    VQ_CHECK(ctx, node->n_params < VQ_MAX_PARAMS, VQ_E_INTERNAL,
             "%s declares more than %d parameters", node->name, VQ_MAX_PARAMS);
    VQ_TRY(grow(ctx, (void **)&graph->params, graph->n_params, &graph->params_room,
                sizeof *graph->params));
    size_t *region = spec->kind == VQ_PARAM_TRAINED ? &graph->trained_count : &graph->state_count;
    vq_param *param = &graph->params[graph->n_params];
    *param = (vq_param){.shape = spec->shape,
                        .kind = spec->kind,
                        .group = spec->group,
                        .init = spec->init,
                        .init_scale = spec->init_scale,
                        .count = vq_shape_count(&spec->shape),
                        .at = *region};
    (void)snprintf(param->name, sizeof param->name, "%s.%s", node->name, spec->suffix);
    *region += param->count;
    node->param[node->n_params++] = graph->n_params++;
    return VQ_OK;
}

vq_status vq_graph_term(vq_context *ctx, vq_graph *graph, vq_node *node, const char *suffix,
                        double weight)
{
    VQ_CHECK(ctx, node->n_terms < VQ_MAX_TERMS, VQ_E_INTERNAL, "%s declares more than %d terms",
             node->name, VQ_MAX_TERMS);
    VQ_TRY(grow(ctx, (void **)&graph->terms, graph->n_terms, &graph->terms_room,
                sizeof *graph->terms));
    vq_term *term = &graph->terms[graph->n_terms];
    *term = (vq_term){.weight = weight, .node = (int)(node - graph->nodes)};
    (void)snprintf(term->name, sizeof term->name, "%s.%s", node->name, suffix);
    node->term[node->n_terms++] = graph->n_terms++;
    return VQ_OK;
}

void vq_graph_sums(vq_graph *graph, vq_node *node, size_t count)
{
    node->sums_at = graph->sums_count;
    node->sums_count = count;
    graph->sums_count += count;
}

static void init_param(const vq_param *param, int index, uint64_t seed, float *to)
{
    vq_random random = vq_random_stream(seed, VQ_RANDOM_INIT, 0, (uint32_t)index);
    const float scale = (float)param->init_scale;
    for (size_t i = 0; i < param->count; i++) {
        switch (param->init) {
        case VQ_INIT_ONE: to[i] = 1.0f; break;
        case VQ_INIT_UNIFORM: to[i] = scale * (2.0f * vq_random_uniform(&random) - 1.0f); break;
        case VQ_INIT_NORMAL: to[i] = scale * vq_random_normal(&random); break;
        case VQ_INIT_ZERO:
        case VQ_INIT_COPY: to[i] = 0.0f; break;
        }
    }
}

void vq_graph_init(const vq_graph *graph, uint64_t seed, float *trained, float *state)
{
    const float *before = NULL;
    for (int p = 0; p < graph->n_params; p++) {
        const vq_param *param = &graph->params[p];
        float *to = (param->kind == VQ_PARAM_TRAINED ? trained : state) + param->at;
        if (param->init != VQ_INIT_COPY) init_param(param, p, seed, to);
        else if (before) memcpy(to, before, param->count * sizeof *to);
        before = to;
    }
}
