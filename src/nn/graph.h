/* SPDX-License-Identifier: Apache-2.0
 * nn/graph.h -- the static graph: operations joined by values, and the parameters they own.
 *
 * A graph says what is computed, for any batch and image size; it holds no numbers. A plan
 * (nn/plan.h) prepares it for one shape, backend and precision and runs it. */
#ifndef VQ_NN_GRAPH_H
#define VQ_NN_GRAPH_H

#include "base/context.h"
#include <stdbool.h>
#include <vqvae/tensor.h>

enum { VQ_MAX_IN = 8, VQ_MAX_OUT = 2, VQ_MAX_PARAMS = 4, VQ_MAX_TERMS = 2, VQ_NAME_SIZE = 64 };

typedef struct vq_graph vq_graph;
typedef struct vq_op vq_op;

/** Index of an edge of the graph; -1 is none. */
typedef int vq_value;

/** Element type and shape of an edge. */
typedef struct vq_desc {
    vq_dtype dtype;
    vq_shape shape;
} vq_desc;

typedef enum vq_param_kind {
    VQ_PARAM_TRAINED, /* moved by the optimiser along its gradient */
    VQ_PARAM_STATE    /* moved by its operation's update (EMA codebooks) */
} vq_param_kind;

/** Group of parameters with its own optimiser settings. */
typedef enum vq_param_group { VQ_GROUP_WEIGHTS, VQ_GROUP_CODEBOOKS } vq_param_group;

typedef enum vq_init_kind {
    VQ_INIT_ZERO,
    VQ_INIT_ONE,
    VQ_INIT_UNIFORM, /* in [-scale, scale) */
    VQ_INIT_NORMAL,  /* standard deviation scale */
    VQ_INIT_COPY     /* of the parameter declared just before */
} vq_init_kind;

/** One named array of numbers that a graph owns. Arrays of one kind lie one after the other:
 *  `at` counts elements from the start of the kind's region. */
typedef struct vq_param {
    char name[2 * VQ_NAME_SIZE]; /* "encoder.conv0.weight"; frozen: it is the file's name */
    vq_shape shape;              /* PyTorch's layout: O,I,kh,kw; I,O,kh,kw; K,D */
    vq_param_kind kind;
    vq_param_group group;
    vq_init_kind init;
    double init_scale;
    size_t count, at;
} vq_param;

/** A scalar that a node computes while running forward. The loss is sum(weight * term). */
typedef struct vq_term {
    char name[2 * VQ_NAME_SIZE];
    double weight; /* 0: reported, not trained on */
    int node;
} vq_term;

typedef struct vq_node {
    char name[VQ_NAME_SIZE];
    const vq_op *op;
    void *attrs; /* op->attrs_size bytes, owned by the graph */
    int n_in, n_out, n_params, n_terms;
    vq_value in[VQ_MAX_IN], out[VQ_MAX_OUT];
    int param[VQ_MAX_PARAMS];   /* indices of the graph's parameters */
    int term[VQ_MAX_TERMS];     /* indices of the graph's terms */
    size_t sums_at, sums_count; /* the node's part of the statistics (nn/plan.h) */
} vq_node;

struct vq_graph {
    vq_node *nodes; /* in an order in which inputs come before their use */
    vq_param *params;
    vq_term *terms;
    char (*value_names)[VQ_NAME_SIZE]; /* "" for edges nobody asks for by name */
    int n_nodes, n_params, n_terms, n_values;
    int nodes_room, params_room, terms_room, values_room;
    size_t trained_count, state_count, sums_count; /* elements */
};

VQ_MUST_USE vq_status vq_graph_create(vq_context *ctx, vq_graph **out);
void vq_graph_destroy(vq_context *ctx, vq_graph *graph);

/** Adds an edge that is fed from outside. */
VQ_MUST_USE vq_status vq_graph_input(vq_context *ctx, vq_graph *graph, const char *name,
                                     vq_value *out);

/** Adds a node: copies attrs, lets the operation declare its parameters, terms and sums,
 *  and makes op->n_out new values, written to out[]. Node names are unique. */
VQ_MUST_USE vq_status vq_graph_add(vq_context *ctx, vq_graph *graph, const vq_op *op,
                                   const char *name, const void *attrs, const vq_value *in,
                                   int n_in, vq_value *out);

/** Names an edge, so that it can be fed or asked for. */
VQ_MUST_USE vq_status vq_graph_name(vq_context *ctx, vq_graph *graph, vq_value value,
                                    const char *name);
/** The edge of that name, or -1. */
vq_value vq_graph_find(const vq_graph *graph, const char *name);

/* ---- called by vq_op.declare ------------------------------------------------- */

typedef struct vq_param_spec {
    const char *suffix; /* the parameter is NODE.suffix */
    vq_shape shape;
    vq_param_kind kind;
    vq_param_group group;
    vq_init_kind init;
    double init_scale;
} vq_param_spec;

VQ_MUST_USE vq_status vq_graph_param(vq_context *ctx, vq_graph *graph, vq_node *node,
                                     const vq_param_spec *spec);
VQ_MUST_USE vq_status vq_graph_term(vq_context *ctx, vq_graph *graph, vq_node *node,
                                    const char *suffix, double weight);
/** Reserves `count` f32 numbers that forward leaves for the update phase. */
void vq_graph_sums(vq_graph *graph, vq_node *node, size_t count);

/** First values of all parameters: `trained` and `state` hold trained_count and state_count
 *  numbers. Number i of parameter p is a function of (seed, p, i) alone. */
void vq_graph_init(const vq_graph *graph, uint64_t seed, float *trained, float *state);

#endif
