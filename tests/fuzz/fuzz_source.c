/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_source.c -- a file of any kind that images come in, taken for a
 * single image first; see source.h. */
#include "fuzz/source.h"

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    vq_image image;
    const vq_status status = vq_image_load(ctx, fuzz_file(0, bytes, size), &image);
    FUZZ_CHECK((status == VQ_OK) == (image.pixels != NULL));
    vq_image_clear(ctx, &image);
    return fuzz_dataset_file(ctx, bytes, size);
}
