/* SPDX-License-Identifier: Apache-2.0
 * data/gzip.c -- .gz through zlib, with the context's memory. */
#include "data/gzip.h"

#include <limits.h>
#include <string.h>

#define ZLIB_CONST /* its input is then const */
#include <zlib.h>

enum { GZIP_ONLY = 16 + MAX_WBITS };

bool vq_gzip_is(const unsigned char *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == Z_DEFLATED;
}

static void *take_memory(void *user, unsigned count, unsigned size)
{
    void *memory = NULL;
    return vq_alloc(user, count, size, &memory) == VQ_OK ? memory : NULL;
}

static void give_memory(void *user, void *memory)
{
    vq_release(user, memory);
}

/* zlib counts in 32 bits: long buffers are handed over piece by piece. */
static unsigned piece(size_t left)
{
    return left > INT_MAX ? INT_MAX : (unsigned)left;
}

static vq_status unpack_with(vq_context *ctx, z_stream *z, const unsigned char *bytes_end,
                             unsigned char *to_end, vq_gzip_end *end)
{
    for (;;) {
        z->avail_in = piece((size_t)(bytes_end - z->next_in));
        z->avail_out = piece((size_t)(to_end - z->next_out));
        const int code = inflate(z, Z_NO_FLUSH);
        const size_t left = (size_t)(bytes_end - z->next_in);
        if (code == Z_STREAM_END) {
            *end = VQ_GZIP_COMPLETE;
            if (left == 0) return VQ_OK;
            VQ_CHECK(ctx, vq_gzip_is(z->next_in, left) && inflateReset(z) == Z_OK, VQ_E_FORMAT,
                     "gzip: %zu bytes follow the end of the packed data", left);
            continue;
        }
        VQ_CHECK(ctx, code == Z_OK || code == Z_BUF_ERROR,
                 code == Z_MEM_ERROR ? VQ_E_NOMEM : VQ_E_FORMAT, "gzip: %s",
                 z->msg ? z->msg : "out of memory");
        if (code == Z_BUF_ERROR) { /* no step forward was possible */
            *end = left > 0 ? VQ_GZIP_FULL : VQ_GZIP_CUT;
            return VQ_OK;
        }
    }
}

vq_status vq_gzip_unpack(vq_context *ctx, const unsigned char *bytes, size_t size,
                         unsigned char *to, size_t capacity, size_t *got, vq_gzip_end *end)
{
    z_stream z = {.zalloc = take_memory, .zfree = give_memory, .opaque = ctx};
    *got = 0;
    *end = VQ_GZIP_CUT;
    VQ_CHECK(ctx, inflateInit2(&z, GZIP_ONLY) == Z_OK, VQ_E_NOMEM, "gzip: out of memory");
    z.next_in = bytes;
    z.next_out = to;
    const vq_status status = unpack_with(ctx, &z, bytes + size, to + capacity, end);
    *got = (size_t)(z.next_out - to);
    inflateEnd(&z);
    return status;
}
