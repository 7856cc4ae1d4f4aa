/* SPDX-License-Identifier: Apache-2.0
 * vqvae/train.h -- training: one step at a time, resumable bit for bit. */
#ifndef VQVAE_TRAIN_H
#define VQVAE_TRAIN_H

#include <vqvae/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a model is trained. Meanings, defaults and ranges: vq_train_settings_visit(). */
typedef struct vq_train_config {
    int64_t steps, batch;
    uint64_t seed;
    int optimizer;        /**< 0 adam, 1 adamw */
    double lr;            /**< after the warm-up */
    double codebook_lr;   /**< factor on lr for codebooks moved by gradient */
    double b1, b2, eps;   /**< of Adam */
    double weight_decay;  /**< never on codebooks */
    int64_t warmup;       /**< steps over which lr rises in a line from lr/warmup */
    int schedule;         /**< 0 constant, 1 cosine */
    int64_t decay_steps;  /**< cosine: steps until it has fallen; 0: all steps */
    double final_lr;      /**< cosine: share of lr that the step after the last would have */
    double clip;          /**< largest norm of all gradients together; 0: none */
    double average;       /**< decay of averaged weights, used for models; 0: none */
    double revive;        /**< codes used less than this share of the even one get new places */
    int64_t revive_every; /**< steps between revivals */
    double revive_until;  /**< share of all steps after which no code is revived or fitted anew */
    int64_t refit_every;  /**< steps between fits of the codebooks by k-means; 0: none */
    int64_t valid_every, save_every, log_every; /**< steps; the first two 0: only at the end */
    int precision; /**< 0 f32; 1 bf16: convolutions multiply numbers rounded to bf16 and add in f32,
                        all else is f32. Backend portable only; fast where the processor has bf16 */
} vq_train_config;

VQ_API void vq_train_config_default(vq_train_config *config);
VQ_API VQ_MUST_USE vq_status vq_train_config_read(vq_context *ctx, const char *json,
                                                  vq_train_config *config);
VQ_API VQ_MUST_USE vq_status vq_train_config_set(vq_context *ctx, const char *name,
                                                 const char *value, vq_train_config *config);
VQ_API VQ_MUST_USE vq_status vq_train_config_write(vq_context *ctx, const vq_train_config *config,
                                                   char **json);
VQ_API void vq_train_settings_visit(vq_setting_visit visit, void *user);

/** The only writable copy of a model. */
typedef struct vq_trainer vq_trainer;

/** The data as far as training must know it; kept in the state and compared on resuming. */
typedef struct vq_train_data {
    int64_t images;        /**< that are trained on; at least 1 */
    int64_t height, width; /**< of an image, any size */
    double variance;       /**< of their pixels on [0,1], > 0 */
} vq_train_data;

/**
 * Prepares a training from scratch.
 * @param model    sizes left 0 are set from the data
 * @param backend  NULL or "auto" or "portable": our own kernels; "onednn"
 * @param init     weights to start from, of the same configuration; NULL: random ones
 */
VQ_API VQ_MUST_USE vq_status vq_trainer_create(vq_context *ctx, const vq_model_config *model,
                                               const vq_train_config *train,
                                               const vq_train_data *data, const char *backend,
                                               const vq_model *init, vq_trainer **out);
/** Goes on from a state file: the same bits as if never stopped, given the same build, backend,
 *  instruction set and thread count (a different one is logged as a warning). `steps`, when not
 *  0, replaces the number of steps to train; a cosine keeps the length it had. Texts, hashes,
 *  names and shapes of the whole file are checked before there is a trainer.
 *  @return VQ_OK; VQ_E_IO; VQ_E_FORMAT; VQ_E_SHAPE (tensors that do not fit the configuration);
 *          VQ_E_NUMERIC (a number is not finite); VQ_E_ARG (other data); VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_trainer_resume(vq_context *ctx, const char *path, int64_t steps,
                                               const vq_train_data *data, vq_trainer **out);
VQ_API void vq_trainer_destroy(vq_trainer *trainer);

VQ_API const vq_model_config *vq_trainer_model_config(const vq_trainer *trainer);
VQ_API const vq_train_config *vq_trainer_config(const vq_trainer *trainer);
/** Steps done. */
VQ_API int64_t vq_trainer_position(const vq_trainer *trainer);

/** Which of the `images` is item `slot` of step `step` (from 0), and its epoch: every epoch is a
 *  permutation keyed by (seed, epoch). Pure and thread-safe; has the form of vq_order_fn. */
VQ_API void vq_trainer_order(const void *trainer, int64_t step, int64_t slot, int64_t *index,
                             uint64_t *epoch);

/** Whether the configuration asks for a fit of the codebooks before the next step: before the
 *  first one (model.codebook_init=kmeans) where no weights were given, and then every
 *  train.refit_every steps until train.revive_until. */
VQ_API bool vq_trainer_wants_fit(const vq_trainer *trainer);
/** Gives the pixels of a batch, as vq_trainer_step() takes them, until it is called again. `step`
 *  is as in vq_trainer_order(). What it returns but VQ_OK ends the call. */
typedef vq_status (*vq_batch_fn)(void *user, int64_t step, const uint8_t **pixels);
/**
 * Fits the codebooks by k-means to the vectors of several batches, where vq_trainer_wants_fit();
 * does nothing elsewhere. There are at least 8 batches and 50 vectors a code; level after level
 * from the coarsest asks for the batches from that of the next step on. Without this call
 * vq_trainer_step() fits them to the first batch alone, and never anew.
 * @return VQ_OK; VQ_E_ARG (fewer vectors than codes); VQ_E_NUMERIC; VQ_E_NOMEM; what `batch`
 *         returned. Levels that were fitted by then stay so; calling again fits all the same way.
 */
VQ_API VQ_MUST_USE vq_status vq_trainer_fit(vq_trainer *trainer, vq_batch_fn batch, void *user);

typedef struct vq_step_metrics {
    int64_t step; /**< steps done, this one included */
    double epoch; /**< images seen / images */
    double loss, mse, nmse, commitment, codebook;
    double perplexity;  /**< of this batch, level 0 */
    int64_t codes_used; /**< in this batch, level 0 */
    double code_norm;   /**< root mean square length of the codes this batch chose, level 0 */
    int64_t revived;    /**< codes given a new place since the first step, of all levels */
    int64_t dead_codes; /**< used less than the share train.revive, of all levels */
    double lr, gradient_norm;
} vq_step_metrics;

/**
 * One step: forward, backward, reduce, update. This library allocates nothing from the second
 * step on; oneDNN makes small maps of arguments at every call.
 * @param pixels  batch,H,W,C bytes, in the order vq_trainer_order() gives
 * @return VQ_OK; VQ_E_NUMERIC (loss or gradient not finite: the sentence names step and tensor;
 *         nothing was updated)
 */
VQ_API VQ_MUST_USE vq_status vq_trainer_step(vq_trainer *trainer, const uint8_t *pixels,
                                             vq_step_metrics *metrics);

/**
 * Length of the gradient that one term of the loss, with weight 1 and without the others, sends
 * to a part of the model on these images. Nothing is updated.
 * @param pixels  as vq_trainer_step()'s
 * @param term    "mse", "commitment" or, of quantisers by gradient, "codebook"; of several levels
 *                all together
 * @param prefix  of the names of the parameters that count: "encoder.", "quantizer.", "decoder."
 * @return VQ_OK; VQ_E_ARG (no such term); VQ_E_NUMERIC
 */
VQ_API VQ_MUST_USE vq_status vq_trainer_gradient_norm(vq_trainer *trainer, const uint8_t *pixels,
                                                      const char *term, const char *prefix,
                                                      double *norm);

/** A copy of the model as it stands (averaged weights where the configuration asks for them).
 *  @return VQ_OK; VQ_E_NUMERIC (a number of it is not finite; named); VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_trainer_model(vq_trainer *trainer, vq_model **out);

/** Writes everything that resuming needs. `progress` is a JSON object of the caller's own, kept
 *  and given back (best result so far, for instance), or NULL.
 *  @return VQ_OK; VQ_E_ARG (progress is something else); VQ_E_IO (the file that was there stays
 *          whole); VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_trainer_save(vq_trainer *trainer, const char *path,
                                             const char *progress);
/** The caller's JSON object from the state that was resumed; "{}" otherwise. */
VQ_API const char *vq_trainer_progress(const vq_trainer *trainer);

/** Called on the reduction buffer (all gradients, then the quantisers' sums) between backward and
 *  update, so that several workers can add theirs. No code is revived then, as the vectors that
 *  would take their places are not the same for all workers. */
typedef vq_status (*vq_reduce_fn)(void *user, float *numbers, size_t count);
VQ_API void vq_trainer_set_reduce(vq_trainer *trainer, vq_reduce_fn reduce, void *user);

/** Line i of the plan; false past the last. Behind the operations comes what a step does besides:
 *  the norm of the gradients, the optimiser, the update of codebooks. */
VQ_API bool vq_trainer_plan(const vq_trainer *trainer, size_t index, vq_plan_line *line);
/** Tells `observe` of everything in the plan as it runs, until it is NULL again. The gradients of
 *  an operation's inputs and of its weights, otherwise computed in one go, are then computed apart:
 *  the same numbers, but work that the two share is done twice. */
VQ_API void vq_trainer_observe(vq_trainer *trainer, vq_observe_fn *observe, void *user);
/** Bytes of plan and parameters together. */
VQ_API size_t vq_trainer_bytes(const vq_trainer *trainer);
/** Bytes that vq_trainer_fit() takes beside these while it runs. */
VQ_API size_t vq_trainer_fit_bytes(const vq_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
