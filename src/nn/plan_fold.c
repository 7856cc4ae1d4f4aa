/* SPDX-License-Identifier: Apache-2.0
 * nn/plan_fold.c -- neighbours folded into one step, and the layout of every edge.
 *
 * A convolution whose implementation can do so takes over the sum that follows (residual) and
 * the activation after that, and the activation of its input where no other step can take that; the
 * folded steps vanish from the plan. */
#include "nn/ops.h"
#include "nn/plan_parts.h"

/* Number of steps that read the edge, and the last of them. */
static int readers(const vq_plan *plan, vq_value value, int *last)
{
    int count = 0;
    for (int s = 0; s < plan->n_steps; s++)
        for (int i = 0; i < plan->steps[s].n_in; i++)
            if (plan->steps[s].in[i] == value) {
                count++;
                *last = s;
            }
    return count;
}

static void drop_step(vq_plan *plan, int at)
{
    for (int s = at; s + 1 < plan->n_steps; s++) plan->steps[s] = plan->steps[s + 1];
    plan->n_steps--;
    for (int v = 0; v < plan->graph->n_values; v++)
        if (plan->edges[v].producer > at) plan->edges[v].producer--;
}

/* Lets step s make the output of step `next`, its only reader, and removes that step. */
static void take_over(vq_plan *plan, int s, int next)
{
    vq_planned *step = &plan->steps[s];
    plan->edges[step->out[0]].producer = -1;
    step->out[0] = plan->steps[next].out[0];
    plan->edges[step->out[0]].producer = s;
    drop_step(plan, next);
}

/* The step that alone reads the output of s, when that output is not needed elsewhere. */
static int only_reader(const vq_plan *plan, int s)
{
    int next = -1;
    const vq_value out = plan->steps[s].out[0];
    if (plan->edges[out].wanted || readers(plan, out, &next) != 1) return -1;
    return next;
}

static void fold_add(vq_plan *plan, int s)
{
    vq_planned *step = &plan->steps[s];
    const int next = only_reader(plan, s);
    if (next < 0 || plan->steps[next].run.node->op != &vq_op_add) return;
    const vq_planned *sum = &plan->steps[next];
    const vq_value other = sum->in[sum->in[0] == step->out[0] ? 1 : 0];
    /* The other summand must be there before this step runs, and must not be broadcast. */
    if (plan->edges[other].producer >= s || step->n_in >= VQ_MAX_IN) return;
    step->run.residual = step->n_in;
    step->in[step->n_in++] = other;
    take_over(plan, s, next);
}

static void fold_relu(vq_plan *plan, int s)
{
    const int next = only_reader(plan, s);
    if (next < 0 || plan->steps[next].run.node->op != &vq_op_relu) return;
    plan->steps[s].run.relu = true;
    take_over(plan, s, next);
}

/* Step s reads what its input's relu reads, where it alone reads the relu's output. */
static void fold_relu_in(vq_plan *plan, int s)
{
    vq_planned *step = &plan->steps[s];
    const int before = plan->edges[step->in[0]].producer;
    if (before < 0 || plan->steps[before].run.node->op != &vq_op_relu) return;
    if (only_reader(plan, before) != s) return;
    plan->edges[step->in[0]].producer = -1;
    step->run.relu_in = true;
    step->in[0] = plan->steps[before].in[0];
    drop_step(plan, before);
}

void vq_plan_folds(vq_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        const unsigned folds = plan->steps[s].run.impl->folds;
        if (folds & VQ_FOLD_ADD) fold_add(plan, s);
        if (folds & VQ_FOLD_RELU) fold_relu(plan, s);
    }
    /* Backwards, as the step that vanishes lies before. */
    for (int s = plan->n_steps - 1; s >= 0; s--)
        if (plan->steps[s].run.impl->folds & VQ_FOLD_RELU_IN) fold_relu_in(plan, s);
}

/* ---- layouts ----------------------------------------------------------------- */

static bool may_be_blocked(const vq_edge *edge)
{
    const vq_shape *shape = &edge->desc.shape;
    return !edge->fed && !edge->wanted && edge->desc.dtype == VQ_F32 && shape->rank == 4 &&
           shape->dim[3] % 16 == 0;
}

/* Takes blocked layout away from the step's edges where the step cannot have it; true when
 * something changed. */
static bool restrict_step(vq_plan *plan, const vq_planned *step)
{
    const bool alike = step->run.node->op->elementwise;
    bool all = true, changed = false;
    for (int i = 0; i < step->n_in; i++)
        all &= plan->edges[step->in[i]].layout == VQ_LAYOUT_BLOCKED16;
    for (int o = 0; o < step->n_out; o++)
        all &= plan->edges[step->out[o]].layout == VQ_LAYOUT_BLOCKED16;
    if (alike ? all : step->run.impl->any_layout) return false;
    for (int e = 0; e < step->n_in + step->n_out; e++) {
        vq_edge *edge = &plan->edges[e < step->n_in ? step->in[e] : step->out[e - step->n_in]];
        changed |= edge->layout != VQ_LAYOUT_ROWS;
        edge->layout = VQ_LAYOUT_ROWS;
    }
    return changed;
}

/* A residual is summed element by element, so it must lie as the output does. */
static bool match_residual(vq_plan *plan, const vq_planned *step)
{
    if (step->run.residual < 0) return false;
    vq_edge *in = &plan->edges[step->in[step->run.residual]], *out = &plan->edges[step->out[0]];
    if (in->layout == out->layout) return false;
    in->layout = out->layout = VQ_LAYOUT_ROWS;
    return true;
}

void vq_plan_layouts(vq_plan *plan)
{
    bool wanted = false;
    for (int s = 0; s < plan->n_steps; s++) wanted |= plan->steps[s].run.impl->any_layout;
    if (!wanted) return;
    for (int v = 0; v < plan->graph->n_values; v++)
        if (may_be_blocked(&plan->edges[v])) plan->edges[v].layout = VQ_LAYOUT_BLOCKED16;
    for (bool changed = true; changed;) {
        changed = false;
        for (int s = 0; s < plan->n_steps; s++) {
            changed |= restrict_step(plan, &plan->steps[s]);
            changed |= match_residual(plan, &plan->steps[s]);
        }
    }
}
