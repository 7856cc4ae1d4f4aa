/* SPDX-License-Identifier: Apache-2.0
 * cli/run/folder.h -- the files of a run, and what its config.json says. */
#ifndef CLI_RUN_FOLDER_H
#define CLI_RUN_FOLDER_H

#include "files.h"
#include "run/split.h"
#include "settings.h"
#include "skips.h"

typedef struct run_folder {
    char root[PATH_ROOM], config[PATH_ROOM], metrics[PATH_ROOM], model[PATH_ROOM], best[PATH_ROOM],
        state[PATH_ROOM], report[PATH_ROOM], skipped[PATH_ROOM];
} run_folder;

enum { RUN_SOURCES_MAX = 8 }; /* of DATA; a list of images names as many as there are */

/** Where the numbers of a run came from: the "run" section of config.json. */
typedef struct run_source {
    char sources[RUN_SOURCES_MAX][PATH_ROOM]; /* what DATA names, seen from the root */
    size_t n_sources;
    char data[PATH_ROOM];  /* all of them in words */
    char valid[PATH_ROOM]; /* seen from the root; "": held out of data */
    char init[PATH_ROOM];  /* model started from, or "" */
    char backend[32];
    int64_t threads, images, held;
} run_source;

/** Says in `data` what `sources` are. */
void run_source_describe(run_source *source);
/** Opens the sources of DATA as one dataset. */
int run_source_open(program *p, const run_source *source, const vq_data_config *config,
                    vq_dataset **out);

int run_folder_name(program *p, const char *root, run_folder *out);
/** Makes the folder and keeps other trainings out of it until the descriptor *lock is closed:
 *  however the process ends, the system closes it. Then removes what a killed training left. */
int run_folder_lock(program *p, const run_folder *folder, int *lock);
/** Whether training has left something in it. */
bool run_folder_used(const run_folder *folder);
/** Removes what an earlier training left there, the state first. */
int run_folder_begin(program *p, const run_folder *folder);

/** Writes which images were left out, or removes the list where there are none. */
int run_skipped_write(program *p, const run_folder *folder, const skip_list *skips);
/** Takes the images that the run left out from the held-out ones of the data that `source` names,
 *  as far as the folder lists them. */
int run_skipped_drop(program *p, const run_folder *folder, const char *source, split *parts);

int run_config_write(program *p, const run_folder *folder, const settings *s,
                     const run_source *source);
/** @param newer  settings that this program does not know are passed over with a warning */
int run_config_read(program *p, const run_folder *folder, bool newer, settings *s,
                    run_source *source);
/** Refuses settings that differ from those of a run, naming the first that does. How long is
 *  trained and how often something is saved may differ; sizes left open match any. */
int run_config_compare(program *p, const settings *wanted, const settings *stored);

#endif
