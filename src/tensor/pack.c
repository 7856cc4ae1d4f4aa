/* SPDX-License-Identifier: Apache-2.0
 * tensor/pack.c -- growing lists of arrays and texts for an archive. */
#include "tensor/pack.h"

#include <string.h>

static vq_status widen(vq_context *ctx, void **list, size_t used, size_t room, size_t size)
{
    void *wider = NULL;
    VQ_TRY(vq_alloc(ctx, room, size, &wider));
    if (used) memcpy(wider, *list, used * size);
    vq_release(ctx, *list);
    *list = wider;
    return VQ_OK;
}

vq_status vq_pack_array(vq_pack *pack, const char *prefix, const char *name, vq_dtype dtype,
                        const vq_shape *shape, const void *data)
{
    vq_archive *archive = &pack->archive;
    if (archive->n_arrays == pack->arrays_room) {
        const size_t room = 2 * pack->arrays_room + 16;
        VQ_TRY(widen(pack->ctx, (void **)&archive->arrays, archive->n_arrays, room,
                     sizeof *archive->arrays));
        pack->arrays_room = room;
    }
    const size_t before = strlen(prefix), after = strlen(name) + 1;
    char *full = NULL;
    VQ_TRY(VQ_NEW(pack->ctx, before + after, &full));
    memcpy(full, prefix, before);
    memcpy(full + before, name, after);
    /* An archive's data is not const because readers own it; a pack never writes to it. */
    union {
        const void *from;
        void *to;
    } borrowed = {.from = data};
    archive->arrays[archive->n_arrays++] =
        (vq_array){.name = full, .dtype = dtype, .shape = *shape, .data = borrowed.to};
    return VQ_OK;
}

/* Texts are kept in the order of their keys, as an archive promises. */
vq_status vq_pack_text(vq_pack *pack, const char *key, const char *value)
{
    vq_archive *archive = &pack->archive;
    char *new_key = NULL, *new_value = NULL;
    if (archive->n_keys == pack->keys_room) {
        const size_t room = 2 * pack->keys_room + 8;
        VQ_TRY(widen(pack->ctx, (void **)&archive->keys, archive->n_keys, room, sizeof(char *)));
        VQ_TRY(widen(pack->ctx, (void **)&archive->values, archive->n_keys, room, sizeof(char *)));
        pack->keys_room = room;
    }
    VQ_TRY(vq_strdup(pack->ctx, key, &new_key));
    const vq_status status = vq_strdup(pack->ctx, value, &new_value);
    if (status != VQ_OK) {
        vq_release(pack->ctx, new_key);
        return status;
    }
    size_t at = archive->n_keys++;
    for (; at > 0 && strcmp(archive->keys[at - 1], key) > 0; at--) {
        archive->keys[at] = archive->keys[at - 1];
        archive->values[at] = archive->values[at - 1];
    }
    archive->keys[at] = new_key;
    archive->values[at] = new_value;
    return VQ_OK;
}

vq_status vq_pack_json(vq_pack *pack, const char *key, json_t *value)
{
    enum { FLAGS = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) };
    char *text = NULL;
    VQ_CHECK(pack->ctx, value, VQ_E_NOMEM, "no memory for the text %s", key);
    const size_t size = json_dumpb(value, NULL, 0, FLAGS); /* 0 where memory is short */
    vq_status status = VQ_NEW(pack->ctx, size + 1, &text);
    const bool written =
        status == VQ_OK && size > 0 && json_dumpb(value, text, size, FLAGS) == size;
    json_decref(value);
    if (status == VQ_OK && !written)
        status = vq_fail(pack->ctx, VQ_E_NOMEM, "no memory for the text %s", key);
    if (status == VQ_OK) status = vq_pack_text(pack, key, text);
    vq_release(pack->ctx, text);
    return status;
}

void vq_pack_clear(vq_pack *pack)
{
    for (size_t i = 0; i < pack->archive.n_arrays; i++)
        vq_release(pack->ctx, pack->archive.arrays[i].name);
    for (size_t i = 0; i < pack->archive.n_keys; i++) {
        vq_release(pack->ctx, pack->archive.keys[i]);
        vq_release(pack->ctx, pack->archive.values[i]);
    }
    vq_release(pack->ctx, pack->archive.arrays);
    vq_release(pack->ctx, pack->archive.keys);
    vq_release(pack->ctx, pack->archive.values);
    *pack = (vq_pack){.ctx = pack->ctx};
}
