/* SPDX-License-Identifier: Apache-2.0
 * kernels/winograd.h -- the transforms of Winograd's convolutions F(4x4, r x r) for r of 2 and 3.
 *
 * With n = 3 + r points, a 4x4 tile y of a correlation of an n x n patch d with r x r weights g is
 *   y = A^T [ (G g G^T) * (B^T d B) ] A,   * number by number
 * (Lavin and Gray 2015, arXiv:1509.09308): n*n products in place of 16*r*r. Summed over channels,
 * each of the n*n points becomes a matrix product [tiles x channels] x [channels x outputs].
 * The gradient of the weights is the adjoint in g: dg = G^T [ (B^T d B) * (A dy A^T) ] G.
 *
 * Points are 0, 5/8, -5/8, 3/2, -3/2, infinity for r = 3 and 0, 3/4, -3/4, 3/2, infinity for r = 2:
 * with them the result is about twice as far from the exact one as a plain sum is, where the usual
 * 0, 1, -1, 2, -2 make it five times. docs/engine.md says what that comes to.
 *
 * Numbers of a place are its channels; transforms work on all of them alike. Each operation is
 * rounded by itself, in one order, so that no instruction set or width of vectors changes a bit. */
#ifndef VQ_KERNELS_WINOGRAD_H
#define VQ_KERNELS_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

/* Channels are padded to whole panels; VQ_WINOGRAD_NONE stands for a place outside the result. */
enum { VQ_WINOGRAD_TILE = 4, VQ_WINOGRAD_POINTS_MAX = 6, VQ_WINOGRAD_PANEL = 16 };
#define VQ_WINOGRAD_NONE ((size_t)-1)

/** A patch of n x n places (image) or a tile of 4 x 4 (map) to be transformed. Point k of channel c
 *  goes to to[k * plane + c / group * group_step + c % group], and zeros after the channels up to a
 *  multiple of VQ_WINOGRAD_PANEL, of which `group` is a multiple. */
typedef struct vq_winograd_source {
    const float *at[VQ_WINOGRAD_POINTS_MAX * VQ_WINOGRAD_POINTS_MAX]; /* channels of each place */
    size_t channels;
    bool relu; /* places are read through max(0, .) */
    float *to;
    size_t plane, group, group_step;
} vq_winograd_source;
typedef void vq_winograd_source_fn(const vq_winograd_source *s);

/** A tile of results: y as above with point k of channel c in from[k * plane + c], then
 *    y += add ? to : bias       y = 0 where the mask is not above 0
 *    y += residual              y = max(0, y) if relu
 *  Place k of the tile lies at to + at[k], mask + at[k] and residual + at[k]. */
typedef struct vq_winograd_result {
    const float *from;
    size_t plane, channels;
    const float *bias;            /* padded to whole panels */
    const float *mask, *residual; /* or NULL; residual may be `to` */
    float *to;
    bool add, relu;
    size_t at[VQ_WINOGRAD_TILE * VQ_WINOGRAD_TILE]; /* or VQ_WINOGRAD_NONE */
} vq_winograd_result;
typedef void vq_winograd_result_fn(const vq_winograd_result *r);

/** to = G g G^T of VQ_WINOGRAD_PANEL numbers side by side: tap k at g[k * VQ_WINOGRAD_PANEL], point
 *  k at to[k * plane]. */
typedef void vq_winograd_weights_fn(const float *g, float *to, size_t plane);
/** Its adjoint, g = G^T from G. */
typedef void vq_winograd_taps_fn(const float *from, size_t plane, float *g);

/** Transforms for one r. */
typedef struct vq_winograd_kernels {
    vq_winograd_source_fn *image; /* B^T d B */
    vq_winograd_source_fn *map;   /* A y A^T */
    vq_winograd_result_fn *result;
    vq_winograd_weights_fn *weights;
    vq_winograd_taps_fn *taps;
} vq_winograd_kernels;

/* For r = 2 and r = 3. */
extern const vq_winograd_kernels vq_winograd_portable[2], vq_winograd_avx2[2],
    vq_winograd_avx512[2];

#endif
