/* SPDX-License-Identifier: Apache-2.0
 * base/settings_json.c -- configurations read from JSON text. Every change is made to a copy,
 * so a refused text leaves the configuration as it was. */
#include "base/json.h"
#include "base/settings_field.h"
#include <stdio.h>
#include <string.h>

enum { WORDS = 96 };

/* What was met, as it would be written, or its kind where that is long. */
static const char *met_words(const json_t *value, char *to, size_t size)
{
    const size_t length = json_dumpb(value, to, size - 1, JSON_ENCODE_ANY | JSON_COMPACT);
    if (length > 0 && length < size) {
        to[length] = '\0';
        return to;
    }
    return json_is_object(value) ? "an object" : json_is_array(value) ? "a list" : "a long text";
}

static vq_status wrong_type(vq_context *ctx, const char *where, const json_t *value,
                            const char *needed)
{
    char met[WORDS];
    return vq_fail(ctx, VQ_E_ARG, "%s: %s was given; allowed is %s", where,
                   met_words(value, met, sizeof met), needed);
}

static vq_status read_object(vq_context *ctx, const vq_table *table, const char *section,
                             json_t *object, void *config)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) return wrong_type(ctx, section, object, "an object");
    json_object_foreach (object, name, value) {
        char where[VQ_WHERE_SIZE];
        vq_where_join(where, section, name, strlen(name));
        const vq_field *field = vq_field_named(table, name, strlen(name));
        if (!field) return vq_field_unknown(ctx, table, where, name);
        VQ_TRY(vq_field_assign(ctx, where, field, value, config));
    }
    return VQ_OK;
}

/* Elements that exist already keep what the list does not name; further ones start from the
 * defaults. */
static vq_status assign_group(vq_context *ctx, const char *where, const vq_field *field,
                              json_t *list, void *config)
{
    if (!json_is_array(list)) return wrong_type(ctx, where, list, "a list of objects");
    const size_t count = json_array_size(list), before = vq_field_count(field, config);
    VQ_CHECK(ctx, count >= 1 && count <= field->count_max, VQ_E_ARG,
             "%s: %zu elements were given; allowed is 1 to %zu", where, count, field->count_max);
    for (size_t i = 0; i < count; i++) {
        void *element = vq_field_element(field, config, i);
        char section[VQ_WHERE_SIZE];
        snprintf(section, sizeof section, "%.200s.%zu", where, i);
        if (i >= before) vq_settings_default(field->group, element);
        VQ_TRY(read_object(ctx, field->group, section, json_array_get(list, i), element));
    }
    vq_field_store_count(field, count, config);
    return VQ_OK;
}

vq_status vq_field_assign(vq_context *ctx, const char *where, const vq_field *field, json_t *value,
                          void *config)
{
    switch (field->type) {
    case VQ_FIELD_INT:
        if (!json_is_integer(value)) return wrong_type(ctx, where, value, "a whole number");
        vq_field_store_int(field, json_integer_value(value), config);
        break;
    case VQ_FIELD_REAL:
        if (!json_is_number(value)) return wrong_type(ctx, where, value, "a number");
        vq_field_store_real(field, json_number_value(value), config);
        break;
    case VQ_FIELD_BOOL:
        if (!json_is_boolean(value)) return wrong_type(ctx, where, value, "true or false");
        vq_field_store_bool(field, json_is_true(value), config);
        break;
    case VQ_FIELD_CHOICE: {
        const int index =
            json_is_string(value) ? vq_field_choice_named(field, json_string_value(value)) : -1;
        if (index < 0) return wrong_type(ctx, where, value, field->choices);
        vq_field_store_choice(field, index, config);
        break;
    }
    case VQ_FIELD_GROUP: VQ_TRY(assign_group(ctx, where, field, value, config)); break;
    }
    return vq_field_check(ctx, where, field, config);
}

vq_status vq_settings_read(vq_context *ctx, const vq_table *table, const char *json, void *config)
{
    vq_status status = VQ_OK;
    unsigned char *changed = NULL;
    json_error_t error;
    bool no_memory;
    json_t *root = vq_json_read(json, strlen(json), 0, &error, &no_memory);
    VQ_CHECK(ctx, !no_memory, VQ_E_NOMEM, "%s: no memory to read the JSON text", table->name);
    VQ_CHECK(ctx, root, VQ_E_ARG, "%s: the JSON text is wrong at line %d, column %d: %s",
             table->name, error.line, error.column, error.text);
    VQ_TRY_TO(VQ_NEW(ctx, table->size, &changed));
    memcpy(changed, config, table->size);
    VQ_TRY_TO(read_object(ctx, table, table->name, root, changed));
    memcpy(config, changed, table->size);
done:
    vq_release(ctx, changed);
    json_decref(root);
    return status;
}
