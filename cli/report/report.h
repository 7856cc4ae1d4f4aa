/* SPDX-License-Identifier: Apache-2.0
 * cli/report/report.h -- what a page is made from. */
#ifndef CLI_REPORT_REPORT_H
#define CLI_REPORT_REPORT_H

#include "report/chart.h"
#include "run/training.h"

enum { REPORT_RUNS_MAX = 6 }; /* as many as there are colours */

/** A run as the page shows it. */
typedef struct report_run {
    const char *name; /* as named on the command line */
    run_folder folder;
    settings settings;
    run_source source;
    json_t *config; /* config.json */
    json_t *lines;  /* metrics.jsonl as a list */
    json_t *best;   /* the line with the least valid_nmse, or NULL; borrowed */
    json_t *last;   /* the last line, or NULL; borrowed */
    vq_model *model;
    vq_dataset *data; /* held-out images; NULL where they cannot be opened */
    split parts;
    char why_no_data[256];
    int colour;
} report_run;

int report_run_load(program *p, const char *path, int colour, report_run *out);
void report_run_clear(program *p, report_run *run);
/** Points of one key of the metrics over the steps; free(). @param n  out */
int report_points(program *p, const report_run *run, const char *key, point **points, size_t *n);
/** Number under a key of a line; NAN where there is none. */
double report_value(const json_t *line, const char *key);

/** The whole page. */
int report_page(program *p, const report_run *runs, size_t n, text *to);
/** Originals, reconstructions and maps of codes; use of the codes. */
int report_pictures(program *p, const report_run *run, text *to);

/** The table of settings; where runs differ, the name stands out. */
void report_settings(text *to, const report_run *runs, size_t n);

/** The page's style sheet. */
extern const char report_style[];

#endif
