/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_list.c -- a list of images; after a cut the one image that there is, "a.png" and
 * also "b.png". */
#include "fuzz/source.h"
#include <stdio.h>

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static const char *folder;
    fuzz_piece pieces[2];
    char path[512];
    if (!folder) {
        fuzz_file_name(0, "list.txt");
        fuzz_file_name(1, "a.png");
        folder = fuzz_file_name(1, "b.png");
        fuzz_stay_in_memory(ctx);
    }
    fuzz_split(bytes, size, pieces, 2);
    fuzz_file(0, pieces[0].bytes, pieces[0].size);
    fuzz_file(1, pieces[1].bytes, pieces[1].size);
    (void)snprintf(path, sizeof path, "%s/list.txt", folder);
    return fuzz_dataset(ctx, path, NULL);
}
