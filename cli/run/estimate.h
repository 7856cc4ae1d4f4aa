/* SPDX-License-Identifier: Apache-2.0
 * cli/run/estimate.h -- what a training will take, before it is started. */
#ifndef CLI_RUN_ESTIMATE_H
#define CLI_RUN_ESTIMATE_H

#include "run/training.h"
#include <jansson.h>

/** Parameters, memory, work and time of a training that was only planned, and all of its settings.
 *  Takes a few steps with its trainer, which is of no use afterwards. json_decref() it.
 *  @param opening  seconds that preparing it took, data unpacked included */
int training_estimate(program *p, const training *t, double opening, json_t **facts);

/** Where memory was short for it: adds to the failure how much the training would take, and which
 *  settings to lower. Returns the exit code. */
int training_too_large(program *p, const training *t);

#endif
