/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_list.c -- a list of images; after a cut the one image that there is, "a.png" and
 * also "b.png". */
#include "fuzz/source.h"

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static bool named;
    fuzz_piece pieces[2];
    if (!named) {
        fuzz_file_name(0, "list.txt");
        fuzz_file_name(1, "a.png");
        fuzz_file_name(1, "b.png");
        named = true;
    }
    fuzz_split(bytes, size, pieces, 2);
    fuzz_file(0, pieces[0].bytes, pieces[0].size);
    fuzz_file(1, pieces[1].bytes, pieces[1].size);
    return fuzz_dataset(ctx, FUZZ_FOLDER "/list.txt", NULL);
}
