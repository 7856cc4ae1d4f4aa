/* SPDX-License-Identifier: Apache-2.0
 * kernels/correlate.h -- correlations of arrays that lie as N,H,W,C: convolutions without the
 * matrix of their columns, and matrix products as the case of one tap.
 *
 * The numbers under the taps of one row of the kernel lie side by side, so a place of the output is
 *   out[o] = start[o] + sum over t < taps, q < run of in[t * tap_step + q] * weights[t][q][o],
 * one chain of fused multiply-adds in the order of (t, q). Places are the rows of a tile, output
 * channels its columns; the input is read where it lies. The weights may be a part of a larger
 * kernel's, some of its rows and some of their columns. */
#ifndef VQ_KERNELS_CORRELATE_H
#define VQ_KERNELS_CORRELATE_H

#include "base/sizes.h"
#include <stdbool.h>
#include <stddef.h>

/* Weights lie in panels of VQ_PANEL output channels: number (t, q) of channel o of a panel is
 * panel[(t * line + q) * VQ_PANEL + o], where a row of the whole kernel has `line` numbers;
 * channels that are missing in the last one are zeros. */
enum { VQ_PANEL = 16, VQ_PLACES = 6, VQ_PANELS_MAX = 4 };

/** A whole tile: VQ_PLACES places by VQ_PANEL * panels channels. Arrays of pointers have one for
 * each place, to numbers of consecutive channels; residual[0] and mask[0] are NULL where there is
 * none. */
typedef struct vq_correlate_tile {
    size_t taps, run, tap_step;
    const float *in[VQ_PLACES];
    const float *weights;             /* of the first panel */
    size_t line_step;                 /* of the weights, from tap to tap */
    size_t panel_step, panels;        /* from panel to panel; 1..VQ_PANELS_MAX */
    const float *start[VQ_PLACES];    /* where chains begin; may be `out` */
    float *out[VQ_PLACES];            /* no two alike */
    const float *mask[VQ_PLACES];     /* the finished chain is 0 where this is not above 0 */
    const float *residual[VQ_PLACES]; /* then this is added; may be `out` */
    bool relu;                        /* then negative numbers are 0 */
} vq_correlate_tile;
typedef void vq_correlate_fn(const vq_correlate_tile *tile);

/** What channel j of place i is where its chain has ended with x. */
static inline float vq_correlate_finish(const vq_correlate_tile *t, size_t i, size_t j, float x)
{
    if (t->mask[0]) x = t->mask[i][j] > 0.0f ? x : 0.0f;
    if (t->residual[0]) x += t->residual[i][j];
    return t->relu && x < 0.0f ? 0.0f : x;
}

/** A tile of a sum of outer products over places that are counted by three loops:
 *    c[i * c_step + j] = chain over places of a[i] * b[j], continued from what c holds,
 *  for i < VQ_PLACES and j < VQ_PANEL * panels. */
typedef struct vq_outer_tile {
    size_t count[3], a_step[3], b_step[3]; /* outermost first; steps from place to place */
    const float *a, *b;
    float *c;
    size_t c_step, panels; /* 1..VQ_PANELS_MAX */
} vq_outer_tile;
typedef void vq_outer_fn(const vq_outer_tile *tile);

/** Any number of places and channels, in one thread. */
typedef struct vq_correlation {
    size_t taps, run, tap_step;
    size_t line, depth; /* numbers of a row and of all rows of the kernel; `weights` is within it */
    size_t places, channels;
    const float *in;
    const size_t *in_at; /* place i reads from in + in_at[i] on */
    const float *weights;
    float *out;
    const size_t *out_at; /* and writes from out + out_at[i] on; residual and mask lie alike */
    const float *bias;    /* whole panels of them; where chains begin. NULL: they begin at 0 */
    bool add;             /* chains begin at what `out` holds, not at the bias */
    const float *mask, *residual; /* or NULL; see vq_correlate_tile */
    bool relu;
} vq_correlation;

struct vq_kernels;
void vq_correlate(const struct vq_kernels *kernels, const vq_correlation *c);

/** Floats of the packed weights of `channels` channels with chains of `depth` numbers. */
static inline size_t vq_panels_size(size_t channels, size_t depth)
{
    return vq_round_up(channels, VQ_PANEL) * depth;
}

#endif
