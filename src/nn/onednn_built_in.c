/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn_built_in.c -- where oneDNN's backend is linked in: archives, and the tests. */
#include "nn/backend.h"
#include "nn/onednn/onednn.h"

vq_status vq_onednn_fetch(vq_context *ctx, const vq_backend **out)
{
    (void)ctx;
    *out = &vq_backend_onednn;
    return VQ_OK;
}
