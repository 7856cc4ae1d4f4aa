/* SPDX-License-Identifier: Apache-2.0
 * cli/walk.h -- listed images of a dataset, batch by batch, decoded ahead; and what a model
 * makes of them. */
#ifndef CLI_WALK_H
#define CLI_WALK_H

#include "skips.h"
#include <vqvae/data.h>
#include <vqvae/model.h>

typedef struct walk {
    vq_loader *loader;
    const vq_dataset *data;
    const int64_t *indices; /* NULL: all, in order */
    int64_t n, batch, at;   /* at: items of the walk that were delivered or left out */
    const uint8_t *pixels;  /* the batch being delivered */
    int64_t slot, in_batch; /* how far, and how many items of it are of the walk */
    const char *source;     /* names the data where images are left out */
    skip_list *skips;
} walk;

/** Starts at the first of n images. The walk must stay where it is until walk_end().
 *  @param skips  takes the images that cannot be read; NULL: the first one is a failure */
int walk_begin(program *p, const vq_dataset *data, const int64_t *indices, int64_t n, int64_t batch,
               const char *source, skip_list *skips, walk *w);
/** The next *n images, at most a batch, that could be read; *n = 0 past the last. Valid until the
 *  next call. */
int walk_next(program *p, walk *w, const uint8_t **pixels, int64_t *n);
/** Image i of those that walk_next() gave last. */
vq_loaded walk_item(const walk *w, int64_t n, int64_t i);
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

/** What is evaluated, and how. */
typedef struct evaluated {
    const vq_dataset *data;
    const int64_t *indices; /* NULL: all, in order */
    int64_t n, batch;
    const char *backend; /* NULL: as is best */
    const char *source;  /* names the data where images are left out */
    skip_list *skips;    /* NULL: the first image that cannot be read is a failure */
} evaluated;

/** Runs the images through the model. `usage`, when not NULL, receives the counts of codes of all
 *  levels, one after the other; free(). */
int evaluate(program *p, const vq_model *model, const evaluated *what, score *out,
             uint64_t **usage);

/** Opens a dataset so that it delivers what the model was trained on. */
int open_for_model(program *p, const vq_model *model, const char *path, vq_dataset **out);
/** Says so where the first image of a dataset has another size than the model was trained on and
 *  is scaled and cropped; returns whether it does. */
bool tell_scaling(program *p, const vq_model *model, const char *path);
/** A session for the sizes of a dataset. */
int session_for(program *p, const vq_model *model, const vq_dataset *data, int64_t batch,
                const char *backend, vq_session **out);

#endif
