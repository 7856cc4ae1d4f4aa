/* SPDX-License-Identifier: Apache-2.0
 * fuzz/image.c -- an image that was decoded comes back from our own PNG as it was. */
#include "fuzz/image.h"
#include "data/image.h"
#include <string.h>

enum { SMALL = 1 << 10 };

static void check_equal(const vq_image *a, const vq_image *b)
{
    FUZZ_CHECK(a->height == b->height && a->width == b->width && a->channels == b->channels);
    FUZZ_CHECK(memcmp(a->pixels, b->pixels, (size_t)(a->height * a->width * a->channels)) == 0);
}

static vq_status write_and_read(vq_context *ctx, const vq_image *first)
{
    vq_image second = {0};
    unsigned char *png = NULL;
    size_t size = 0;
    VQ_TRY(vq_image_encode_png(ctx, first, &png, &size));
    const vq_status status = vq_image_decode(ctx, png, size, &second);
    if (status == VQ_OK) check_equal(first, &second);
    vq_image_clear(ctx, &second);
    vq_data_free(ctx, png);
    return status;
}

vq_status fuzz_image(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    vq_image image;
    vq_image_clear(ctx, NULL);
    vq_status status = vq_image_decode(ctx, bytes, size, &image);
    if (status != VQ_OK) {
        FUZZ_CHECK(!image.pixels);
        return status;
    }
    FUZZ_CHECK(image.height > 0 && image.width > 0);
    FUZZ_CHECK(image.channels == 1 || image.channels == 3);
    if (image.height * image.width <= SMALL) {
        status = write_and_read(ctx, &image);
        FUZZ_CHECK(status == VQ_OK || status == VQ_E_NOMEM);
    }
    if (status == VQ_OK) status = vq_image_set_channels(ctx, 4 - image.channels, &image);
    vq_image_clear(ctx, &image);
    return status;
}
