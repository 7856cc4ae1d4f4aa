/* SPDX-License-Identifier: Apache-2.0
 * quantize/quantize.h -- vector quantisers as operations of the graph.
 *
 * in: z (..., D), row-major; out[0]: q of the same shape, the chosen code vectors themselves;
 * out[1]: codes, i32 of shape (...). Choice: argmin_k |z - e_k|^2, ties to the lowest index.
 *
 * Terms and where their gradients go (van den Oord et al. 2017, arXiv:1711.00937, eq. 3), means
 * over all n*D numbers:
 *   commitment = mean (z - sg(q))^2   to the encoder alone
 *   codebook   = mean (sg(z) - q)^2   to the codebook alone (gradient quantiser)
 *   d z = d q (straight-through) + commitment * 2 (z - q) / (n D)
 *   d e_k = codebook * 2 (n_k e_k - S_k) / (n D), S_k the sum of the z that chose k
 * Sums left for the update phase: counts n_k (K), then S_k (K x D). */
#ifndef VQ_QUANTIZE_QUANTIZE_H
#define VQ_QUANTIZE_QUANTIZE_H

#include "nn/op.h"

typedef enum vq_ema_start {
    VQ_EMA_ONE,   /* counts 1, sums e: unused codes stay where they are */
    VQ_EMA_ZERO,  /* vq-vae-2-pytorch: counts 0, sums e; e ~ N(0,1) */
    VQ_EMA_DEBIAS /* sonnet: hidden averages 0, divided by 1 - decay^t; e ~ U(+-sqrt(3/D)) */
} vq_ema_start;

typedef enum vq_codebook_init {
    VQ_CODEBOOK_UNIFORM, /* U(+-sqrt(3/D)) */
    VQ_CODEBOOK_NORMAL,  /* N(0,1) */
    VQ_CODEBOOK_DATA,    /* rows of the first batch, drawn by a counter-based generator */
    VQ_CODEBOOK_KMEANS   /* uniform at first; whoever trains fits it to several batches */
} vq_codebook_init;

typedef struct vq_quantize_attrs {
    int64_t codes, dim; /* K, D */
    double commitment;  /* weight of the commitment term */
    double codebook;    /* weight of the codebook term; gradient quantiser only */
    double decay, epsilon;
    vq_ema_start start;
    vq_codebook_init init;
} vq_quantize_attrs;

/** Codebook by exponential moving average. Parameters (STATE): codebook K,D; sums K,D; counts
 *  K. Term: commitment. Update, after the codes were chosen and losses computed with the old
 *  codebook: c = decay c + (1-decay) n; m likewise with S; N = sum c;
 *  e_k = m_k / ((c_k + eps) / (N + K eps) * N). */
extern const vq_op vq_op_quantize_ema;

/** Codebook by gradient. Parameter (TRAINED, group CODEBOOKS): codebook K,D. Terms: commitment,
 *  codebook. */
extern const vq_op vq_op_quantize_gradient;

#endif
