/* SPDX-License-Identifier: Apache-2.0
 * model/builder.h -- from a configuration to a graph.
 *
 * Level l encodes what level l-1 encoded (level 0: the image) on a grid `stride` times coarser.
 * From the coarsest level down: features, joined with the decoded codes of the level above them,
 * are projected to D channels and quantised. All grids, brought to the finest one's size, are
 * joined and decoded to the image. One level is van den Oord et al. 2017 (arXiv:1711.00937), two
 * are Razavi et al. 2019 (arXiv:1906.00446).
 *
 * Edges by name: "pixels" (fed, u8), "image", "latent.l" (before the quantiser), "quantized.l",
 * "codes.l", "reconstruction". Terms: "reconstruction.mse", "quantizer.l.commitment",
 * "quantizer.l.codebook". Names of parameters are those in files and never change. */
#ifndef VQ_MODEL_BUILDER_H
#define VQ_MODEL_BUILDER_H

#include "nn/graph.h"
#include <vqvae/model.h>

/** @param variance  v of the training pixels: the error's weight in the loss is 1/v; 0: 1 */
VQ_MUST_USE vq_status vq_model_build(vq_context *ctx, const vq_model_config *config,
                                     double variance, vq_graph **out);

/** Checks ranges and what fields demand of each other. */
VQ_MUST_USE vq_status vq_model_config_check(vq_context *ctx, const vq_model_config *config);

/** Product of all levels' strides: heights and widths are padded to a multiple of it. */
int64_t vq_model_stride(const vq_model_config *config);

#endif
