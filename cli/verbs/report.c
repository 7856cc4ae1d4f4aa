/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/report.c -- vqvae report: runs as a page to look at. */
#include "report/report.h"
#include "facts.h"
#include "verbs.h"
#include <stdlib.h>

typedef struct report_options {
    common_options common;
    const char *out;
    bool force;
} report_options;

static const option options[] = {
    OPTION(report_options, out, 'o', "FILE", "",
           "page to write; else report.html in the first RUN"),
    OPTION(report_options, force, 'f', NULL, "",
           "overwrite a page, but for that of one RUN in its own folder"),
};

static int load_all(program *p, int n, char **paths, report_run *runs)
{
    for (int i = 0; i < n; i++) TRY(report_run_load(p, paths[i], i, &runs[i]));
    return DONE;
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const report_options *o = parsed;
    report_run *runs = NULL;
    void *memory = NULL;
    text page = {0};
    int code;
    if (o->out) TRY(output_check_ending(p, "-o", o->out, ".html"));
    TRY(allocate(p, (size_t)n, sizeof *runs, &memory));
    runs = memory;
    TRY_TO(load_all(p, n, operands, runs));
    const char *out = o->out ? o->out : runs[0].folder.report;
    /* A run's own page, made of the run alone, may be made anew; a page of several is another. */
    TRY_TO(output_check(p, out, o->force || (!o->out && n == 1)));
    TRY_TO(report_page(p, runs, (size_t)n, &page));
    TRY_TO(file_replace(p, out, page.data, page.used));
    TRY_TO(facts_print(p, json_pack("{s:o, s:i, s:I}", "page", fact_text(out), "runs", n, "bytes",
                                    (json_int_t)page.used)));
done:
    free(page.data);
    for (int i = 0; i < n; i++) report_run_clear(p, &runs[i]);
    free(runs);
    return code;
}

const verb verb_report = {
    .name = "report",
    .summary = "make a page of one run, or of several side by side",
    .operands = "RUN...",
    .min_operands = 1,
    .max_operands = REPORT_RUNS_MAX,
    .about =
        "Writes one HTML file that needs no other: results, originals beside what comes back, the\n"
        "codes between them and their use, curves of the training, all settings.",
    .examples = "vqvae report run\n"
                "vqvae report run -o page.html --json",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(report_options),
    .run = run,
};
