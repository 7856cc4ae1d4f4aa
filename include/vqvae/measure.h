/* SPDX-License-Identifier: Apache-2.0
 * vqvae/measure.h -- what is timed of a model, and what a time is held against. */
#ifndef VQVAE_MEASURE_H
#define VQVAE_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <vqvae/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Keeps every thread of the context busy with nothing but fused multiply-adds on numbers in its
 * first-level cache, with the context's kernels. The caller times the call: operations / seconds
 * is the rate that no product of this machine exceeds.
 * @param rounds  how much work: about 30,000 to 300,000 operations for each round and thread
 * @return floating-point operations done, two for each multiply-add
 */
VQ_API double vq_measure_peak(vq_context *ctx, size_t rounds);

/** What a prepared operation computes: its outputs; in training also the gradients of its inputs
 *  and those of its weights. */
typedef enum vq_direction {
    VQ_FORWARD,
    VQ_GRADIENT_DATA,
    VQ_GRADIENT_WEIGHTS,
    VQ_DIRECTIONS /**< how many there are */
} vq_direction;

/** Called just before an operation runs in one direction, and again (`ended`) just after: `line` is
 *  its index in vq_session_plan() or vq_trainer_plan(). */
typedef void vq_observe_fn(void *user, size_t line, vq_direction direction, bool ended);

#ifdef __cplusplus
}
#endif
#endif
