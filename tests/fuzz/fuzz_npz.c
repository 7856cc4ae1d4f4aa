/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_npz.c -- images and labels in an .npz; see source.h. */
#include "fuzz/source.h"

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    return fuzz_dataset_file(ctx, bytes, size);
}
