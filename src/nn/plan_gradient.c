/* SPDX-License-Identifier: Apache-2.0
 * nn/plan_gradient.c -- which gradients backward computes, and who writes or adds to them. */
#include "nn/plan_parts.h"

/* Whether a gradient flows from the step's outputs or terms to its input i. */
static bool passes_to(const vq_planned *step, int i)
{
    const vq_op *op = step->run.node->op;
    /* A folded residual comes after the node's own inputs and always gets its gradient. */
    return op->differentiable &&
           (i == step->run.residual || i < step->run.node->n_in - op->targets);
}

static bool is_trained(const vq_plan *plan, const vq_planned *step)
{
    const vq_node *node = step->run.node;
    for (int p = 0; p < node->n_params; p++)
        if (plan->graph->params[node->param[p]].kind == VQ_PARAM_TRAINED) return true;
    return false;
}

static void mark_depends(vq_plan *plan)
{
    for (int v = 0; v < plan->graph->n_values; v++)
        plan->edges[v].depends = plan->edges[v].keep_gradient;
    for (int s = 0; s < plan->n_steps; s++) {
        const vq_planned *step = &plan->steps[s];
        if (!step->run.node->op->differentiable) continue;
        bool depends = is_trained(plan, step);
        for (int i = 0; i < step->n_in; i++)
            depends |= passes_to(step, i) && plan->edges[step->in[i]].depends;
        /* Codes and other integers carry no gradient. */
        for (int o = 0; o < step->n_out; o++)
            plan->edges[step->out[o]].depends =
                depends && plan->edges[step->out[o]].desc.dtype != VQ_I32;
    }
}

static void mark_leads(vq_plan *plan)
{
    for (int s = plan->n_steps - 1; s >= 0; s--) {
        vq_planned *step = &plan->steps[s];
        const vq_node *node = step->run.node;
        bool active = false;
        for (int t = 0; t < node->n_terms; t++) active |= plan->weights[node->term[t]] != 0.0;
        for (int o = 0; o < step->n_out; o++) active |= plan->edges[step->out[o]].leads;
        if (!active || !node->op->differentiable) continue;
        bool any = is_trained(plan, step);
        for (int i = 0; i < step->n_in; i++) {
            vq_edge *edge = &plan->edges[step->in[i]];
            edge->leads |= passes_to(step, i);
            step->run.wants[i] = passes_to(step, i) && edge->depends;
            any |= step->run.wants[i];
        }
        step->backward = any;
    }
}

/* The gradient of what a folded relu gives passes where that is > 0. The last step to write the
 * gradient sees to it if it can; else the step with the relu goes through it once more. */
static void place_mask(vq_plan *plan, vq_value value, vq_planned *last, int i)
{
    const int producer = plan->edges[value].producer;
    if (producer < 0 || !plan->steps[producer].run.relu) return;
    if (i == last->run.residual || !(last->run.impl->folds & VQ_FOLD_MASK)) return;
    last->run.mask[i] = plan->steps[producer].run.masked = true;
}

void vq_plan_gradients(vq_plan *plan)
{
    if (!plan->training) return;
    mark_depends(plan);
    mark_leads(plan);
    /* Backward runs from the last step to the first: the first to touch a gradient writes. */
    for (int v = 0; v < plan->graph->n_values; v++) {
        vq_planned *last = NULL;
        int last_in = 0;
        for (int s = plan->n_steps - 1; s >= 0; s--) {
            vq_planned *step = &plan->steps[s];
            for (int i = 0; i < step->n_in; i++) {
                if (step->in[i] != v || !step->run.wants[i] || !step->backward) continue;
                step->run.add[i] = last != NULL;
                last = step;
                last_in = i;
            }
        }
        if (last) place_mask(plan, v, last, last_in);
    }
}
