/* SPDX-License-Identifier: Apache-2.0
 * kernels/nearest.h -- the search for the nearest code, without an n x K matrix.
 *
 * |x - e|^2 / 2 = |x|^2 / 2 + |e|^2 / 2 - x.e, whose first term is the same for all codes. The
 * rest cancels when x and e are far from the origin, so both are first moved by a centre of the
 * codes. Every dot product is one chain of fused multiply-adds over the numbers of a vector, so
 * a vector gets the same code on every instruction set, in any batch, on any number of threads. */
#ifndef VQ_KERNELS_NEAREST_H
#define VQ_KERNELS_NEAREST_H

#include "kernels/kernels.h"
#include "kernels/screening.h"
#include <stdbool.h>

/** A codebook packed for searching: made by one thread's context, then only read, by any number
 *  of them. Its arrays lie in the memory it was built in. */
typedef struct vq_code_index {
    const vq_kernels *kernels;
    size_t dim, n_codes, panels;
    bool screened;      /* searched by way of bf16, where that pays */
    bool scaled;        /* whether vectors and codes are packed by vq_pack_far() */
    double scale;       /* by which they are multiplied then, a power of two; else 1 */
    const float *codes; /* n_codes x dim, the caller's */
    float *centre;      /* dim */
    float *sum;         /* dim, of what the centre is the mean of */
    float *half;        /* |e'|^2 / 2; +infinity where a panel has no more codes */
    float *packed;      /* panels of e' = scale * (e - centre) */
    vq_screen_index screen;
} vq_code_index;

/** Fills in all but the arrays; returns the bytes that building needs, in memory aligned to 64.
 *  n_codes is at least 1 and fits int32_t, dim is at least 1; n is how many vectors will be
 *  searched before the codes change, SIZE_MAX for many: it may change the way, never the result. */
size_t vq_code_index_plan(const vq_context *ctx, size_t dim, size_t n_codes, size_t n,
                          vq_code_index *index);
/** Packs `codes` into `memory`. Both must stay as they are while the index is searched. */
void vq_code_index_build(vq_context *ctx, const float *codes, void *memory, vq_code_index *index);

/** Whether numbers are such that products with the codes of an index that is not scaled stay within
 *  f32: all are finite and less than 2^73. */
bool vq_all_near(const float *x, size_t count);
/** Writes number d of a vector or code less the centre, scaled, to to[d*step]. What would be 2^74
 *  or more is a power of two shorter: only the direction of so long a vector tells codes apart.
 *  Returns false, and writes nothing, where a number is not finite. See nearest_far.c. */
bool vq_pack_far(const vq_code_index *index, const float *x, float *to, size_t step);

/** Bytes, aligned to 64, that a search of n vectors on this context works in. */
size_t vq_nearest_workspace(const vq_context *ctx, const vq_code_index *index, size_t n);
/** idx[i] = argmin_j |x_i - e_j|^2 for n vectors, n x dim and row-major; ties go to the lowest
 *  index. Returns whether all their numbers are finite. A vector that holds one which is not gets
 *  some code: 0 where no score is a finite number. */
bool vq_nearest_run(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                    int32_t *idx, void *workspace);

/** What is done with rows [begin, end) by the thread that has just found their codes, while they
 *  lie in its cache. Ranges do not overlap; how they fall depends on threads and kernels. */
typedef void vq_rows_fn(void *arg, size_t begin, size_t end);
/** vq_nearest_run() that calls then(arg, ...) for all rows. */
bool vq_nearest_each(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                     int32_t *idx, void *workspace, vq_rows_fn *then, void *arg);

enum { VQ_TRACK_GROUPS = 64 }; /* of codes, at most */

/** What is kept of n vectors from one search to the next of codes that move in between: the vectors
 *  and the codes in whole numbers, and bounds of distances. See nearest_moved.c. Its arrays lie in
 *  the memory it was started in. */
typedef struct vq_code_track {
    size_t n, dim, n_codes, panels;
    size_t pairs;        /* words of a vector in whole numbers: one more has half its square */
    size_t groups;       /* of codes */
    size_t group_panels; /* panels of codes in a group */
    size_t block;        /* vectors that are searched together */
    bool known;          /* whether the bounds below mean something */
    float scale;         /* whole numbers to a unit; a power of two */
    float *origin;       /* dim: from where they are counted */
    uint32_t *x;         /* n x (pairs + 1) */
    float *gap;          /* n: how far a vector is from its whole numbers, at most */
    uint32_t *codes;     /* panels, as screen_rows() takes them */
    int32_t *start;      /* of each code: minus half its squared length, rounded up */
    float *code_gap;     /* groups: `gap` of its codes, at most */
    float *moved;        /* groups: how far its codes have moved since the start, at most */
    float *lower;        /* blocks x groups x vectors of a block: at most the distance to the codes
                            of the group, plus `gap`, plus what `moved` was when this was found */
    float *before;       /* n_codes x dim: the codes as they were searched last */
} vq_code_track;

/** Fills in all but the arrays; returns the bytes that the start needs, in memory aligned to 64: a
 *  float for every vector and 16 codes (or VQ_TRACK_GROUPS of them for a vector where there are
 *  more), beside half of what the vectors take. */
size_t vq_code_track_plan(const vq_code_index *index, size_t n, vq_code_track *track);
/** Begins with these vectors, in `memory`. */
void vq_code_track_start(vq_context *ctx, const vq_code_index *index, const float *x, void *memory,
                         vq_code_track *track);
/** Follows the codes to where the index has them now. */
void vq_code_track_follow(vq_context *ctx, const vq_code_index *index, vq_code_track *track);

/** Bytes, aligned to 64, that vq_nearest_moved() works in. */
size_t vq_nearest_moved_workspace(const vq_context *ctx, const vq_code_index *index,
                                  const vq_code_track *track);
/** vq_nearest_run() for the n vectors of the track, as they were at its start: the same codes, ties
 *  included, by searching only groups of codes that may hold them. The index is built anew whenever
 *  the codes have moved.
 *  @param idx  out; in: what the last search found, before the second and later ones */
void vq_nearest_moved(vq_context *ctx, const vq_code_index *index, vq_code_track *track,
                      const float *x, int32_t *idx, void *workspace);

/** Bytes, aligned to 64, that a search of the `top` nearest codes works in. */
size_t vq_nearest_top_workspace(const vq_context *ctx, const vq_code_index *index, size_t n,
                                size_t top);
/** The `top` nearest codes of each of n vectors, nearest first, ties by index: n x top. `top` is at
 *  most n_codes. Returns whether all their numbers are finite. A vector that holds one which is not
 *  gets some codes, and -1 where fewer scores are finite numbers. */
bool vq_nearest_top(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                    size_t top, int32_t *idx, void *workspace);
/** Puts n codes in the order of their scores, which move with them, equal ones by index. */
void vq_nearest_sort(float *score, int32_t *code, size_t n);

#endif
