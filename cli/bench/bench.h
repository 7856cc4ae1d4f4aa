/* SPDX-License-Identifier: Apache-2.0
 * cli/bench/bench.h -- what `vqvae bench` measures: workloads, each made ready once and then run
 * again and again. */
#ifndef CLI_BENCH_BENCH_H
#define CLI_BENCH_BENCH_H

#include "facts.h"
#include "option.h"
#include <jansson.h>

typedef struct bench_options {
    common_options common;
    const char *preset, *backend, *kernel;
    option_list set;
    int64_t batch, size, seconds, runs, n, dim, codes, precision;
    bool lines, ready, use, fast;
} bench_options;

typedef struct workload {
    const char *name;
    /** Makes it ready. What *state was set to is closed, also after a failure. */
    int (*open)(program *p, const bench_options *o, void **state);
    /** What is timed. */
    int (*step)(program *p, void *state);
    /** What the result says of it, `gflops` with it, given the milliseconds of a step and the peak
     *  of the machine in GFLOP/s. */
    json_t *(*facts)(program *p, const void *state, double median_ms, double peak);
    void (*close)(program *p, void *state);
} workload;

extern const workload workload_train, workload_forward, workload_encode; /* bench/model.c */
extern const workload workload_layers;                                   /* bench/layers.c */
extern const workload workload_nearest, workload_quantizer;              /* bench/vectors.c */

#endif
