/* SPDX-License-Identifier: Apache-2.0
 * cli/run/training.h -- a training as `vqvae train` carries it out. */
#ifndef CLI_RUN_TRAINING_H
#define CLI_RUN_TRAINING_H

#include "run/folder.h"
#include "run/metrics.h"
#include "run/progress.h"
#include "run/split.h"

typedef struct training {
    settings settings;
    run_source source;
    run_folder folder;
    int64_t steps;      /* asked for; 0: as the settings say */
    int64_t epochs;     /* asked for; 0: none */
    bool from_state;    /* goes on from folder.state */
    bool new_length;    /* goes on to a step asked for now */
    int64_t steps_done; /* by the state, where a training is only planned */
    int lock;           /* holds the folder; -1: not yet */

    vq_dataset *data;        /* augmented where the settings ask for it */
    vq_dataset *plain;       /* the same images without; may be `data` itself */
    vq_dataset *other_valid; /* --valid; NULL: held out of `plain` */
    split parts;             /* held: of `plain`, or all of `other_valid`; without `skips` */
    skip_list skips;
    vq_train_data about;
    vq_trainer *trainer;

    int64_t best_step; /* 0: none yet */
    double best_nmse;
    double data_wait; /* share of the time of stepping that went to waiting for images */
} training;

/** Opens the data, splits it, makes or resumes the trainer.
 *  @param dry  only plans: reads no pixels, takes from a state no more than how far it is */
int training_prepare(program *p, training *t, bool dry);
/** Writes the state as it is now. */
int training_save_state(program *p, training *t);
/** Trains to the end, to a signal (INTERRUPTED, saved) or to a failure. */
int training_run(program *p, training *t);
void training_clear(program *p, training *t);

/** Images to validate on, and which of them. */
const vq_dataset *training_valid(const training *t, const int64_t **indices, int64_t *n);
/** Validations compute in the precision of training; in f32 exactly, as `eval` does. */
arithmetic_choice training_validates_in(const training *t);

/** The data of a run as its config.json names it: what a report shows. On success the caller
 *  closes *data and clears *parts; parts->held are the held-out images of *data that the run could
 *  read. */
int run_valid_open(program *p, const run_folder *folder, const run_source *source,
                   const settings *s, vq_dataset **data, split *parts);

#endif
