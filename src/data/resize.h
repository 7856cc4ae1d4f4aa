/* SPDX-License-Identifier: Apache-2.0
 * data/resize.h -- scaling with a filter that leaves no aliases. */
#ifndef VQ_DATA_RESIZE_H
#define VQ_DATA_RESIZE_H

#include "data/image.h"

/** The rectangle wanted of an image as it would be after scaling to full_height x full_width. */
typedef struct vq_window {
    int64_t full_height, full_width; /* of the whole scaled image */
    int64_t top, left, height, width;
} vq_window;

/**
 * Scales with a filter whose support grows with the reduction, with weights of 22 fractional bits
 * and 8-bit values between the passes over columns and rows: the rule (not the code) of Pillow's
 * Image.resize.
 * @param filter  one of vq_data_filter
 * @param out     window.height * window.width * channels bytes
 */
VQ_MUST_USE vq_status vq_resize(vq_context *ctx, const vq_image *from, vq_data_filter filter,
                                vq_window window, uint8_t *out);

#endif
