/* SPDX-License-Identifier: Apache-2.0
 * quantize/quantize_parts.h -- what the quantisers share: choice, terms, statistics and the
 * gradient to the encoder (quantize.c, pass.c). Parameter 0 of every quantiser is its codebook. */
#ifndef VQ_QUANTIZE_QUANTIZE_PARTS_H
#define VQ_QUANTIZE_QUANTIZE_PARTS_H

#include "nn/real.h"
#include "quantize/quantize.h"

/** Parameters of a quantiser, in the order of their declaration. */
enum { VQ_CODEBOOK, VQ_EMA_SUMS, VQ_EMA_COUNTS };

/** Sizes of a quantiser's step: n vectors of dim numbers, n_codes codes. */
typedef struct vq_quantize_sizes {
    size_t n, dim, n_codes;
} vq_quantize_sizes;
vq_quantize_sizes vq_quantize_sizes_of(const vq_step *run);

/** Checks what all quantisers need of their attributes; `name` begins the sentences. */
VQ_MUST_USE vq_status vq_quantize_check(vq_context *ctx, const char *name,
                                        const vq_quantize_attrs *attrs);
/** The same, and what moving averages need. */
VQ_MUST_USE vq_status vq_ema_check(vq_context *ctx, const char *name,
                                   const vq_quantize_attrs *attrs);
/** Checks the attributes, then declares codebook, commitment term and sums. */
vq_status vq_quantize_declare(vq_context *ctx, vq_graph *graph, vq_node *node, vq_param_kind kind);
/** 2nKD: the search. */
double vq_quantize_flops(const vq_step *run, vq_direction direction);
vq_status vq_quantize_infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out);
/** With VQ_CODEBOOK_DATA sets the codebook to rows of z, distinct ones where there are enough;
 *  else leaves it. */
vq_status vq_quantize_start(vq_step *run, uint64_t seed);

/** Adds to `sums`, counts n_k (K) then S_k (K x D), what a batch brings; the same bits for any
 *  number of threads. */
void vq_quantize_sums(vq_context *ctx, const vq_quantize_sizes *s, const float *z,
                      const int32_t *codes, float *sums);

/** The moving averages behind a codebook, as they lie in memory. */
typedef struct vq_ema_state {
    float *codebook, *counts, *sums; /* K x D, K, K x D */
} vq_ema_state;
/** Moves them by the sums of one batch; `step` counts from 1 and `name` begins the sentence of a
 *  failure, after which they are as they were. */
VQ_MUST_USE vq_status vq_ema_update(vq_context *ctx, const char *name,
                                    const vq_quantize_attrs *attrs, const float *batch,
                                    const vq_ema_state *state, int64_t step);
/** Gives a codebook the averages that one drawn at the start has. */
void vq_ema_start_averages(const vq_quantize_attrs *attrs, const vq_ema_state *state);

/** Puts code k where `vector` is, as if it had been chosen by `count` vectors a step for long:
 *  vector, count and sum together. `step` is that of the last update, 0 before the first. */
void vq_ema_place(const vq_quantize_attrs *attrs, const vq_ema_state *state, size_t k,
                  const float *vector, double count, int64_t step);
/** Where the averages of a node lie in the numbers of its graph's state. */
vq_ema_state vq_ema_state_of(const vq_graph *graph, const vq_node *node, float *state);

extern const vq_impl vq_quantize_ema_portable_f32, vq_quantize_ema_portable_f64;
extern const vq_impl vq_quantize_gradient_portable_f32, vq_quantize_gradient_portable_f64;

/* Over `real`: each exists twice. */
#define vq_quantize_prepare VQ_REAL(vq_quantize_prepare)
#define vq_quantize_forward VQ_REAL(vq_quantize_forward)
#define vq_quantize_backward VQ_REAL(vq_quantize_backward)
#define vq_squared_distance VQ_REAL(vq_squared_distance)
#define vq_squared_length VQ_REAL(vq_squared_length)

/** |a - b|^2 in double. */
double vq_squared_distance(const real *a, const real *b, size_t dim);
/** |a|^2 in double. */
double vq_squared_length(const real *a, size_t dim);

vq_status vq_quantize_prepare(vq_step *run);
/** Codes, q, terms and, where an update may follow in f32, the sums. */
vq_status vq_quantize_forward(vq_step *run);
/** d z = d q + commitment * 2 (z - q) / (n D). */
vq_status vq_quantize_backward(vq_step *run);

#endif
