/* SPDX-License-Identifier: Apache-2.0
 * cli/report/pictures.c -- originals, what comes back, the codes between them. */
#include "picture.h"
#include "report/report.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 16, A_ROW = 8, EVALUATED = 2000, BATCH = 64 };

/** The images shown, run through the model at once. */
typedef struct gallery {
    int64_t n, size[3];
    int64_t indices[SHOWN];
    uint8_t *pixels, *back;
    uint32_t *codes;
    vq_grid grids[VQ_MAX_LEVELS];
    size_t n_grids, per_image;
} gallery;

/* n of the held-out images, evenly spread: neighbours are often of one class. */
static void spread(const int64_t *indices, int64_t total, int64_t n, int64_t *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = indices[i * total / n];
}

static int add_image(program *p, text *to, const vq_image *image, const char *what)
{
    unsigned char *png = NULL;
    size_t size = 0;
    TRY(lib(p, vq_image_encode_png(p->ctx, image, &png, &size)));
    text_add(to, "<img alt='%s' src='data:image/png;base64,", what);
    text_base64(to, png, size);
    text_add(to, "'>");
    vq_data_free(p->ctx, png);
    return DONE;
}

/* Neighbouring codes get hues a golden angle apart, so that any two are easy to tell; three
 * rings of lightness keep hundreds distinct. */
static void code_colour(uint32_t code, uint8_t rgb[3])
{
    const double hue = fmod(code * 0.61803398875, 1.0) * 6.0;
    const double light = 0.38 + 0.16 * (double)(code % 3), chroma = 0.36;
    for (int c = 0; c < 3; c++) {
        const double turn = fmod(hue + 6.0 - 2.0 * c, 6.0);
        const double wave = fmax(0.0, fmin(1.0, fabs(turn - 3.0) - 1.0));
        rgb[c] = (uint8_t)lrint(255.0 * (light - chroma / 2 + chroma * wave));
    }
}

static int add_code_map(program *p, text *to, const vq_grid *grid, const uint32_t *codes)
{
    vq_image map = {0};
    TRY(canvas_create(p, grid->height, grid->width, 3, 0, &map));
    for (int64_t i = 0; i < grid->height * grid->width; i++)
        code_colour(codes[i], map.pixels + 3 * i);
    const int code = add_image(p, to, &map, "codes");
    free(map.pixels);
    return code;
}

/* ---- running the model --------------------------------------------------- */

static int fill_gallery(program *p, const report_run *run, gallery *g)
{
    const int64_t total = run->parts.n_held;
    void *memory = NULL;
    vq_dataset_size(run->data, g->size);
    const size_t bytes = (size_t)(g->size[0] * g->size[1] * g->size[2]);
    g->n = total < SHOWN ? total : SHOWN;
    g->n_grids = vq_model_grids(run->model, g->size[0], g->size[1], g->grids);
    g->per_image = vq_model_codes(run->model, g->size[0], g->size[1]);
    TRY(allocate(p, 2 * (size_t)g->n, bytes, &memory));
    g->pixels = memory;
    g->back = g->pixels + (size_t)g->n * bytes;
    TRY(allocate(p, (size_t)g->n * g->per_image, sizeof *g->codes, &memory));
    g->codes = memory;
    spread(run->parts.held, total, g->n, g->indices);
    for (int64_t i = 0; i < g->n; i++) {
        TRY(lib(p, vq_dataset_get(p->ctx, run->data, g->indices[i], (vq_data_key){0},
                                  g->pixels + (size_t)i * bytes)));
    }
    return DONE;
}

static int run_gallery(program *p, const report_run *run, gallery *g)
{
    const arithmetic_choice exact = {0};
    vq_session *session = NULL;
    vq_evaluation sums = {0};
    int code;
    TRY_TO(session_for(p, run->model, run->data, g->n, exact, &session));
    TRY_TO(lib(p, vq_evaluation_create(p->ctx, run->model, &sums)));
    TRY_TO(lib(p, vq_session_evaluate(session, g->n, g->pixels, &sums, g->back, g->codes)));
done:
    vq_session_destroy(session);
    vq_evaluation_clear(p->ctx, &sums);
    return code;
}

/* ---- writing ------------------------------------------------------------- */

static int add_pixels(program *p, text *to, const gallery *g, const uint8_t *pixels, int64_t first,
                      int64_t n, const char *what)
{
    const size_t bytes = (size_t)(g->size[0] * g->size[1] * g->size[2]);
    text_add(to, "<b>%s</b>", what);
    for (int64_t i = first; i < first + n; i++) {
        const vq_image image = {g->size[0], g->size[1], g->size[2],
                                (uint8_t *)(uintptr_t)pixels + (size_t)i * bytes};
        TRY(add_image(p, to, &image, what));
    }
    for (int64_t i = n; i < A_ROW; i++) text_add(to, "<s></s>");
    return DONE;
}

static int add_codes(program *p, text *to, const gallery *g, size_t grid, size_t at, int64_t first,
                     int64_t n)
{
    if (g->n_grids > 1) text_add(to, "<b>codes %zu</b>", grid);
    else text_add(to, "<b>codes</b>");
    for (int64_t i = first; i < first + n; i++)
        TRY(add_code_map(p, to, &g->grids[grid], g->codes + (size_t)i * g->per_image + at));
    for (int64_t i = n; i < A_ROW; i++) text_add(to, "<s></s>");
    return DONE;
}

static int add_rows(program *p, text *to, const gallery *g)
{
    for (int64_t first = 0; first < g->n; first += A_ROW) {
        const int64_t n = g->n - first < A_ROW ? g->n - first : A_ROW;
        size_t at = 0;
        text_add(to, "<div class=gallery>");
        TRY(add_pixels(p, to, g, g->pixels, first, n, "original"));
        TRY(add_pixels(p, to, g, g->back, first, n, "comes back"));
        for (size_t i = 0; i < g->n_grids; i++) {
            TRY(add_codes(p, to, g, i, at, first, n));
            at += (size_t)(g->grids[i].height * g->grids[i].width);
        }
        text_add(to, "</div>\n");
    }
    return DONE;
}

static int add_gallery(program *p, const report_run *run, text *to)
{
    gallery g = {0};
    int code;
    TRY_TO(fill_gallery(p, run, &g));
    TRY_TO(run_gallery(p, run, &g));
    TRY_TO(add_rows(p, to, &g));
    text_add(to,
             "<p class=note>%" PRId64 " held-out images. Below each pair the %" PRId64 " x %" PRId64
             " codes that stand between them: one colour for each code.</p>\n",
             g.n, g.grids[0].height, g.grids[0].width);
done:
    free(g.pixels);
    free(g.codes);
    return code;
}

static int add_usage(program *p, const report_run *run, text *to)
{
    const int64_t total = run->parts.n_held;
    const int64_t n = total < EVALUATED ? total : EVALUATED;
    int64_t picked[EVALUATED];
    const evaluated what = {.data = run->data, .indices = picked, .n = n, .batch = BATCH};
    score s;
    uint64_t *usage = NULL;
    size_t at = 0;
    spread(run->parts.held, total, n, picked);
    TRY(evaluate(p, run->model, &what, &s, &usage));
    for (size_t i = 0; i < s.n_levels; i++) {
        char which[32] = "";
        if (s.n_levels > 1) (void)snprintf(which, sizeof which, ", grid %zu", i);
        text_add(to,
                 "<figure class='chart wide'><h3>Use of the codes%s</h3><p class=legend>"
                 "%" PRId64 " of %" PRId64 " used on %" PRId64
                 " held-out images, perplexity %.1f</p>",
                 which, s.codes_used[i], s.codes[i], s.images, s.perplexity[i]);
        chart_usage(to, usage + at, (size_t)s.codes[i], run->colour);
        text_add(to, "</figure>\n");
        at += (size_t)s.codes[i];
    }
    free(usage);
    return DONE;
}

int report_pictures(program *p, const report_run *run, text *to)
{
    if (!run->data) {
        text_add(to, "<p class=none>No pictures: ");
        text_html(to, run->why_no_data);
        text_add(to, "</p>\n");
        return DONE;
    }
    TRY(add_gallery(p, run, to));
    return add_usage(p, run, to);
}
