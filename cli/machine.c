/* SPDX-License-Identifier: Apache-2.0
 * cli/machine.c -- the machine's rate and the process's memory. */
#include "machine.h"
#include <sys/resource.h>
#include <vqvae/measure.h>

double machine_peak(program *p)
{
    enum { TRIES = 10, ROUNDS = 20000 };
    double best = 0.0;
    for (int i = 0; i < TRIES; i++) {
        const double began = seconds_now();
        const double rate = 1e-9 * vq_measure_peak(p->ctx, ROUNDS) / (seconds_now() - began);
        if (rate > best) best = rate;
    }
    return best;
}

double machine_memory_mb(void)
{
    struct rusage usage;
    /* Linux counts kilobytes. */
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024 : 0.0;
}
