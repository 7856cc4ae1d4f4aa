/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn_absent.c -- in builds without oneDNN. */
#include "nn/backend.h"

vq_status vq_onednn_fetch(vq_context *ctx, const vq_backend **out)
{
    *out = NULL;
    return vq_fail(ctx, VQ_E_UNSUPPORTED, "this build was made without it");
}
