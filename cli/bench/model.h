/* SPDX-License-Identifier: Apache-2.0
 * cli/bench/model.h -- a model made ready to be timed, shared by the workloads of models. */
#ifndef CLI_BENCH_MODEL_H
#define CLI_BENCH_MODEL_H

#include "bench/bench.h"
#include "settings.h"

typedef struct model_bench {
    const bench_options *o;
    bool training;
    settings settings;
    int64_t shape[4];
    uint8_t *pixels, *back;
    uint32_t *codes;     /* of encode */
    vq_trainer *trainer; /* of a training */
    vq_model *model;     /* of a model in use, as are the next two */
    vq_session *session;
    vq_evaluation sums;
} model_bench;

/** Noise for a batch, and a trainer or a session for it. What was made is closed, also after a
 *  failure. */
int model_bench_open(program *p, const bench_options *o, bool training, model_bench *b);
/** A training step, or a batch through encoder, quantiser and decoder. */
int model_bench_step(program *p, model_bench *b);
void model_bench_close(program *p, model_bench *b);

/** Line i of what is timed; false past the last. */
bool model_bench_line(const model_bench *b, size_t i, vq_plan_line *line);
/** Billions of floating-point operations of a step's products. */
double model_bench_gflop(const model_bench *b);
/** "bf16" or "f32". */
const char *model_bench_precision(const model_bench *b);
/** "onednn" where any operation is its, else "portable". */
const char *model_bench_backend(const model_bench *b);

#endif
