/* SPDX-License-Identifier: Apache-2.0
 * vqvae/model.h -- models (configuration and weights) and sessions that run them. */
#ifndef VQVAE_MODEL_H
#define VQVAE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vqvae/context.h>
#include <vqvae/measure.h>
#include <vqvae/settings.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { VQ_MAX_LEVELS = 4 };

/** One grid of codes. Level 0 is the finest; each further level looks at the one before. */
typedef struct vq_level_config {
    int64_t stride;      /**< by how much it is coarser than what it looks at; a power of two */
    int64_t width;       /**< channels of its encoder and decoder */
    int64_t narrow;      /**< channels next to the finer side; 0: width / 2 */
    int64_t blocks;      /**< residual blocks in encoder and in decoder */
    int64_t block_width; /**< channels inside a residual block */
    int64_t k;           /**< codes in the codebook */
    int64_t d;           /**< numbers in a code vector */
} vq_level_config;

/** Everything that decides the graph. Defaults, ranges and meanings of all fields:
 *  vq_model_settings_visit(), `vqvae presets --settings`. */
typedef struct vq_model_config {
    int64_t height, width, channels; /**< of the images trained on; 0: taken from the data */
    int quantizer;                   /**< 0 ema, 1 gradient */
    double commitment, codebook;     /**< weights of the terms */
    double decay, epsilon;           /**< of the EMA codebook */
    int ema_start;                   /**< 0 one, 1 zero, 2 debias */
    int codebook_init;               /**< 0 uniform, 1 normal, 2 data, 3 kmeans */
    vq_level_config level[VQ_MAX_LEVELS];
    size_t n_levels;
} vq_model_config;

VQ_API void vq_model_config_default(vq_model_config *config);
/** Reads a JSON object over what the configuration holds. @return VQ_OK, VQ_E_ARG, VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_model_config_read(vq_context *ctx, const char *json,
                                                  vq_model_config *config);
/** Sets one field, such as "level.0.k" to "1024". */
VQ_API VQ_MUST_USE vq_status vq_model_config_set(vq_context *ctx, const char *name,
                                                 const char *value, vq_model_config *config);
/** JSON text of every field; released by vq_text_free(). */
VQ_API VQ_MUST_USE vq_status vq_model_config_write(vq_context *ctx, const vq_model_config *config,
                                                   char **json);
VQ_API void vq_model_settings_visit(vq_setting_visit visit, void *user);
VQ_API void vq_text_free(vq_context *ctx, char *text);

/** A configuration that goes by a name: model and training in one JSON object with the keys
 *  "model", "train" and "data". */
typedef struct vq_preset {
    const char *name, *summary, *json;
} vq_preset;
/** Preset number i, or NULL past the last one. */
VQ_API const vq_preset *vq_preset_at(size_t index);
VQ_API const vq_preset *vq_preset_named(const char *name);

/** Configuration and weights; immutable, so threads may share it. */
typedef struct vq_model vq_model;

/**
 * Loads a model, checking names, shapes, hashes and that every number is finite.
 * @param path  a .safetensors file, or a run folder (its best model, or the last one)
 * @return VQ_OK; VQ_E_IO; VQ_E_FORMAT; VQ_E_SHAPE (weights that do not fit the configuration);
 *         VQ_E_NUMERIC; VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_model_load(vq_context *ctx, const char *path, vq_model **out);
VQ_API VQ_MUST_USE vq_status vq_model_parse(vq_context *ctx, const void *bytes, size_t size,
                                            vq_model **out);
VQ_API VQ_MUST_USE vq_status vq_model_save(vq_context *ctx, const vq_model *model,
                                           const char *path);
VQ_API void vq_model_destroy(vq_context *ctx, vq_model *model);

VQ_API const vq_model_config *vq_model_configuration(const vq_model *model);
/** Number of trained numbers, codebooks by gradient included. */
VQ_API size_t vq_model_parameters(const vq_model *model);
/** Variance v of the training pixels on [0,1]; 0 where unknown. nmse = mse / v. */
VQ_API double vq_model_variance(const vq_model *model);
/** XXH3 of all numbers in file order: names the model in files of codes. */
VQ_API uint64_t vq_model_hash(const vq_model *model);

/** Grid of one level for images of a size. */
typedef struct vq_grid {
    char name[32];                /**< "level.0" */
    int64_t height, width, codes; /**< codes: K */
} vq_grid;
/** Fills `grids` (VQ_MAX_LEVELS of room), level 0 first, and returns how many there are. */
VQ_API size_t vq_model_grids(const vq_model *model, int64_t height, int64_t width, vq_grid *grids);
/** Codes of one image over all levels. */
VQ_API size_t vq_model_codes(const vq_model *model, int64_t height, int64_t width);

/** A model prepared for a batch and an image size by one context. This library allocates nothing
 *  for it once it is made; oneDNN makes small maps of arguments at every call. The model and the
 *  context must outlive it. */
typedef struct vq_session vq_session;

typedef struct vq_session_config {
    int64_t batch;         /**< images at a time, 1..65536 */
    int64_t height, width; /**< of the images; padded by repeating the edge to what the strides
                                divide, and cropped back */
    bool fast;             /**< false: exact, the same bits whatever the processor, its instruction
                                sets, the compiler, the threads and the batch. true: whatever is
                                fastest here, whose last bits may differ from machine to machine */
    int precision;         /**< 0 f32; 1 bf16, of fast sessions alone: convolutions multiply numbers
                                rounded to bf16 and add in f32, all else is f32. Backend portable
                                only; fast where the processor has bf16 */
    const char *backend;   /**< NULL or "auto" or "portable": our own kernels; "onednn", which is
                                never exact */
} vq_session_config;

/** @return also VQ_E_ARG (a precision that is none, or bf16 of a session that is not fast);
 *  VQ_E_UNSUPPORTED (bf16 by another backend than portable); VQ_E_SHAPE (too large); VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_session_create(vq_context *ctx, const vq_model *model,
                                               const vq_session_config *config, vq_session **out);
VQ_API void vq_session_destroy(vq_session *session);

/** Codes of n images, 1 <= n <= batch. A session computes its whole batch whatever n is, so fewer
 *  images take as long as `batch` of them; so do the calls below.
 *  @param pixels  n,H,W,C, bytes
 *  @param codes   out: n rows of vq_model_codes() numbers; within a row level 0 first, each
 *                 grid row by row. The same whatever the batch and the number of threads. */
VQ_API VQ_MUST_USE vq_status vq_session_encode(vq_session *session, int64_t n,
                                               const uint8_t *pixels, uint32_t *codes);
/** Images from codes. @return also VQ_E_ARG, naming the code that is not below K */
VQ_API VQ_MUST_USE vq_status vq_session_decode(vq_session *session, int64_t n,
                                               const uint32_t *codes, uint8_t *pixels);

/** What a model makes of a set of images; sums, so that batches can be added. */
typedef struct vq_evaluation {
    int64_t images;
    double squared_error; /**< sum over all numbers, pixels on [0,1] */
    double numbers;       /**< how many numbers that is */
    double commitment;    /**< sum over images of the batch mean */
    uint64_t *usage;      /**< counts of codes; K of level 0, then of level 1, ... */
    size_t n_usage;
} vq_evaluation;
VQ_API VQ_MUST_USE vq_status vq_evaluation_create(vq_context *ctx, const vq_model *model,
                                                  vq_evaluation *out);
VQ_API void vq_evaluation_clear(vq_context *ctx, vq_evaluation *evaluation);
/** Runs n images through the model and adds to the evaluation. The reconstruction is not
 *  rounded to bytes for the error. `reconstructions` (n,H,W,C bytes) and `codes` may be NULL. */
VQ_API VQ_MUST_USE vq_status vq_session_evaluate(vq_session *session, int64_t n,
                                                 const uint8_t *pixels, vq_evaluation *evaluation,
                                                 uint8_t *reconstructions, uint32_t *codes);

/** exp of the entropy of the counts, and how many are not 0. */
VQ_API double vq_perplexity(const uint64_t *counts, size_t n, size_t *used);

/** One prepared operation, for `inspect --plan`. */
typedef struct vq_plan_line {
    const char *node, *operation;
    const char *implementation[VQ_DIRECTIONS]; /**< NULL: not computed */
    int64_t shape[4]; /**< of its first output, N,H,W,C; 0 where it has none */
    size_t bytes;     /**< of outputs, gradients and kept data, before memory is shared */
    double flops[VQ_DIRECTIONS]; /**< floating-point operations of its products */
} vq_plan_line;
/** Line i of the session's plan; false past the last. */
VQ_API bool vq_session_plan(const vq_session *session, size_t index, vq_plan_line *line);
/** Tells `observe` of every operation as it runs, until it is NULL again. */
VQ_API void vq_session_observe(vq_session *session, vq_observe_fn *observe, void *user);
/** What the bits of its results depend on besides the model, the precision first: "f32 exact 1" of
 *  an exact session, where the number is that of the order in which it adds; "f32 portable avx2,
 *  Winograd F(4x4,3x3)" of a fast one, with the algorithms that it takes besides direct sums, or
 *  "bf16 portable avx2"; or "f32 onednn 2.6.3 avx512_core + avx2", the library of the convolutions
 *  with the instruction set that it chose, and the one that the context gave to the rest. Lives as
 *  long as the session. */
VQ_API const char *vq_session_arithmetic(const vq_session *session);
/** Bytes of the session's shared buffers. */
VQ_API size_t vq_session_bytes(const vq_session *session);

#ifdef __cplusplus
}
#endif
#endif
