/* SPDX-License-Identifier: Apache-2.0
 * nn/plan_memory.c -- liveness: edges that are not needed at the same time share memory.
 *
 * Each edge's numbers, its gradient and each step's saved data get a storage with a span of
 * time. A residual folded into its step lends its storage to the sum, so that the sum is made in
 * place; its gradient lies where the sum's gradient lay. */
#include <stdlib.h>

#include "nn/plan_parts.h"

/* Cannot overflow: vq_plan_shapes() refuses larger edges. */
static size_t desc_bytes(const vq_desc *desc)
{
    return vq_shape_count(&desc->shape) * vq_dtype_size(desc->dtype);
}

static int new_storage(vq_plan *plan, size_t size, int from, int to)
{
    plan->storages[plan->n_storages] = (vq_storage){.size = size, .from = from, .to = to};
    return plan->n_storages++;
}

static void extend(vq_storage *storage, int time)
{
    if (time < storage->from) storage->from = time;
    if (time > storage->to) storage->to = time;
}

static bool reads_out(const vq_step *run)
{
    return run->impl->reads_out || (run->relu && !run->masked);
}

static bool reads_in(const vq_step *run, int i)
{
    return run->mask[i] ||
           (i != run->residual && (run->impl->reads_in || (run->relu_in && i == 0)));
}

/* Whether backward of step s reads the edge. */
static bool read_backward(const vq_plan *plan, int s, vq_value value)
{
    const vq_planned *step = &plan->steps[s];
    if (!step->backward) return false;
    for (int i = 0; i < step->n_in; i++)
        if (step->in[i] == value && reads_in(&step->run, i)) return true;
    return plan->edges[value].producer == s && reads_out(&step->run);
}

/* The sum may overwrite the residual when nobody reads the residual later. */
static bool may_sum_in_place(const vq_plan *plan, int s)
{
    const vq_planned *step = &plan->steps[s];
    if (step->run.residual < 0) return false;
    const vq_value value = step->in[step->run.residual];
    const vq_edge *edge = &plan->edges[value];
    if (edge->fed || edge->wanted) return false;
    for (int other = 0; other < plan->n_steps; other++) {
        if (read_backward(plan, other, value)) return false;
        for (int i = 0; i < plan->steps[other].n_in; i++)
            if (plan->steps[other].in[i] == value &&
                (other > s || (other == s && i != step->run.residual)))
                return false;
    }
    return true;
}

static void place_data(vq_plan *plan)
{
    const int end = 2 * plan->n_steps;
    for (int v = 0; v < plan->graph->n_values; v++)
        if (plan->edges[v].fed)
            plan->edges[v].data = new_storage(plan, desc_bytes(&plan->edges[v].desc), -1, end);
    for (int s = 0; s < plan->n_steps; s++) {
        const vq_planned *step = &plan->steps[s];
        for (int o = 0; o < step->n_out; o++) {
            vq_edge *edge = &plan->edges[step->out[o]];
            if (o == 0 && may_sum_in_place(plan, s))
                edge->data = plan->edges[step->in[step->run.residual]].data;
            else edge->data = new_storage(plan, desc_bytes(&edge->desc), s, s);
            extend(&plan->storages[edge->data], edge->wanted ? end : s);
        }
    }
    for (int s = 0; s < plan->n_steps; s++) {
        const vq_planned *step = &plan->steps[s];
        for (int e = 0; e < step->n_in + step->n_out; e++) {
            const vq_value v = e < step->n_in ? step->in[e] : step->out[e - step->n_in];
            vq_storage *storage = &plan->storages[plan->edges[v].data];
            extend(storage, s);
            if (read_backward(plan, s, v)) extend(storage, vq_backward_time(plan, s));
        }
    }
}

static void place_gradients(vq_plan *plan)
{
    for (int s = plan->n_steps - 1; s >= 0; s--) {
        const vq_planned *step = &plan->steps[s];
        const int time = vq_backward_time(plan, s);
        for (int i = 0; i < step->n_in && step->backward; i++) {
            vq_edge *edge = &plan->edges[step->in[i]];
            if (!step->run.wants[i]) continue;
            /* The gradient of a sum is the gradient of its summands: no copy. */
            if (edge->gradient < 0)
                edge->gradient = i == step->run.residual
                                     ? plan->edges[step->out[0]].gradient
                                     : new_storage(plan, desc_bytes(&edge->desc), time, time);
            extend(&plan->storages[edge->gradient], time);
            if (step->run.impl->early && !step->run.add[i])
                extend(&plan->storages[edge->gradient], s);
            if (edge->keep_gradient) extend(&plan->storages[edge->gradient], 2 * plan->n_steps);
            if (edge->producer >= 0)
                extend(&plan->storages[edge->gradient], vq_backward_time(plan, edge->producer));
        }
    }
}

static void place_saved(vq_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        const vq_planned *step = &plan->steps[s];
        plan->saved[s] = -1;
        if (step->run.scratch_size > plan->scratch_size)
            plan->scratch_size = step->run.scratch_size;
        /* What a plan for use saves (packed weights) stays from one run to the next. */
        const int from = plan->training ? s : -1;
        const int to = plan->training ? vq_backward_time(plan, s) : 2 * plan->n_steps;
        if (step->run.saved_size)
            plan->saved[s] = new_storage(plan, step->run.saved_size, from, to);
    }
}

/* Rounds every storage up to the alignment. Where the sum of all fits, so does any place. */
static vq_status check_sum(vq_plan *plan)
{
    size_t sum = plan->scratch_size;
    bool fits = true;
    for (int i = 0; i < plan->n_storages; i++) {
        size_t *size = &plan->storages[i].size;
        fits = fits && vq_add_size(*size, VQ_ALIGNMENT - 1, size);
        *size = *size / VQ_ALIGNMENT * VQ_ALIGNMENT;
        fits = fits && vq_add_size(sum, *size, &sum);
    }
    VQ_CHECK(plan->ctx, fits, VQ_E_NOMEM,
             "the edges of %d steps need more bytes than can be counted: take smaller batches or "
             "images",
             plan->n_steps);
    return VQ_OK;
}

static int larger_first(const void *a, const void *b)
{
    const vq_storage *x = *(const vq_storage *const *)a, *y = *(const vq_storage *const *)b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x < y ? -1 : 1;
}

/* Greedy by size: each storage goes to the lowest place where none that lives at the same time
 * lies (Pisarchyk and Lee 2020, arXiv:2001.03288, "greedy by size"). */
static void assign_offsets(vq_plan *plan, vq_storage **order)
{
    for (int i = 0; i < plan->n_storages; i++) order[i] = &plan->storages[i];
    qsort(order, (size_t)plan->n_storages, sizeof(vq_storage *), larger_first);
    for (int i = 0; i < plan->n_storages; i++) {
        vq_storage *mine = order[i];
        for (bool moved = true; moved;) {
            moved = false;
            for (int j = 0; j < i; j++) {
                const vq_storage *other = order[j];
                if (other->to < mine->from || mine->to < other->from) continue;
                if (mine->at + mine->size <= other->at || other->at + other->size <= mine->at)
                    continue;
                mine->at = other->at + other->size;
                moved = true;
            }
        }
        if (mine->at + mine->size > plan->buffer_size) plan->buffer_size = mine->at + mine->size;
    }
}

static void *at_storage(const vq_plan *plan, unsigned char *base, int storage)
{
    return storage < 0 ? NULL : base + plan->storages[storage].at;
}

static void bind_steps(vq_plan *plan)
{
    unsigned char *base = plan->backend->map(&plan->buffer);
    for (int s = 0; s < plan->n_steps; s++) {
        vq_planned *step = &plan->steps[s];
        for (int i = 0; i < step->n_in; i++) {
            const vq_edge *edge = &plan->edges[step->in[i]];
            step->run.in[i].data = at_storage(plan, base, edge->data);
            if (step->run.wants[i] && step->backward)
                step->run.d_in[i].data = at_storage(plan, base, edge->gradient);
        }
        for (int o = 0; o < step->n_out; o++) {
            const vq_edge *edge = &plan->edges[step->out[o]];
            step->run.out[o].data = at_storage(plan, base, edge->data);
            step->run.d_out[o].data = at_storage(plan, base, edge->gradient);
        }
        step->run.saved = at_storage(plan, base, plan->saved[s]);
        step->run.scratch = base + plan->buffer_size;
    }
}

vq_status vq_plan_memory(vq_plan *plan)
{
    vq_context *ctx = plan->ctx;
    const size_t most = 2 * (size_t)plan->graph->n_values + (size_t)plan->n_steps + 1;
    vq_storage **order = NULL;
    VQ_TRY(VQ_NEW(ctx, most, &plan->storages));
    VQ_TRY(VQ_NEW(ctx, plan->n_steps + 1, &plan->saved));
    place_data(plan);
    place_gradients(plan);
    place_saved(plan);
    VQ_TRY(check_sum(plan));
    VQ_TRY(VQ_NEW(ctx, most, &order));
    assign_offsets(plan, order);
    vq_release(ctx, order);
    VQ_TRY(plan->backend->allocate(ctx, plan->buffer_size + plan->scratch_size, &plan->buffer));
    bind_steps(plan);
    return VQ_OK;
}
