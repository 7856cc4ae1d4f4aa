/* SPDX-License-Identifier: Apache-2.0
 * kernels/pack.h -- a matrix as consecutive panels, for the products in this folder. */
#ifndef VQ_KERNELS_PACK_H
#define VQ_KERNELS_PACK_H

#include "base/sizes.h"
#include "kernels/kernels.h"

/** All lines of the matrix; the fields mean what vq_panel's do. */
typedef vq_panel vq_lines;

/** Packs the panels [begin, end) of `width` lines each to consecutive places from `to`.
 *  Where lines lie side by side, all panels take a few places of every line before the
 *  next, so that memory is read in long stretches. */
static inline void vq_pack_panels(vq_pack_fn *pack, const vq_lines *lines, size_t width,
                                  size_t begin, size_t end, float *to)
{
    const size_t step = lines->lane_step < lines->depth_step ? 16 : lines->depth;
    for (size_t p = 0; p < lines->depth; p += step)
        for (size_t i = begin; i < end; i++) {
            const size_t lanes = lines->lanes - i * width, depth = lines->depth - p;
            const vq_panel panel = {
                .from = lines->from + i * width * lines->lane_step + p * lines->depth_step,
                .lane_step = lines->lane_step,
                .depth_step = lines->depth_step,
                .lanes = vq_smaller(lanes, width),
                .depth = vq_smaller(depth, step),
                .shift = lines->shift ? lines->shift + p : NULL,
            };
            pack(&panel, width, to + ((i - begin) * lines->depth + p) * width);
        }
}

#endif
