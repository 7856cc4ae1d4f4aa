/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_tar.c -- a .tar of images, perhaps packed; see source.h. */
#include "fuzz/source.h"

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    return fuzz_dataset_file(ctx, bytes, size);
}
