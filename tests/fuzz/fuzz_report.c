/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_report.c -- the page of a run, whatever its figures: see run.h for the input. */
#include "fuzz/run.h"
#include <stdlib.h>
#include <string.h>

/* No page of one run without pictures is longer, however many lines it drew. */
enum { PAGE_MAX = 1 << 20 };

/* By itself a chart holds no text of the input: numbers are all that can be wrong in it. */
static int draw(program *p, const report_run *run, const char *key, chart c, series_kind kind)
{
    point *points = NULL;
    text svg = {0};
    size_t n = 0;
    TRY(report_points(p, run, key, &points, &n));
    const series all = {.name = "curve", .kind = kind, .points = points, .n = n};
    c.title = c.caption = "chart";
    c.all = &all;
    c.n = 1;
    chart_draw(&svg, &c);
    free(points);
    const int code = text_check(p, &svg);
    if (code == DONE) FUZZ_CHECK(!strstr(svg.data, "nan") && !strstr(svg.data, "inf"));
    free(svg.data);
    return code;
}

static int draw_all(program *p, const report_run *run)
{
    TRY(draw(p, run, "loss", (chart){.logarithmic = true}, SERIES_NOISY));
    TRY(draw(p, run, "valid_nmse", (chart){.logarithmic = true}, SERIES_MARKED));
    TRY(draw(p, run, "codes_used", (chart){.from_zero = true, .limit = 512}, SERIES_NOISY));
    return draw(p, run, "lr", (chart){0}, SERIES_EXACT);
}

static int make_page(program *p, const report_run *run)
{
    text page = {0};
    const int code = report_page(p, run, 1, &page);
    if (code == DONE) {
        FUZZ_CHECK(page.used == strlen(page.data) && page.used < PAGE_MAX);
        FUZZ_CHECK(strstr(page.data, "</html>"));
    }
    free(page.data);
    return code;
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static program p; /* both are large */
    static report_run run;
    p = (program){.ctx = ctx, .quiet = true};
    int code = fuzz_run_load(&p, bytes, size, &run);
    if (code == DONE) code = draw_all(&p, &run);
    if (code == DONE) code = make_page(&p, &run);
    report_run_clear(&p, &run);
    return fuzz_status(&p, code);
}
