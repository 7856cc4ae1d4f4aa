/* SPDX-License-Identifier: Apache-2.0
 * model/session.h -- the inside of a session, and what training shares with it. */
#ifndef VQ_MODEL_SESSION_H
#define VQ_MODEL_SESSION_H

#include "nn/plan.h"
#include <vqvae/model.h>

/* The order in which an exact session adds. It rises with every change of a bit of a result, so
 * that files of codes tell whether they can be had again. */
enum { VQ_EXACT_ORDER = 1 };

typedef struct vq_level {
    vq_grid grid;
    size_t dim, positions;
    const float *codebook; /* of the model: K x D */
    const int32_t *codes;  /* in the encoder's plan: batch x positions */
    const float *latent;   /* in the encoder's plan: batch x positions x dim */
    float *quantized;      /* in the decoder's plan, likewise */
} vq_level;

typedef struct vq_image_error {
    double squares, commitment;
} vq_image_error;

struct vq_session {
    vq_context *ctx;
    const vq_model *model;
    int64_t batch, channels;
    int64_t size[2], inner[2]; /* height and width of the images, and as padded */
    bool fast;                 /* not bound to exact numbers */
    bool bf16;                 /* convolutions multiply numbers rounded to it */
    size_t n_levels, n_codes;
    vq_level level[VQ_MAX_LEVELS];
    vq_plan *encoder, *decoder;
    uint8_t *pixels;        /* in the encoder's plan */
    float *reconstruction;  /* in the decoder's plan */
    vq_image_error *errors; /* one for each image of a batch */
    char arithmetic[VQ_ARITHMETIC_SIZE];
};

/** Runs the encoder on n images; codes and latents of every level then lie in its plan. */
vq_status vq_session_run_encoder(vq_session *session, int64_t n, const uint8_t *pixels);

/** Copies an image of `size` to one of `inner` rows and columns, repeating the last of each. */
void vq_pad_image(const uint8_t *from, const int64_t size[2], int64_t channels, uint8_t *to,
                  const int64_t inner[2]);

/** Step `index` of a plan in the words of the public interface. */
vq_plan_line vq_plan_line_at(const vq_plan *plan, int index);

#endif
