/* SPDX-License-Identifier: Apache-2.0
 * tensor/safetensors_read.c -- a strict reader of safetensors.
 *
 * Stricter than the reference where that lets two readers see two different files in the same
 * bytes: duplicate names, unknown fields, entries that are no objects and leading white space
 * are refused. */
#include "base/context.h"
#include "base/input.h"
#include "base/json.h"
#include "tensor/safetensors.h"
#include "tensor/shape.h"
#include <stdlib.h>
#include <string.h>

/* One tensor as the header tells of it. */
typedef struct entry {
    const char *name; /* the JSON tree's */
    vq_dtype dtype;
    vq_shape shape;
    uint64_t begin, end;
} entry;

typedef struct reader {
    vq_context *ctx;
    const vq_input *input;
    bool takes_data; /* or only says what there is */
    char *header;    /* its JSON, and a zero */
    size_t header_size;
    uint64_t data_at, data_size; /* behind the header */
    json_t *root;
    entry *entries;
    size_t n_entries;
} reader;

static uint64_t read_u64(const unsigned char *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* Finds the header's length and takes the header, of which memory holds a copy only once the file
 * is known to be as long as it must. */
static vq_status take_header(reader *r)
{
    vq_context *ctx = r->ctx;
    unsigned char prefix[VQ_SAFETENSORS_PREFIX];
    VQ_CHECK(ctx, r->input->size >= sizeof prefix, VQ_E_FORMAT,
             "a safetensors file begins with 8 bytes for the header's length; this one has %ju",
             (uintmax_t)r->input->size);
    VQ_TRY(vq_input_take(r->input, 0, prefix, sizeof prefix));
    const uint64_t told = read_u64(prefix), rest = r->input->size - sizeof prefix;
    VQ_CHECK(
        ctx, told <= VQ_SAFETENSORS_HEADER_MAX, VQ_E_FORMAT,
        "the safetensors header would have %ju bytes; at most %d are allowed: the file is damaged, "
        "or no safetensors file",
        (uintmax_t)told, VQ_SAFETENSORS_HEADER_MAX);
    VQ_CHECK(
        ctx, told <= rest, VQ_E_FORMAT,
        "the safetensors header would have %ju bytes, but only %ju follow its length: the file "
        "is cut short, or no safetensors file",
        (uintmax_t)told, (uintmax_t)rest);
    r->header_size = (size_t)told;
    r->data_at = sizeof prefix + told;
    r->data_size = rest - told;
    VQ_TRY(VQ_NEW(ctx, r->header_size + 1, &r->header));
    return vq_input_take(r->input, sizeof prefix, r->header, r->header_size);
}

static vq_status read_header(reader *r)
{
    vq_context *ctx = r->ctx;
    json_error_t error;
    bool no_memory;
    VQ_TRY(take_header(r));
    const size_t length = r->header_size;
    VQ_CHECK(ctx, r->header[0] == '{', VQ_E_FORMAT,
             "the safetensors header does not begin with '{'");
    /* jansson goes on behind a zero that follows a number. */
    VQ_CHECK(ctx, !memchr(r->header, 0, length), VQ_E_FORMAT,
             "the safetensors header holds a zero byte");
    r->root = vq_json_read(r->header, length, 0, &error, &no_memory);
    VQ_CHECK(ctx, !no_memory, VQ_E_NOMEM, "no memory for the safetensors header");
    VQ_CHECK(ctx, r->root, VQ_E_FORMAT, "the safetensors header is not valid at byte %d: %s",
             error.position, error.text);
    return VQ_OK;
}

static vq_status read_dtype(reader *r, entry *e, const json_t *value)
{
    const char *name = json_string_value(value);
    VQ_CHECK(r->ctx, name, VQ_E_FORMAT, "tensor \"%s\" has no text as its dtype", e->name);
    if (vq_safetensors_dtype_named(name, &e->dtype)) return VQ_OK;
    VQ_CHECK(r->ctx, !vq_safetensors_dtype_foreign(name), VQ_E_UNSUPPORTED,
             "tensor \"%s\" holds %s numbers, which this library does not read", e->name, name);
    return vq_fail(r->ctx, VQ_E_FORMAT, "tensor \"%s\" has the unknown dtype \"%s\"", e->name,
                   name);
}

static vq_status read_shape(reader *r, entry *e, const json_t *value)
{
    VQ_CHECK(r->ctx, json_is_array(value), VQ_E_FORMAT, "tensor \"%s\" has no list as its shape",
             e->name);
    const size_t rank = json_array_size(value);
    for (size_t i = 0; i < rank; i++) {
        const json_t *item = json_array_get(value, i);
        const json_int_t extent = json_is_integer(item) ? json_integer_value(item) : -1;
        VQ_CHECK(r->ctx, extent >= 0 && extent <= VQ_MAX_EXTENT, VQ_E_FORMAT,
                 "extent %zu of tensor \"%s\" is not a whole number from 0 to 2^48", i, e->name);
        if (i < VQ_MAX_RANK) e->shape.dim[i] = extent;
    }
    VQ_CHECK(r->ctx, rank <= VQ_MAX_RANK, VQ_E_UNSUPPORTED,
             "tensor \"%s\" has %zu dimensions; this library holds at most %d", e->name, rank,
             VQ_MAX_RANK);
    e->shape.rank = (int)rank;
    return VQ_OK;
}

static vq_status read_offsets(reader *r, entry *e, const json_t *value)
{
    VQ_CHECK(r->ctx, json_is_array(value) && json_array_size(value) == 2, VQ_E_FORMAT,
             "tensor \"%s\" has no list of two numbers as its data_offsets", e->name);
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    VQ_CHECK(r->ctx,
             json_is_integer(begin) && json_is_integer(end) && json_integer_value(begin) >= 0 &&
                 json_integer_value(end) >= json_integer_value(begin),
             VQ_E_FORMAT, "the data_offsets of tensor \"%s\" are not two whole numbers in order",
             e->name);
    e->begin = (uint64_t)json_integer_value(begin);
    e->end = (uint64_t)json_integer_value(end);
    return VQ_OK;
}

static vq_status read_entry(reader *r, entry *e, json_t *value)
{
    const char *field;
    json_t *item;
    VQ_CHECK(r->ctx, json_is_object(value), VQ_E_FORMAT,
             "tensor \"%s\" is not described by an object", e->name);
    json_object_foreach (value, field, item) {
        VQ_CHECK(r->ctx,
                 strcmp(field, "dtype") == 0 || strcmp(field, "shape") == 0 ||
                     strcmp(field, "data_offsets") == 0,
                 VQ_E_FORMAT, "tensor \"%s\" has the unknown field \"%s\"", e->name, field);
    }
    VQ_TRY(read_dtype(r, e, json_object_get(value, "dtype")));
    VQ_TRY(read_shape(r, e, json_object_get(value, "shape")));
    VQ_TRY(read_offsets(r, e, json_object_get(value, "data_offsets")));
    size_t bytes;
    VQ_CHECK(r->ctx, vq_shape_bytes(&e->shape, e->dtype, &bytes), VQ_E_FORMAT,
             "the shape of tensor \"%s\" is larger than any memory", e->name);
    VQ_CHECK(r->ctx, e->end - e->begin == bytes, VQ_E_FORMAT,
             "tensor \"%s\" takes %zu bytes by its shape, but %ju by its data_offsets", e->name,
             bytes, (uintmax_t)(e->end - e->begin));
    return VQ_OK;
}

static vq_status read_entries(reader *r)
{
    const char *name;
    json_t *value;
    VQ_TRY(VQ_NEW(r->ctx, json_object_size(r->root), &r->entries));
    json_object_foreach (r->root, name, value) {
        if (strcmp(name, VQ_SAFETENSORS_METADATA) == 0) continue;
        entry *e = &r->entries[r->n_entries++];
        e->name = name;
        VQ_TRY(read_entry(r, e, value));
    }
    return VQ_OK;
}

/* Empty tensors share their begin with a neighbour, so the end decides next. */
static int compare_entries(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The data area is covered exactly once: no holes, overlaps or trailing bytes, in which another
 * file could hide. */
static vq_status check_coverage(reader *r)
{
    uint64_t at = 0;
    qsort(r->entries, r->n_entries, sizeof *r->entries, compare_entries);
    for (size_t i = 0; i < r->n_entries; i++) {
        const entry *e = &r->entries[i];
        VQ_CHECK(r->ctx, e->begin == at, VQ_E_FORMAT,
                 "tensor \"%s\" begins at byte %ju of the data, where byte %ju is next: %s",
                 e->name, (uintmax_t)e->begin, (uintmax_t)at,
                 e->begin > at ? "a hole" : "an overlap");
        at = e->end;
    }
    VQ_CHECK(r->ctx, at <= r->data_size, VQ_E_FORMAT,
             "the tensors take %ju bytes, but only %ju follow the header: the file is cut short",
             (uintmax_t)at, (uintmax_t)r->data_size);
    VQ_CHECK(r->ctx, at == r->data_size, VQ_E_FORMAT,
             "the tensors take %ju bytes, but %ju follow the header; the format allows nothing "
             "behind them",
             (uintmax_t)at, (uintmax_t)r->data_size);
    return VQ_OK;
}

/* jansson reads -0 as 0. Any other minus outside of a text was refused by what it stands in. */
static vq_status check_minus(const reader *r)
{
    bool in_text = false;
    for (const char *c = r->header; *c; c++) {
        VQ_CHECK(r->ctx, in_text || *c != '-', VQ_E_FORMAT,
                 "the safetensors header holds the number -0, at byte %td; none may have a sign",
                 c - r->header);
        if (*c == '"') in_text = !in_text;
        else if (*c == '\\') c++; /* only texts have one */
    }
    return VQ_OK;
}

static vq_status copy_arrays(reader *r, vq_archive *out)
{
    VQ_TRY(VQ_NEW(r->ctx, r->n_entries, &out->arrays));
    for (size_t i = 0; i < r->n_entries; i++) {
        const entry *e = &r->entries[i];
        const size_t size = (size_t)(e->end - e->begin);
        vq_array *array = &out->arrays[i];
        out->n_arrays = i + 1;
        array->dtype = e->dtype;
        array->shape = e->shape;
        VQ_TRY(vq_strdup(r->ctx, e->name, &array->name));
        if (!r->takes_data) continue;
        VQ_TRY(vq_alloc(r->ctx, size, 1, &array->data));
        VQ_TRY(vq_input_take(r->input, r->data_at + e->begin, array->data, size));
    }
    return VQ_OK;
}

static int compare_names(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

static vq_status copy_metadata(reader *r, vq_archive *out)
{
    json_t *metadata = json_object_get(r->root, VQ_SAFETENSORS_METADATA), *value;
    const char *key, **keys;
    if (!metadata || json_is_null(metadata)) return VQ_OK;
    VQ_CHECK(r->ctx, json_is_object(metadata), VQ_E_FORMAT,
             "\"" VQ_SAFETENSORS_METADATA "\" is not an object");
    const size_t count = json_object_size(metadata);
    VQ_TRY(VQ_NEW(r->ctx, count, &out->keys));
    VQ_TRY(VQ_NEW(r->ctx, count, &out->values));
    VQ_TRY(VQ_NEW(r->ctx, count, &keys));
    size_t n = 0;
    json_object_foreach (metadata, key, value) keys[n++] = key;
    qsort(keys, n, sizeof *keys, compare_names);
    vq_status status = VQ_OK;
    for (size_t i = 0; i < n && status == VQ_OK; i++) {
        const char *text = json_string_value(json_object_get(metadata, keys[i]));
        out->n_keys = i + 1;
        if (!text) status = vq_fail(r->ctx, VQ_E_FORMAT, "metadata \"%s\" is not a text", keys[i]);
        if (status == VQ_OK) status = vq_strdup(r->ctx, keys[i], &out->keys[i]);
        if (status == VQ_OK) status = vq_strdup(r->ctx, text, &out->values[i]);
    }
    vq_release(r->ctx, keys);
    return status;
}

static vq_status parse(vq_context *ctx, const vq_input *input, bool takes_data, vq_archive *out)
{
    vq_status status = VQ_OK;
    reader r = {.ctx = ctx, .input = input, .takes_data = takes_data};
    *out = (vq_archive){0};
    VQ_TRY_TO(read_header(&r));
    VQ_TRY_TO(read_entries(&r));
    VQ_TRY_TO(check_coverage(&r));
    VQ_TRY_TO(copy_metadata(&r, out));
    VQ_TRY_TO(check_minus(&r));
    VQ_TRY_TO(copy_arrays(&r, out));
done:
    if (status != VQ_OK) vq_archive_clear(ctx, out);
    vq_release(ctx, r.header);
    vq_release(ctx, r.entries);
    json_decref(r.root);
    return status;
}

vq_status vq_safetensors_parse(vq_context *ctx, const void *bytes, size_t size, vq_archive *out)
{
    const vq_input input = vq_input_memory(ctx, bytes, size);
    return parse(ctx, &input, true, out);
}

static vq_status load(vq_context *ctx, const char *path, bool takes_data, vq_archive *out)
{
    vq_input input;
    *out = (vq_archive){0};
    vq_status status = vq_input_open(ctx, path, &input);
    if (status == VQ_OK) status = vq_input_blame(&input, parse(ctx, &input, takes_data, out));
    vq_input_close(&input);
    return status;
}

vq_status vq_safetensors_load(vq_context *ctx, const char *path, vq_archive *out)
{
    return load(ctx, path, true, out);
}

vq_status vq_safetensors_describe(vq_context *ctx, const char *path, vq_archive *out)
{
    return load(ctx, path, false, out);
}
