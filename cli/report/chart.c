/* SPDX-License-Identifier: Apache-2.0
 * cli/report/chart.c -- curves and bars as SVG. */
#include "report/chart.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 560, HEIGHT = 240, LEFT = 50, RIGHT = 52, TOP = 12, BOTTOM = 28, BINS = 300 };

typedef struct frame {
    double x0, x1, y0, y1; /* the data's bounds */
    bool logarithmic;
} frame;

void chart_number(double value, char *to, size_t size)
{
    const double a = fabs(value);
    if (a >= 1e6) (void)snprintf(to, size, "%.3gM", value / 1e6);
    else if (a >= 1e4) (void)snprintf(to, size, "%.3gk", value / 1e3);
    else if (a >= 100 || value == rint(value)) (void)snprintf(to, size, "%.0f", value);
    else if (a >= 1e-4) (void)snprintf(to, size, "%.3g", value);
    else (void)snprintf(to, size, "%.1e", value);
}

/* Steps count from 0. Figures of a training that went astray come near the ends of what a double
 * holds, where the axes' own sums and quotients would be infinite or 0. */
static bool fits(const frame *f, point at)
{
    const double far = 1e100, near = 1e-100;
    const bool counts = at.x >= 0 && at.x < far;
    return counts && fabs(at.y) < far && (!f->logarithmic || at.y > near);
}

static double place_x(const frame *f, double x)
{
    return LEFT + (x - f->x0) / (f->x1 - f->x0) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const frame *f, double y)
{
    const double share =
        f->logarithmic ? log(y / f->y0) / log(f->y1 / f->y0) : (y - f->y0) / (f->y1 - f->y0);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

/* ---- bounds and ticks ---------------------------------------------------- */

/* Returns how many points there are to draw. */
static size_t find_bounds(const chart *c, frame *f)
{
    size_t n = 0;
    *f = (frame){(double)INFINITY, -(double)INFINITY, (double)INFINITY, -(double)INFINITY,
                 c->logarithmic};
    for (size_t s = 0; s < c->n; s++)
        for (size_t i = 0; i < c->all[s].n; i++) {
            const point at = c->all[s].points[i];
            if (!fits(f, at)) continue;
            n++;
            f->x0 = fmin(f->x0, at.x);
            f->x1 = fmax(f->x1, at.x);
            f->y0 = fmin(f->y0, at.y);
            f->y1 = fmax(f->y1, at.y);
        }
    return n;
}

static void widen_bounds(const chart *c, frame *f)
{
    if (c->limit > 0) f->y1 = fmax(f->y1, 1.06 * c->limit); /* its name stands above */
    f->x0 = fmin(f->x0, 0.0);
    if (f->x1 <= f->x0) f->x1 = f->x0 + 1.0;
    if (f->logarithmic) {
        f->y0 /= 1.12;
        f->y1 *= 1.12;
        return;
    }
    if (c->from_zero) f->y0 = 0.0;
    const double room = f->y1 > f->y0 ? 0.06 * (f->y1 - f->y0) : fabs(f->y1) + 1.0;
    f->y1 += room;
    if (!c->from_zero) f->y0 -= room;
}

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them cover the range. */
static double tick_step(double range, int wanted)
{
    const double rough = range / wanted, power = pow(10.0, floor(log10(rough)));
    const double share = rough / power;
    return power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10);
}

static size_t linear_ticks(double low, double high, int wanted, double *ticks, size_t room)
{
    const double step = tick_step(high - low, wanted);
    size_t n = 0;
    for (double t = ceil(low / step) * step; t <= high * (1 + 1e-12) && n < room; t += step)
        ticks[n++] = fabs(t) < step * 1e-9 ? 0.0 : t;
    return n;
}

static size_t ticks_from(const char *digits, double low, double high, double *ticks, size_t room)
{
    size_t n = 0;
    for (double power = pow(10.0, floor(log10(low))); power <= high; power *= 10)
        for (const char *d = digits; *d; d++) {
            const double t = power * (*d - '0');
            if (t >= low && t <= high && n < room) ticks[n++] = t;
        }
    return n;
}

/* The coarsest set of digits that gives three ticks. */
static size_t log_ticks(double low, double high, double *ticks, size_t room)
{
    static const char *const sets[] = {"1", "13", "125", "12357", "123456789"};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        const size_t n = ticks_from(sets[i], low, high, ticks, room);
        if (n >= 3) return n;
    }
    return linear_ticks(low, high, 4, ticks, room);
}

static void draw_axes(text *to, const frame *f)
{
    enum { TICKS = 16 };
    double ticks[TICKS];
    char number[32];
    size_t n = f->logarithmic ? log_ticks(f->y0, f->y1, ticks, TICKS)
                              : linear_ticks(f->y0, f->y1, 4, ticks, TICKS);
    for (size_t i = 0; i < n; i++) {
        const double y = place_y(f, ticks[i]);
        chart_number(ticks[i], number, sizeof number);
        text_add(to, "<path class=grid d='M%d %.1fH%d'/><text x=%d y=%.1f class=ty>%s</text>\n",
                 LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, number);
    }
    n = linear_ticks(f->x0, f->x1, 5, ticks, TICKS);
    for (size_t i = 0; i < n; i++) {
        chart_number(ticks[i], number, sizeof number);
        text_add(to, "<text x=%.1f y=%d class=tx>%s</text>\n", place_x(f, ticks[i]), HEIGHT - 8,
                 number);
    }
    text_add(to, "<path class=axis d='M%d %dH%d'/><text x=%d y=%d class=ty>step</text>\n", LEFT,
             HEIGHT - BOTTOM, WIDTH - RIGHT, WIDTH, HEIGHT - 8);
}

/* ---- curves -------------------------------------------------------------- */

static void path_of(text *to, const frame *f, const point *points, size_t n, const char *class,
                    int colour)
{
    bool begun = false;
    text_add(to, "<path class='%s c%d' d='", class, colour);
    for (size_t i = 0; i < n; i++) {
        if (!fits(f, points[i])) continue;
        text_add(to, "%s%.1f %.1f", begun ? "L" : "M", place_x(f, points[i].x),
                 place_y(f, points[i].y));
        begun = true;
    }
    text_add(to, "'/>\n");
}

/* Where the curve ends, its value is written. */
static void end_label(text *to, const frame *f, const series *s, point last)
{
    char number[32];
    chart_number(last.y, number, sizeof number);
    text_add(to, "<text class='te value f%d' x=%.1f y=%.1f>%s</text>\n", s->colour,
             place_x(f, last.x) + 7, place_y(f, last.y) + 4, number);
}

static void draw_measured(text *to, const frame *f, const series *s)
{
    path_of(to, f, s->points, s->n, "line", s->colour);
    for (size_t i = 0; i < s->n; i++) {
        if (!fits(f, s->points[i])) continue;
        text_add(to, "<circle class='f%d dot' r=3.5 cx=%.1f cy=%.1f><title>", s->colour,
                 place_x(f, s->points[i].x), place_y(f, s->points[i].y));
        text_html(to, s->name);
        text_add(to, ", step %.0f: %.6g</title></circle>\n", s->points[i].x, s->points[i].y);
    }
    if (s->n > 0 && fits(f, s->points[s->n - 1])) end_label(to, f, s, s->points[s->n - 1]);
}

/* Means over neighbours, so that a path has at most BINS points. */
static size_t bin(const series *s, point *to)
{
    const size_t each = (s->n + BINS - 1) / BINS;
    size_t n = 0;
    for (size_t i = 0; i < s->n; i += each, n++) {
        const size_t end = i + each < s->n ? i + each : s->n;
        to[n] = (point){0, 0};
        for (size_t j = i; j < end; j++) {
            to[n].x += s->points[j].x / (double)(end - i);
            to[n].y += s->points[j].y / (double)(end - i);
        }
    }
    return n;
}

/* Mean over a window of a twentieth of the curve. Towards the ends it narrows on both sides, so
 * that the mean follows a steep start instead of lagging behind it. */
static point mean_around(const point *points, size_t n, size_t i)
{
    const size_t half = n / 40 + 1, before = i, after = n - 1 - i;
    const size_t reach =
        before < after ? (before < half ? before : half) : (after < half ? after : half);
    point mean = {points[i].x, 0};
    for (size_t j = i - reach; j <= i + reach; j++) mean.y += points[j].y / (double)(2 * reach + 1);
    return mean;
}

static void draw_noisy(text *to, const frame *f, const series *s)
{
    enum { FEW = 12 };
    point points[BINS];
    const size_t n = bin(s, points);
    if (s->kind == SERIES_EXACT) {
        path_of(to, f, points, n, "line", s->colour);
        return;
    }
    path_of(to, f, points, n, n > FEW ? "faint" : "soft", s->colour);
    if (n <= FEW) return;
    point smooth[BINS];
    for (size_t i = 0; i < n; i++) smooth[i] = mean_around(points, n, i);
    path_of(to, f, smooth, n, "soft", s->colour);
}

static void legend(text *to, const chart *c)
{
    text_add(to, "<p class=legend>");
    for (size_t s = 0; s < c->n; s++) {
        if (c->all[s].n == 0 || !*c->all[s].name) continue;
        text_add(to, "<span><i class='b%d%s'></i>", c->all[s].colour,
                 c->all[s].kind == SERIES_NOISY ? " light" : "");
        text_html(to, c->all[s].name);
        text_add(to, "</span>");
    }
    text_add(to, "</p>\n");
}

void chart_draw(text *to, const chart *c)
{
    frame f;
    text_add(to, "<figure class=chart><h3>%s</h3>\n", c->title);
    if (find_bounds(c, &f) < 2) {
        text_add(to, "<p class=none>Too few steps were logged to draw a curve.</p></figure>\n");
        return;
    }
    widen_bounds(c, &f);
    legend(to, c);
    text_add(to, "<svg viewBox='0 0 %d %d' role=img aria-label='%s'>\n", WIDTH, HEIGHT, c->title);
    draw_axes(to, &f);
    if (c->limit > 0)
        text_add(to, "<path class=limit d='M%d %.1fH%d'/><text x=%d y=%.1f>K = %.0f</text>\n", LEFT,
                 place_y(&f, c->limit), WIDTH - RIGHT, LEFT + 8, place_y(&f, c->limit) - 6,
                 c->limit);
    for (size_t s = 0; s < c->n; s++)
        if (c->all[s].kind != SERIES_MARKED) draw_noisy(to, &f, &c->all[s]);
    for (size_t s = 0; s < c->n; s++)
        if (c->all[s].kind == SERIES_MARKED) draw_measured(to, &f, &c->all[s]);
    text_add(to, "</svg><figcaption>%s</figcaption></figure>\n", c->caption);
}

/* ---- use of the codes ---------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

static void bars(text *to, const uint64_t *sorted, size_t n, int colour)
{
    enum { WIDE = 1120, TALL = 200 };
    const double each = (double)(WIDE - LEFT - 10) / (double)n, gap = each > 4 ? 1.0 : 0.0;
    const double top = (double)sorted[0], scale = (TALL - TOP - BOTTOM) / (top > 0 ? top : 1);
    double total = 0;
    for (size_t i = 0; i < n; i++) total += (double)sorted[i];
    const double floor_y = TALL - BOTTOM, mean = total / (double)n;
    text_add(to, "<svg viewBox='0 0 %d %d' role=img aria-label='use of the codes'>\n", WIDE, TALL);
    for (int i = 0; i <= 2; i++) {
        const double value = top * i / 2, y = floor_y - value * scale;
        text_add(to,
                 "<path class=grid d='M%d %.1fH%d'/><text x=%d y=%.1f class=ty>%.2g %%</text>\n",
                 LEFT, y, WIDE - 10, LEFT - 8, y + 4, total > 0 ? 100 * value / total : 0.0);
    }
    text_add(to, "<path class='f%d' d='", colour);
    for (size_t i = 0; i < n && sorted[i] > 0; i++)
        text_add(to, "M%.2f %.1fV%.2fH%.2fV%.1fZ", LEFT + (double)i * each, floor_y,
                 floor_y - (double)sorted[i] * scale, LEFT + (double)(i + 1) * each - gap, floor_y);
    text_add(to, "'/><path class=limit d='M%d %.1fH%d'/>", LEFT, floor_y - mean * scale, WIDE - 10);
    text_add(to, "<text class=tx x=%d y=%d>most used</text>", LEFT + 36, TALL - 8);
    text_add(to, "<text class=ty x=%d y=%d>code number %zu by use</text></svg>\n", WIDE - 10,
             TALL - 8, n);
}

/* How many codes cover half of all positions. */
static size_t half_of(const uint64_t *sorted, size_t n)
{
    double total = 0, sum = 0;
    size_t i = 0;
    for (size_t j = 0; j < n; j++) total += (double)sorted[j];
    while (i < n && sum < total / 2) sum += (double)sorted[i++];
    return i;
}

void chart_usage(text *to, const uint64_t *counts, size_t n, int colour)
{
    uint64_t *sorted = malloc(n * sizeof *sorted);
    to->failed = to->failed || !sorted;
    if (!sorted) return;
    memcpy(sorted, counts, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, descending);
    bars(to, sorted, n, colour);
    text_add(to,
             "<figcaption>Share of all grid positions that each code takes, most used first; %zu "
             "codes cover half of them. The dashed line is equal use of all.</figcaption>\n",
             half_of(sorted, n));
    free(sorted);
}
