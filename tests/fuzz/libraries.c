/* SPDX-License-Identifier: Apache-2.0
 * fuzz/libraries.c -- calls of other libraries that fail only where those have no memory, which is
 * not ours to take away: they fail on demand. */
#include "fuzz/system.h"
#include <archive.h>
#include <jansson.h>
#include <spng.h>
#include <webp/decode.h>
#include <webp/demux.h>

/* The replacement of a call, by the linker's --wrap as in memory.c. It is visible since the linker
 * also sees the calls that these libraries make of each other. */
#define CALL(type, failure, name, parameters, arguments)                                           \
    type __real_##name parameters;                                                                 \
    __attribute__((visibility("default"))) type __wrap_##name parameters;                          \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails() ? (failure) : __real_##name arguments;                                      \
    }

static bool fails(void)
{
    return fuzz_inside() && fuzz_fails(FUZZ_LIBRARIES);
}

CALL(json_t *, NULL, json_loads, (const char *text, size_t flags, json_error_t *error),
     (text, flags, error))
CALL(json_t *, NULL, json_loadb, (const char *text, size_t size, size_t flags, json_error_t *error),
     (text, size, flags, error))
CALL(char *, NULL, json_dumps, (const json_t *value, size_t flags), (value, flags))
CALL(int, (json_decref(value), -1), json_object_set_new,
     (json_t * object, const char *key, json_t *value), (object, key, value))
CALL(struct archive *, NULL, archive_read_new, (void), ())
CALL(spng_ctx *, NULL, spng_ctx_new, (int flags), (flags))
CALL(int, SPNG_EMEM, spng_set_chunk_limits, (spng_ctx * spng, size_t size, size_t all),
     (spng, size, all))
CALL(int, SPNG_EMEM, spng_set_png_buffer, (spng_ctx * spng, const void *bytes, size_t size),
     (spng, bytes, size))
CALL(int, SPNG_EMEM, spng_decoded_image_size, (spng_ctx * spng, int format, size_t *size),
     (spng, format, size))
CALL(int, SPNG_EMEM, spng_set_png_stream, (spng_ctx * spng, spng_rw_fn *call, void *user),
     (spng, call, user))
CALL(int, SPNG_EMEM, spng_set_option, (spng_ctx * spng, enum spng_option option, int value),
     (spng, option, value))
CALL(int, SPNG_EMEM, spng_set_ihdr, (spng_ctx * spng, struct spng_ihdr *header), (spng, header))
CALL(VP8StatusCode, VP8_STATUS_OUT_OF_MEMORY, WebPDecode,
     (const uint8_t *bytes, size_t size, WebPDecoderConfig *config), (bytes, size, config))
CALL(WebPDemuxer *, NULL, WebPDemuxInternal,
     (const WebPData *data, int partial, WebPDemuxState *state, int version),
     (data, partial, state, version))
