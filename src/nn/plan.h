/* SPDX-License-Identifier: Apache-2.0
 * nn/plan.h -- a graph prepared for one shape, backend and precision.
 *
 * After preparing, forward, backward and update are loops over steps and allocate nothing.
 * Backward leaves all gradients and all statistics of quantisers in one contiguous buffer, the
 * reduction buffer [gradients of trained parameters | sums], so that one hook can add those of
 * several workers before the update phase. */
#ifndef VQ_NN_PLAN_H
#define VQ_NN_PLAN_H

#include "nn/backend.h"
#include "nn/op.h"

typedef struct vq_plan vq_plan;

typedef enum vq_precision {
    VQ_PRECISION_F32,
    VQ_PRECISION_BF16, /* f32, but products of convolutions are of numbers rounded to bf16;
                          portable only */
    VQ_PRECISION_F64   /* portable only; for checking gradients */
} vq_precision;

typedef struct vq_feed {
    vq_value value;
    vq_desc desc;
    bool wants_gradient; /* for tests: keep d(loss)/d(value) */
} vq_feed;

typedef struct vq_plan_config {
    const vq_backend *backend;
    vq_precision precision;
    bool training;
    bool fast;            /* a plan for use may compute as one for training does: not exactly */
    const vq_feed *feeds; /* values given from outside */
    int n_feeds;
    const vq_value *wants; /* values to be read; nodes that lead to none of them are left out;
                              in training, nodes with terms are wanted too */
    int n_wants;
} vq_plan_config;

/** @return VQ_OK; VQ_E_SHAPE; VQ_E_UNSUPPORTED; VQ_E_NOMEM; VQ_E_ARG (a value that is neither fed
 *  nor computed) */
VQ_MUST_USE vq_status vq_plan_create(vq_context *ctx, const vq_graph *graph,
                                     const vq_plan_config *config, vq_plan **out);
void vq_plan_destroy(vq_plan *plan);

/** Numbers of the parameters; elements are f32, or f64 in a plan of that precision. They are
 *  read at each forward; the caller keeps them. */
void vq_plan_bind(vq_plan *plan, void *trained, void *state);

/** Memory of a fed or wanted value, row-major. */
void *vq_plan_data(const vq_plan *plan, vq_value value, vq_desc *desc);
/** Its gradient, or NULL. */
void *vq_plan_gradient(const vq_plan *plan, vq_value value);

VQ_MUST_USE vq_status vq_plan_forward(vq_plan *plan);
/** Forward as far as the step that computes the value. */
VQ_MUST_USE vq_status vq_plan_forward_to(vq_plan *plan, vq_value value);
/** Zeroes the gradients of parameters, then runs all steps in reverse: once after a forward. */
VQ_MUST_USE vq_status vq_plan_backward(vq_plan *plan);
/** Tells `observe` of each step as it runs, by `first` + its row, until it is NULL again. The two
 *  kinds of gradients, which a step otherwise computes in one go, are then computed apart: the same
 *  numbers, but work that they share is done twice. */
void vq_plan_observe(vq_plan *plan, size_t first, vq_observe_fn *observe, void *user);
/** Lets every operation with state set parameters from the batch that lies in the feeds. */
VQ_MUST_USE vq_status vq_plan_start(vq_plan *plan, uint64_t seed);

/** The reduction buffer: trained_count gradients, then sums_count sums. NULL but in training. */
void *vq_plan_reduction(const vq_plan *plan, size_t *count);
/** Value of a term after forward. */
double vq_plan_term(const vq_plan *plan, int term);
/** Gives a term another weight than its graph does, from the next forward on. A node whose terms
 *  all have weight 0 in the graph, and which leads to no other term, stays without a backward. */
void vq_plan_weigh(vq_plan *plan, int term, double weight);
/** sum(weight * term). */
double vq_plan_loss(const vq_plan *plan);
/** Update phase of operations with state, from the sums; step counts from 1. f32 plans only. */
VQ_MUST_USE vq_status vq_plan_update(vq_plan *plan, float *state, int64_t step);

typedef struct vq_plan_row {
    const char *node, *op;
    const char *implementation[VQ_DIRECTIONS]; /* NULL: not computed */
    vq_desc out;
    size_t bytes;                /* of its outputs, gradients and kept data, before sharing */
    double flops[VQ_DIRECTIONS]; /* operations of its products */
} vq_plan_row;
int vq_plan_rows(const vq_plan *plan);
vq_plan_row vq_plan_row_at(const vq_plan *plan, int index);
/** Bytes of the memory shared by all edges and, in training, of the reduction buffer. */
size_t vq_plan_bytes(const vq_plan *plan);

#endif
