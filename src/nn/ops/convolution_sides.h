/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution_sides.h -- a convolution and its adjoint seen alike: as correlations from a
 * source to a result.
 *
 * With images padded by zeros the numbers under one row of the kernel lie side by side, and C is
 * one correlation (kernels/correlate.h) over all places of the map. Its adjoint takes to a number
 * of the image, in row y, all taps r of map rows oh with stride*oh + r = y + top: those r that
 * leave the same remainder as y + top. So images fall into stride x stride classes of places, and
 * each class is a correlation on the padded map with every stride-th tap, in descending order.
 *
 * Where images are small, many taps lie in the padding. The places of a class then fall into
 * stretches, the first and last few rows and columns and what is between them, and each stretch is
 * a correlation with those taps alone that lie in the source, which needs no padding. */
#ifndef VQ_NN_OPS_CONVOLUTION_SIDES_H
#define VQ_NN_OPS_CONVOLUTION_SIDES_H

#include "kernels/bf16.h"
#include "nn/ops/convolution.h"

/** One axis of the places of one class. */
typedef struct vq_axis {
    size_t first, step, count; /* place j of the class is first + j * step of the result */
    ptrdiff_t at;              /* what tap 0 of place 0 reads; may lie in the padding */
    size_t at_step, taps;
    ptrdiff_t tap, tap_step; /* tap t is number tap + t * tap_step of the kernel */
} vq_axis;

/** The two sides of C, as source and result. Where all classes have no more channels than a panel,
 * they are joined to one: its places are cells of stride x stride places of the result, its lanes
 * (row in the cell, column in the cell, channel), its taps those of all classes, and weights of
 * taps that a class does not have are 0. */
typedef struct vq_sides {
    const vq_convolution *c;
    vq_conv_direction direction;
    const size_t *from, *to;
    size_t in, out;
    size_t classes[2], cell[2];
    bool joined;
    size_t lanes; /* output channels of a class */
    size_t unit;  /* numbers of a place of the source as it is copied: `in`, or pairs of bf16,
                     where an odd last one has a zero beside it */
    bool trimmed; /* taps in the padding take no part; else they are products with zeros */
} vq_sides;

/** Places [first, last) of an axis of a class, and the taps [tap, tap + taps) that each of them
 *  takes. */
typedef struct vq_stretch {
    size_t first, last, tap, taps;
} vq_stretch;

vq_sides vq_sides_of(const vq_convolution *c, vq_conv_direction direction);
/** The stretch that begins at place `first`, of those before `last`. */
vq_stretch vq_stretch_of(const vq_sides *s, int i, const vq_axis *a, size_t first, size_t last);
/** Axis i of the classes with that number on it, which is less than classes[i]. */
vq_axis vq_axis_of(const vq_sides *s, int i, size_t class);
/** A class, of classes[0] * classes[1]. */
typedef struct vq_class {
    vq_axis rows, columns;
} vq_class;
vq_class vq_class_of(const vq_sides *s, size_t class);
/** The kernel's number of tap t of an axis for places that are `at` in their cells; -1: none. */
ptrdiff_t vq_kernel_tap(const vq_sides *s, int i, const vq_axis *a, size_t at, size_t t);

/** Numbers of the source and places of a class that are at most worked on at a time. */
enum { VQ_BLOCK_NUMBERS = 48 << 10, VQ_BLOCK_PLACES = 1024 };

/** Places that a class has at most among so many of the result, on axis i. */
static inline size_t vq_class_places(const vq_sides *s, int i, size_t places)
{
    return vq_ceil_div(places, s->classes[i] * s->cell[i]);
}

/** Numbers of the chain of a class, as its weights are packed: in bf16 words, in whole blocks. */
static inline size_t vq_class_depth(const vq_sides *s, const vq_class *k)
{
    const size_t depth = k->rows.taps * k->columns.taps * s->unit;
    return s->c->bf16 ? vq_round_up(depth, VQ_BLOCK) : depth;
}

/** Panels of the weights of a class. */
static inline size_t vq_sides_panels(const vq_sides *s)
{
    return vq_panels_size(s->lanes, 1) / VQ_PANEL;
}

#endif
