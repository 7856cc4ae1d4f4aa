/* SPDX-License-Identifier: Apache-2.0
 * nn/winograd/parts.c -- a convolution and its adjoint as correlations of stride 1.
 *
 * With taps r = 2a + p of a kernel of four and phases x_p[k] = x[2k + p - pad] of the image,
 *   map[j] = sum over p, a of w[2a + p] x_p[j + a];
 * number y = 2k + p - pad of the image gets from the adjoint, with a' = 1 - a,
 *   sum over a' of w[2 (1 - a') + p] map[k - 1 + a'].
 * For a kernel of three and stride 1 there is one phase, and the adjoint is
 *   image[y] = sum over a' of w[2 - a'] map[y + pad - 2 + a']. */
#include "nn/winograd/parts.h"

size_t vq_winograd_classes(const vq_convolution *c, vq_conv_direction direction)
{
    return direction == VQ_CONV_APPLY ? 1 : c->stride[0] * c->stride[1];
}

static vq_winograd_axis apply_axis(const vq_convolution *c, int i)
{
    const ptrdiff_t pad = (ptrdiff_t)c->pad[i];
    return (vq_winograd_axis){
        .source = c->image[i],
        .in_first = {-pad, 1 - pad},
        .step = c->stride[i],
        .tap = {0, 1},
        .tap_step = (ptrdiff_t)c->stride[i],
        .out_step = 1,
        .count = c->map[i],
        .width = c->map[i],
    };
}

/* Phase `p` of the image. */
static vq_winograd_axis adjoint_axis(const vq_convolution *c, int i, size_t p)
{
    const size_t stride = c->stride[i], pad = c->pad[i], taps = c->kernel[i] / stride;
    vq_winograd_axis a = {
        .source = c->map[i],
        .step = 1,
        .tap = {(ptrdiff_t)(stride * (taps - 1) + p)},
        .tap_step = -(ptrdiff_t)stride,
        .first = (p + stride - pad % stride) % stride,
        .out_step = stride,
        .width = c->image[i],
    };
    a.count = a.first < a.width ? (a.width - a.first - 1) / stride + 1 : 0;
    a.in_first[0] = (ptrdiff_t)((a.first + pad) / stride) - (ptrdiff_t)(taps - 1);
    return a;
}

vq_winograd_class vq_winograd_class_of(const vq_convolution *c, vq_conv_direction direction,
                                       size_t class)
{
    const bool apply = direction == VQ_CONV_APPLY;
    vq_winograd_class k = {
        .taps = c->kernel[0] / c->stride[0],
        .phases = apply ? c->stride[0] : 1,
        .images = c->images,
        .in = apply ? c->in : c->out,
        .out = apply ? c->out : c->in,
    };
    k.points = k.taps + VQ_WINOGRAD_TILE - 1;
    const size_t phase[2] = {class / c->stride[1], class % c->stride[1]};
    for (int i = 0; i < 2; i++) {
        k.axis[i] = apply ? apply_axis(c, i) : adjoint_axis(c, i, phase[i]);
        k.axis[i].tiles = vq_ceil_div(k.axis[i].count, VQ_WINOGRAD_TILE);
    }
    return k;
}

const vq_winograd_kernels *vq_winograd_kernels_of(const vq_context *ctx, const vq_winograd_class *k)
{
    return &vq_kernels_of(ctx)->winograd[k->taps - 2];
}

vq_winograd_spot vq_winograd_spot_of(const vq_winograd_class *k, size_t tile)
{
    const size_t across = k->axis[1].tiles, down = k->axis[0].tiles;
    return (vq_winograd_spot){
        .image = tile / (across * down),
        .place = {tile / across % down * VQ_WINOGRAD_TILE, tile % across * VQ_WINOGRAD_TILE},
    };
}

/* Number of the source under place `place` of an axis, or beyond its extent. */
static size_t number_at(const vq_winograd_axis *a, size_t phase, size_t place)
{
    return (size_t)(a->in_first[phase] + (ptrdiff_t)(place * a->step)); /* wraps below zero */
}

void vq_winograd_patch(const vq_winograd_class *k, const vq_winograd_spot *spot, size_t phase,
                       const float *source, const float *zeros, vq_winograd_source *s)
{
    const vq_winograd_axis *rows = &k->axis[0], *columns = &k->axis[1];
    const float *image = source + spot->image * rows->source * columns->source * k->in;
    for (size_t i = 0; i < k->points; i++) {
        const size_t y = number_at(rows, phase / k->phases, spot->place[0] + i);
        for (size_t j = 0; j < k->points; j++) {
            const size_t x = number_at(columns, phase % k->phases, spot->place[1] + j);
            const bool inside = y < rows->source && x < columns->source;
            s->at[i * k->points + j] = inside ? image + (y * columns->source + x) * k->in : zeros;
        }
    }
}

void vq_winograd_image(const vq_winograd_kernels *kernels, const vq_winograd_class *k,
                       const vq_winograd_spot *spot, const float *source, const float *zeros,
                       vq_winograd_source *s)
{
    float *to = s->to;
    s->channels = k->in;
    s->group = vq_winograd_padded(k->in); /* rows have no groups */
    for (size_t phase = 0; phase < k->phases * k->phases; phase++) {
        s->to = to + phase * k->in;
        vq_winograd_patch(k, spot, phase, source, zeros, s);
        kernels->image(s);
    }
}
