/* SPDX-License-Identifier: Apache-2.0
 * tensor/archive.c -- arrays and archives in memory: searched, read as JSON and released. */
#include "tensor/archive.h"
#include "base/context.h"
#include "base/json.h"
#include <string.h>

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

vq_status vq_archive_object(vq_context *ctx, const char *where, const vq_archive *archive,
                            const char *key, json_t **out)
{
    bool no_memory;
    json_error_t error;
    const char *text = vq_archive_meta(archive, key);
    *out = NULL;
    VQ_CHECK(ctx, text, VQ_E_FORMAT, "%s has no %s among its metadata", where, key);
    json_t *value = vq_json_read(text, strlen(text), 0, &error, &no_memory);
    VQ_CHECK(ctx, !no_memory, VQ_E_NOMEM, "%s: no memory to read %s", where, key);
    VQ_CHECK(ctx, value, VQ_E_FORMAT, "%s: %s is not JSON: %s", where, key, error.text);
    if (!json_is_object(value)) {
        json_decref(value);
        return vq_fail(ctx, VQ_E_FORMAT, "%s: %s is not a JSON object", where, key);
    }
    *out = value;
    return VQ_OK;
}
