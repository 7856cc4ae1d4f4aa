/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_sides.c -- the classes of places of a convolution and of its adjoint. */
#include "nn/ops/convolution_sides.h"

#ifndef VQ_REAL_DOUBLE

static vq_sides whole_sides(const vq_convolution *c, vq_conv_direction direction)
{
    if (direction == VQ_CONV_APPLY)
        return (vq_sides){.c = c,
                          .direction = direction,
                          .from = c->image,
                          .to = c->map,
                          .in = c->in,
                          .out = c->out,
                          .classes = {1, 1},
                          .cell = {1, 1},
                          .lanes = c->out};
    vq_sides s = {.c = c,
                  .direction = direction,
                  .from = c->map,
                  .to = c->image,
                  .in = c->out,
                  .out = c->in,
                  .classes = {c->stride[0], c->stride[1]},
                  .cell = {1, 1},
                  .lanes = c->in};
    const size_t area = c->stride[0] * c->stride[1];
    s.joined = area > 1 && area <= VQ_PANEL && area * c->in <= VQ_PANEL;
    if (!s.joined) return s;
    for (int i = 0; i < 2; i++) {
        s.cell[i] = c->stride[i];
        s.classes[i] = 1;
    }
    s.lanes = area * c->in;
    return s;
}

/* A class as it is before classes are joined. */
static vq_axis class_axis(const vq_sides *s, int i, size_t class)
{
    const size_t stride = s->c->stride[i], kernel = s->c->kernel[i], pad = s->c->pad[i];
    vq_axis a = {.step = 1,
                 .count = s->to[i],
                 .at = -(ptrdiff_t)pad,
                 .at_step = stride,
                 .taps = kernel,
                 .tap_step = 1};
    if (s->direction == VQ_CONV_APPLY) return a;
    a.first = (class + stride - pad % stride) % stride;
    a.step = stride;
    a.count = a.first < s->to[i] ? (s->to[i] - a.first - 1) / stride + 1 : 0;
    a.taps = class < kernel ? (kernel - class - 1) / stride + 1 : 0;
    a.at = (ptrdiff_t)((a.first + pad) / stride) - (ptrdiff_t)a.taps + 1;
    a.at_step = 1;
    a.tap = (ptrdiff_t)(class + a.taps * stride) - (ptrdiff_t)stride;
    a.tap_step = -(ptrdiff_t)stride;
    return a;
}

/* The class of the places that are `at` in their cells. */
static vq_axis cell_axis(const vq_sides *s, int i, size_t at)
{
    return class_axis(s, i, (at + s->c->pad[i]) % s->c->stride[i]);
}

vq_axis vq_axis_of(const vq_sides *s, int i, size_t class)
{
    if (!s->joined) return class_axis(s, i, class);
    vq_axis all = cell_axis(s, i, 0);
    ptrdiff_t end = all.at + (ptrdiff_t)all.taps;
    for (size_t at = 1; at < s->cell[i]; at++) {
        const vq_axis one = cell_axis(s, i, at);
        const ptrdiff_t one_end = one.at + (ptrdiff_t)one.taps;
        if (one.at < all.at) all.at = one.at;
        if (one_end > end) end = one_end;
    }
    all.taps = (size_t)(end - all.at);
    return all;
}

vq_class vq_class_of(const vq_sides *s, size_t class)
{
    return (vq_class){vq_axis_of(s, 0, class / s->classes[1]),
                      vq_axis_of(s, 1, class % s->classes[1])};
}

/* ---- stretches ---------------------------------------------------------------- */

vq_stretch vq_stretch_of(const vq_sides *s, int i, const vq_axis *a, size_t first, size_t last)
{
    vq_stretch all = {.first = first, .last = last, .taps = a->taps};
    if (!s->trimmed) return all;
    for (size_t place = first; place < last; place++) {
        const ptrdiff_t at = a->at + (ptrdiff_t)(place * a->at_step);
        const ptrdiff_t behind = (ptrdiff_t)s->from[i] - at;
        const size_t tap = at < 0 ? vq_smaller((size_t)-at, a->taps) : 0;
        const size_t end = behind > 0 ? vq_smaller((size_t)behind, a->taps) : 0;
        const size_t taps = end > tap ? end - tap : 0;
        if (place == first) {
            all.tap = tap;
            all.taps = taps;
        } else if (tap != all.tap || taps != all.taps) {
            all.last = place;
            break;
        }
    }
    return all;
}

/* Tiles of one class in so many images, each as often as it has taps. */
static size_t class_work(const vq_sides *s, size_t class, size_t images)
{
    const vq_class axes = vq_class_of(s, class);
    const vq_axis *rows = &axes.rows, *columns = &axes.columns;
    size_t work = 0;
    vq_stretch y, x;
    for (size_t j = 0; j < rows->count; j = y.last) {
        y = vq_stretch_of(s, 0, rows, j, rows->count);
        for (size_t i = 0; i < columns->count; i = x.last) {
            x = vq_stretch_of(s, 1, columns, i, columns->count);
            const size_t places = images * (y.last - y.first) * (x.last - x.first);
            work += vq_ceil_div(places, VQ_PLACES) * y.taps * x.taps;
        }
    }
    return work;
}

static size_t work_of(const vq_sides *s, size_t images)
{
    size_t work = 0;
    for (size_t class = 0; class < s->classes[0] * s->classes[1]; class ++)
        work += class_work(s, class, images);
    return work;
}

/* Whether that is less work, though stretches may end in tiles that are not whole: a rule on the
 * shape of an image, so that the bits of a result, in which a sum of -0 can become 0 by a product
 * with zero, hang on nothing else. */
static bool suits_trimming(const vq_sides *s)
{
    const size_t places = vq_class_places(s, 0, s->to[0]) * vq_class_places(s, 1, s->to[1]);
    const size_t numbers = s->from[0] * s->from[1] * s->unit;
    const size_t images =
        vq_smaller(numbers ? VQ_BLOCK_NUMBERS / numbers : 0, places ? VQ_BLOCK_PLACES / places : 0);
    vq_sides trimmed = *s;
    trimmed.trimmed = true;
    return images > 0 && work_of(&trimmed, images) < work_of(s, images);
}

vq_sides vq_sides_of(const vq_convolution *c, vq_conv_direction direction)
{
    vq_sides s = whole_sides(c, direction);
    s.unit = c->bf16 ? (s.in + 1) / 2 : s.in;
    s.trimmed = !c->bf16 && suits_trimming(&s); /* bf16 is copied with its padding anyway */
    return s;
}

/* ---- taps --------------------------------------------------------------------- */

ptrdiff_t vq_kernel_tap(const vq_sides *s, int i, const vq_axis *a, size_t at, size_t t)
{
    if (!s->joined) return a->tap + (ptrdiff_t)t * a->tap_step;
    const vq_axis one = cell_axis(s, i, at);
    const ptrdiff_t own = (ptrdiff_t)t + a->at - one.at;
    return own >= 0 && own < (ptrdiff_t)one.taps ? one.tap + own * one.tap_step : -1;
}

#endif
