/* SPDX-License-Identifier: Apache-2.0
 * kernels/pack.h -- a matrix as consecutive panels, for the products in this folder. */
#ifndef VQ_KERNELS_PACK_H
#define VQ_KERNELS_PACK_H

#include "kernels/kernels.h"

enum { VQ_PACK_ALIGNED = 16 }; /* floats in 64 bytes */

static inline size_t vq_ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

static inline size_t vq_round_up(size_t a, size_t step)
{
    return vq_ceil_div(a, step) * step;
}

/** All lines of the matrix; the fields mean what vq_panel's do. */
typedef vq_panel vq_lines;

/** Packs the panels [begin, end) of `width` lines each to consecutive places from `to`. */
static inline void vq_pack_panels(vq_pack_fn *pack, const vq_lines *lines, size_t width,
                                  size_t begin, size_t end, float *to)
{
    for (size_t i = begin; i < end; i++, to += width * lines->depth) {
        vq_panel panel = *lines;
        const size_t left = lines->lanes - i * width;
        panel.from += i * width * lines->lane_step;
        panel.lanes = left < width ? left : width;
        pack(&panel, width, to);
    }
}

#endif
