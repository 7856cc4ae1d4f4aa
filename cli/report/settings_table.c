/* SPDX-License-Identifier: Apache-2.0
 * cli/report/settings_table.c -- all settings of a run, or those of several side by side. */
#include "facts.h"
#include "report/report.h"

/* A setting with the value of each run: a pair of a list for one, a row of a table for several. */
static void setting_row(text *to, const char *name, const json_t *const *values, size_t n)
{
    bool same = true;
    char value[512];
    if (n == 1) {
        fact_cell(values[0], value, sizeof value);
        text_add(to, "<dt>%s</dt><dd>", name);
        text_html(to, value);
        text_add(to, "</dd>\n");
        return;
    }
    for (size_t i = 1; i < n; i++) same = same && json_equal(values[0], values[i]);
    text_add(to, "<tr%s><td>", same ? "" : " class=differs");
    text_html(to, name);
    for (size_t i = 0; i < n; i++) {
        fact_cell(values[i], value, sizeof value);
        text_add(to, "</td><td>");
        text_html(to, value);
    }
    text_add(to, "</td></tr>\n");
}

static void setting_rows(text *to, const char *prefix, const json_t *const *objects, size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)objects[0], key, value) {
        const json_t *values[REPORT_RUNS_MAX];
        char name[128];
        (void)snprintf(name, sizeof name, "%s.%s", prefix, key);
        for (size_t i = 0; i < n; i++) values[i] = json_object_get(objects[i], key);
        if (!json_is_array(value)) {
            setting_row(to, name, values, n);
            continue;
        }
        for (size_t e = 0; e < json_array_size(value); e++) {
            const json_t *elements[REPORT_RUNS_MAX];
            char element[160];
            (void)snprintf(element, sizeof element, "%s.%zu", name, e);
            for (size_t i = 0; i < n; i++) elements[i] = json_array_get(values[i], e);
            setting_rows(to, element, elements, n);
        }
    }
}

static const char *const sections[] = {"model", "train", "data", "run"};
enum { SECTIONS = sizeof sections / sizeof *sections };

static void one_run(text *to, const report_run *run)
{
    text_add(to, "<div class='card columns'>\n");
    for (size_t s = 0; s < SECTIONS; s++) {
        const json_t *object = json_object_get(run->config, sections[s]);
        text_add(to, "<dl>\n");
        setting_rows(to, sections[s], &object, 1);
        text_add(to, "</dl>\n");
    }
    text_add(to, "</div>\n");
}

static void several_runs(text *to, const report_run *runs, size_t n)
{
    text_add(to, "<div class='card scroll'><table><tr><th>setting</th>");
    for (size_t i = 0; i < n; i++) {
        text_add(to, "<th>");
        text_html(to, runs[i].name);
        text_add(to, "</th>");
    }
    text_add(to, "</tr>\n");
    for (size_t s = 0; s < SECTIONS; s++) {
        const json_t *objects[REPORT_RUNS_MAX];
        for (size_t i = 0; i < n; i++) objects[i] = json_object_get(runs[i].config, sections[s]);
        setting_rows(to, sections[s], objects, n);
    }
    text_add(to, "</table></div>\n");
}

void report_settings(text *to, const report_run *runs, size_t n)
{
    text_add(to, "<h2>Settings</h2>\n");
    if (n == 1) one_run(to, &runs[0]);
    else several_runs(to, runs, n);
}
