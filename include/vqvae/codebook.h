/* SPDX-License-Identifier: Apache-2.0
 * vqvae/codebook.h -- a vector quantiser by itself, without a model: nearest codes, look-up,
 * training by moving averages, files. */
#ifndef VQVAE_CODEBOOK_H
#define VQVAE_CODEBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vqvae/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** K vectors of D numbers with their moving averages, prepared for searching. Only
 *  vq_codebook_step() and vq_codebook_revive() change one; while neither runs, any number of
 *  threads may read it, each with a context of its own. A context keeps the memory that a search
 *  works in, so that later searches of no more vectors ask for none. */
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
/** How vq_codebook_fit() fits. */
typedef struct vq_codebook_fit_config {
    int64_t codes, dim; /**< K and D, at least 1 */
    int64_t iterations; /**< at most; 0: the start alone */
    bool random;        /**< start with vectors drawn alike, not by k-means++ */
    uint64_t seed;      /**< of what is drawn */
    /** Told of every iteration, from 1, and of the inertia before it; false stops. NULL: nobody */
    bool (*progress)(void *user, int64_t iteration, double inertia);
    void *user;
} vq_codebook_fit_config;
/** K = D = 1, 25 iterations, k-means++, seed 0. */
VQ_API void vq_codebook_fit_config_default(vq_codebook_fit_config *config);
/**
 * Makes a codebook that fits n vectors: k-means (Lloyd's iterations from the start of Arthur and
 * Vassilvitskii 2007). The same bits for any number of threads.
 * @param x        n x D numbers; n is at least K
 * @param inertia  out: sum over the vectors of |x - e|^2 to the nearest code; NULL: not wanted
 * @param out      owned by the caller; configuration and seed as by default, averages as if every
 *                 step so far had brought these vectors: the count of a code is how many chose it
 *                 (n / 2K where none did). Steps of b vectors outweigh the fit after
 *                 ln(1 + n/b) / (1 - decay) of them. NULL on failure
 * @return VQ_OK (the log is warned where fewer than K vectors are distinct); VQ_E_ARG;
 *         VQ_E_NUMERIC; VQ_E_NOMEM; VQ_E_CANCELLED (progress said so)
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_fit(vq_context *ctx, const vq_codebook_fit_config *config,
                                             size_t n, const float *x, double *inertia,
                                             vq_codebook **out);
/** Any context on the same allocator may destroy it. NULL is fine. */
VQ_API void vq_codebook_destroy(vq_context *ctx, vq_codebook *book);

/**
 * Loads a codebook: an .npy matrix of K x D floats; a file of vq_codebook_save(); or a model, whose
 * codebooks go by the names of its grids.
 * @param name  "level.0", "level.1", ... of a model; NULL: the only codebook there is
 * @param out   owned by the caller; NULL on failure. What a file does not tell, such as the
 *              averages behind an .npy, is as vq_codebook_config_default() has it
 * @return VQ_OK; VQ_E_ARG (no such codebook, or a name is needed); VQ_E_IO; VQ_E_FORMAT;
 *         VQ_E_SHAPE; VQ_E_UNSUPPORTED (numbers that are no floats); VQ_E_NUMERIC; VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_load(vq_context *ctx, const char *path, const char *name,
                                              vq_codebook **out);
/** The same from the bytes of such a file. */
VQ_API VQ_MUST_USE vq_status vq_codebook_load_memory(vq_context *ctx, const void *bytes,
                                                     size_t size, const char *name,
                                                     vq_codebook **out);
/** Writes the vectors alone where the path ends in .npy, else a .safetensors of them (`codebook`,
 *  K x D) and of all that training goes on from (`counts`, `sums`, metadata `vqvae.codebook`).
 *  The file is replaced whole or left as it was. @return VQ_OK; VQ_E_IO; VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_codebook_save(vq_context *ctx, const vq_codebook *book,
                                              const char *path);

VQ_API const vq_codebook_config *vq_codebook_configuration(const vq_codebook *book);
/** The K x D numbers; valid as long as the codebook, changed by each step. */
VQ_API const float *vq_codebook_vectors(const vq_codebook *book);

/**
 * Nearest code of each of n vectors: argmin_k |z_i - e_k|^2, ties to the lowest index. Numbers may
 * be as large or small as f32 holds them. What cannot be told apart: codes whose distances differ
 * by less than rounding leaves of products as long as vector and code, and codes closer to one
 * another than 2^-60 of the farthest code's distance from the rest.
 * @param z          n x D numbers; n >= 1
 * @param indices    n codes
 * @param distances  |z_i - e_k|^2 of the chosen codes, n numbers, taken in double and rounded:
 *                   infinite beyond 3.4e38; NULL: not wanted
 * @return VQ_OK; VQ_E_SHAPE (n is 0); VQ_E_NUMERIC (a number is not finite); VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_nearest(vq_context *ctx, const vq_codebook *book, size_t n,
                                                 const float *z, uint32_t *indices,
                                                 float *distances);
/** The same of codes that will be searched this once: packs them and forgets them again.
 *  @param vectors  codes x dim numbers, finite */
VQ_API VQ_MUST_USE vq_status vq_nearest_once(vq_context *ctx, size_t dim, size_t codes,
                                             const float *vectors, size_t n, const float *z,
                                             uint32_t *indices);
/**
 * The `top` nearest codes of each of n vectors, in the order of (distance, index), whether
 * distances are wanted or not. They are chosen by the scores of vq_codebook_nearest(), which are
 * f32: of codes whose distances differ by less than those can tell, its choice need not come
 * first.
 * @param top        1 to K; K log(top) steps a vector beside the products
 * @param indices    n x top codes
 * @param distances  n x top, rising, as in vq_codebook_nearest(); NULL: not wanted
 * @return VQ_OK; VQ_E_ARG (top out of range); VQ_E_SHAPE; VQ_E_NUMERIC (a number is not finite);
 *         VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_nearest_top(vq_context *ctx, const vq_codebook *book,
                                                     size_t n, const float *z, size_t top,
                                                     uint32_t *indices, float *distances);
/** Copies the vectors of n codes to `vectors`, n x D. @return VQ_OK; VQ_E_ARG (no such code) */
VQ_API VQ_MUST_USE vq_status vq_codebook_lookup(vq_context *ctx, const vq_codebook *book, size_t n,
                                                const uint32_t *indices, float *vectors);

/** What quantising n vectors z gives; NULL: not wanted. */
typedef struct vq_quantized {
    uint32_t *indices; /**< n: the codes */
    float *vectors;    /**< n x D: q, the vectors of these codes */
    float *distances;  /**< n: |z_i - q_i|^2 */
    float *gradient;   /**< n x D: of the mse with respect to z, 2 (z - q) / (n D), which times the
                            commitment's weight an encoder gets beside the gradient of q */
    double *mse;       /**< one number: mean of (z - q)^2 over all n*D numbers */
} vq_quantized;

/** Replaces n vectors by their nearest codes. @return as vq_codebook_nearest() */
VQ_API VQ_MUST_USE vq_status vq_codebook_quantize(vq_context *ctx, const vq_codebook *book,
                                                  size_t n, const float *z,
                                                  const vq_quantized *out);
/**
 * One step of training on n vectors: quantises them with the codebook as it is, then moves it:
 *   c = decay c + (1-decay) n_k,  m = decay m + (1-decay) S_k,  N = sum c,
 *   e_k = m_k / ((c_k + epsilon) / (N + K epsilon) * N),
 * n_k and S_k being count and sum of the vectors that chose code k (van den Oord et al. 2017,
 * arXiv:1711.00937, appendix A.1). Nothing moves where the call fails. The same bits for any
 * number of threads. S_k is summed in f32 in the order of the vectors, so it is off by at most
 * n_k 2^-24 of the sum of their magnitudes: 65,536 times 0.1 in one code gives a mean that is off
 * by 6e-4 of it. Cut larger steps where that matters.
 * @param n    1 to 2^24, up to which counts are exact
 * @param out  what is wanted of the quantising; NULL: nothing
 * @return VQ_OK; VQ_E_SHAPE (n out of range); VQ_E_NUMERIC (a number is not finite, or a code would
 *         not be); VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_step(vq_context *ctx, vq_codebook *book, size_t n,
                                              const float *z, const vq_quantized *out);

/**
 * Gives codes that are hardly used new places: each whose moving count is below `share` of their
 * mean gets one of the n vectors, another one for every code, and counts as half as much used as
 * the mean. Which one depends on the seed and the steps so far alone. Call it every some tens of
 * steps with the vectors of a step; a code that gets none loses half of its count in 0.7 / (1 -
 * decay) steps.
 * @param share    0 to 1; a few hundredths do well
 * @param z        n x D numbers; where dead codes outnumber them, the rest waits for the next call
 * @param revived  out: how many codes were moved; NULL: not wanted
 * @return VQ_OK; VQ_E_SHAPE (n is 0); VQ_E_ARG (share out of range); VQ_E_NUMERIC (a vector that
 *         was drawn is not finite; codes before it were moved)
 */
VQ_API VQ_MUST_USE vq_status vq_codebook_revive(vq_context *ctx, vq_codebook *book, double share,
                                                size_t n, const float *z, int64_t *revived);

/** How a codebook was used; sums, so that batches can be added. */
typedef struct vq_codebook_usage {
    uint64_t *counts; /**< K: how often each code was chosen; owned */
    uint64_t vectors; /**< how many chose */
    double squared;   /**< sum of |z - q|^2 */
    double furthest;  /**< the greatest of them */
} vq_codebook_usage;
VQ_API VQ_MUST_USE vq_status vq_codebook_usage_create(vq_context *ctx, const vq_codebook *book,
                                                      vq_codebook_usage *out);
VQ_API void vq_codebook_usage_clear(vq_context *ctx, vq_codebook_usage *usage);
/** Adds what vq_codebook_nearest() found; `distances` may be NULL.
 *  @return VQ_OK; VQ_E_ARG (a code that the codebook does not have) */
VQ_API VQ_MUST_USE vq_status vq_codebook_usage_add(vq_context *ctx, const vq_codebook *book,
                                                   size_t n, const uint32_t *indices,
                                                   const float *distances,
                                                   vq_codebook_usage *usage);

/** A codebook in a few numbers. */
typedef struct vq_codebook_statistics {
    int64_t used;         /**< codes that were chosen */
    double perplexity;    /**< exp of the entropy of the counts; 0 where nothing chose */
    double mean_distance; /**< mean of |z - q|^2 */
    double least_norm, mean_norm, greatest_norm; /**< of |e| over all codes */
} vq_codebook_statistics;
/** `usage` may be NULL: norms alone are told then, the rest being 0. */
VQ_API void vq_codebook_measure(const vq_codebook *book, const vq_codebook_usage *usage,
                                vq_codebook_statistics *out);

#ifdef __cplusplus
}
#endif
#endif
