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
    const float *codes; /* n_codes x dim, the caller's */
    float *centre;      /* dim */
    float *sum;         /* dim, of what the centre is the mean of */
    float *half;        /* |e - centre|^2 / 2; +infinity where a panel has no more codes */
    float *packed;      /* panels of e - centre */
    vq_screen_index screen;
} vq_code_index;

/** Fills in all but the arrays; returns the bytes that building needs, in memory aligned to 64.
 *  n_codes is at least 1 and fits int32_t, dim is at least 1; n is how many vectors will be
 *  searched before the codes change, SIZE_MAX for many: it may change the way, never the result. */
size_t vq_code_index_plan(const vq_context *ctx, size_t dim, size_t n_codes, size_t n,
                          vq_code_index *index);
/** Packs `codes` into `memory`. Both must stay as they are while the index is searched. */
void vq_code_index_build(vq_context *ctx, const float *codes, void *memory, vq_code_index *index);

/** Bytes, aligned to 64, that a search of n vectors on this context works in. */
size_t vq_nearest_workspace(const vq_context *ctx, const vq_code_index *index, size_t n);
/** idx[i] = argmin_j |x_i - e_j|^2 for n vectors, n x dim and row-major; ties go to the lowest
 *  index. A vector whose every score is infinite or not a number gets 0. */
void vq_nearest_run(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                    int32_t *idx, void *workspace);

/** What is done with rows [begin, end) by the thread that has just found their codes, while they
 *  lie in its cache. Ranges do not overlap; how they fall depends on threads and kernels. */
typedef void vq_rows_fn(void *arg, size_t begin, size_t end);
/** vq_nearest_run() that calls then(arg, ...) for all rows. */
void vq_nearest_each(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                     int32_t *idx, void *workspace, vq_rows_fn *then, void *arg);

/** Bytes, aligned to 64, that a search of the `top` nearest codes works in. */
size_t vq_nearest_top_workspace(const vq_context *ctx, const vq_code_index *index, size_t n,
                                size_t top);
/** The `top` nearest codes of each of n vectors, nearest first, ties by index: n x top. `top` is at
 *  most n_codes. A vector with fewer scores that are finite gets -1 in the places left over. */
void vq_nearest_top(vq_context *ctx, const vq_code_index *index, size_t n, const float *x,
                    size_t top, int32_t *idx, void *workspace);

#endif
