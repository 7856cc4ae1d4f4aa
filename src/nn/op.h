/* SPDX-License-Identifier: Apache-2.0
 * nn/op.h -- what an operation is, and what an implementation of one must offer. */
#ifndef VQ_NN_OP_H
#define VQ_NN_OP_H

#include "nn/graph.h"
#include <vqvae/measure.h>

typedef struct vq_step vq_step;
typedef struct vq_impl vq_impl;

/** How the numbers of an image edge lie in memory. */
typedef enum vq_layout {
    VQ_LAYOUT_ROWS,     /* row-major N,H,W,C (and any other rank): what the world outside sees */
    VQ_LAYOUT_BLOCKED16 /* N, C/16, H, W, 16: oneDNN's nChw16c; only where C % 16 == 0 */
} vq_layout;

/** An operation: shapes and parameters, independent of backends. */
struct vq_op {
    const char *name;
    size_t attrs_size;
    int n_in; /* -1: one or more */
    int n_out;
    /** Declares parameters, terms and sums of a new node. May be NULL. */
    vq_status (*declare)(vq_context *ctx, vq_graph *graph, vq_node *node);
    /** Descriptions of the outputs from those of the inputs; VQ_E_SHAPE names both numbers. */
    vq_status (*infer)(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out);
    /** Portable implementations, one source compiled twice. */
    const vq_impl *portable_f32, *portable_f64;
    /** Update phase: moves the node's STATE parameters from the sums that forward left. `step`
     *  counts from 1. NULL for operations without state. */
    vq_status (*update)(vq_context *ctx, const vq_node *node, const vq_graph *graph, float *state,
                        const float *sums, int64_t step);
    /** Sets STATE or TRAINED parameters from the first batch; NULL for most. `run` has just
     *  run forward. */
    vq_status (*start)(vq_step *run, uint64_t seed);
    /** Floating-point operations of the products of one run in one direction that the plan
     *  computes; known once prepared. NULL: none worth counting. */
    double (*flops)(const vq_step *run, vq_direction direction);
    bool elementwise;    /* works in any layout, all edges alike */
    bool differentiable; /* false: gradients stop here (codes, pixels) */
    int targets;         /* the last so many inputs get no gradient (mse's target) */
};

/** Numbers of an edge or a parameter while a plan runs. */
typedef struct vq_view {
    vq_desc desc;
    vq_layout layout;
    void *data; /* NULL: not wanted (a gradient nobody reads, or not in this run) */
} vq_view;

/** One prepared node: everything an implementation sees. */
struct vq_step {
    vq_context *ctx;
    const vq_node *node;
    const vq_impl *impl;
    bool training; /* backward and update will follow forward */
    bool exact;    /* each number is to be the chain of products that docs/engine.md defines */
    bool bf16;     /* products of convolutions are of numbers rounded to bf16 */
    vq_view in[VQ_MAX_IN], out[VQ_MAX_OUT];
    /* Gradients of the loss. d_out may be overwritten: nobody reads it after this step. */
    vq_view d_in[VQ_MAX_IN], d_out[VQ_MAX_OUT];
    bool wants[VQ_MAX_IN]; /* d_in[i] is wanted; known before prepare */
    bool add[VQ_MAX_IN];   /* d_in[i] holds a sum to add to; else it is written */
    vq_view param[VQ_MAX_PARAMS];
    vq_view d_param[VQ_MAX_PARAMS]; /* zeroed before backward; data NULL for STATE */
    float *sums;                    /* sums_count numbers, zeroed before forward; in training */
    double *terms;                  /* n_terms numbers, set by forward */
    const double *weights;          /* of the terms in the loss; set before forward */
    size_t saved_size;              /* asked for by prepare: kept from forward to backward */
    size_t scratch_size;            /* asked for by prepare: free to use within one call */
    void *saved, *scratch;
    void *state; /* of the implementation, made by prepare, freed by release */
    /* What was folded in; known before prepare. See vq_fold. */
    bool relu;            /* out[0] = max(0, .) */
    bool masked;          /* with relu: d_out[0] is 0 already where out[0] is not > 0 */
    int residual;         /* index of the input that is added to out[0] before relu, or -1 */
    bool relu_in;         /* in[0] is read through max(0, .) */
    bool mask[VQ_MAX_IN]; /* d_in[i] is left 0 where in[i] is not > 0 */
};

/** Neighbours that an implementation can take over. With f the operation itself, x = in[0] and
 *  r = in[residual], a step computes
 *
 *    x' = relu_in ? max(0, x) : x        out[0] = relu ? max(0, f(x') + r) : f(x') + r
 *
 *  and backward, with g = d_out[0], and 0 where out[0] is not > 0 if there is a relu (which is to
 *  be done by the step itself unless it finds g `masked`):
 *
 *    c = gradient of f to x', given g    c = 0 where x is not > 0, if relu_in
 *    d_in[0] = c, or d_in[0] + c if add[0]
 *    d_in[residual] = g, or d_in[residual] + g if add[residual]; nothing is to be done where it is
 *    the memory of d_out[0], which a later step then adds to
 *    d_in[i] = 0 where in[i] is not > 0, if mask[i], after all of these
 *
 *  in the order of the inputs, the residual being the last. The sum may be made in place: the
 *  memory of r may be that of out[0], but that of x never is. The plan sets mask[i] on the last of
 *  the steps that write a gradient, so that it covers the whole sum; relu_in covers only what this
 *  step gives. max(0, x) is x < 0 ? 0 : x, which lets a NaN pass; its slope at 0 is 0. */
typedef enum vq_fold {
    VQ_FOLD_RELU = 1,    /* relu and masked */
    VQ_FOLD_ADD = 2,     /* residual */
    VQ_FOLD_RELU_IN = 4, /* relu_in */
    VQ_FOLD_MASK = 8     /* mask[i] of its node's own inputs, not of the residual */
} vq_fold;

/** One way to run an operation. Forward and backward allocate nothing. */
struct vq_impl {
    const char *name; /* "portable", "onednn" */
    /** May choose differently by shape; sets saved_size, scratch_size, state. Parameters, data
     *  and gradients are not yet bound. NULL: nothing to prepare. */
    vq_status (*prepare)(vq_step *run);
    vq_status (*forward)(vq_step *run);
    vq_status (*backward)(vq_step *run); /* NULL: not differentiable */
    void (*release)(vq_step *run);       /* NULL: nothing to release */
    /** Whether it can run this node with these descriptions; NULL: always. */
    bool (*supports)(const vq_node *node, const vq_desc *in, const vq_desc *out);
    /** A few words for `inspect --plan` and the training state: which algorithm was chosen for a
     *  direction that the plan computes. NULL: name says it. */
    const char *(*describe)(const vq_step *run, vq_direction direction);
    unsigned folds;  /* VQ_FOLD_ bits it understands */
    bool any_layout; /* takes and gives BLOCKED16 edges too */
    bool reads_in;   /* backward reads in[] */
    bool reads_out;  /* backward reads out[] */
    bool early;      /* forward gives d_in[i] already, in training, unless add[i] */
};

#endif
