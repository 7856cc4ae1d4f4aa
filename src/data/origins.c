/* SPDX-License-Identifier: Apache-2.0
 * data/origins.c -- where the bytes of images lie, whatever names lead there. */
#include <string.h>

#include <xxhash.h>

#include "data/dataset.h"

typedef struct origin {
    vq_path_id file;
    uint64_t within; /* where in a file of several images; 0 for one by itself */
} origin;

/* Images of an array are called by their numbers, which begin again with each part. */
static uint64_t place_within(const vq_source *source, const vq_entry *entry)
{
    if (source->fd >= 0 && entry->size > 0 && !entry->bytes && !entry->link) return entry->offset;
    const char *part = source->pixels && source->part ? source->part : "";
    return XXH3_64bits_withSeed(entry->name, strlen(entry->name), XXH3_64bits(part, strlen(part)));
}

static vq_status find_origin(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                             origin *out)
{
    char *path = NULL;
    if (!source->locate) {
        out->within = place_within(source, entry);
        return VQ_OK;
    }
    VQ_TRY(source->locate(ctx, source, entry, &path));
    (void)vq_path_identify(path, &out->file);
    vq_release(ctx, path);
    return VQ_OK;
}

vq_status vq_dataset_origins(vq_context *ctx, const vq_dataset *dataset, uint64_t *hashes)
{
    const vq_sources *sources = &dataset->sources;
    for (size_t s = 0; s < sources->n; s++) {
        const vq_source *source = &sources->items[s];
        origin at = {0};
        (void)vq_path_identify(source->path, &at.file);
        for (size_t i = 0; i < source->entries.count; i++, hashes++) {
            VQ_TRY(find_origin(ctx, source, &source->entries.items[i], &at));
            const bool known = at.file.device != 0 || at.file.inode != 0;
            *hashes = known ? XXH3_64bits(&at, sizeof at) : 0;
        }
    }
    return VQ_OK;
}
