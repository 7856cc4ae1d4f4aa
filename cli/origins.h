/* SPDX-License-Identifier: Apache-2.0
 * cli/origins.h -- images that a command names twice, by whatever paths. */
#ifndef CLI_ORIGINS_H
#define CLI_ORIGINS_H

#include "program.h"
#include <vqvae/data.h>

/** Where images of several datasets are read from. Zero-initialise; origins_clear() it. */
typedef struct origins {
    uint64_t *hashes;
    size_t n, room;
    struct origin_source *sources; /* what was added */
    size_t n_sources, source_room;
} origins;

/** Adds the first `count` images of a dataset.
 *  @param path   what it was opened from, which must stay
 *  @param data   if it `stays` open until origins_tell(), images are named by it, else `path` is
 *                opened once more where one is to be named */
int origins_add(program *p, origins *o, const char *path, const vq_dataset *data, int64_t count,
                bool stays);
/** Warns of the first image that is there twice, and says how many are. */
int origins_tell(program *p, const origins *o);
void origins_clear(origins *o);

/** All of the above for one dataset. */
int origins_check(program *p, const char *path, const vq_dataset *data);

#endif
