/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_tar.c -- a .tar of images, perhaps packed; after a cut ":part" may follow. */
#include "fuzz/source.h"
#include <stdio.h>

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    fuzz_piece pieces[2];
    char path[64];
    fuzz_split(bytes, size, pieces, 2);
    (void)snprintf(path, sizeof path, "%s%.*s", fuzz_file(0, pieces[0].bytes, pieces[0].size),
                   (int)(pieces[1].size < 32 ? pieces[1].size : 32),
                   pieces[1].size ? (const char *)pieces[1].bytes : "");
    return fuzz_dataset(ctx, path);
}
