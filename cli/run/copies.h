/* SPDX-License-Identifier: Apache-2.0
 * cli/run/copies.h -- images that a training meets twice. */
#ifndef CLI_RUN_COPIES_H
#define CLI_RUN_COPIES_H

#include "run/training.h"

/** Warns where images are copies of others, naming the first. @param hashes  of those trained on,
 *  then of those held out, as the lists of `t->parts` have them */
int copies_tell(program *p, const training *t, const uint64_t *hashes);

#endif
