/* SPDX-License-Identifier: Apache-2.0
 * cli/report/load.c -- a run read back from its folder. */
#include "report/report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

double report_value(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void pick_lines(report_run *run)
{
    const size_t n = json_array_size(run->lines);
    run->last = n > 0 ? json_array_get(run->lines, n - 1) : NULL;
    for (size_t i = 0; i < n; i++) {
        json_t *line = json_array_get(run->lines, i);
        const double nmse = report_value(line, "valid_nmse");
        if (isfinite(nmse) && (!run->best || nmse < report_value(run->best, "valid_nmse")))
            run->best = line;
    }
}

int report_run_load(program *p, const char *path, int colour, report_run *out)
{
    *out = (report_run){.name = path, .colour = colour};
    TRY(run_folder_name(p, path, &out->folder));
    if (!path_exists(out->folder.config))
        return fail(p, BAD_INPUT, "%s is no run folder: it has no config.json", path);
    TRY(run_config_read(p, &out->folder, true, &out->settings, &out->source));
    TRY(json_file(p, out->folder.config, &out->config));
    TRY(metrics_read(p, out->folder.metrics, &out->lines));
    pick_lines(out);
    if (!path_exists(out->folder.model) && !path_exists(out->folder.best)) {
        (void)snprintf(out->why_no_data, sizeof out->why_no_data, "no model was saved yet");
        return DONE;
    }
    TRY(lib(p, vq_model_load(p->ctx, out->folder.root, &out->model)));
    /* A page without pictures is better than none: data may have been moved since. */
    const int code =
        run_valid_open(p, &out->folder, &out->source, &out->settings, &out->data, &out->parts);
    if (code == MACHINE_FAILED) return code;
    if (code != DONE) {
        (void)snprintf(out->why_no_data, sizeof out->why_no_data, "%.250s", p->error);
        warn_failed(p, "no pictures: ", "");
    }
    return DONE;
}

void report_run_clear(program *p, report_run *run)
{
    if (run->data) vq_dataset_close(p->ctx, run->data);
    split_clear(&run->parts);
    vq_model_destroy(p->ctx, run->model);
    json_decref(run->lines);
    json_decref(run->config);
}

int report_points(program *p, const report_run *run, const char *key, point **points, size_t *n)
{
    const size_t total = json_array_size(run->lines);
    void *memory = NULL;
    *n = 0;
    TRY(allocate(p, total, sizeof **points, &memory));
    *points = memory;
    for (size_t i = 0; i < total; i++) {
        const json_t *line = json_array_get(run->lines, i);
        const point at = {report_value(line, "step"), report_value(line, key)};
        if (isfinite(at.x) && isfinite(at.y)) (*points)[(*n)++] = at;
    }
    return DONE;
}
