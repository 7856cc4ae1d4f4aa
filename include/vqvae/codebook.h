/* SPDX-License-Identifier: Apache-2.0
 * vqvae/codebook.h -- a vector quantiser by itself, without a model: nearest codes, look-up and
 * training by moving averages. */
#ifndef VQVAE_CODEBOOK_H
#define VQVAE_CODEBOOK_H

#include <stddef.h>
#include <stdint.h>
#include <vqvae/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** K vectors of D numbers with their moving averages. Only vq_codebook_step() changes one; while
 *  none runs, any number of threads may read it, each with a context of its own. */
typedef struct vq_codebook vq_codebook;

typedef struct vq_codebook_config {
    int64_t codes, dim;    /**< K and D, at least 1 */
    double decay, epsilon; /**< of the moving averages; 0 <= decay < 1, epsilon > 0 */
    int start;             /**< what averages start with, as model.ema_start: 0 one (unused codes
                                stay where they are), 1 zero (as vq-vae-2-pytorch), 2 debias
                                (as sonnet) */
    uint64_t seed;         /**< of vectors that are not given */
} vq_codebook_config;

/** K = D = 1, decay 0.99, epsilon 1e-5, start 0, seed 0. */
VQ_API void vq_codebook_config_default(vq_codebook_config *config);

/**
 * Creates a codebook.
 * @param vectors  K x D numbers, row-major, copied; NULL: standard normal ones from the seed
 * @param out      owned by the caller; NULL on failure
 * @return VQ_OK; VQ_E_ARG; VQ_E_NUMERIC (a number is not finite); VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_create(vq_context *ctx, const vq_codebook_config *config,
                                                const float *vectors, vq_codebook **out);
/** Any context on the same allocator may destroy it. NULL is fine. */
VQ_API void vq_codebook_destroy(vq_context *ctx, vq_codebook *book);

VQ_API const vq_codebook_config *vq_codebook_configuration(const vq_codebook *book);
/** The K x D numbers; valid as long as the codebook, changed by each step. */
VQ_API const float *vq_codebook_vectors(const vq_codebook *book);

/**
 * Nearest code of each of n vectors: argmin_k |z_i - e_k|^2, ties to the lowest index.
 * @param z          n x D numbers; n >= 1
 * @param indices    n codes
 * @param distances  |z_i - e_k|^2 of the chosen codes, n numbers; NULL: not wanted
 * @return VQ_OK; VQ_E_SHAPE (n is 0); VQ_E_NUMERIC; VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_nearest(vq_context *ctx, const vq_codebook *book, size_t n,
                                                 const float *z, uint32_t *indices,
                                                 float *distances);
/** Copies the vectors of n codes to `vectors`, n x D. @return VQ_OK; VQ_E_ARG (no such code) */
VQ_API VQ_MUST_USE vq_status vq_codebook_lookup(vq_context *ctx, const vq_codebook *book, size_t n,
                                                const uint32_t *indices, float *vectors);

/**
 * One step of training on n vectors: chooses codes with the codebook as it is, then moves it:
 *   c = decay c + (1-decay) n_k,  m = decay m + (1-decay) S_k,  N = sum c,
 *   e_k = m_k / ((c_k + epsilon) / (N + K epsilon) * N),
 * n_k and S_k being count and sum of the vectors that chose code k (van den Oord et al. 2017,
 * arXiv:1711.00937, appendix A.1). Nothing moves where the call fails.
 * @param quantized  the chosen vectors, n x D; NULL: not wanted
 * @param indices    n codes; NULL: not wanted
 * @param diff       mean of (q - z)^2 over all n*D numbers; NULL: not wanted
 * @return VQ_OK; VQ_E_SHAPE (n is 0); VQ_E_NUMERIC; VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_step(vq_context *ctx, vq_codebook *book, size_t n,
                                              const float *z, float *quantized, uint32_t *indices,
                                              double *diff);

#ifdef __cplusplus
}
#endif
#endif
