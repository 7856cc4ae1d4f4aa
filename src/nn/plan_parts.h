/* SPDX-License-Identifier: Apache-2.0
 * nn/plan_parts.h -- the inside of a plan, shared by the files that prepare it:
 * plan_shape.c (which steps, shapes), plan_fold.c (folding, layouts), plan_gradient.c (what
 * backward computes), plan_memory.c (who lies where), plan.c (running). */
#ifndef VQ_NN_PLAN_PARTS_H
#define VQ_NN_PLAN_PARTS_H

#include "nn/plan.h"

/** A node that runs, with the edges it has after folding. */
typedef struct vq_planned {
    vq_step run;
    int n_in, n_out;
    vq_value in[VQ_MAX_IN], out[VQ_MAX_OUT];
    bool backward; /* runs in the backward pass */
} vq_planned;

/** Memory for one or more edges (or a step's saved data) over a span of time. Forward of step s
 *  is time s, its backward is time 2*n_steps - 1 - s. */
typedef struct vq_storage {
    size_t size, at;
    int from, to; /* both ends included; from > to: never used */
} vq_storage;

typedef struct vq_edge {
    vq_desc desc;
    vq_layout layout;
    bool fed, wanted, keep_gradient;
    bool depends;       /* on something that is trained, or on a feed that wants a gradient */
    bool leads;         /* to a term of the loss */
    int producer;       /* step, or -1 */
    int data, gradient; /* storages, or -1 */
} vq_edge;

struct vq_plan {
    vq_context *ctx;
    const vq_graph *graph;
    const vq_backend *backend;
    bool training, exact, f64, bf16;
    vq_planned *steps;
    int n_steps;
    vq_edge *edges; /* one for each value of the graph */
    vq_storage *storages;
    int n_storages;
    int *saved; /* storage of each step's saved data, or -1 */
    size_t scratch_size;
    vq_buffer buffer; /* storages, then scratch */
    size_t buffer_size;
    void *reduction; /* gradients, then sums */
    double *terms;   /* of the graph, in its order */
    double *weights;
    vq_observe_fn *observe; /* or NULL */
    void *observer;
    size_t observed_from; /* what step 0 is called */
};

/** Time at which a step runs backward. */
static inline int vq_backward_time(const vq_plan *plan, int step)
{
    return 2 * plan->n_steps - 1 - step;
}

static inline bool vq_edge_has_gradient(const vq_edge *edge)
{
    return edge->depends && edge->leads;
}

vq_status vq_plan_shapes(vq_plan *plan, const vq_plan_config *config);
void vq_plan_folds(vq_plan *plan);
void vq_plan_layouts(vq_plan *plan);
void vq_plan_gradients(vq_plan *plan);
vq_status vq_plan_prepare_steps(vq_plan *plan);
vq_status vq_plan_memory(vq_plan *plan);

#endif
