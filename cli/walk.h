/* SPDX-License-Identifier: Apache-2.0
 * cli/walk.h -- listed images of a dataset, batch by batch, decoded ahead; and what a model
 * makes of them. */
#ifndef CLI_WALK_H
#define CLI_WALK_H

#include "skips.h"
#include <vqvae/data.h>
#include <vqvae/model.h>

/** Called for each image that cannot be delivered, in its turn; a failure ends the walk. */
typedef int walk_gap(program *p, void *user, const vq_loaded *image);

typedef struct walk {
    vq_loader *loader;
    const vq_dataset *data;
    const int64_t *indices; /* NULL: all, in order */
    int64_t n, batch, at;   /* at: items of the walk that were delivered or left out */
    const uint8_t *pixels;  /* the batch being delivered */
    int64_t slot, in_batch; /* how far, and how many items of it are of the walk */
    walk_gap *gap;          /* what becomes of an image that cannot be delivered */
    void *user;
    const char *tells_fit; /* says so, in these words, when the first image is; NULL: no */
} walk;

/** Starts at the first of n images. The walk must stay where it is until walk_end().
 *  @param gap  NULL: the first image that cannot be delivered is a failure */
int walk_begin(program *p, const vq_dataset *data, const int64_t *indices, int64_t n, int64_t batch,
               walk_gap *gap, void *user, walk *w);
/** The next *n images, at most a batch, that could be read; *n = 0 past the last. Valid until the
 *  next call. */
int walk_next(program *p, walk *w, const uint8_t **pixels, int64_t *n);
/** Image i of those that walk_next() gave last. */
vq_loaded walk_item(const walk *w, int64_t n, int64_t i);
/** Seconds for which images were waited for. */
double walk_waited(const walk *w);
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

/** How a model computes, as --fast and --precision say. */
typedef struct arithmetic_choice {
    bool fast;         /* any arithmetic, or the exact one */
    int64_t precision; /* of a session */
} arithmetic_choice;

/** Refuses a precision that is not exact where --fast is not given. */
int arithmetic_check(program *p, bool fast, int64_t precision);

/** What is evaluated, and how. */
typedef struct evaluated {
    const vq_dataset *data;
    const int64_t *indices; /* NULL: all, in order */
    int64_t n, batch;
    arithmetic_choice how;
    const char *source;    /* names the data where images are left out */
    skip_list *skips;      /* NULL: the first image that cannot be read is a failure */
    const char *tells_fit; /* as of a walk */
} evaluated;

/** Runs the images through the model. `usage`, when not NULL, receives the counts of codes of all
 *  levels, one after the other; free(). */
int evaluate(program *p, const vq_model *model, const evaluated *what, score *out,
             uint64_t **usage);

/** A session for the sizes of a dataset. */
int session_for(program *p, const vq_model *model, const vq_dataset *data, int64_t batch,
                arithmetic_choice how, vq_session **out);

#endif
