/* SPDX-License-Identifier: Apache-2.0
 * train/trainer.h -- the inside of a trainer. */
#ifndef VQ_TRAIN_TRAINER_H
#define VQ_TRAIN_TRAINER_H

#include "nn/plan.h"
#include "train/codebooks.h"
#include "train/optimizer.h"
#include <vqvae/train.h>

struct vq_trainer {
    vq_context *ctx;
    vq_model_config model;
    vq_train_config config;
    vq_train_data data;
    const vq_backend *backend;
    vq_graph *graph;
    vq_plan *plan;
    vq_moments moments; /* weights and Adam's means */
    float *average;     /* averaged weights, or NULL */
    float *state;       /* EMA codebooks and their averages */
    double *partials;   /* for sums over all gradients */
    uint8_t *pixels;    /* of a batch, padded; in the plan */
    vq_codebooks codebooks;
    int64_t inner[2];       /* padded height and width */
    int64_t step;           /* steps done */
    bool started;           /* codebooks hold numbers already: no start from the first batch */
    int64_t fitted;         /* steps done when they were last fitted */
    vq_observe_fn *observe; /* or NULL */
    void *observer;
    vq_reduce_fn reduce;
    void *reduce_user;
    char *progress; /* the caller's JSON */
};

VQ_MUST_USE vq_status vq_train_config_check(vq_context *ctx, const vq_train_config *config);

/** A trainer with graph, plan and memory, its numbers all zero and its step 0. */
VQ_MUST_USE vq_status vq_trainer_prepare(vq_context *ctx, const vq_model_config *model,
                                         const vq_train_config *train, const vq_train_data *data,
                                         const char *backend, vq_trainer **out);

/** Puts images into the plan. */
void vq_trainer_fill(vq_trainer *trainer, const uint8_t *pixels);
/** The same; before the first step, lets codebooks start from them. */
VQ_MUST_USE vq_status vq_trainer_begin(vq_trainer *trainer, const uint8_t *pixels);

/** Names the first parameter whose gradient, or the first term, is not finite. */
vq_status vq_trainer_blame(vq_trainer *trainer, double loss);

/** VQ_E_NUMERIC, naming step and parameter, where a number of the model is not finite. A step need
 *  not meet it: the ReLU of a library may take what is not a number for 0. */
VQ_MUST_USE vq_status vq_trainer_check(const vq_trainer *t);

#endif
