/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_cifar.c -- CIFAR files: images, after a cut the names of classes, after another
 * ":part" or "/file" of the folder, and after a third the images of a second file. */
#define _GNU_SOURCE /* memmem */
#include "fuzz/source.h"
#include <string.h>

static void make_folder(void)
{
    static const char *const images[] = {"data_batch_1.bin", "test.bin",      "one.bin",
                                         "data_batch_.bin",  "data_batch_1x", "readme.html",
                                         "train.bin",        "test_batch.bin"};
    static const char *const names[] = {"batches.meta.txt", "fine_label_names.txt",
                                        "coarse_label_names.txt"};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) fuzz_file_name(0, images[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) fuzz_file_name(1, names[i]);
    fuzz_file_name(2, "data_batch_2.bin");
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static bool named;
    fuzz_piece pieces[4];
    char path[512];
    vq_data_config config;
    if (!named) make_folder();
    named = true;
    fuzz_split(bytes, size, pieces, 4);
    const fuzz_piece *second = &pieces[pieces[3].size ? 3 : 0];
    fuzz_file(0, pieces[0].bytes, pieces[0].size);
    fuzz_file(1, pieces[1].bytes, pieces[1].size);
    fuzz_file(2, second->bytes, second->size);
    fuzz_path(path, sizeof path, "/one.bin", pieces[2]);
    vq_data_config_default(&config);
    config.cache_mb = 0;
    /* Names of classes are the input's, so they may as well say which classes are meant. */
    if (pieces[1].size && memmem(pieces[1].bytes, pieces[1].size, "coarse", 6))
        config.labels = VQ_LABELS_COARSE;
    return fuzz_dataset(ctx, path, &config);
}
