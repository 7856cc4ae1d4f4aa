/* SPDX-License-Identifier: Apache-2.0
 * cli/run/progress.h -- how training is followed: a bar on a terminal, plain lines elsewhere. */
#ifndef CLI_RUN_PROGRESS_H
#define CLI_RUN_PROGRESS_H

#include "run/metrics.h"

typedef struct progress {
    int64_t steps, batch, codes; /* codes: K of level 0 */
    double seconds_before;       /* spent by the processes before this one */
    double began, drawn;         /* seconds_now() of the start and of the last bar */
    double paused;               /* seconds that went to other things than steps */
    int64_t first;               /* step at which this process began */
    pace last;                   /* as it was at rate_step */
    double rate_at, waited;      /* seconds of stepping, and of waiting for data, until then */
    int64_t rate_step;
} progress;

void progress_begin(progress *g, int64_t steps, int64_t first, int64_t batch, int64_t codes);
/** After every step: measures, and redraws the bar when that was long ago. */
void progress_step(program *p, progress *g, const vq_step_metrics *m);
/** How fast it went since the last logged step. @param waited  seconds that went to waiting for
 *  data so far, of this process */
pace progress_pace(progress *g, int64_t step, double waited);
/** Share of waiting for data in all seconds of stepping. */
double progress_wait(const progress *g, double waited);
/** A plain line, where there is no bar and no JSON. */
void progress_line(program *p, const progress *g, const vq_step_metrics *m);
/** What a validation found. */
void progress_valid(program *p, int64_t step, const score *valid, bool best);

#endif
