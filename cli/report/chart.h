/* SPDX-License-Identifier: Apache-2.0
 * cli/report/chart.h -- curves and bars as SVG. */
#ifndef CLI_REPORT_CHART_H
#define CLI_REPORT_CHART_H

#include "text.h"

typedef struct point {
    double x, y;
} point;

typedef enum series_kind {
    SERIES_NOISY, /* many points: faint, with their mean over neighbours */
    SERIES_EXACT, /* many points, drawn as they are */
    SERIES_MARKED /* few points, each marked, the last one named */
} series_kind;

/** One curve. Colours are classes of the page's style sheet: c0, c1 ... */
typedef struct series {
    const char *name;
    int colour;
    series_kind kind;
    const point *points;
    size_t n;
} series;

typedef struct chart {
    const char *title, *caption;
    bool logarithmic; /* the vertical axis; points of 0 and below are left out */
    bool from_zero;   /* a linear axis that begins at 0 */
    double limit;     /* a line across, such as K; 0: none */
    const series *all;
    size_t n;
} chart;

/** A figure with title, legend and curves. Fewer than two points in all: says so. */
void chart_draw(text *to, const chart *c);

/** Bars of shares that fall from left to right, with the line of equal use across. */
void chart_usage(text *to, const uint64_t *counts, size_t n, int colour);

/** "12.3k", "0.0031": short, for labels. */
void chart_number(double value, char *to, size_t size);

#endif
