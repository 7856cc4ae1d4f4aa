/* SPDX-License-Identifier: Apache-2.0
 * cli/run/metrics.c -- metrics.jsonl written, line by line. */
#include "run/metrics.h"
#include "facts.h"
#include "files.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int metrics_cut(program *p, const char *path, int64_t step, double *seconds)
{
    text whole = {0}, kept = {0};
    int code;
    *seconds = 0.0;
    if (!path_exists(path)) return DONE;
    TRY_TO(file_read(p, path, &whole));
    TRY_TO(metrics_keep(p, whole.data, step, &kept, seconds));
    if (kept.used != whole.used) TRY_TO(file_replace(p, path, kept.data, kept.used));
done:
    free(whole.data);
    free(kept.data);
    return code;
}

int metrics_open(program *p, const char *path, metrics_log *log)
{
    log->path = path;
    log->file = fopen(path, "ae");
    if (log->file) return DONE;
    return fail(p, MACHINE_FAILED, "cannot write %s: %s", path, strerror(errno));
}

static json_t *line_of(const vq_step_metrics *m, const pace *at)
{
    return json_pack(
        "{s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:I, s:o, s:o, s:o, "
        "s:o}",
        "step", (json_int_t)m->step, "epoch", fact_number(m->epoch), "images",
        (json_int_t)at->images, "seconds", fact_number(at->seconds), "loss", fact_number(m->loss),
        "mse", fact_number(m->mse), "nmse", fact_number(m->nmse), "commitment",
        fact_number(m->commitment), "codebook", fact_number(m->codebook), "perplexity",
        fact_number(m->perplexity), "codes_used", (json_int_t)m->codes_used, "code_norm",
        fact_number(m->code_norm), "revived", (json_int_t)m->revived, "dead_codes",
        (json_int_t)m->dead_codes, "lr", fact_number(m->lr), "gradient_norm",
        fact_number(m->gradient_norm), "images_per_second", fact_number(at->images_per_second),
        "data_wait", fact_number(at->data_wait));
}

/* Figures of the grid next to the pixels stand alone; those of further grids are numbered. */
static void add_levels(json_t *line, const score *valid)
{
    for (size_t i = 0; i < valid->n_levels; i++) {
        char key[64], suffix[24] = "";
        if (i > 0) (void)snprintf(suffix, sizeof suffix, "_%zu", i);
        (void)snprintf(key, sizeof key, "valid_perplexity%s", suffix);
        (void)json_object_set_new(line, key, fact_number(valid->perplexity[i]));
        (void)snprintf(key, sizeof key, "valid_codes_used%s", suffix);
        (void)json_object_set_new(line, key, json_integer(valid->codes_used[i]));
    }
}

static void add_valid(json_t *line, const score *valid)
{
    json_t *more =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:I}", "valid_loss", fact_number(valid->loss),
                  "valid_mse", fact_number(valid->mse), "valid_nmse", fact_number(valid->nmse),
                  "valid_psnr", fact_number(valid->psnr), "valid_commitment",
                  fact_number(valid->commitment), "valid_images", (json_int_t)valid->images);
    (void)json_object_update(line, more);
    json_decref(more);
    add_levels(line, valid);
}

int metrics_add(program *p, metrics_log *log, const vq_step_metrics *m, const score *valid,
                const pace *at)
{
    json_t *line = line_of(m, at);
    if (line && valid) add_valid(line, valid);
    char *json = line ? facts_text(line, JSON_COMPACT) : NULL;
    if (!json) {
        json_decref(line);
        return fail(p, MACHINE_FAILED, "no memory for a line of %s", log->path);
    }
    const bool good = fprintf(log->file, "%s\n", json) > 0 && fflush(log->file) == 0;
    free(json);
    if (p->json) TRY(facts_print_line(p, line));
    else json_decref(line);
    return good ? DONE : fail(p, MACHINE_FAILED, "cannot write %s: %s", log->path, strerror(errno));
}

int metrics_sync(program *p, metrics_log *log)
{
    if (fflush(log->file) == 0 && fsync(fileno(log->file)) == 0) return DONE;
    return fail(p, MACHINE_FAILED, "cannot write %s: %s", log->path, strerror(errno));
}

void metrics_close(metrics_log *log)
{
    if (log->file) (void)fclose(log->file);
    log->file = NULL;
}
