/* SPDX-License-Identifier: Apache-2.0
 * cli/run/split.h -- which images are held out of training. */
#ifndef CLI_RUN_SPLIT_H
#define CLI_RUN_SPLIT_H

#include "program.h"

/** The rule in words, as config.json records it. */
extern const char split_rule[];

typedef struct split {
    int64_t *train, *held; /* ascending */
    int64_t n_train, n_held;
} split;

/** Images held out of n: one in twenty, at least 1, at most 5,000. */
int64_t split_held(int64_t n);
/** Holds out the `held` images of n that the seed picks; 0 trains on all. split_clear() it. */
int split_make(program *p, int64_t n, int64_t held, uint64_t seed, split *out);
/** Holds out all of n images, of other data than those trained on. */
int split_hold_all(program *p, int64_t n, split *out);
void split_clear(split *s);

/** Indices in any order; zero-initialise, free(items). */
typedef struct index_list {
    int64_t *items, n, room;
} index_list;
int index_add(program *p, index_list *list, int64_t index);
/** Takes indices out of an ascending list. The indices themselves are sorted by it. */
void split_drop(int64_t *list, int64_t *n, index_list *dropped);

#endif
