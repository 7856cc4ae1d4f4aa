/* SPDX-License-Identifier: Apache-2.0
 * kernels/kernels.h -- the hot loops, one table of functions for each instruction set.
 *
 * Every output number is one chain of fused multiply-adds in a fixed order, so lanes,
 * tiles and threads cannot change a bit; portable C is the specification. */
#ifndef VQ_KERNELS_KERNELS_H
#define VQ_KERNELS_KERNELS_H

#include "base/context.h"
#include "kernels/correlate.h"
#include <stddef.h>
#include <stdint.h>

/** Part of a matrix that becomes one packed panel: `lanes` lines of `depth` numbers. */
typedef struct vq_panel {
    const float *from;
    size_t lane_step, depth_step; /* number p of line i is from[i*lane_step + p*depth_step] */
    size_t lanes, depth;
    const float *shift; /* `depth` numbers, shift[p] subtracted from number p of every line;
                           NULL: none */
} vq_panel;

/** Packs a panel: to[p*width + i] = from[i][p] - shift[p] for i < lanes
 *  and 0 for lanes <= i < width. Writes width*depth numbers. */
typedef void vq_pack_fn(const vq_panel *panel, size_t width, float *to);

/* Codes lie in panels, as weights do: number p of code j of a panel is panel[p*VQ_CODE_PANEL+j].
 * The score of a code is half - dot, dot one chain over p from zero, half being |e|^2/2: with
 * the same |x|^2/2 added to all it is half the squared distance (see nearest.h). */
enum { VQ_CODE_PANEL = VQ_PANEL };

/** Lowest index j in [0, count) at which score[j] = half[j] - dot[j] is least; *best is that
 *  score on return. Continues from (*best, *at) with indices offset by `first`. A score that
 *  is not a number is never chosen. */
typedef void vq_argmin_fn(const float *dot, const float *half, size_t count, int32_t first,
                          float *best, int32_t *at);

/** dot[j] = sum over p of x[p] * code j [p] for every code of `panels` panels in a row. */
typedef void vq_dots_fn(size_t depth, const float *x, const float *codes, size_t panels,
                        float *dot);

/** half[j] = |e_j|^2 / 2 of the codes of one panel, summed in double in the order of their numbers
 *  (the square of a float is exact there) and rounded once. */
typedef void vq_halves_fn(size_t depth, const float *codes, float *half);

/** Nearest codes of the table's `search_lanes` vectors, number p of vector i being
 *  x[p*search_lanes + i]: argmin over the `count` codes that start at the panel `codes`, of
 *  scores as above, without keeping them. best[i] and at[i] as in vq_argmin_fn. Where `count` is
 *  no multiple of VQ_CODE_PANEL the rest of the last panel has `half` of +infinity. */
typedef void vq_search_fn(size_t depth, const float *x, const float *codes, const float *half,
                          size_t count, int32_t first, float *best, int32_t *at);

/** Some of the vectors that lie row after row, and what is known of each. */
typedef struct vq_row_search {
    size_t depth;
    const float *x;       /* row r begins at x[r*depth] */
    const uint32_t *rows; /* `count` of them, all different */
    size_t count;
    float *best; /* of row r at [r] */
    int32_t *at; /* likewise */
} vq_row_search;

/** Searches one panel, whose codes have the indices first, first + 1, ..., for the vector of each
 *  row r = rows[i]. Where its least score is less than best[r], or as small and the lowest index
 *  that has it lower than at[r], best[r] becomes that score and at[r] that index. A score that is
 *  not a number counts as +infinity. Panels may be searched in any order. */
typedef void vq_search_rows_fn(const vq_row_search *s, const float *codes, const float *half,
                               int32_t first);

/** The same vectors in whole numbers of 16 bits, two of them in each of `pairs` words, the first in
 *  the lower half, and behind them a word with half the squared length. */
typedef struct vq_row_screen {
    size_t pairs;
    const uint32_t *x;    /* row r begins at x[r*(pairs + 1)] */
    const uint32_t *rows; /* `count` of them */
    size_t count;
    int32_t *least; /* of the vector rows[i] at [i] */
} vq_row_screen;

/** least[i] = half the squared length of the vector rows[i], less the max over all codes j of
 *  start[j] + the product of the vector with code j, for `panels` of them, at least 1. Pair p of
 *  code j lies at codes[p*VQ_CODE_PANEL + j]. No sum on the way leaves the range of int32_t. */
typedef void vq_screen_rows_fn(const vq_row_screen *s, const uint32_t *codes, const int32_t *start,
                               size_t panels);

/** What is within reach of vectors, see nearest_moved.c. */
typedef struct vq_reach {
    size_t count;
    const float *reach;  /* of every vector */
    const uint32_t *own; /* the group in which it was searched already */
} vq_reach;

/** Writes to `rows` the i, rising, whose own group is not `group` and for which not lower[i] >
 *  (reach[i] + moved) * (1 + 2^-20); returns how many. `rows` has room for count + 8. */
typedef size_t vq_list_rows_fn(const vq_reach *reach, const float *lower, float moved,
                               uint32_t group, uint32_t *rows);

/** Adam on `count` numbers; see train/optimizer.c for the formula. With g the gradient scaled
 *  and with l2 added, each line rounded once per operation:
 *    moment1 += (1 - decay1) * (g - moment1), and 0 where that is subnormal: of weights that no
 *               longer get a gradient it would stay so for good, and processors take a hundred
 *               times as long for such numbers
 *    moment2 += (1 - decay2) * (g*g - moment2)
 *    parameter = weight_decay * parameter
 *                - rate * moment1 / (correction2 * sqrt(moment2) + epsilon)
 *    average += follow * (parameter - average), unless average is NULL */
typedef struct vq_adam_step {
    float rate;           /* lr / (1 - b1^t) */
    float decay1, decay2; /* b1, b2 */
    float correction2;    /* 1 / sqrt(1 - b2^t) */
    float epsilon;
    float weight_decay; /* 1 - lr * decay for AdamW; 1 where there is none */
    float l2;           /* added to the gradient: l2 * parameter (Adam's weight decay) */
    float scale;        /* of the gradient, from clipping; 1 where there is none */
    float follow;       /* 1 - decay of the averaged parameters */
} vq_adam_step;
typedef void vq_adam_fn(size_t count, const vq_adam_step *s, float *parameter,
                        const float *gradient, float *moment1, float *moment2, float *average);

enum { VQ_SUM_LANES = 16 };

/** Sum of the squares of the gaps x[i] - y[i], or of the x[i] where y is NULL, in double: lane l is
 *  one chain of fused multiply-adds over the i with i % VQ_SUM_LANES == l, and vq_sum_lanes() adds
 *  the lanes. Where `to` is not NULL, to[i] = scale * (x[i] - y[i]), rounded after each
 *  operation. */
typedef double vq_squares_fn(size_t count, const float *x, const float *y, float scale, float *to);

/** Halves added to one another until one number is left. */
static inline double vq_sum_lanes(double *lane)
{
    for (size_t half = VQ_SUM_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

enum { VQ_SEARCH_LANES_MAX = 32 };

struct vq_bf16_kernels;
struct vq_screening;
struct vq_winograd_kernels;

typedef struct vq_kernels {
    const char *name;        /* the row of kernel_list.def */
    size_t search_lanes;     /* at most VQ_SEARCH_LANES_MAX */
    size_t correlate_panels; /* panels of a tile that keep the registers busy */
    vq_correlate_fn *correlate;
    vq_outer_fn *outer;
    const struct vq_bf16_kernels *bf16; /* of bf16.h */
    vq_pack_fn *pack;
    vq_argmin_fn *argmin;
    vq_dots_fn *dots;
    vq_halves_fn *halves;
    vq_search_fn *search;
    vq_search_fn *search_narrow; /* of half as many lanes; NULL where there is none */
    vq_search_rows_fn *search_rows;
    vq_screen_rows_fn *screen_rows;
    vq_list_rows_fn *list_rows;
    const struct vq_screening *screening; /* of screening.h; NULL where there is no bf16 */
    vq_adam_fn *adam;
    vq_squares_fn *squares;
    const struct vq_winograd_kernels *winograd; /* of winograd.h, for 2 and 3 taps */
} vq_kernels;

/* One row an instruction set declares, selects and tests it: vq_kernels_portable, ... */
#define VQ_KERNELS(isa, need) extern const vq_kernels vq_kernels_##isa;
#include "kernels/kernel_list.def"
#undef VQ_KERNELS

/** Table of the best instruction set among `cpu` (VQ_CPU_ bits) that was built. */
const vq_kernels *vq_kernels_for(uint32_t cpu);
/** The context's table where it names one, else the best for its processor. */
const vq_kernels *vq_kernels_of(const vq_context *ctx);

#endif
