/* SPDX-License-Identifier: Apache-2.0
 * cli/plan.h -- what a prepared model computes, in the words of `inspect --plan` and `bench
 * layers`. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include <jansson.h>
#include <vqvae/vqvae.h>

/** Node, operation, direction, implementation, shape and gflop of one direction of a line. */
json_t *plan_fact(const vq_plan_line *line, vq_direction direction);

#endif
