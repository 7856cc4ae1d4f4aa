/* SPDX-License-Identifier: Apache-2.0
 * data/webp.c -- still WebP images by libwebp, within our limits. */
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "data/image.h"

/* A flat image may spend next to nothing, so small ones are taken at their word; beyond this
 * many pixels a file of fewer bytes than one for PIXELS_PER_BYTE_MAX of them is refused. */
enum { FREE_PIXELS = 1 << 24, PIXELS_PER_BYTE_MAX = 1 << 12 };

bool vq_webp_is(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    return size >= 12 && memcmp(at, "RIFF", 4) == 0 && memcmp(at + 8, "WEBP", 4) == 0;
}

static vq_status fail_webp(vq_context *ctx, VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY: return vq_fail(ctx, VQ_E_NOMEM, "WebP: out of memory");
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return vq_fail(ctx, VQ_E_FORMAT, "WebP: the data end before the image");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return vq_fail(ctx, VQ_E_UNSUPPORTED, "WebP: a feature that libwebp does not read");
    default: return vq_fail(ctx, VQ_E_FORMAT, "WebP: the data are damaged");
    }
}

static vq_status check_features(vq_context *ctx, const WebPBitstreamFeatures *image, size_t size)
{
    const int64_t pixels = (int64_t)image->width * image->height;
    VQ_CHECK(ctx, !image->has_animation, VQ_E_UNSUPPORTED,
             "WebP: the image is animated; only still ones are read, so save one of its frames");
    VQ_CHECK(ctx, pixels <= FREE_PIXELS || (size_t)(pixels / PIXELS_PER_BYTE_MAX) <= size,
             VQ_E_FORMAT, "WebP: %zu bytes are too few for an image %d pixels wide and %d high",
             size, image->width, image->height);
    return VQ_OK;
}

static vq_status decode_into(vq_context *ctx, const void *bytes, size_t size, int channels,
                             const vq_image *frame, uint8_t *to)
{
    WebPDecoderConfig config;
    const size_t pitch = (size_t)frame->width * (size_t)channels;
    VQ_CHECK(ctx, WebPInitDecoderConfig(&config), VQ_E_INTERNAL,
             "WebP: another version at run time");
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = to;
    config.output.u.RGBA.stride = (int)pitch;
    config.output.u.RGBA.size = pitch * (size_t)frame->height;
    const VP8StatusCode code = WebPDecode(bytes, size, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? VQ_OK : fail_webp(ctx, code);
}

static vq_status decode_pixels(vq_context *ctx, const void *bytes, size_t size, bool has_alpha,
                               vq_image *out)
{
    uint8_t *rgba = NULL;
    if (!has_alpha) return decode_into(ctx, bytes, size, 3, out, out->pixels);
    VQ_TRY(vq_alloc(ctx, (size_t)(out->height * out->width), 4, (void **)&rgba));
    const vq_status status = decode_into(ctx, bytes, size, 4, out, rgba);
    if (status == VQ_OK) vq_image_over_white(rgba, out);
    vq_release(ctx, rgba);
    return status;
}

/* The chunk may begin as the marker of a JPEG does, though it should not. */
static int find_orientation(const void *bytes, size_t size)
{
    static const unsigned char name[] = "Exif\0"; /* and its terminator: six bytes */
    const WebPData data = {bytes, size};
    WebPChunkIterator chunk = {0};
    int orientation = 1;
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (!demuxer) return 1;
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        const bool named =
            chunk.chunk.size > sizeof name && memcmp(chunk.chunk.bytes, name, sizeof name) == 0;
        const size_t skip = named ? sizeof name : 0;
        orientation = vq_exif_orientation(chunk.chunk.bytes + skip, chunk.chunk.size - skip);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
    return orientation;
}

vq_status vq_webp_decode(vq_context *ctx, const void *bytes, size_t size, vq_image *out,
                         int *orientation)
{
    WebPBitstreamFeatures image;
    const VP8StatusCode code = WebPGetFeatures(bytes, size, &image);
    if (code != VP8_STATUS_OK) return fail_webp(ctx, code);
    VQ_TRY(check_features(ctx, &image, size));
    VQ_TRY(vq_image_create(ctx, image.height, image.width, 3, out));
    const vq_status status = decode_pixels(ctx, bytes, size, image.has_alpha, out);
    if (status == VQ_OK) *orientation = find_orientation(bytes, size);
    else vq_image_clear(ctx, out);
    return status;
}
