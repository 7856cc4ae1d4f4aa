/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/bench.c -- vqvae bench: how long a step takes. */
#include "facts.h"
#include "machine.h"
#include "settings.h"
#include "verbs.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench_options {
    common_options common;
    const char *preset, *backend;
    option_list set;
    int64_t batch, size, seconds, runs;
    bool lines;
} bench_options;

#define BENCH(...) OPTION(bench_options, __VA_ARGS__)
static const option options[] = {
    BENCH(preset, 'p', "PRESET", "cifar10", "the model"),
    BENCH(set, 's', "KEY=VALUE", "", "one setting, such as model.level.0.k=1024; repeatable"),
    BENCH(batch, 'b', "N", "128", "images a step", .low = 1, .high = 65536),
    BENCH(size, 0, "N", "0", "edge of the images; 0: 32, or 28 for grey ones", .low = 0,
          .high = 8192),
    BENCH(seconds, 0, "N", "5", "how long to measure", .low = 1, .high = 3600),
    BENCH(runs, 0, "N", "0", "steps to measure instead; 0: as many as fit", .low = 0,
          .high = 1000000),
    BENCH(backend, 0, "NAME", "auto", "whose operations run", .choices = "auto|portable|onednn"),
    BENCH(lines, 0, NULL, "", "one step for every line read, its milliseconds for an answer"),
};

enum { WARM_UP = 3, RUNS_MAX = 1000000 };

/* One workload, prepared: what is timed is run(). */
typedef struct bench {
    const bench_options *o;
    const char *workload;
    settings settings;
    int64_t shape[4];
    uint8_t *pixels, *back;
    vq_trainer *trainer;
    vq_model *model;
    vq_session *session;
    vq_evaluation sums;
    double *ms;
    size_t n, room;
} bench;

/* Noise: no step may profit from pixels that are all alike. */
static int fill_pixels(program *p, bench *b)
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

static int configure(program *p, bench *b)
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
    b->settings.train.batch = o->batch;
    b->settings.train.steps = 1000000000; /* no schedule ends while it is timed */
    b->shape[0] = o->batch;
    b->shape[1] = model->height;
    b->shape[2] = model->width;
    b->shape[3] = model->channels;
    return fill_pixels(p, b);
}

static int prepare(program *p, bench *b)
{
    const vq_train_data about = {
        .images = b->shape[0], .height = b->shape[1], .width = b->shape[2], .variance = 1.0 / 12.0};
    TRY(lib(p, vq_trainer_create(p->ctx, &b->settings.model, &b->settings.train, &about,
                                 b->o->backend, NULL, &b->trainer)));
    if (strcmp(b->workload, "train") == 0) return DONE;
    const vq_session_config config = {.batch = b->shape[0],
                                      .height = b->shape[1],
                                      .width = b->shape[2],
                                      .backend = b->o->backend};
    const int code = lib(p, vq_trainer_model(b->trainer, &b->model));
    vq_trainer_destroy(b->trainer); /* its buffers would count as the session's */
    b->trainer = NULL;
    TRY(code);
    TRY(lib(p, vq_session_create(p->ctx, b->model, &config, &b->session)));
    return lib(p, vq_evaluation_create(p->ctx, b->model, &b->sums));
}

static int step(program *p, bench *b, double *ms)
{
    vq_step_metrics metrics;
    const double began = seconds_now();
    const vq_status status = b->trainer ? vq_trainer_step(b->trainer, b->pixels, &metrics)
                                        : vq_session_evaluate(b->session, b->shape[0], b->pixels,
                                                              &b->sums, b->back, NULL);
    *ms = 1e3 * (seconds_now() - began);
    return lib(p, status);
}

static int keep(program *p, bench *b, double ms)
{
    if (b->n == b->room) {
        const size_t room = b->room ? 2 * b->room : 256;
        double *longer = realloc(b->ms, room * sizeof *longer);
        if (!longer) return fail(p, MACHINE_FAILED, "no memory for %zu timings", room);
        b->ms = longer;
        b->room = room;
    }
    b->ms[b->n++] = ms;
    return DONE;
}

static int measure(program *p, bench *b)
{
    const double end = seconds_now() + (double)b->o->seconds;
    const size_t wanted = (size_t)b->o->runs;
    double ms;
    while (wanted ? b->n < wanted : b->n < 3 || (seconds_now() < end && b->n < RUNS_MAX)) {
        TRY(step(p, b, &ms));
        TRY(keep(p, b, ms));
    }
    return DONE;
}

/* Whoever compares two programs sends a line to one, then to the other, and reads the answers:
 * what disturbs the machine then disturbs both. */
static int answer_lines(program *p, bench *b)
{
    char line[256];
    double ms;
    printf("ready\n");
    TRY(results_flush(p));
    while (fgets(line, sizeof line, stdin)) {
        TRY(step(p, b, &ms));
        printf("%.4f\n", ms);
        TRY(results_flush(p));
    }
    return DONE;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool plan_line(const bench *b, size_t i, vq_plan_line *line)
{
    return b->trainer ? vq_trainer_plan(b->trainer, i, line) : vq_session_plan(b->session, i, line);
}

/* Billions of floating-point operations of a step's products. */
static double billions(const bench *b)
{
    vq_plan_line line;
    double sum = 0.0;
    for (size_t i = 0; plan_line(b, i, &line); i++) sum += line.flops;
    return 1e-9 * sum;
}

static const char *operations_of(const bench *b)
{
    vq_plan_line line;
    for (size_t i = 0; plan_line(b, i, &line); i++)
        if (line.implementation && strstr(line.implementation, "onednn")) return "onednn";
    return "portable";
}

static int print_result(program *p, bench *b)
{
    qsort(b->ms, b->n, sizeof *b->ms, ascending);
    const double median = 0.5 * (b->ms[(b->n - 1) / 2] + b->ms[b->n / 2]);
    return facts_print(
        p,
        json_pack("{s:s, s:s, s:o, s:s, s:i, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
                  "workload", b->workload, "preset", b->o->preset, "shape", fact_list(b->shape, 4),
                  "precision", "f32", "threads", vq_context_threads(p->ctx), "kernel",
                  vq_context_cpu(p->ctx), "backend", operations_of(b), "runs", (json_int_t)b->n,
                  "min_ms", fact_number(b->ms[0]), "median_ms", fact_number(median),
                  "images_per_second", fact_number(1e3 * (double)b->shape[0] / median), "gflops",
                  fact_number(1e3 * billions(b) / median), "peak_gflops",
                  fact_number(machine_peak(p)), "peak_rss_mb", fact_number(machine_memory_mb())));
}

static int check_workload(program *p, const char *word)
{
    static const char *const words[] = {"train", "forward"};
    char hint[64];
    for (size_t i = 0; i < 2; i++)
        if (strcmp(word, words[i]) == 0) return DONE;
    return fail(p, BAD_USAGE, "bench measures train or forward, not \"%s\"%s", word,
                hint_of(word, words, 2, hint, sizeof hint));
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    bench b = {.o = parsed, .workload = operands[0]};
    double ms;
    int code;
    (void)n;
    TRY(check_workload(p, operands[0]));
    TRY_TO(configure(p, &b));
    TRY_TO(prepare(p, &b));
    for (int i = 0; i < WARM_UP; i++) TRY_TO(step(p, &b, &ms));
    if (b.o->lines) {
        TRY_TO(answer_lines(p, &b));
        goto done;
    }
    TRY_TO(measure(p, &b));
    TRY_TO(print_result(p, &b));
done:
    vq_evaluation_clear(p->ctx, &b.sums);
    vq_session_destroy(b.session);
    vq_model_destroy(p->ctx, b.model);
    vq_trainer_destroy(b.trainer);
    free(b.pixels);
    free(b.ms);
    return code;
}

const verb verb_bench = {
    .name = "bench",
    .summary = "measure how long a step takes",
    .operands = "train|forward",
    .min_operands = 1,
    .max_operands = 1,
    .about =
        "Times training steps (forward, backward, update of weights and codebook), or images "
        "through\n"
        "encoder, quantiser and decoder, on random pixels after a warm-up. Prints the least and\n"
        "the median time of a step. With --lines it writes \"ready\", then runs one step for each\n"
        "line of standard input and answers with its milliseconds, so that two programs can be\n"
        "measured in turns.",
    .examples = "vqvae bench train --preset tiny --batch 32 --seconds 1\n"
                "vqvae bench forward --preset tiny --runs 20 --json",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(bench_options),
    .run = run,
};
