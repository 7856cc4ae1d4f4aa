/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_idx.c -- IDX files, plain or packed: images, after a cut their labels, and after
 * another the name of a half, for which the folder is opened instead of the file. */
#include "fuzz/source.h"
#include <stdio.h>

static const char *folder;

static void make_folder(void)
{
    fuzz_file_name(0, "train-images-idx3-ubyte");
    fuzz_file_name(1, "train-labels-idx1-ubyte");
    fuzz_file_name(0, "t10k-images.idx4-ubyte.gz");
    fuzz_file_name(0, "t10k-images.idx4-ubyte");
    fuzz_file_name(1, "t10k-labels.idx1-ubyte");
    folder = fuzz_file_name(0, "other-images-of-ours");
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    fuzz_piece pieces[3];
    char path[512];
    if (!folder) make_folder();
    fuzz_split(bytes, size, pieces, 3);
    fuzz_file(0, pieces[0].bytes, pieces[0].size);
    fuzz_file(1, pieces[1].bytes, pieces[1].size);
    const int part = (int)(pieces[2].size < 32 ? pieces[2].size : 32);
    if (part)
        (void)snprintf(path, sizeof path, "%s%.*s", folder, part, (const char *)pieces[2].bytes);
    else (void)snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", folder);
    return fuzz_dataset(ctx, path);
}
