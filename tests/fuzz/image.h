/* SPDX-License-Identifier: Apache-2.0
 * fuzz/image.h -- images decoded, and what follows. */
#ifndef VQ_TESTS_FUZZ_IMAGE_H
#define VQ_TESTS_FUZZ_IMAGE_H

#include "fuzz/fuzz.h"

/** Decodes one image; a small one is written as PNG and read again. */
vq_status fuzz_image(vq_context *ctx, const uint8_t *bytes, size_t size);

#endif
