/* SPDX-License-Identifier: Apache-2.0
 * cli/run/metrics.h -- metrics.jsonl: one object a logged step. */
#ifndef CLI_RUN_METRICS_H
#define CLI_RUN_METRICS_H

#include "text.h"
#include "walk.h"
#include <jansson.h>
#include <vqvae/train.h>

/** All lines as a list, in order; *lines is released in any case. */
int metrics_read(program *p, const char *path, json_t **lines);
/** Appends those lines of a whole file that are of steps up to `step`.
 *  @param seconds  out: of the last of them, or 0 */
int metrics_keep(program *p, const char *whole, int64_t step, text *kept, double *seconds);
/** Keeps the lines of steps up to `step`, in one replacement of the file; what a kill left
 *  half-written goes with the rest. @param seconds  out: of the last line kept, or 0 */
int metrics_cut(program *p, const char *path, int64_t step, double *seconds);

typedef struct metrics_log {
    FILE *file;
    const char *path;
} metrics_log;

int metrics_open(program *p, const char *path, metrics_log *log);
/** How fast a training goes. */
typedef struct pace {
    int64_t images;           /* trained on so far */
    double seconds;           /* since the run was started */
    double images_per_second; /* since the last line */
    double data_wait;         /* share of that time spent waiting for images to be decoded */
} pace;

/** Adds a line, and prints it to stdout with --json. `valid` may be NULL. */
int metrics_add(program *p, metrics_log *log, const vq_step_metrics *m, const score *valid,
                const pace *at);
/** Everything added is on the disk. */
int metrics_sync(program *p, metrics_log *log);
void metrics_close(metrics_log *log);

#endif
