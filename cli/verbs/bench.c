/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/bench.c -- vqvae bench: how long a step takes. */
#include "bench/bench.h"
#include "machine.h"
#include "verbs.h"
#include "walk.h"
#include <stdlib.h>
#include <string.h>

#define BENCH(...) OPTION(bench_options, __VA_ARGS__)
static const option options[] = {
    BENCH(preset, 'p', "PRESET", "cifar10", "train, forward, encode, layers: the model"),
    BENCH(set, 's', "KEY=VALUE", "", "one setting, such as model.level.0.k=1024; repeatable"),
    BENCH(batch, 'b', "N", "128", "images a step of a model", .low = 1, .high = 65536),
    BENCH(size, 0, "N", "0", "edge of the images; 0: 32, or 28 for grey ones", .low = 0,
          .high = 8192),
    BENCH(n, 'n', "N", "8192", "nearest, quantizer: vectors a step", .low = 1, .high = 1 << 30),
    BENCH(dim, 0, "N", "64", "numbers in a vector", .low = 1, .high = 1 << 20),
    BENCH(codes, 'k', "N", "512", "codes in the codebook", .low = 1, .high = 1 << 30),
    BENCH(ready, 0, NULL, "", "nearest: the codebook was packed before, and is not timed"),
    BENCH(use, 0, NULL, "", "layers: of a model in use, not of a training step"),
    BENCH(fast, 0, NULL, "", "forward, encode, layers --use: as --fast of encode, not exact"),
    BENCH(seconds, 0, "N", "5", "how long to measure", .low = 1, .high = 3600),
    BENCH(runs, 0, "N", "0", "steps to measure instead; 0: as many as fit", .low = 0,
          .high = 1000000),
    BENCH(backend, 0, "NAME", "auto", "whose operations run", .choices = "auto|portable|onednn"),
    BENCH(kernel, 0, "CPU", "", "bound on our own kernels, as VQ_CPU"),
    BENCH(precision, 0, "NAME", "f32",
          "train, layers, with --fast: of the products of convolutions", .choices = "f32|bf16"),
    BENCH(lines, 0, NULL, "", "one step for every line read, its milliseconds for an answer"),
};

enum { WARM_UP = 3, RUNS_MAX = 1000000, REPEATS_MAX = 100000 };

/* Steps shorter than this are timed several at a time: the clock itself takes a while. */
static const double least_ms = 0.2;

typedef struct bench {
    const bench_options *o;
    const workload *work;
    void *state;
    int repeats;
    double peak; /* of the machine, in GFLOP/s */
    double *ms;
    size_t n, room;
} bench;

/* Milliseconds of one step, the mean of as many as are timed at a time. */
static int time_step(program *p, bench *b, double *ms)
{
    const double began = seconds_now();
    for (int i = 0; i < b->repeats; i++) TRY(b->work->step(p, b->state));
    *ms = 1e3 * (seconds_now() - began) / b->repeats;
    return DONE;
}

static int warm_up(program *p, bench *b)
{
    double ms;
    b->repeats = 1;
    for (int i = 0; i < WARM_UP; i++) TRY(time_step(p, b, &ms));
    if (ms >= least_ms) return DONE;
    b->repeats = ms * REPEATS_MAX < least_ms ? REPEATS_MAX : 1 + (int)(least_ms / ms);
    return time_step(p, b, &ms);
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

/* The clock drifts, and no step runs faster than the peak: the larger of those before and after the
 * steps counts. */
static void measure_peak(program *p, bench *b)
{
    const double peak = machine_peak(p);
    if (peak > b->peak) b->peak = peak;
}

static int measure(program *p, bench *b)
{
    measure_peak(p, b);
    const double end = seconds_now() + (double)b->o->seconds;
    const size_t wanted = (size_t)b->o->runs;
    double ms;
    while (wanted ? b->n < wanted : b->n < 3 || (seconds_now() < end && b->n < RUNS_MAX)) {
        TRY(time_step(p, b, &ms));
        TRY(keep(p, b, ms));
    }
    measure_peak(p, b);
    return DONE;
}

/* Whoever compares two programs sends a line to one, then to the other, and reads the answers:
 * what disturbs the machine then disturbs both. */
static int answer_lines(program *p, bench *b)
{
    char line[256];
    double answer;
    printf("ready\n");
    TRY(results_flush(p));
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "peak\n") == 0) answer = machine_peak(p);
        else TRY(time_step(p, b, &answer));
        printf("%.6f\n", answer);
        TRY(results_flush(p));
    }
    return DONE;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int print_result(program *p, bench *b)
{
    qsort(b->ms, b->n, sizeof *b->ms, ascending);
    const double median = 0.5 * (b->ms[(b->n - 1) / 2] + b->ms[b->n / 2]);
    json_t *result = json_pack("{s:s, s:s, s:i, s:s, s:I, s:o, s:o}", "workload", b->work->name,
                               "precision", "f32", "threads", vq_context_threads(p->ctx), "kernel",
                               vq_context_cpu(p->ctx), "runs", (json_int_t)b->n, "min_ms",
                               fact_number(b->ms[0]), "median_ms", fact_number(median));
    json_t *more = b->work->facts(p, b->state, median, b->peak);
    json_t *machine = json_pack("{s:o, s:o}", "peak_gflops", fact_number(b->peak), "peak_rss_mb",
                                fact_number(machine_memory_mb()));
    const bool joined =
        json_object_update(result, more) == 0 && json_object_update(result, machine) == 0;
    json_decref(more);
    json_decref(machine);
    if (joined) return facts_print(p, result);
    json_decref(result);
    return facts_print(p, NULL);
}

static int find_workload(program *p, const char *word, const workload **out)
{
    static const workload *const all[] = {&workload_train,  &workload_forward, &workload_encode,
                                          &workload_layers, &workload_nearest, &workload_quantizer};
    enum { N = sizeof all / sizeof *all };
    const char *words[N];
    char hint[64];
    for (size_t i = 0; i < N; i++) {
        words[i] = all[i]->name;
        *out = all[i];
        if (strcmp(word, words[i]) == 0) return DONE;
    }
    return fail(p, BAD_USAGE,
                "bench measures train, forward, encode, layers, nearest or quantizer, not \"%s\"%s",
                word, hint_of(word, words, N, hint, sizeof hint));
}

/* Models train in bf16, or run in it where they are not exact. */
static int check_precision(program *p, const bench_options *o, const workload *work)
{
    const bool trains = work == &workload_train || (work == &workload_layers && !o->use);
    if (o->precision && (work == &workload_nearest || work == &workload_quantizer))
        return fail(p, BAD_USAGE,
                    "--precision bf16 is of models: the search for the nearest code takes bf16 by "
                    "itself where its codes are certain to be the same");
    return arithmetic_check(p, trains || o->fast, o->precision);
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    bench b = {.o = parsed};
    int code;
    (void)n;
    TRY(find_workload(p, operands[0], &b.work));
    TRY(check_precision(p, b.o, b.work));
    if (b.o->kernel) TRY(program_context(p, (int)b.o->common.threads, b.o->kernel));
    TRY_TO(b.work->open(p, b.o, &b.state));
    TRY_TO(warm_up(p, &b));
    if (b.o->lines) {
        TRY_TO(answer_lines(p, &b));
        goto done;
    }
    TRY_TO(measure(p, &b));
    TRY_TO(print_result(p, &b));
done:
    if (b.state) b.work->close(p, b.state);
    free(b.ms);
    return code;
}

const verb verb_bench = {
    .name = "bench",
    .summary = "measure how long a step takes",
    .operands = "train|forward|encode|layers|nearest|quantizer",
    .min_operands = 1,
    .max_operands = 1,
    .about = "Times training steps (forward, backward, update of weights and codebook),\n"
             "images through encoder, quantiser and decoder (forward) or to codes (encode),\n"
             "the search for the nearest codes (with the packing of the codebook unless it is\n"
             "--ready), or a training step of the quantiser alone, on random numbers after a\n"
             "warm-up. Prints the least and the median time of a step; gflops counts two\n"
             "operations for each vector, code and number. The workload layers takes a\n"
             "training step apart: for each operation and direction its implementation, its\n"
             "median time, its share of all of them and its rate as a share of the machine's\n"
             "peak, which Winograd's algorithm may exceed, as it does less than gflop counts.\n"
             "The peak is the larger of what multiply-adds alone reach before and after.\n"
             "With --lines it writes \"ready\", then runs one step for each line of standard\n"
             "input and answers with its milliseconds, or with the peak in GFLOP/s for the\n"
             "line \"peak\", so that two programs can be measured in turns.",
    .examples = "vqvae bench train --preset tiny --batch 32 --seconds 1\n"
                "vqvae bench forward --preset tiny --runs 20 --json\n"
                "vqvae bench encode --preset tiny --runs 20\n"
                "vqvae bench layers --preset tiny --batch 32 --runs 20\n"
                "vqvae bench nearest --n 8192 --dim 64 --codes 512 --runs 20\n"
                "vqvae bench quantizer --runs 20",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(bench_options),
    .run = run,
};
