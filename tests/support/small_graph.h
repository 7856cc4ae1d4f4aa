/* SPDX-License-Identifier: Apache-2.0
 * tests/support/small_graph.h -- graphs of a few operations from x to y, planned and run on made-up
 * numbers. In training the gradient of y comes from a second input. Include after cmocka.h. */
#ifndef VQ_TESTS_SMALL_GRAPH_H
#define VQ_TESTS_SMALL_GRAPH_H

#include "nn/plan_parts.h"

typedef struct small_graph {
    vq_context *ctx;
    vq_graph *graph;
    vq_desc desc; /* of x and y */
    vq_value x, upstream, y;
    float *trained;
} small_graph;

/** A graph of nothing but its input x. */
void small_graph_open(small_graph *g, int64_t batch, int64_t size, int64_t channels);
/** Adds an operation of one input, or of two where `second` is not negative. */
vq_value small_graph_put(const small_graph *g, const vq_op *op, const char *name, const void *attrs,
                         vq_value first, vq_value second);
/** Adds a 3x3 convolution that keeps the size of images. */
vq_value small_graph_conv(const small_graph *g, const char *name, int64_t from, int64_t to,
                          vq_value in);
vq_value small_graph_relu(const small_graph *g, const char *name, vq_value in);
/** Nothing is added behind y, which has the shape of x; parameters become numbers of +-0.5. */
void small_graph_end(small_graph *g, vq_value y);
void small_graph_close(small_graph *g);

/** Plans it for y, or for `all` edges, none of which is then folded away or shared. */
vq_plan *small_graph_plan(const small_graph *g, const vq_backend *backend, bool training, bool all);
/** Runs a plan: y, and in training the gradients of x and of the parameters, `count` numbers that
 *  the caller frees by test_free(). */
float *small_graph_run(const small_graph *g, vq_plan *plan, bool training, size_t *count);
/** Fails where numbers are further apart than `bound` times the largest one. */
void small_graph_compare(const float *got, const float *expected, size_t count, double bound);

#endif
