/* SPDX-License-Identifier: Apache-2.0
 * cli/bench/layers.c -- where the time of a step goes: each operation in each direction. */
#include "bench/model.h"
#include "plan.h"
#include <stdlib.h>
#include <string.h>

typedef struct layers_bench {
    model_bench model;
    size_t n_lines, n_cells; /* cells: VQ_DIRECTIONS for each line */
    double began;
    double *now; /* seconds of each cell in the step that runs */
    double *all; /* those of the steps before, n_cells each */
    size_t n, room;
} layers_bench;

static void note(void *user, size_t line, vq_direction direction, bool ended)
{
    layers_bench *b = user;
    if (ended) b->now[line * VQ_DIRECTIONS + (size_t)direction] += seconds_now() - b->began;
    else b->began = seconds_now();
}

static int make_cells(program *p, layers_bench *b)
{
    vq_plan_line line;
    void *memory = NULL;
    while (model_bench_line(&b->model, b->n_lines, &line)) b->n_lines++;
    b->n_cells = b->n_lines * VQ_DIRECTIONS;
    TRY(allocate(p, b->n_cells, sizeof *b->now, &memory));
    b->now = memory;
    if (b->model.trainer) vq_trainer_observe(b->model.trainer, note, b);
    else vq_session_observe(b->model.session, note, b);
    return DONE;
}

static int open_layers(program *p, const bench_options *o, void **state)
{
    TRY(allocate(p, 1, sizeof(layers_bench), state));
    layers_bench *b = *state;
    TRY(model_bench_open(p, o, !o->use, &b->model));
    return make_cells(p, b);
}

static void close_layers(program *p, void *state)
{
    layers_bench *b = state;
    model_bench_close(p, &b->model);
    free(b->now);
    free(b->all);
    free(b);
}

static int keep(program *p, layers_bench *b)
{
    if (b->n == b->room) {
        const size_t room = b->room ? 2 * b->room : 64;
        double *longer = realloc(b->all, room * b->n_cells * sizeof *longer);
        if (!longer) return fail(p, MACHINE_FAILED, "no memory for the timings of %zu steps", room);
        b->all = longer;
        b->room = room;
    }
    memcpy(b->all + b->n++ * b->n_cells, b->now, b->n_cells * sizeof *b->now);
    return DONE;
}

static int step(program *p, void *state)
{
    layers_bench *b = state;
    memset(b->now, 0, b->n_cells * sizeof *b->now);
    TRY(model_bench_step(p, &b->model));
    return keep(p, b);
}

/* ---- what was measured ------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median over all steps in milliseconds; `sorted` has room for b->n numbers. */
static double cell_ms(const layers_bench *b, size_t cell, double *sorted)
{
    for (size_t i = 0; i < b->n; i++) sorted[i] = b->all[i * b->n_cells + cell];
    qsort(sorted, b->n, sizeof *sorted, ascending);
    return 1e3 * 0.5 * (sorted[(b->n - 1) / 2] + sorted[b->n / 2]);
}

static json_t *row_of(const vq_plan_line *line, vq_direction direction, double ms, double all_ms,
                      double peak)
{
    const double gflop = 1e-9 * line->flops[direction];
    json_t *row = plan_fact(line, direction);
    (void)json_object_set_new(row, "ms", fact_number(ms));
    (void)json_object_set_new(row, "share", fact_number(ms / all_ms));
    (void)json_object_set_new(row, "peak_share",
                              gflop > 0.0 ? fact_number(1e3 * gflop / ms / peak) : json_null());
    return row;
}

static json_t *rows_of(const layers_bench *b, const double *ms, double all_ms, double peak)
{
    json_t *rows = json_array();
    vq_plan_line line;
    for (size_t i = 0; model_bench_line(&b->model, i, &line); i++)
        for (vq_direction d = VQ_FORWARD; d < VQ_DIRECTIONS; d++)
            if (line.implementation[d])
                (void)json_array_append_new(
                    rows, row_of(&line, d, ms[i * VQ_DIRECTIONS + (size_t)d], all_ms, peak));
    return rows;
}

/* Shares are of all rows: what else disturbs a step is no matter of theirs. */
static json_t *facts(program *p, const void *state, double median_ms, double peak)
{
    const layers_bench *b = state;
    (void)p;
    double *ms = malloc((b->n_cells + b->n) * sizeof *ms), all_ms = 0.0;
    if (!ms) return NULL;
    for (size_t c = 0; c < b->n_cells; c++) all_ms += ms[c] = cell_ms(b, c, ms + b->n_cells);
    json_t *rows = rows_of(b, ms, all_ms, peak);
    free(ms);
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o}", "preset", b->model.o->preset, "shape",
                     fact_list(b->model.shape, 4), "precision", model_bench_precision(&b->model),
                     "backend", model_bench_backend(&b->model), "gflops",
                     fact_number(1e3 * model_bench_gflop(&b->model) / median_ms), "layers_ms",
                     fact_number(all_ms), "layers", rows);
}

const workload workload_layers = {"layers", open_layers, step, facts, close_layers};
