/* SPDX-License-Identifier: Apache-2.0
 * data/png.c -- PNG by libspng: to grey or colour of 8 bits, and back to equal bytes. */
#include <string.h>

#include <spng.h>

#include "data/image.h"

enum {
    CHUNK_BYTES_MAX = 1 << 24, /* of one text or profile, and of all that are kept */
    COMPRESSION_LEVEL = 6      /* fixed, so that equal pixels give equal bytes */
};

bool vq_png_is(const void *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static vq_status fail_spng(vq_context *ctx, int code)
{
    VQ_CHECK(ctx, code != SPNG_EMEM, VQ_E_NOMEM, "PNG: out of memory");
    VQ_CHECK(ctx, code != SPNG_IO_EOF, VQ_E_FORMAT, "PNG: the data end before the image");
    return vq_fail(ctx, VQ_E_FORMAT, "PNG: the data are damaged: %s", spng_strerror(code));
}

#define SPNG_TRY_TO(call)                                                                          \
    do {                                                                                           \
        const int code_ = (call);                                                                  \
        if (code_ != 0) {                                                                          \
            status = fail_spng(ctx, code_);                                                        \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* c over white: c*a + 1*(1-a), in 65535ths; 65535 = 255*257, and it is rounded once. */
static uint8_t over_white_16(uint64_t c, uint64_t a)
{
    const uint64_t product = c * a + 65535u * (65535u - a);
    return (uint8_t)((product + 65535u * 257u / 2) / (65535u * 257u));
}

static void flatten_16(const uint16_t *rgba, vq_image *out)
{
    const size_t pixels = (size_t)(out->height * out->width), channels = (size_t)out->channels;
    uint8_t *to = out->pixels;
    for (size_t i = 0; i < pixels; i++, rgba += 4)
        for (size_t c = 0; c < channels; c++) *to++ = over_white_16(rgba[c], rgba[3]);
}

/* Every kind of PNG through RGBA; grey is then any one of its colours. */
static vq_status decode_alpha(vq_context *ctx, spng_ctx *spng, const struct spng_ihdr *header,
                              vq_image *out)
{
    const int format = header->bit_depth == 16 ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8;
    vq_status status = VQ_OK;
    void *rgba = NULL;
    size_t size = 0;
    SPNG_TRY_TO(spng_decoded_image_size(spng, format, &size));
    VQ_TRY_TO(vq_alloc(ctx, size, 1, &rgba));
    SPNG_TRY_TO(spng_decode_image(spng, rgba, size, format, SPNG_DECODE_TRNS));
    if (format == SPNG_FMT_RGBA16) flatten_16(rgba, out);
    else vq_image_over_white(rgba, out);
done:
    vq_release(ctx, rgba);
    return status;
}

static vq_status find_alpha(vq_context *ctx, spng_ctx *spng, const struct spng_ihdr *header,
                            bool *has_alpha)
{
    struct spng_trns transparency;
    const int code = spng_get_trns(spng, &transparency);
    if (code != 0 && code != SPNG_ECHUNKAVAIL) return fail_spng(ctx, code);
    *has_alpha = code == 0 || header->color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
                 header->color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
    return VQ_OK;
}

/* Straight into place where there is nothing to compose and nothing to round. */
static vq_status decode_pixels(vq_context *ctx, spng_ctx *spng, const struct spng_ihdr *header,
                               vq_image *out)
{
    const int format = out->channels == 1 ? SPNG_FMT_G8 : SPNG_FMT_RGB8;
    const size_t size = (size_t)(out->height * out->width * out->channels);
    bool has_alpha = false;
    vq_status status = VQ_OK;
    VQ_TRY(find_alpha(ctx, spng, header, &has_alpha));
    if (has_alpha || header->bit_depth == 16) return decode_alpha(ctx, spng, header, out);
    SPNG_TRY_TO(spng_decode_image(spng, out->pixels, size, format, 0));
done:
    return status;
}

static int find_orientation(spng_ctx *spng)
{
    struct spng_exif exif;
    if (spng_get_exif(spng, &exif) != 0) return 1;
    return vq_exif_orientation((const unsigned char *)exif.data, exif.length);
}

static vq_status check_header(vq_context *ctx, const struct spng_ihdr *header, size_t size)
{
    static const unsigned channels[] = {1, 0, 3, 1, 2, 0, 4}; /* by colour type */
    const uint64_t row_bits =
        (uint64_t)header->width * header->bit_depth * channels[header->color_type];
    VQ_TRY(vq_image_check_size(ctx, header->height, header->width));
    VQ_CHECK(ctx, (row_bits + 7) / 8 * header->height / VQ_DEFLATE_RATIO_MAX <= size, VQ_E_FORMAT,
             "PNG: %zu bytes are too few for an image %u pixels wide and %u high", size,
             header->width, header->height);
    return VQ_OK;
}

vq_status vq_png_decode(vq_context *ctx, const void *bytes, size_t size, vq_image *out,
                        int *orientation)
{
    vq_status status = VQ_OK;
    struct spng_ihdr header;
    spng_ctx *spng = spng_ctx_new(0);
    VQ_CHECK(ctx, spng, VQ_E_NOMEM, "PNG: out of memory");
    SPNG_TRY_TO(spng_set_chunk_limits(spng, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX));
    SPNG_TRY_TO(spng_set_png_buffer(spng, bytes, size));
    SPNG_TRY_TO(spng_get_ihdr(spng, &header));
    VQ_TRY_TO(check_header(ctx, &header, size));
    const bool grey = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE ||
                      header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    VQ_TRY_TO(vq_image_create(ctx, header.height, header.width, grey ? 1 : 3, out));
    VQ_TRY_TO(decode_pixels(ctx, spng, &header, out));
    SPNG_TRY_TO(spng_decode_chunks(spng)); /* to the end, or the file was cut */
    *orientation = find_orientation(spng);
done:
    spng_ctx_free(spng);
    if (status != VQ_OK) vq_image_clear(ctx, out);
    return status;
}

/* ---- writing ---------------------------------------------------------------- */

typedef struct png_sink {
    vq_context *ctx;
    unsigned char *bytes;
    size_t size, room;
    bool out_of_memory; /* libspng knows only that writing failed */
} png_sink;

static int take_bytes(spng_ctx *spng, void *user, void *from, size_t length)
{
    png_sink *sink = user;
    (void)spng;
    if (length > sink->room - sink->size) {
        const size_t room = 2 * (sink->room + length);
        unsigned char *bytes = NULL;
        sink->out_of_memory = VQ_NEW(sink->ctx, room, &bytes) != VQ_OK;
        if (sink->out_of_memory) return SPNG_IO_ERROR;
        if (sink->size) memcpy(bytes, sink->bytes, sink->size);
        vq_release(sink->ctx, sink->bytes);
        sink->bytes = bytes;
        sink->room = room;
    }
    memcpy(sink->bytes + sink->size, from, length);
    sink->size += length;
    return 0;
}

static vq_status encode_into(vq_context *ctx, spng_ctx *spng, const vq_image *image, png_sink *sink)
{
    vq_status status = VQ_OK;
    struct spng_ihdr header = {
        .width = (uint32_t)image->width,
        .height = (uint32_t)image->height,
        .bit_depth = 8,
        .color_type = image->channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR,
    };
    const size_t size = (size_t)(image->height * image->width * image->channels);
    SPNG_TRY_TO(spng_set_png_stream(spng, take_bytes, sink));
    SPNG_TRY_TO(spng_set_option(spng, SPNG_IMG_COMPRESSION_LEVEL, COMPRESSION_LEVEL));
    SPNG_TRY_TO(spng_set_option(spng, SPNG_FILTER_CHOICE, SPNG_FILTER_CHOICE_ALL));
    SPNG_TRY_TO(spng_set_ihdr(spng, &header));
    SPNG_TRY_TO(spng_encode_image(spng, image->pixels, size, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
done:
    return status;
}

vq_status vq_image_encode_png(vq_context *ctx, const vq_image *image, unsigned char **png,
                              size_t *size)
{
    png_sink sink = {.ctx = ctx};
    *png = NULL;
    *size = 0;
    VQ_CHECK(ctx, image->channels == 1 || image->channels == 3, VQ_E_ARG,
             "PNG: an image of %lld channels cannot be written; 1 or 3 can",
             (long long)image->channels);
    VQ_CHECK(ctx,
             image->height > 0 && image->width > 0 &&
                 image->height <= VQ_IMAGE_PIXELS_MAX / image->width,
             VQ_E_ARG, "PNG: an image %lld wide and %lld high cannot be written",
             (long long)image->width, (long long)image->height);
    spng_ctx *spng = spng_ctx_new(SPNG_CTX_ENCODER);
    VQ_CHECK(ctx, spng, VQ_E_NOMEM, "PNG: out of memory");
    vq_status status = encode_into(ctx, spng, image, &sink);
    spng_ctx_free(spng);
    if (sink.out_of_memory) status = fail_spng(ctx, SPNG_EMEM);
    if (status != VQ_OK) {
        vq_release(ctx, sink.bytes);
        return status;
    }
    *png = sink.bytes;
    *size = sink.size;
    return VQ_OK;
}
