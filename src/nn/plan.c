/* SPDX-License-Identifier: Apache-2.0
 * nn/plan.c -- preparing a graph for one shape, and running it. */
#include "nn/plan.h"

#include <string.h>

#include "nn/plan_parts.h"

static size_t real_size(const vq_plan *plan)
{
    return plan->f64 ? sizeof(double) : sizeof(float);
}

static size_t reduction_size(const vq_plan *plan)
{
    return plan->graph->trained_count * real_size(plan) + plan->graph->sums_count * sizeof(float);
}

static float *plan_sums(const vq_plan *plan)
{
    return (float *)((unsigned char *)plan->reduction +
                     plan->graph->trained_count * real_size(plan));
}

static vq_view edge_view(const vq_plan *plan, vq_value value)
{
    const vq_edge *edge = &plan->edges[value];
    return (vq_view){.desc = edge->desc, .layout = edge->layout};
}

static void describe_params(vq_plan *plan, vq_planned *step)
{
    const vq_node *node = step->run.node;
    const vq_dtype dtype = plan->f64 ? VQ_F64 : VQ_F32;
    for (int p = 0; p < node->n_params; p++) {
        const vq_param *param = &plan->graph->params[node->param[p]];
        step->run.param[p].desc = (vq_desc){.dtype = dtype, .shape = param->shape};
        step->run.d_param[p].desc = step->run.param[p].desc;
        if (plan->training && param->kind == VQ_PARAM_TRAINED)
            step->run.d_param[p].data =
                (unsigned char *)plan->reduction + param->at * real_size(plan);
    }
    if (node->n_terms) {
        step->run.terms = &plan->terms[node->term[0]];
        step->run.weights = &plan->weights[node->term[0]];
    }
    if (plan->training && node->sums_count) step->run.sums = plan_sums(plan) + node->sums_at;
}

vq_status vq_plan_prepare_steps(vq_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        vq_planned *step = &plan->steps[s];
        for (int i = 0; i < step->n_in; i++)
            step->run.in[i] = step->run.d_in[i] = edge_view(plan, step->in[i]);
        for (int o = 0; o < step->n_out; o++)
            step->run.out[o] = step->run.d_out[o] = edge_view(plan, step->out[o]);
        describe_params(plan, step);
        if (step->run.impl->prepare) VQ_TRY(step->run.impl->prepare(&step->run));
    }
    return VQ_OK;
}

static vq_status build(vq_plan *plan, const vq_plan_config *config)
{
    vq_context *ctx = plan->ctx;
    const vq_graph *graph = plan->graph;
    VQ_TRY(VQ_NEW(ctx, graph->n_terms, &plan->terms));
    VQ_TRY(VQ_NEW(ctx, graph->n_terms, &plan->weights));
    for (int t = 0; t < graph->n_terms; t++) plan->weights[t] = graph->terms[t].weight;
    if (plan->training) VQ_TRY(vq_alloc(ctx, 1, reduction_size(plan), &plan->reduction));
    VQ_TRY(vq_plan_shapes(plan, config));
    vq_plan_folds(plan);
    vq_plan_layouts(plan);
    vq_plan_gradients(plan);
    VQ_TRY(vq_plan_prepare_steps(plan));
    return vq_plan_memory(plan);
}

vq_status vq_plan_create(vq_context *ctx, const vq_graph *graph, const vq_plan_config *config,
                         vq_plan **out)
{
    vq_plan *plan = NULL;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &plan));
    plan->ctx = ctx;
    plan->graph = graph;
    plan->backend = config->precision == VQ_PRECISION_F32 ? config->backend : &vq_backend_portable;
    plan->training = config->training;
    plan->exact = !config->training && !config->fast;
    plan->f64 = config->precision == VQ_PRECISION_F64;
    plan->bf16 = config->precision == VQ_PRECISION_BF16;
    const vq_status status = build(plan, config);
    if (status == VQ_OK) *out = plan;
    else vq_plan_destroy(plan);
    return status;
}

void vq_plan_destroy(vq_plan *plan)
{
    if (!plan) return;
    vq_context *ctx = plan->ctx;
    for (int s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].run.impl->release) plan->steps[s].run.impl->release(&plan->steps[s].run);
    if (plan->buffer.handle) plan->backend->release(ctx, &plan->buffer);
    vq_release(ctx, plan->steps);
    vq_release(ctx, plan->edges);
    vq_release(ctx, plan->storages);
    vq_release(ctx, plan->saved);
    vq_release(ctx, plan->reduction);
    vq_release(ctx, plan->terms);
    vq_release(ctx, plan->weights);
    vq_release(ctx, plan);
}

void vq_plan_bind(vq_plan *plan, void *trained, void *state)
{
    for (int s = 0; s < plan->n_steps; s++) {
        vq_planned *step = &plan->steps[s];
        const vq_node *node = step->run.node;
        for (int p = 0; p < node->n_params; p++) {
            const vq_param *param = &plan->graph->params[node->param[p]];
            unsigned char *region = param->kind == VQ_PARAM_TRAINED ? trained : state;
            step->run.param[p].data = region + param->at * real_size(plan);
        }
    }
}

void *vq_plan_data(const vq_plan *plan, vq_value value, vq_desc *desc)
{
    const vq_edge *edge = &plan->edges[value];
    if (desc) *desc = edge->desc;
    if (edge->data < 0 || !(edge->fed || edge->wanted)) return NULL;
    return (unsigned char *)plan->backend->map(&plan->buffer) + plan->storages[edge->data].at;
}

void *vq_plan_gradient(const vq_plan *plan, vq_value value)
{
    const vq_edge *edge = &plan->edges[value];
    if (edge->gradient < 0 || !edge->keep_gradient) return NULL;
    return (unsigned char *)plan->backend->map(&plan->buffer) + plan->storages[edge->gradient].at;
}

static void tell(const vq_plan *plan, int step, vq_direction direction, bool ended)
{
    if (plan->observe)
        plan->observe(plan->observer, plan->observed_from + (size_t)step, direction, ended);
}

/* Runs the first `count` steps. */
static vq_status run_forward(vq_plan *plan, int count)
{
    if (plan->training) memset(plan_sums(plan), 0, plan->graph->sums_count * sizeof(float));
    for (int s = 0; s < count; s++) {
        vq_step *run = &plan->steps[s].run;
        tell(plan, s, VQ_FORWARD, false);
        VQ_TRY(run->impl->forward(run));
        tell(plan, s, VQ_FORWARD, true);
    }
    return VQ_OK;
}

vq_status vq_plan_forward(vq_plan *plan)
{
    return run_forward(plan, plan->n_steps);
}

vq_status vq_plan_forward_to(vq_plan *plan, vq_value value)
{
    return run_forward(plan, plan->edges[value].producer + 1);
}

static bool computes(const vq_planned *step, vq_direction direction)
{
    bool gradient = false;
    if (direction == VQ_FORWARD) return true;
    if (!step->backward) return false;
    for (int i = 0; i < step->n_in && direction == VQ_GRADIENT_DATA; i++)
        gradient |= step->run.wants[i];
    for (int p = 0; p < step->run.node->n_params && direction == VQ_GRADIENT_WEIGHTS; p++)
        gradient |= step->run.d_param[p].data != NULL;
    return gradient;
}

/* Backward of step s in one direction: the gradients of the other are not wanted in this run. */
static vq_status run_apart(vq_plan *plan, int s, vq_direction direction)
{
    vq_step run = plan->steps[s].run;
    if (!computes(&plan->steps[s], direction)) return VQ_OK;
    vq_view *others = direction == VQ_GRADIENT_DATA ? run.d_param : run.d_in;
    const int n = direction == VQ_GRADIENT_DATA ? VQ_MAX_PARAMS : VQ_MAX_IN;
    for (int i = 0; i < n; i++) others[i].data = NULL;
    tell(plan, s, direction, false);
    VQ_TRY(run.impl->backward(&run));
    tell(plan, s, direction, true);
    return VQ_OK;
}

vq_status vq_plan_backward(vq_plan *plan)
{
    memset(plan->reduction, 0, plan->graph->trained_count * real_size(plan));
    for (int s = plan->n_steps - 1; s >= 0; s--) {
        vq_step *run = &plan->steps[s].run;
        if (!plan->steps[s].backward) continue;
        if (!plan->observe) {
            VQ_TRY(run->impl->backward(run));
            continue;
        }
        VQ_TRY(run_apart(plan, s, VQ_GRADIENT_WEIGHTS));
        VQ_TRY(run_apart(plan, s, VQ_GRADIENT_DATA));
    }
    return VQ_OK;
}

void vq_plan_observe(vq_plan *plan, size_t first, vq_observe_fn *observe, void *user)
{
    plan->observe = observe;
    plan->observer = user;
    plan->observed_from = first;
}

vq_status vq_plan_start(vq_plan *plan, uint64_t seed)
{
    /* A later quantiser may look at what an earlier one made, so forward runs anew for each; it
     * stops at the operation, before later steps reuse the memory of its inputs. */
    for (int s = 0; s < plan->n_steps; s++) {
        vq_step *run = &plan->steps[s].run;
        if (!run->node->op->start) continue;
        VQ_TRY(run_forward(plan, s + 1));
        VQ_TRY(run->node->op->start(run, seed));
    }
    return VQ_OK;
}

void *vq_plan_reduction(const vq_plan *plan, size_t *count)
{
    if (count) *count = plan->graph->trained_count + plan->graph->sums_count;
    return plan->reduction;
}

double vq_plan_term(const vq_plan *plan, int term)
{
    return plan->terms[term];
}

void vq_plan_weigh(vq_plan *plan, int term, double weight)
{
    plan->weights[term] = weight;
}

double vq_plan_loss(const vq_plan *plan)
{
    double loss = 0.0;
    for (int t = 0; t < plan->graph->n_terms; t++) loss += plan->weights[t] * plan->terms[t];
    return loss;
}

vq_status vq_plan_update(vq_plan *plan, float *state, int64_t step)
{
    for (int s = 0; s < plan->n_steps; s++) {
        const vq_step *run = &plan->steps[s].run;
        if (run->node->op->update)
            VQ_TRY(
                run->node->op->update(plan->ctx, run->node, plan->graph, state, run->sums, step));
    }
    return VQ_OK;
}

int vq_plan_rows(const vq_plan *plan)
{
    return plan->n_steps;
}

vq_plan_row vq_plan_row_at(const vq_plan *plan, int index)
{
    const vq_planned *step = &plan->steps[index];
    const vq_step *run = &step->run;
    vq_plan_row row = {.node = run->node->name,
                       .op = run->node->op->name,
                       .bytes = run->saved_size};
    for (vq_direction d = VQ_FORWARD; d < VQ_DIRECTIONS; d++) {
        if (!computes(step, d)) continue;
        row.implementation[d] = run->impl->describe ? run->impl->describe(run, d) : run->impl->name;
        if (run->node->op->flops) row.flops[d] = run->node->op->flops(run, d);
    }
    if (step->n_out) row.out = run->out[0].desc;
    for (int o = 0; o < step->n_out; o++) {
        const vq_desc *desc = &run->out[o].desc;
        const size_t bytes = vq_shape_count(&desc->shape) * vq_dtype_size(desc->dtype);
        row.bytes += run->d_out[o].data ? 2 * bytes : bytes;
    }
    return row;
}

size_t vq_plan_bytes(const vq_plan *plan)
{
    return plan->buffer.size + (plan->training ? reduction_size(plan) : 0);
}
