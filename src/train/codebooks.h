/* SPDX-License-Identifier: Apache-2.0
 * train/codebooks.h -- the life of codebooks in training: their start from a sample of vectors,
 * how their codes are used, new places for dead codes, and warnings when one collapses. */
#ifndef VQ_TRAIN_CODEBOOKS_H
#define VQ_TRAIN_CODEBOOKS_H

#include "nn/graph.h"
#include "quantize/usage.h"
#include "tensor/pack.h"
#include <vqvae/train.h>

/** A quantiser as training sees it. */
typedef struct vq_trained_codebook {
    const vq_node *node;
    vq_value latent; /* what it quantises */
    size_t codes, dim;
    vq_code_usage usage;
    double norm; /* root mean square length of the codes in use when first looked at; 0: not yet */
    unsigned told; /* causes of a collapse that were named, a bit each */
} vq_trained_codebook;

typedef struct vq_codebooks {
    vq_trained_codebook book[VQ_MAX_LEVELS]; /* the finest level first */
    int n_books;
    vq_revival *revivals; /* of one step and codebook */
    int64_t revived;      /* since the first step */
} vq_codebooks;

/** Finds the quantisers in the graph and takes memory, before there is a plan. */
VQ_MUST_USE vq_status vq_codebooks_prepare(vq_trainer *trainer);
/** As if all codes had been used alike, once the plan is made. */
void vq_codebooks_begin(vq_trainer *trainer);
void vq_codebooks_release(vq_trainer *trainer);

/** The start from the first batch alone, of whatever the configuration starts from data. */
VQ_MUST_USE vq_status vq_codebooks_start_alone(vq_trainer *trainer, const uint8_t *pixels);

/** Vectors of one codebook (K x D) among the trainer's numbers. */
float *vq_codebook_numbers(vq_trainer *trainer, int level);
/** Gives code k of a level a new place, as if it had been chosen `count` times in every step.
 *  Everything that is known of it is set together: what is left as it was would bring the old
 *  place back. */
void vq_codebook_place(vq_trainer *trainer, int level, size_t k, const float *vector, double count);
/** How often each code of a level was chosen in the last step. */
const float *vq_codebook_counts(const vq_trainer *trainer, int level);

/** Whether codes are still revived and fitted anew; after that they settle. */
bool vq_codebooks_tended(const vq_trainer *trainer);
/** After the update of a step: usage, revival, warnings. */
void vq_codebooks_follow(vq_trainer *trainer);
/** Names each cause of a collapse once, in the log. */
void vq_codebooks_warn(vq_trainer *trainer);
/** Dead codes of all levels. */
int64_t vq_codebooks_dead(const vq_trainer *trainer);

/** Arrays "codes.revived" (i64), "codes.NODE.usage" (f32) and "codes.NODE.age" (i32). */
VQ_MUST_USE vq_status vq_codebooks_pack(const vq_trainer *trainer, vq_pack *pack);
/** Reads them back. The state of a training from before there were any goes on without revival,
 *  as it began. */
VQ_MUST_USE vq_status vq_codebooks_unpack(vq_trainer *trainer, const char *path,
                                          const vq_archive *archive);

#endif
