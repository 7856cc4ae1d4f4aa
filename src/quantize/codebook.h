/* SPDX-License-Identifier: Apache-2.0
 * quantize/codebook.h -- the inside of a vq_codebook. */
#ifndef VQ_QUANTIZE_CODEBOOK_H
#define VQ_QUANTIZE_CODEBOOK_H

#include "kernels/nearest.h"
#include "quantize/quantize_parts.h"
#include <vqvae/codebook.h>

struct vq_codebook {
    vq_codebook_config config;
    vq_ema_state state; /* codebook, counts, sums; owned */
    void *packed;       /* the index's memory */
    vq_code_index index;
    int64_t steps;
};

/** Vectors and averages of a codebook that comes out of a file. */
typedef struct vq_codebook_numbers {
    const float *vectors;       /* K x D */
    const float *counts, *sums; /* NULL: as those of a new codebook */
    int64_t steps;
} vq_codebook_numbers;
/** vq_codebook_create() with all of them. */
VQ_MUST_USE vq_status vq_codebook_restore(vq_context *ctx, const vq_codebook_config *config,
                                          const vq_codebook_numbers *numbers, vq_codebook **out);

/** What its averages go by. */
vq_quantize_attrs vq_codebook_attrs(const vq_codebook_config *config);
/** Makes its vectors ready for searching, once they have changed. */
void vq_codebook_pack(vq_context *ctx, vq_codebook *book);

#endif
