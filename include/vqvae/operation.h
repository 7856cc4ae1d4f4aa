/* SPDX-License-Identifier: Apache-2.0
 * vqvae/operation.h -- the library's convolutions on arrays: forward, and every gradient. */
#ifndef VQVAE_OPERATION_H
#define VQVAE_OPERATION_H

#include <stdbool.h>
#include <stdint.h>
#include <vqvae/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A convolution as PyTorch has it (a cross-correlation), or the transposed one, its adjoint.
 *  Images are N,H,W,C; weights are out,in,kh,kw, of a transposed one in,out,kh,kw. */
typedef struct vq_conv_config {
    int64_t in, out;              /**< channels, 1..65536 */
    int64_t kernel[2], stride[2]; /**< rows, columns, 1..65536 */
    int64_t pad[4];               /**< top, left, bottom, right, 0..65536 */
    bool transposed;
    const char *backend; /**< NULL or "auto" or "portable", "onednn" */
} vq_conv_config;

/** Extents N,H,W,C of the output for an input of extents N,H,W, each at least 1.
 *  @return VQ_OK; VQ_E_ARG; VQ_E_SHAPE (an extent of 0, or the kernel does not fit); VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_conv_size(vq_context *ctx, const vq_conv_config *config,
                                          const int64_t in[3], int64_t out[4]);

/** What vq_conv_run() reads and writes; arrays of gradients are as large as what they belong to. */
typedef struct vq_conv_arrays {
    const float *x, *weight;
    const float *bias;           /**< NULL: none */
    float *y;                    /**< the output; NULL: not wanted */
    const float *dy;             /**< gradient of the output; NULL: forward only */
    float *dx, *dweight, *dbias; /**< NULL: not wanted */
} vq_conv_arrays;

/** Runs the convolution forward on images of extents N,H,W, each at least 1, and, where there is a
 *  dy, backward. The backend portable gives y by exact sums, the same bits on every machine and
 *  whether or not there is a dy; gradients may be sums by Winograd's transforms, as in training,
 *  whose rounding differs.
 *  @return VQ_OK; VQ_E_ARG; VQ_E_SHAPE; VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_conv_run(vq_context *ctx, const vq_conv_config *config,
                                         const int64_t in[3], const vq_conv_arrays *arrays);

#ifdef __cplusplus
}
#endif
#endif
