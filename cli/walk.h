/* SPDX-License-Identifier: Apache-2.0
 * cli/walk.h -- listed images of a dataset, batch by batch, decoded ahead; and what a model
 * makes of them. */
#ifndef CLI_WALK_H
#define CLI_WALK_H

#include "program.h"
#include <vqvae/data.h>
#include <vqvae/model.h>

typedef struct walk {
    vq_loader *loader;
    const int64_t *indices; /* NULL: all, in order */
    int64_t n, batch, at;
} walk;

/** Starts at the first of n images. The walk must stay where it is until walk_end(). */
int walk_begin(program *p, const vq_dataset *data, const int64_t *indices, int64_t n, int64_t batch,
               walk *w);
/** The next batch of *n images, *n = 0 past the last; valid until the next call. */
int walk_next(program *p, walk *w, const uint8_t **pixels, int64_t *n);
void walk_end(program *p, walk *w);

/** How a model did, from sums of an evaluation. */
typedef struct score {
    int64_t images;
    double loss, mse, nmse, psnr, commitment; /* nmse and loss are NAN where v is unknown */
    double perplexity[VQ_MAX_LEVELS];
    int64_t codes_used[VQ_MAX_LEVELS], codes[VQ_MAX_LEVELS];
    size_t n_levels;
} score;

void score_of(const vq_model *model, const vq_evaluation *sums, score *out);

/** Runs the listed images through the model. `usage`, when not NULL, receives the counts of
 *  codes of all levels, one after the other; free(). */
int evaluate(program *p, const vq_model *model, const vq_dataset *data, const int64_t *indices,
             int64_t n, int64_t batch, const char *backend, score *out, uint64_t **usage);

/** Opens a dataset so that it delivers what the model was trained on. */
int open_for_model(program *p, const vq_model *model, const char *path, vq_dataset **out);
/** Says so where the first image of a dataset has another size than the model was trained on and
 *  is scaled and cropped; returns whether it does. */
bool tell_scaling(program *p, const vq_model *model, const char *path);
/** A session for the sizes of a dataset. */
int session_for(program *p, const vq_model *model, const vq_dataset *data, int64_t batch,
                const char *backend, vq_session **out);

#endif
