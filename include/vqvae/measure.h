/* SPDX-License-Identifier: Apache-2.0
 * vqvae/measure.h -- what a measured time is held against. */
#ifndef VQVAE_MEASURE_H
#define VQVAE_MEASURE_H

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

#ifdef __cplusplus
}
#endif
#endif
