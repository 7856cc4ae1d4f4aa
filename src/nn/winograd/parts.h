/* SPDX-License-Identifier: Apache-2.0
 * nn/winograd/parts.h -- what the files of Winograd's convolutions share: C or a part of its
 * adjoint as correlations of stride 1 with r x r weights, and their tiles. */
#ifndef VQ_NN_WINOGRAD_PARTS_H
#define VQ_NN_WINOGRAD_PARTS_H

#include "base/sizes.h"
#include "kernels/kernels.h"
#include "kernels/winograd.h"
#include "nn/winograd/winograd.h"

/** One axis of a correlation: place j of the result is the sum over phases f and taps a of weight
 *  tap[f] + a * tap_step of the kernel times number in_first[f] + (j + a) * step of the source,
 *  zero outside it. */
typedef struct vq_winograd_axis {
    size_t source;         /* extent of the source */
    ptrdiff_t in_first[2]; /* for each phase */
    size_t step;
    ptrdiff_t tap[2], tap_step;
    size_t first, out_step, count; /* place j lies at first + j * out_step of the result */
    size_t width;                  /* extent of the result */
    size_t tiles;
} vq_winograd_axis;

/** A class of places of the result: all of them, or one phase of an adjoint of stride 2. */
typedef struct vq_winograd_class {
    size_t taps, points; /* of one axis: r and r + 3 */
    size_t phases;       /* of one axis: 1, or 2 whose numbers are more channels */
    size_t images, in, out;
    vq_winograd_axis axis[2];
} vq_winograd_class;

/** How many classes a direction has, and one of them. */
size_t vq_winograd_classes(const vq_convolution *c, vq_conv_direction direction);
vq_winograd_class vq_winograd_class_of(const vq_convolution *c, vq_conv_direction direction,
                                       size_t class);

/** Transforms of this class on this context. */
const vq_winograd_kernels *vq_winograd_kernels_of(const vq_context *ctx,
                                                  const vq_winograd_class *k);

static inline size_t vq_winograd_points(const vq_winograd_class *k)
{
    return k->points * k->points;
}

/** Channels of the source, those of all phases together. */
static inline size_t vq_winograd_depth(const vq_winograd_class *k)
{
    return k->phases * k->phases * k->in;
}

/** Numbers of a row of `channels`, padded to whole panels. */
static inline size_t vq_winograd_padded(size_t channels)
{
    return vq_round_up(channels, VQ_WINOGRAD_PANEL);
}

static inline size_t vq_winograd_tiles(const vq_winograd_class *k)
{
    return k->images * k->axis[0].tiles * k->axis[1].tiles;
}

/** Where a tile lies: its image and its first place on each axis. */
typedef struct vq_winograd_spot {
    size_t image, place[2];
} vq_winograd_spot;

vq_winograd_spot vq_winograd_spot_of(const vq_winograd_class *k, size_t tile);

/** Points s->at to the patch that a tile reads of one phase, of zeros outside the source; `zeros`
 *  has the channels of a place. */
void vq_winograd_patch(const vq_winograd_class *k, const vq_winograd_spot *spot, size_t phase,
                       const float *source, const float *zeros, vq_winograd_source *s);

/** Transforms of all phases of a tile's patch, to rows of channels (phase, channel): s->to is where
 *  that of the first begins, which has room for whole panels of the last. */
void vq_winograd_image(const vq_winograd_kernels *kernels, const vq_winograd_class *k,
                       const vq_winograd_spot *spot, const float *source, const float *zeros,
                       vq_winograd_source *s);

/** Where place (y, x) of a tile lies in the result, in numbers, or VQ_WINOGRAD_NONE beyond it. */
static inline size_t vq_winograd_place(const vq_winograd_class *k, const vq_winograd_spot *spot,
                                       size_t y, size_t x)
{
    const vq_winograd_axis *rows = &k->axis[0], *columns = &k->axis[1];
    const size_t row = spot->place[0] + y, column = spot->place[1] + x;
    if (row >= rows->count || column >= columns->count) return VQ_WINOGRAD_NONE;
    return ((spot->image * rows->width + rows->first + row * rows->out_step) * columns->width +
            columns->first + column * columns->out_step) *
           k->out;
}

/* weights.c */
size_t vq_winograd_weights_scratch(const vq_context *ctx, const vq_convolution *c);
VQ_MUST_USE vq_status vq_winograd_weights(vq_context *ctx, const vq_convolution *c,
                                          const vq_weights_arrays_real *arrays, float *d_weight,
                                          vq_room scratch);

#endif
