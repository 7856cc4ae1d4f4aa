/* SPDX-License-Identifier: Apache-2.0
 * vqvae/diagnose.h -- how a model uses its codebooks: figures over a set of images, and what they
 * say is wrong and worth changing. */
#ifndef VQVAE_DIAGNOSE_H
#define VQVAE_DIAGNOSE_H

#include <vqvae/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Three quantiles of something; all NAN where there is nothing. */
typedef struct vq_spread {
    double least, median, greatest;
} vq_spread;

/** One codebook against the vectors that the encoder made for it. Medians of vectors and all that
 *  pairs vectors with each other or with unused codes come from a sample of them, at least 1,024
 *  and at most 16,384, drawn evenly over the data; everything else from all vectors. */
typedef struct vq_codebook_figures {
    int64_t codes, dim; /**< K and D */
    int64_t images, vectors;
    int64_t used;      /**< codes that some vector chose */
    double perplexity; /**< exp of the entropy of the counts */
    double top_share;  /**< share of the vectors that chose the commonest code */
    /* Each unused code is in the first of these that fits it. */
    int64_t at_origin;    /**< forgotten, and shorter than every vector */
    int64_t duplicates;   /**< nearer to another code than a tenth of the median `distance`, and
                               of what used codes lie from the nearest other used one (median) */
    int64_t out_of_reach; /**< even its nearest vector lies nearer to the mean of all */
    int64_t crowded_out;  /**< among the vectors, but other codes are nearer to all of them */
    int64_t forgotten;    /**< of all unused, those with a moving count below epsilon: the smoothing
                               and not the data decides how long they are; 0 of codebooks by
                               gradient */
    double moving_total;  /**< sum of the moving counts: vectors in a training step; 0: none kept */
    vq_spread vector_norm;     /**< |z| */
    vq_spread chosen_norm;     /**< |e| of the codes that the vectors of the sample chose */
    vq_spread used_norm;       /**< |e| of used codes */
    vq_spread unused_norm;     /**< |e| of unused ones */
    vq_spread distance;        /**< |z - e| to the chosen code */
    vq_spread unused_distance; /**< of each unused code to its nearest vector */
    double spread;             /**< sqrt of mean |z - mean z|^2 */
    double error;              /**< mean |z - e|^2 / spread^2; NAN where spread is 0 */
    double
        lag; /**< share of mean |z - e|^2 that would go if each used code moved to the mean of its
                     vectors, 0..1, the expected part of chance taken off */
    double line;             /**< share of the variance along the direction that has most of it,
                                    1/D..1; NAN where all vectors are one */
    vq_spread variance;      /**< of the single numbers of a vector */
    const uint64_t *counts;  /**< K: vectors that chose each code */
    const double *variances; /**< D: of each number */
} vq_codebook_figures;

/** Sums over images; bounded in memory: per level 8 K (D + 1) bytes and the sample, 32 MB where
 *  1,024 vectors take no more. */
typedef struct vq_diagnosis vq_diagnosis;

/** @param model  must outlive the diagnosis. @return VQ_OK; VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_diagnosis_create(vq_context *ctx, const vq_model *model,
                                                 vq_diagnosis **out);
VQ_API void vq_diagnosis_destroy(vq_context *ctx, vq_diagnosis *diagnosis);
/** Adds n images, 1 <= n <= batch of the session, which runs the same model. The figures do not
 *  depend on how the images are cut into batches.
 *  @param pixels  n,H,W,C, bytes. @return as vq_session_encode() */
VQ_API VQ_MUST_USE vq_status vq_session_diagnose(vq_session *session, int64_t n,
                                                 const uint8_t *pixels, vq_diagnosis *diagnosis);
/** Figures of one level so far; their arrays live until the diagnosis is added to or destroyed.
 *  @return VQ_OK; VQ_E_ARG (no such level, or no images yet); VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_diagnosis_figures(vq_context *ctx, vq_diagnosis *diagnosis,
                                                  size_t level, vq_codebook_figures *figures);

/** A line of the metrics of a training; a double that is not known is NAN, an integer -1. */
typedef struct vq_training_point {
    int64_t step;
    double loss;
    double perplexity;  /**< of the batch, level 0 */
    double code_norm;   /**< root mean square length of the codes it chose, level 0 */
    int64_t revived;    /**< since the first step, of all levels */
    int64_t dead_codes; /**< of all levels */
} vq_training_point;

/** What is known of the training that made a model; what is 0 is not. */
typedef struct vq_training_record {
    int64_t batch;                   /**< images in a step */
    double lr;                       /**< after the warm-up */
    int schedule;                    /**< train.schedule, as the next two where lr is known */
    int64_t warmup;                  /**< train.warmup */
    double clip;                     /**< train.clip */
    double revive;                   /**< train.revive, which may be 0 where lr is known */
    double revived_until;            /**< the last step that may have revived a code */
    const vq_training_point *points; /**< n_points of them in the order of the steps; not owned.
                                          Fewer than 20 say nothing. */
    size_t n_points;
} vq_training_record;

enum { VQ_FINDINGS_MAX = 17, VQ_FINDING_SETTINGS = 3 };

/** One thing that is wrong with a codebook. */
typedef struct vq_finding {
    const char *cause;  /**< one word that stays, as docs/doctor.md lists them: "point", "line",
                             "lost", "loss", "origin", "reach", "batch", "drift", "norms",
                             "commitment", "duplicates", "data", "revival", "young", "crowded",
                             "threshold", "uneven" */
    char measured[320]; /**< a sentence with the figures */
    char change[320];   /**< a sentence */
    /** "model.codebook_init=data": what to train anew with, "" past the last. */
    char settings[VQ_FINDING_SETTINGS][48];
} vq_finding;

/**
 * What the figures of a level say is wrong with its codebook, the likeliest cause first. Pure: no
 * memory, no files.
 * @param record    NULL: nothing is known of the training
 * @param findings  VQ_FINDINGS_MAX of room
 * @return how many there are; 0: the codebook is healthy, which means that 4 of 5 codes are used,
 *         evenly enough, and lie where their vectors are
 */
VQ_API size_t vq_diagnosis_findings(const vq_model_config *config, size_t level,
                                    const vq_codebook_figures *figures,
                                    const vq_training_record *record, vq_finding *findings);

#ifdef __cplusplus
}
#endif
#endif
