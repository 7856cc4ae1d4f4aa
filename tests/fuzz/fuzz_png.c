/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_png.c -- images; see image.c. By itself, so that the fuzzer keeps to PNG. */
#include "fuzz/image.h"

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    return fuzz_image(ctx, bytes, size);
}
