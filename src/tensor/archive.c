/* SPDX-License-Identifier: Apache-2.0
 * tensor/archive.c -- arrays and archives in memory: searched and released. */
#include "base/context.h"
#include <string.h>
#include <vqvae/tensor.h>

void vq_array_clear(vq_context *ctx, vq_array *array)
{
    vq_release(ctx, array->name);
    vq_release(ctx, array->data);
    *array = (vq_array){0};
}

void vq_archive_clear(vq_context *ctx, vq_archive *archive)
{
    for (size_t i = 0; i < archive->n_arrays; i++) vq_array_clear(ctx, &archive->arrays[i]);
    for (size_t i = 0; i < archive->n_keys; i++) {
        vq_release(ctx, archive->keys[i]);
        vq_release(ctx, archive->values[i]);
    }
    vq_release(ctx, archive->arrays);
    vq_release(ctx, archive->keys);
    vq_release(ctx, archive->values);
    *archive = (vq_archive){0};
}

const vq_array *vq_archive_find(const vq_archive *archive, const char *name)
{
    for (size_t i = 0; i < archive->n_arrays; i++)
        if (strcmp(archive->arrays[i].name, name) == 0) return &archive->arrays[i];
    return NULL;
}

const char *vq_archive_meta(const vq_archive *archive, const char *key)
{
    for (size_t i = 0; i < archive->n_keys; i++)
        if (strcmp(archive->keys[i], key) == 0) return archive->values[i];
    return NULL;
}
