/* SPDX-License-Identifier: Apache-2.0
 * train/optimizer.h -- Adam and AdamW over all trained parameters, and the learning rate.
 *
 * With g the gradient (scaled by clipping), t the step from 1 (arXiv:1412.6980, algorithm 1):
 *   m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
 *   p = p - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 * Adam's weight decay adds decay * p to g; AdamW's first shrinks p by lr * decay
 * (arXiv:1711.05101). Codebooks have neither, and their own factor on lr. */
#ifndef VQ_TRAIN_OPTIMIZER_H
#define VQ_TRAIN_OPTIMIZER_H

#include "nn/graph.h"
#include <vqvae/train.h>

/** Learning rate of a step, counted from 1. */
double vq_learning_rate(const vq_train_config *config, int64_t step);

/** Euclidean norm of all gradients, in double; the same bits for any number of threads.
 *  `partials` holds vq_sum_chunks_count(count) numbers. */
double vq_gradient_norm(vq_context *ctx, const float *gradients, size_t count, double *partials);

/** Factor that brings the norm down to config->clip, as PyTorch's clip_grad_norm_ has it. */
double vq_clip_scale(const vq_train_config *config, double norm);

typedef struct vq_moments {
    float *parameters, *first, *second; /* graph->trained_count numbers each */
} vq_moments;

/** Moves all trained parameters by one step, counted from 1. Unless it is NULL,
 *    average = decay * average + (1 - decay) * parameters,
 *  the decay rising to config->average as (1 + t) / (10 + t). */
void vq_optimizer_step(vq_context *ctx, const vq_graph *graph, const vq_train_config *config,
                       int64_t step, double clip_scale, const float *gradients,
                       const vq_moments *moments, float *average);

#endif
