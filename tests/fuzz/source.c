/* SPDX-License-Identifier: Apache-2.0
 * fuzz/source.c -- what every kind of dataset is asked. */
#include "fuzz/source.h"
#include <stdio.h>

enum { NAMES_MAX = 64, IMAGES_MAX = 2 };

static void ask_names(const vq_dataset *dataset)
{
    const int64_t count = vq_dataset_count(dataset);
    FUZZ_CHECK(count > 0 && !vq_dataset_name(dataset, count));
    for (int64_t i = 0; i < count && i < NAMES_MAX; i++) {
        const int64_t label = vq_dataset_label(dataset, i);
        FUZZ_CHECK(vq_dataset_name(dataset, i) && label >= -1);
        const char *class = vq_dataset_class(dataset, label);
        FUZZ_CHECK(!class || *class);
    }
}

static vq_status ask_images(vq_context *ctx, const vq_dataset *dataset)
{
    int64_t size[3];
    uint8_t *pixels;
    vq_status status = VQ_OK;
    vq_dataset_size(dataset, size);
    VQ_TRY(VQ_NEW(ctx, size[0] * size[1] * size[2], &pixels));
    for (int64_t i = 0; i < IMAGES_MAX && i < vq_dataset_count(dataset); i++)
        VQ_TRY_TO(vq_dataset_get(ctx, dataset, i, (vq_data_key){0}, pixels));
done:
    vq_release(ctx, pixels);
    return status;
}

vq_status fuzz_dataset(vq_context *ctx, const char *path, const vq_data_config *config)
{
    vq_data_config standard;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&standard);
    standard.cache_mb = 0;
    VQ_TRY(vq_dataset_open(ctx, path, config ? config : &standard, &dataset));
    ask_names(dataset);
    const vq_status status = ask_images(ctx, dataset);
    vq_dataset_close(ctx, dataset);
    return status;
}

vq_status fuzz_dataset_file(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    fuzz_piece pieces[2];
    char path[64];
    fuzz_split(bytes, size, pieces, 2);
    (void)snprintf(path, sizeof path, "%s%.*s", fuzz_file(0, pieces[0].bytes, pieces[0].size),
                   (int)(pieces[1].size < 32 ? pieces[1].size : 32),
                   pieces[1].size ? (const char *)pieces[1].bytes : "");
    return fuzz_dataset(ctx, path, NULL);
}
