/* SPDX-License-Identifier: Apache-2.0
 * data/fit.c -- images of other sizes: scaled and cropped, padded, stretched or refused. */
#include "data/fit.h"

#include <string.h>

static int64_t scaled(int64_t size, int64_t numerator, int64_t denominator, int64_t least)
{
    const int64_t result = (size * numerator + denominator / 2) / denominator;
    return result < least ? least : result;
}

vq_window vq_window_cover(const vq_image *from, int64_t height, int64_t width)
{
    vq_window w = {.full_height = height, .full_width = width, .height = height, .width = width};
    if (width * from->height >= height * from->width)
        w.full_height = scaled(from->height, width, from->width, height);
    else w.full_width = scaled(from->width, height, from->height, width);
    w.top = (w.full_height - height) / 2;
    w.left = (w.full_width - width) / 2;
    return w;
}

vq_window vq_window_contain(const vq_image *from, int64_t height, int64_t width)
{
    vq_window w = {.height = height, .width = width};
    if (width * from->height <= height * from->width) {
        w.height = scaled(from->height, width, from->width, 1);
        if (w.height > height) w.height = height;
    } else {
        w.width = scaled(from->width, height, from->height, 1);
        if (w.width > width) w.width = width;
    }
    w.full_height = w.height;
    w.full_width = w.width;
    return w;
}

static int64_t clamp(int64_t value, int64_t size)
{
    return value < 0 ? 0 : value >= size ? size - 1 : value;
}

/* Puts the small image into the middle and repeats its edge around it. */
static void surround(const uint8_t *inner, vq_window w, const int64_t size[3], uint8_t *out)
{
    const int64_t top = (size[0] - w.height) / 2, left = (size[1] - w.width) / 2;
    const size_t channels = (size_t)size[2];
    for (int64_t y = 0; y < size[0]; y++) {
        const uint8_t *row = inner + (size_t)(clamp(y - top, w.height) * w.width) * channels;
        for (int64_t x = 0; x < size[1]; x++, out += channels)
            memcpy(out, row + (size_t)clamp(x - left, w.width) * channels, channels);
    }
}

static vq_status pad(vq_context *ctx, const vq_image *image, vq_data_filter filter,
                     const int64_t size[3], uint8_t *out)
{
    const vq_window w = vq_window_contain(image, size[0], size[1]);
    uint8_t *inner = NULL;
    VQ_TRY(vq_alloc(ctx, (size_t)(w.height * w.width), (size_t)size[2], (void **)&inner));
    const vq_status status = vq_resize(ctx, image, filter, w, inner);
    if (status == VQ_OK) surround(inner, w, size, out);
    vq_release(ctx, inner);
    return status;
}

vq_status vq_image_fit(vq_context *ctx, const vq_image *image, const vq_data_config *config,
                       const int64_t size[3], uint8_t *out)
{
    const vq_data_filter filter = (vq_data_filter)config->filter;
    vq_window w = {.full_height = size[0], .full_width = size[1]};
    w.height = size[0];
    w.width = size[1];
    if (image->height == size[0] && image->width == size[1]) {
        memcpy(out, image->pixels, (size_t)(size[0] * size[1] * size[2]));
        return VQ_OK;
    }
    switch ((vq_data_fit)config->fit) {
    case VQ_FIT_PAD: return pad(ctx, image, filter, size, out);
    case VQ_FIT_STRETCH: return vq_resize(ctx, image, filter, w, out);
    case VQ_FIT_EXACT:
        return vq_fail(ctx, VQ_E_SHAPE,
                       "it is %lld pixels wide and %lld high, and data.fit=exact allows only %lld "
                       "and %lld; crop, pad or stretch would scale it",
                       (long long)image->width, (long long)image->height, (long long)size[1],
                       (long long)size[0]);
    case VQ_FIT_CROP: break;
    }
    return vq_resize(ctx, image, filter, vq_window_cover(image, size[0], size[1]), out);
}
