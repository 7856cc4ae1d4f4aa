/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_idx.c -- IDX files, plain or packed: images, after a cut their labels, and after
 * another ":half" or "/file" of the folder. */
#include "fuzz/source.h"

/* Images with labels, with labels packed otherwise, and without; then what is no half. */
static void make_folder(void)
{
    static const char *const images[] = {
        "train-images-idx3-ubyte",   "some-images-idx3-ubyte", "pack-images-idx3-ubyte.gz",
        "t10k-images.idx4-ubyte.gz", "t10k-images.idx4-ubyte", "solo-images-idx3-ubyte",
        "other-images-of-ours",      "other-images_of_ours",   "-images-idx3-ubyte",
        "old-images-idx3-ubyte.old", "other-pictures"};
    static const char *const labels[] = {"train-labels-idx1-ubyte", "some-labels-idx1-ubyte.gz",
                                         "pack-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) fuzz_file_name(0, images[i]);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) fuzz_file_name(1, labels[i]);
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static bool named;
    fuzz_piece pieces[3];
    char path[512];
    if (!named) make_folder();
    named = true;
    fuzz_split(bytes, size, pieces, 3);
    fuzz_file(0, pieces[0].bytes, pieces[0].size);
    fuzz_file(1, pieces[1].bytes, pieces[1].size);
    fuzz_path(path, sizeof path, "/train-images-idx3-ubyte", pieces[2]);
    return fuzz_dataset(ctx, path, NULL);
}
