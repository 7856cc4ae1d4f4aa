/* SPDX-License-Identifier: Apache-2.0
 * cli/report/page.c -- one page of HTML that needs nothing else. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/version.h>
#include "report/report.h"

enum { CURVES_MAX = 12 };

/* ---- the figures that matter -------------------------------------------------------------- */

static void tile(text *to, const char *name, const char *format, double value, const char *below)
{
    if (!isfinite(value)) return;
    text_add(to, "<div class=tile><span>%s</span><strong>", name);
    text_add(to, *format == 'd' ? "%.0f" : *format == '1' ? "%.1f" : *format == '2' ? "%.2f" : "%.4f",
             value);
    text_add(to, "</strong><em>%s</em></div>\n", below);
}

static void clock_of(double seconds, char *to, size_t size)
{
    if (!isfinite(seconds)) (void)snprintf(to, size, "-");
    else if (seconds < 120) (void)snprintf(to, size, "%.0f s", seconds);
    else if (seconds < 7200) (void)snprintf(to, size, "%.0f min", seconds / 60);
    else (void)snprintf(to, size, "%.1f h", seconds / 3600);
}

static void tiles(text *to, const report_run *run)
{
    char below[64], spent[32];
    const json_t *best = run->best;
    const double k = (double)run->settings.model.level[0].k;
    clock_of(report_value(run->last, "seconds"), spent, sizeof spent);
    text_add(to, "<div class=tiles>\n");
    (void)snprintf(below, sizeof below, "held-out, step %.0f", report_value(best, "step"));
    tile(to, "Error (nmse)", "4", report_value(best, "valid_nmse"), below);
    tile(to, "Fidelity (PSNR)", "2", report_value(best, "valid_psnr"), "dB, held-out");
    (void)snprintf(below, sizeof below, "of %.0f, held-out", k);
    tile(to, "Perplexity", "1", report_value(best, "valid_perplexity"), below);
    tile(to, "Codes used", "d", report_value(best, "valid_codes_used"), below);
    (void)snprintf(below, sizeof below, "of %" PRId64 ", %s", run->settings.train.steps, spent);
    tile(to, "Steps", "d", report_value(run->last, "step"), below);
    tile(to, "Speed", "d", report_value(run->last, "images_per_second"), "images a second");
    if (run->model)
        tile(to, "Parameters", "d", (double)vq_model_parameters(run->model),
             "beside the codebook");
    text_add(to, "</div>\n");
}

/* ---- several runs against each other --------------------------------------------------------- */

typedef struct column {
    const char *name, *key;
    const char *format;
    bool of_best; /* from the best line, else from the last */
    int better;   /* -1: the least wins; 1: the greatest; 0: nobody */
} column;

static const column columns[] = {
    {"nmse", "valid_nmse", "%.5f", true, -1},      {"PSNR", "valid_psnr", "%.2f", true, 1},
    {"perplexity", "valid_perplexity", "%.1f", true, 1},
    {"codes used", "valid_codes_used", "%.0f", true, 1},
    {"best step", "step", "%.0f", true, 0},        {"steps", "step", "%.0f", false, 0},
    {"seconds", "seconds", "%.0f", false, 0},
    {"images/s", "images_per_second", "%.0f", false, 0},
};

static double column_value(const column *c, const report_run *run)
{
    return report_value(c->of_best ? run->best : run->last, c->key);
}

static double column_winner(const column *c, const report_run *runs, size_t n)
{
    double winner = (double)NAN;
    for (size_t i = 0; c->better && i < n; i++) {
        const double value = column_value(c, &runs[i]);
        if (isfinite(value) && (!isfinite(winner) || (value - winner) * c->better > 0)) winner = value;
    }
    return winner;
}

static void add_cell(text *to, const column *c, double value, double winner)
{
    char number[48] = "-";
    /* The formats are those of the table above: a double each. */
    if (isfinite(value)) {
        const int digits = c->format[2] - '0';
        (void)snprintf(number, sizeof number, "%.*f", digits, value);
    }
    text_add(to, "<td class='n%s'>%s</td>", value == winner ? " win" : "", number);
}

static void comparison(text *to, const report_run *runs, size_t n)
{
    const size_t n_columns = sizeof columns / sizeof *columns;
    text_add(to, "<div class='card scroll'><table><tr><th>run</th>");
    for (size_t c = 0; c < n_columns; c++) text_add(to, "<th class=n>%s</th>", columns[c].name);
    text_add(to, "</tr>\n");
    for (size_t i = 0; i < n; i++) {
        text_add(to, "<tr><td><i class=b%d></i>", runs[i].colour);
        text_html(to, runs[i].name);
        text_add(to, "</td>");
        for (size_t c = 0; c < n_columns; c++)
            add_cell(to, &columns[c], column_value(&columns[c], &runs[i]),
                     column_winner(&columns[c], runs, n));
        text_add(to, "</tr>\n");
    }
    text_add(to, "</table></div>\n");
}

/* ---- curves ------------------------------------------------------------------------------------ */

/* A chart of one figure: of batches, and where it is known of the held-out images. */
static int draw(program *p, text *to, const report_run *runs, size_t n, chart c, const char *key,
                const char *valid_key)
{
    series all[CURVES_MAX * 2];
    point *points[CURVES_MAX * 2] = {0};
    char names[CURVES_MAX * 2][96];
    int code = DONE;
    c.n = 0;
    for (size_t i = 0; i < n && i < CURVES_MAX; i++)
        for (int valid = 0; valid < (valid_key ? 2 : 1); valid++, c.n++) {
            series *s = &all[c.n];
            (void)snprintf(names[c.n], sizeof names[c.n], "%s%s%s", n > 1 ? runs[i].name : "",
                           n > 1 && valid_key ? ", " : "",
                           !valid_key ? "" : valid ? "held-out images" : "training batches");
            *s = (series){.name = names[c.n], .colour = n > 1 ? runs[i].colour : 1 - valid,
                          .measured = valid == 1};
            if (!valid_key && n == 1) s->colour = 0;
            TRY_TO(report_points(p, &runs[i], valid ? valid_key : key, &points[c.n], &s->n));
            s->points = points[c.n];
        }
    c.all = all;
    chart_draw(to, &c);
done:
    for (size_t i = 0; i < CURVES_MAX * 2; i++) free(points[i]);
    return code;
}

static int curves(program *p, text *to, const report_run *runs, size_t n)
{
    const double k = (double)runs[0].settings.model.level[0].k;
    const chart nmse = {.title = "Error (nmse)", .logarithmic = true,
                        .caption = "Mean squared error as a share of the variance of all pixels."};
    const chart loss = {.title = "Loss", .logarithmic = true,
                        .caption = "Error plus the weighted commitment term: what is minimised."};
    const chart perplexity = {.title = "Perplexity", .from_zero = true,
                              .caption = "How many codes would carry as much if used equally."};
    const chart used = {.title = "Codes used", .from_zero = true, .limit = k,
                        .caption = "Different codes that occurred in a batch, or at all."};
    const chart lr = {.title = "Learning rate", .from_zero = true, .caption = "Of Adam."};
    const chart rate = {.title = "Images a second", .from_zero = true,
                        .caption = "Between logged steps, without validations and saves."};
    text_add(to, "<h2>Training</h2><div class=charts>\n");
    TRY(draw(p, to, runs, n, nmse, "nmse", "valid_nmse"));
    TRY(draw(p, to, runs, n, loss, "loss", "valid_loss"));
    TRY(draw(p, to, runs, n, perplexity, "perplexity", "valid_perplexity"));
    TRY(draw(p, to, runs, n, used, "codes_used", "valid_codes_used"));
    TRY(draw(p, to, runs, n, lr, "lr", NULL));
    TRY(draw(p, to, runs, n, rate, "images_per_second", NULL));
    text_add(to, "</div>\n");
    return DONE;
}

/* ---- settings ------------------------------------------------------------------------------------ */

static void value_text(const json_t *value, char *to, size_t size)
{
    if (json_is_string(value)) (void)snprintf(to, size, "%s", json_string_value(value));
    else if (json_is_real(value)) (void)snprintf(to, size, "%.6g", json_real_value(value));
    else if (json_is_integer(value))
        (void)snprintf(to, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        (void)snprintf(to, size, "%s", json_is_true(value) ? "yes" : "no");
    else (void)snprintf(to, size, "-");
}

/* One row, with the value of each run. */
static void setting_row(text *to, const char *name, const json_t *const *values, size_t n)
{
    bool same = true;
    for (size_t i = 1; i < n; i++) same = same && json_equal(values[0], values[i]);
    text_add(to, "<tr%s><td>", same ? "" : " class=differs");
    text_html(to, name);
    for (size_t i = 0; i < n; i++) {
        char value[512];
        value_text(values[i], value, sizeof value);
        text_add(to, "</td><td>");
        text_html(to, value);
    }
    text_add(to, "</td></tr>\n");
}

static void setting_rows(text *to, const char *prefix, const json_t *const *objects, size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)objects[0], key, value) {
        const json_t *values[CURVES_MAX];
        char name[128];
        (void)snprintf(name, sizeof name, "%s.%s", prefix, key);
        for (size_t i = 0; i < n; i++) values[i] = json_object_get(objects[i], key);
        if (!json_is_array(value)) {
            setting_row(to, name, values, n);
            continue;
        }
        for (size_t e = 0; e < json_array_size(value); e++) {
            const json_t *elements[CURVES_MAX];
            char element[160];
            (void)snprintf(element, sizeof element, "%s.%zu", name, e);
            for (size_t i = 0; i < n; i++) elements[i] = json_array_get(values[i], e);
            setting_rows(to, element, elements, n);
        }
    }
}

static void settings_table(text *to, const report_run *runs, size_t n)
{
    static const char *const sections[] = {"model", "train", "data", "run"};
    text_add(to, "<h2>Settings</h2><div class='card scroll'><table><tr><th>setting</th>");
    for (size_t i = 0; i < n; i++) {
        text_add(to, "<th>");
        text_html(to, runs[i].name);
        text_add(to, "</th>");
    }
    text_add(to, "</tr>\n");
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        const json_t *objects[CURVES_MAX];
        for (size_t i = 0; i < n; i++) objects[i] = json_object_get(runs[i].config, sections[s]);
        setting_rows(to, sections[s], objects, n);
    }
    text_add(to, "</table></div>\n");
}

/* ---- the page ---------------------------------------------------------------------------------------- */

static void head(text *to, const report_run *runs, size_t n)
{
    text_add(to, "<!doctype html>\n<html lang=en><meta charset=utf-8>\n<title>");
    text_html(to, n == 1 ? runs[0].name : "Runs compared");
    text_add(to, "</title>\n<meta name=viewport content='width=device-width,initial-scale=1'>\n"
                 "<style>\n%s</style>\n<main><header><h1>", report_style);
    text_html(to, n == 1 ? runs[0].name : "Runs compared");
    text_add(to, "</h1><p class=lead>");
    if (n == 1) {
        const vq_model_config *m = &runs[0].settings.model;
        text_add(to,
                 "A vector-quantised autoencoder of %" PRId64 " codes, trained on %" PRId64
                 " images of %" PRId64 " x %" PRId64 " x %" PRId64 " from ",
                 m->level[0].k, runs[0].source.images - runs[0].source.held, m->height, m->width,
                 m->channels);
        text_html(to, runs[0].source.data);
    } else {
        text_add(to, "%zu trainings of vector-quantised autoencoders", n);
    }
    text_add(to, "</p></header>\n");
}

int report_page(program *p, report_run *runs, size_t n, text *to)
{
    head(to, runs, n);
    if (n == 1) tiles(to, &runs[0]);
    else comparison(to, runs, n);
    for (size_t i = 0; i < n; i++) {
        text_add(to, "<h2>Pictures%s", n > 1 ? " of " : "");
        if (n > 1) text_html(to, runs[i].name);
        text_add(to, "</h2><div class=card>\n");
        TRY(report_pictures(p, &runs[i], to));
        text_add(to, "</div>\n");
    }
    TRY(curves(p, to, runs, n));
    settings_table(to, runs, n);
    text_add(to, "<footer>Made by vqvae %s.</footer></main></html>\n", vq_version());
    return text_check(p, to);
}
