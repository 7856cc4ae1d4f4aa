/* SPDX-License-Identifier: Apache-2.0
 * model/weights.h -- the inside of a model, and its numbers in archives. */
#ifndef VQ_MODEL_WEIGHTS_H
#define VQ_MODEL_WEIGHTS_H

#include "nn/graph.h"
#include "tensor/pack.h"
#include <vqvae/model.h>

struct vq_model {
    vq_model_config config;
    vq_graph *graph;
    float *trained, *state; /* graph->trained_count, state_count numbers */
    double variance;
    uint64_t hash;
};

/** A model with copies of these numbers. */
VQ_MUST_USE vq_status vq_model_create(vq_context *ctx, const vq_model_config *config,
                                      double variance, const float *trained, const float *state,
                                      vq_model **out);

/** The numbers of a quantiser's parameter, such as "codebook" (K x D) or "counts" (K); NULL where
 *  it has none of that name. */
const float *vq_model_numbers(const vq_model *model, size_t level, const char *suffix);

/** Adds the parameters of one kind to a pack, each named PREFIX + its name. */
VQ_MUST_USE vq_status vq_weights_pack(const vq_graph *graph, vq_param_kind kind, const char *prefix,
                                      const float *numbers, vq_pack *pack);
/** Reads them back: every parameter of that kind must be there in f32, with its shape and finite
 *  numbers. `where` begins the sentences. */
VQ_MUST_USE vq_status vq_weights_unpack(vq_context *ctx, const char *where, const vq_graph *graph,
                                        vq_param_kind kind, const char *prefix,
                                        const vq_archive *archive, float *numbers);
/** Parameters that a file holds under one prefix. */
typedef struct vq_weights_set {
    const char *prefix;
    bool with_state; /* besides the trained ones */
    bool others;     /* no parameters: tensors that whoever reads them checks */
} vq_weights_set;

/** Compares names, types and shapes of a file with what the graph asks for in these sets, both
 *  ways, before anything is allocated for its numbers. */
VQ_MUST_USE vq_status vq_weights_check(vq_context *ctx, const char *where, const vq_graph *graph,
                                       const vq_weights_set *sets, size_t n_sets,
                                       const vq_archive *archive);
/** Adds what every file with weights says of itself: version, configuration, variance, hashes of
 *  the arrays already in the pack. */
VQ_MUST_USE vq_status vq_weights_describe(const vq_model_config *config, double variance,
                                          vq_pack *pack);
/** Reads configuration and variance, and checks the hash of every array. */
VQ_MUST_USE vq_status vq_weights_identify(vq_context *ctx, const char *where,
                                          const vq_archive *archive, vq_model_config *config,
                                          double *variance);
/** Puts the file's name before the sentence about a configuration that stands in it. */
vq_status vq_weights_blame(vq_context *ctx, const char *where, vq_status status);

#endif
