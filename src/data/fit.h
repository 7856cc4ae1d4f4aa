/* SPDX-License-Identifier: Apache-2.0
 * data/fit.h -- how an image of any size becomes one of the size that is delivered. */
#ifndef VQ_DATA_FIT_H
#define VQ_DATA_FIT_H

#include "data/resize.h"

/**
 * Brings an image to size[0] x size[1] as configuration->fit and ->filter say; its channels are
 * those of size[2] already.
 * @param out  size[0] * size[1] * size[2] bytes
 * @return VQ_OK; VQ_E_SHAPE (VQ_FIT_EXACT and another size); VQ_E_NOMEM
 */
VQ_MUST_USE vq_status vq_image_fit(vq_context *ctx, const vq_image *image,
                                   const vq_data_config *config, const int64_t size[3],
                                   uint8_t *out);

/** The window that covers height x width with the least scaled image, at its centre. */
vq_window vq_window_cover(const vq_image *from, int64_t height, int64_t width);
/** The whole image scaled as large as height x width holds. */
vq_window vq_window_contain(const vq_image *from, int64_t height, int64_t width);

#endif
