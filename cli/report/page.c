/* SPDX-License-Identifier: Apache-2.0
 * cli/report/page.c -- one page of HTML that needs nothing else. */
#include "report/report.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/version.h>

/* ---- the figures that matter --------------------------------------------- */

/* "206,497"; beyond 15 digits a double counts no longer. */
static void with_commas(double value, char *to, size_t size)
{
    char digits[32];
    size_t used = 0;
    if (fabs(value) >= 1e15) {
        (void)snprintf(to, size, "%.3g", value);
        return;
    }
    const int n = snprintf(digits, sizeof digits, "%.0f", value);
    for (int i = 0; i < n && used + 2 < size; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-') to[used++] = ',';
        to[used++] = digits[i];
    }
    to[used] = 0;
}

static void tile(text *to, const char *name, int decimals, double value, const char *below)
{
    char number[48];
    if (!isfinite(value)) return;
    if (decimals == 0) with_commas(value, number, sizeof number);
    else (void)snprintf(number, sizeof number, "%.*f", decimals, value);
    text_add(to, "<div class=tile><span>%s</span><strong>%s</strong><em>%s</em></div>\n", name,
             number, below);
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
    (void)snprintf(below, sizeof below, "at step %.0f", report_value(best, "step"));
    tile(to, "Error (nmse)", 4, report_value(best, "valid_nmse"), below);
    tile(to, "Fidelity (PSNR)", 2, report_value(best, "valid_psnr"), "dB");
    (void)snprintf(below, sizeof below, "of %.0f codes", k);
    tile(to, "Perplexity", 1, report_value(best, "valid_perplexity"), below);
    tile(to, "Codes used", 0, report_value(best, "valid_codes_used"), "held-out images");
    (void)snprintf(below, sizeof below, "of %" PRId64 ", %s", run->settings.train.steps, spent);
    tile(to, "Steps", 0, report_value(run->last, "step"), below);
    tile(to, "Speed", 0, report_value(run->last, "images_per_second"), "images a second");
    if (run->model)
        tile(to, "Parameters", 0, (double)vq_model_parameters(run->model), "without the codebook");
    text_add(to, "</div>\n");
}

/* ---- several runs against each other ------------------------------------- */

typedef struct column {
    const char *name, *key;
    int decimals;
    bool of_best; /* from the best line, else from the last */
    int better;   /* -1: the least wins; 1: the greatest; 0: nobody */
} column;

static const column columns[] = {
    {"nmse", "valid_nmse", 5, true, -1},
    {"PSNR", "valid_psnr", 2, true, 1},
    {"perplexity", "valid_perplexity", 1, true, 1},
    {"codes used", "valid_codes_used", 0, true, 1},
    {"best step", "step", 0, true, 0},
    {"steps", "step", 0, false, 0},
    {"seconds", "seconds", 0, false, 0},
    {"images/s", "images_per_second", 0, false, 0},
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
        if (isfinite(value) && (!isfinite(winner) || (value - winner) * c->better > 0))
            winner = value;
    }
    return winner;
}

static void add_cell(text *to, const column *c, double value, double winner)
{
    char number[48] = "-";
    if (isfinite(value)) (void)snprintf(number, sizeof number, "%.*f", c->decimals, value);
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

/* ---- curves -------------------------------------------------------------- */

/* A chart of one figure: of batches, and where it is known of the held-out images. */
static int draw(program *p, text *to, const report_run *runs, size_t n, chart c, series_kind kind,
                const char *key, const char *valid_key)
{
    series all[2 * REPORT_RUNS_MAX];
    point *points[2 * REPORT_RUNS_MAX] = {0};
    char names[2 * REPORT_RUNS_MAX][96];
    int code = DONE;
    c.n = 0;
    for (size_t i = 0; i < n && i < REPORT_RUNS_MAX; i++)
        for (int valid = 0; valid < (valid_key ? 2 : 1); valid++, c.n++) {
            series *s = &all[c.n];
            (void)snprintf(names[c.n], sizeof names[c.n], "%s%s%s", n > 1 ? runs[i].name : "",
                           n > 1 && valid_key ? ", " : "",
                           !valid_key ? ""
                           : valid    ? "held-out images"
                                      : "training batches");
            *s = (series){.name = names[c.n],
                          .colour = n > 1 ? runs[i].colour : 1 - valid,
                          .kind = valid ? SERIES_MARKED : kind};
            if (!valid_key && n == 1) s->colour = 0;
            TRY_TO(report_points(p, &runs[i], valid ? valid_key : key, &points[c.n], &s->n));
            s->points = points[c.n];
        }
    c.all = all;
    chart_draw(to, &c);
done:
    for (size_t i = 0; i < 2 * REPORT_RUNS_MAX; i++) free(points[i]);
    return code;
}

static int curves(program *p, text *to, const report_run *runs, size_t n)
{
    int64_t k = runs[0].settings.model.level[0].k;
    for (size_t i = 1; i < n; i++)
        if (runs[i].settings.model.level[0].k != k) k = 0; /* no line that holds for all */
    const chart nmse = {.title = "Error (nmse)",
                        .logarithmic = true,
                        .caption = "Mean squared error as a share of the variance of all pixels."};
    const chart loss = {.title = "Loss",
                        .logarithmic = true,
                        .caption = "Error plus the weighted commitment term: what is minimised."};
    const chart perplexity = {.title = "Perplexity",
                              .from_zero = true,
                              .caption = "How many codes would carry as much if used equally."};
    const chart used = {.title = "Codes used",
                        .from_zero = true,
                        .limit = (double)k,
                        .caption = "Different codes that occurred in a batch, or at all."};
    const chart lr = {.title = "Learning rate", .from_zero = true, .caption = "Of Adam."};
    const chart rate = {.title = "Images a second",
                        .from_zero = true,
                        .caption = "Between logged steps, without validations and saves."};
    text_add(to, "<h2>Training</h2><div class=charts>\n");
    TRY(draw(p, to, runs, n, nmse, SERIES_NOISY, "nmse", "valid_nmse"));
    TRY(draw(p, to, runs, n, loss, SERIES_NOISY, "loss", "valid_loss"));
    TRY(draw(p, to, runs, n, perplexity, SERIES_NOISY, "perplexity", "valid_perplexity"));
    TRY(draw(p, to, runs, n, used, SERIES_NOISY, "codes_used", "valid_codes_used"));
    TRY(draw(p, to, runs, n, lr, SERIES_EXACT, "lr", NULL));
    TRY(draw(p, to, runs, n, rate, SERIES_NOISY, "images_per_second", NULL));
    text_add(to, "</div>\n");
    return DONE;
}

/* ---- the page ------------------------------------------------------------ */

static void head(text *to, const report_run *runs, size_t n)
{
    text_add(to, "<!doctype html>\n<html lang=en><meta charset=utf-8>\n<title>");
    text_html(to, n == 1 ? runs[0].name : "Runs compared");
    text_add(to,
             "</title>\n<meta name=viewport content='width=device-width,initial-scale=1'>\n"
             "<style>\n%s</style>\n<main><header><h1>",
             report_style);
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

static int all_pictures(program *p, text *to, const report_run *runs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        text_add(to, "<h2>Pictures%s", n > 1 ? " of " : "");
        if (n > 1) text_html(to, runs[i].name);
        text_add(to, "</h2><div class=card>\n");
        TRY(report_pictures(p, &runs[i], to));
        text_add(to, "</div>\n");
    }
    return DONE;
}

/* One run is looked at first; several are compared first. */
int report_page(program *p, const report_run *runs, size_t n, text *to)
{
    head(to, runs, n);
    if (n == 1) {
        tiles(to, &runs[0]);
        TRY(all_pictures(p, to, runs, n));
        TRY(curves(p, to, runs, n));
    } else {
        comparison(to, runs, n);
        TRY(curves(p, to, runs, n));
        TRY(all_pictures(p, to, runs, n));
    }
    report_settings(to, runs, n);
    text_add(to, "<footer>Made by vqvae %s.</footer></main></html>\n", vq_version());
    return text_check(p, to);
}
