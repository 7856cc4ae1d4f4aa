/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn_loaded.c -- where oneDNN's backend is a library of its own, brought in when a plan
 * first asks for it. oneDNN and what it stands on are many times as large as all the rest, and
 * whoever only searches a codebook has no use for them. */
#include "base/platform.h"
#include "nn/backend.h"
#include "nn/onednn/onednn.h"

vq_status vq_onednn_fetch(vq_context *ctx, const vq_backend **out)
{
    char why[512];
    *out = vq_platform_symbol(VQ_ONEDNN_LIBRARY, "vq_backend_onednn", why, sizeof why);
    VQ_CHECK(ctx, *out, VQ_E_IO, "%s", why);
    return VQ_OK;
}
