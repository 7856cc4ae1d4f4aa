/* SPDX-License-Identifier: Apache-2.0
 * tensor/safetensors_write.c -- a writer of safetensors: equal archives give equal bytes.
 *
 * As the reference writer does, tensors stand in the order of their types, wide ones first, then
 * of their names, and the header is padded with spaces, so that all data is aligned. */
#include "base/context.h"
#include "base/file.h"
#include "base/utf8.h"
#include "tensor/safetensors.h"
#include "tensor/shape.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
    vq_context *ctx;
    const vq_archive *archive;
    const vq_array **order; /* arrays in file order */
    size_t *keys;           /* metadata in the order of its keys */
    json_t *root;
    unsigned char *header; /* with the length before it */
    size_t header_size;
} writer;

static int compare_arrays(const void *left, const void *right)
{
    const vq_array *a = *(const vq_array *const *)left, *b = *(const vq_array *const *)right;
    const int first = vq_safetensors_dtype_rank(a->dtype);
    const int second = vq_safetensors_dtype_rank(b->dtype);
    return first != second ? first - second : strcmp(a->name, b->name);
}

static vq_status no_memory(const writer *w)
{
    return vq_fail(w->ctx, VQ_E_NOMEM, "no memory for the safetensors header");
}

/* Takes over `value`, which is NULL where memory was short. */
static vq_status put(const writer *w, json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0 ? VQ_OK : no_memory(w);
}

static vq_status put_text(const writer *w, json_t *object, const char *key, const char *text)
{
    VQ_CHECK(w->ctx, vq_utf8_valid(text), VQ_E_ARG, "the text of metadata \"%s\" is not UTF-8",
             key);
    return put(w, object, key, json_string(text));
}

/* jansson tells wrong UTF-8 and want of memory alike. */
static vq_status check_key(const writer *w, const json_t *object, const char *kind, const char *key)
{
    VQ_CHECK(w->ctx, vq_utf8_valid(key), VQ_E_ARG, "the name of a %s is not UTF-8: %s", kind, key);
    VQ_CHECK(w->ctx, !json_object_get(object, key), VQ_E_ARG, "two %ss have the name \"%s\"", kind,
             key);
    return VQ_OK;
}

/* The keys' order in memory may be anything; the file's is theirs. */
static void sort_keys(writer *w)
{
    const vq_archive *a = w->archive;
    for (size_t i = 0; i < a->n_keys; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(a->keys[w->keys[at - 1]], a->keys[i]) > 0; at--)
            w->keys[at] = w->keys[at - 1];
        w->keys[at] = i;
    }
}

static vq_status put_metadata(writer *w)
{
    const vq_archive *a = w->archive;
    if (a->n_keys == 0) return VQ_OK;
    VQ_TRY(VQ_NEW(w->ctx, a->n_keys, &w->keys));
    sort_keys(w);
    VQ_TRY(put(w, w->root, VQ_SAFETENSORS_METADATA, json_object()));
    json_t *metadata = json_object_get(w->root, VQ_SAFETENSORS_METADATA);
    for (size_t i = 0; i < a->n_keys; i++) {
        const char *key = a->keys[w->keys[i]];
        VQ_TRY(check_key(w, metadata, "metadata key", key));
        VQ_TRY(put_text(w, metadata, key, a->values[w->keys[i]]));
    }
    return VQ_OK;
}

static json_t *list_of_shape(const vq_shape *shape)
{
    json_t *list = json_array();
    for (int i = 0; i < shape->rank; i++) {
        if (json_array_append_new(list, json_integer(shape->dim[i])) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static vq_status put_array(writer *w, const vq_array *array, uint64_t *at)
{
    size_t bytes;
    VQ_TRY(check_key(w, w->root, "tensor", array->name));
    VQ_CHECK(w->ctx, strcmp(array->name, VQ_SAFETENSORS_METADATA) != 0, VQ_E_ARG,
             "no tensor may have the name \"%s\"", array->name);
    VQ_CHECK(w->ctx, vq_shape_bytes(&array->shape, array->dtype, &bytes), VQ_E_ARG,
             "tensor \"%s\" has an impossible type or shape", array->name);
    VQ_TRY(put(w, w->root, array->name, json_object()));
    json_t *entry = json_object_get(w->root, array->name);
    VQ_TRY(put(w, entry, "dtype", json_string(vq_safetensors_dtype_name(array->dtype))));
    VQ_TRY(put(w, entry, "shape", list_of_shape(&array->shape)));
    const uint64_t end = *at + bytes;
    VQ_TRY(put(w, entry, "data_offsets", json_pack("[I,I]", (json_int_t)*at, (json_int_t)end)));
    *at = end;
    return VQ_OK;
}

static vq_status build_header(writer *w)
{
    const size_t prefix = VQ_SAFETENSORS_PREFIX, count = w->archive->n_arrays;
    uint64_t at = 0;
    w->root = json_object();
    if (!w->root) return no_memory(w);
    VQ_TRY(put_metadata(w));
    VQ_TRY(VQ_NEW(w->ctx, count, &w->order));
    for (size_t i = 0; i < count; i++) w->order[i] = &w->archive->arrays[i];
    qsort(w->order, count, sizeof *w->order, compare_arrays);
    for (size_t i = 0; i < count; i++) VQ_TRY(put_array(w, w->order[i], &at));
    const size_t length = json_dumpb(w->root, NULL, 0, JSON_COMPACT);
    if (length == 0) return no_memory(w);
    const uint64_t padded = (length + 7) & ~(size_t)7;
    VQ_CHECK(w->ctx, padded <= VQ_SAFETENSORS_HEADER_MAX, VQ_E_ARG,
             "the names and metadata take %zu bytes; at most %d are allowed", length,
             VQ_SAFETENSORS_HEADER_MAX);
    w->header_size = prefix + (size_t)padded;
    VQ_TRY(VQ_NEW(w->ctx, w->header_size, &w->header));
    memcpy(w->header, &padded, prefix);
    memset(w->header + prefix, ' ', (size_t)padded);
    if (json_dumpb(w->root, (char *)w->header + prefix, length, JSON_COMPACT) != length)
        return no_memory(w);
    return VQ_OK;
}

static vq_status write_file(const writer *w, vq_safetensors_put *put_data, void *user,
                            vq_replacement *file)
{
    VQ_TRY(vq_replace_write(file, w->header, w->header_size));
    for (size_t i = 0; i < w->archive->n_arrays; i++) VQ_TRY(put_data(user, w->order[i], file));
    return vq_replace_commit(file);
}

vq_status vq_safetensors_write(vq_context *ctx, const char *path, const vq_archive *archive,
                               vq_safetensors_put *put_data, void *user)
{
    vq_status status = VQ_OK;
    writer w = {.ctx = ctx, .archive = archive};
    vq_replacement file = {.fd = -1};
    VQ_TRY_TO(build_header(&w));
    VQ_TRY_TO(vq_replace_begin(ctx, path, &file));
    VQ_TRY_TO(write_file(&w, put_data, user, &file));
done:
    vq_replace_abandon(&file);
    vq_release(ctx, w.header);
    vq_release(ctx, w.order);
    vq_release(ctx, w.keys);
    json_decref(w.root);
    return status;
}

static vq_status put_own_data(void *user, const vq_array *array, vq_replacement *to)
{
    (void)user;
    return vq_replace_write(to, array->data,
                            vq_shape_count(&array->shape) * vq_dtype_size(array->dtype));
}

vq_status vq_safetensors_save(vq_context *ctx, const char *path, const vq_archive *archive)
{
    return vq_safetensors_write(ctx, path, archive, put_own_data, NULL);
}
