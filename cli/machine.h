/* SPDX-License-Identifier: Apache-2.0
 * cli/machine.h -- what this machine can do, and what this process took of it. */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include "program.h"

/** The machine's own rate of fused multiply-adds in GFLOP/s, measured now: the best of a few
 *  short tries, two operations for each multiply-add. */
double machine_peak(program *p);
/** Most memory that the process has held so far, in MiB; 0 where the system does not tell. */
double machine_memory_mb(void);

#endif
