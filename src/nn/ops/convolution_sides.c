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

vq_sides vq_sides_of(const vq_convolution *c, vq_conv_direction direction)
{
    vq_sides s = whole_sides(c, direction);
    s.unit = c->bf16 ? (s.in + 1) / 2 : s.in;
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

ptrdiff_t vq_kernel_tap(const vq_sides *s, int i, const vq_axis *a, size_t at, size_t t)
{
    if (!s->joined) return a->tap + (ptrdiff_t)t * a->tap_step;
    const vq_axis one = cell_axis(s, i, at);
    const ptrdiff_t own = (ptrdiff_t)t + a->at - one.at;
    return own >= 0 && own < (ptrdiff_t)one.taps ? one.tap + own * one.tap_step : -1;
}

#endif
