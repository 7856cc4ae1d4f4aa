/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/elements.h -- what surrounds a convolution, element by element, in any layout. */
#ifndef VQ_NN_ONEDNN_ELEMENTS_H
#define VQ_NN_ONEDNN_ELEMENTS_H

#include "nn/op.h"

/** y = max(0, y + bias); bias may be NULL, max only where `relu`. */
typedef struct vq_finish {
    const float *bias;
    bool relu;
} vq_finish;
void vq_elements_finish(vq_context *ctx, const vq_view *y, const vq_finish *finish);

/** d_bias[c] = sum of dy over all places, in double and in a fixed order. */
void vq_elements_bias_gradient(vq_context *ctx, const vq_view *dy, float *d_bias);

#endif
