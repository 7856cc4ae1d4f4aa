/* SPDX-License-Identifier: Apache-2.0
 * cli/bench/model.c -- training steps of a model, and images through one. */
#include "bench/model.h"
#include <stdlib.h>
#include <string.h>

/* Noise: no step may profit from pixels that are all alike. */
static int fill_pixels(program *p, model_bench *b)
{
    const size_t n = (size_t)(b->shape[0] * b->shape[1] * b->shape[2] * b->shape[3]);
    void *memory = NULL;
    uint64_t state = 1;
    TRY(allocate(p, 2, n, &memory));
    b->pixels = memory;
    b->back = b->pixels + n;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        b->pixels[i] = (uint8_t)(state >> 56);
    }
    return DONE;
}

static int configure(program *p, model_bench *b)
{
    const bench_options *o = b->o;
    vq_model_config *model = &b->settings.model;
    settings_default(&b->settings);
    TRY(settings_preset(p, o->preset, &b->settings));
    for (size_t i = 0; i < o->set.n; i++) TRY(settings_set(p, o->set.items[i], &b->settings));
    if (model->channels == 0) model->channels = 3;
    const int64_t edge = o->size ? o->size : model->channels == 1 ? 28 : 32;
    if (model->height == 0 || o->size) model->height = edge;
    if (model->width == 0 || o->size) model->width = edge;
    if (b->training && o->precision) b->settings.train.precision = (int)o->precision;
    b->settings.train.batch = o->batch;
    b->settings.train.steps = 1000000000; /* no schedule ends while it is timed */
    b->shape[0] = o->batch;
    b->shape[1] = model->height;
    b->shape[2] = model->width;
    b->shape[3] = model->channels;
    return fill_pixels(p, b);
}

static int prepare(program *p, model_bench *b)
{
    const vq_train_data about = {
        .images = b->shape[0], .height = b->shape[1], .width = b->shape[2], .variance = 1.0 / 12.0};
    TRY(lib(p, vq_trainer_create(p->ctx, &b->settings.model, &b->settings.train, &about,
                                 b->o->backend, NULL, &b->trainer)));
    if (b->training) return DONE;
    const vq_session_config config = {.batch = b->shape[0],
                                      .height = b->shape[1],
                                      .width = b->shape[2],
                                      .backend = b->o->backend,
                                      .fast = b->o->fast,
                                      .precision = (int)b->o->precision};
    const int code = lib(p, vq_trainer_model(b->trainer, &b->model));
    vq_trainer_destroy(b->trainer); /* its buffers would count as the session's */
    b->trainer = NULL;
    TRY(code);
    TRY(lib(p, vq_session_create(p->ctx, b->model, &config, &b->session)));
    return lib(p, vq_evaluation_create(p->ctx, b->model, &b->sums));
}

int model_bench_step(program *p, model_bench *b)
{
    vq_step_metrics metrics;
    if (b->trainer) return lib(p, vq_trainer_step(b->trainer, b->pixels, &metrics));
    if (b->codes) return lib(p, vq_session_encode(b->session, b->shape[0], b->pixels, b->codes));
    return lib(p, vq_session_evaluate(b->session, b->shape[0], b->pixels, &b->sums, b->back, NULL));
}

bool model_bench_line(const model_bench *b, size_t i, vq_plan_line *line)
{
    return b->trainer ? vq_trainer_plan(b->trainer, i, line) : vq_session_plan(b->session, i, line);
}

/* Encoding ends before the decoder. */
static bool counts(const model_bench *b, const vq_plan_line *line)
{
    return !b->codes || strncmp(line->node, "decoder.", strlen("decoder.")) != 0;
}

double model_bench_gflop(const model_bench *b)
{
    vq_plan_line line;
    double sum = 0.0;
    for (size_t i = 0; model_bench_line(b, i, &line); i++)
        for (int d = 0; counts(b, &line) && d < VQ_DIRECTIONS; d++) sum += line.flops[d];
    return 1e-9 * sum;
}

const char *model_bench_backend(const model_bench *b)
{
    vq_plan_line line;
    for (size_t i = 0; model_bench_line(b, i, &line); i++)
        if (strstr(line.implementation[VQ_FORWARD], "onednn")) return "onednn";
    return "portable";
}

const char *model_bench_precision(const model_bench *b)
{
    const int64_t precision = b->trainer ? b->settings.train.precision : b->o->precision;
    return precision == 1 ? "bf16" : "f32";
}

static json_t *facts(program *p, const void *state, double median_ms, double peak)
{
    const model_bench *b = state;
    (void)p, (void)peak;
    return json_pack("{s:s, s:o, s:s, s:s, s:b, s:o, s:o}", "preset", b->o->preset, "shape",
                     fact_list(b->shape, 4), "precision", model_bench_precision(b), "backend",
                     model_bench_backend(b), "exact", b->session && !b->o->fast,
                     "images_per_second", fact_number(1e3 * (double)b->shape[0] / median_ms),
                     "gflops", fact_number(1e3 * model_bench_gflop(b) / median_ms));
}

void model_bench_close(program *p, model_bench *b)
{
    vq_evaluation_clear(p->ctx, &b->sums);
    vq_session_destroy(b->session);
    vq_model_destroy(p->ctx, b->model);
    vq_trainer_destroy(b->trainer);
    free(b->pixels);
    free(b->codes);
}

int model_bench_open(program *p, const bench_options *o, bool training, model_bench *b)
{
    *b = (model_bench){.o = o, .training = training};
    TRY(configure(p, b));
    return prepare(p, b);
}

/* ---- whole steps ----------------------------------------------------------------- */

static int step(program *p, void *state)
{
    return model_bench_step(p, state);
}

static void close_model(program *p, void *state)
{
    model_bench_close(p, state);
    free(state);
}

static int open_train(program *p, const bench_options *o, void **state)
{
    TRY(allocate(p, 1, sizeof(model_bench), state));
    return model_bench_open(p, o, true, *state);
}

static int open_forward(program *p, const bench_options *o, void **state)
{
    TRY(allocate(p, 1, sizeof(model_bench), state));
    return model_bench_open(p, o, false, *state);
}

static int open_encode(program *p, const bench_options *o, void **state)
{
    void *memory = NULL;
    TRY(open_forward(p, o, state));
    model_bench *b = *state;
    const size_t codes = (size_t)b->shape[0] * vq_model_codes(b->model, b->shape[1], b->shape[2]);
    TRY(allocate(p, codes, sizeof *b->codes, &memory));
    b->codes = memory;
    return DONE;
}

const workload workload_train = {"train", open_train, step, facts, close_model};
const workload workload_forward = {"forward", open_forward, step, facts, close_model};
const workload workload_encode = {"encode", open_encode, step, facts, close_model};
