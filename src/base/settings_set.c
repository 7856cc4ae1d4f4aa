/* SPDX-License-Identifier: Apache-2.0
 * base/settings_set.c -- one setting changed by a name such as "lr" or "level.1.k". */
#include "base/json.h"
#include "base/settings_field.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>

enum { MAX_DIGITS = 6 };

/* Where a name has led to so far. */
typedef struct cursor {
    const vq_table *table;
    unsigned char *config;
    char section[VQ_WHERE_SIZE];
} cursor;

/* Numbers are written as in JSON whatever the language of the system is set to; what is not JSON
 * becomes a text, which the field then refuses by showing it. NULL where memory is short. */
static json_t *value_of(const vq_field *field, const char *text)
{
    json_error_t error;
    bool no_memory;
    if (field->type == VQ_FIELD_CHOICE) return json_string(text);
    json_t *value = vq_json_read(text, strlen(text), JSON_DECODE_ANY, &error, &no_memory);
    return value || no_memory ? value : json_string(text);
}

static vq_status assign_text(vq_context *ctx, const cursor *at, const vq_field *field,
                             const char *text)
{
    char where[VQ_WHERE_SIZE];
    vq_where_join(where, at->section, field->name, strlen(field->name));
    VQ_CHECK(ctx, vq_utf8_valid(text), VQ_E_ARG, "%s: the value is not UTF-8 text", where);
    json_t *value = value_of(field, text);
    VQ_CHECK(ctx, value, VQ_E_NOMEM, "%s: no memory to read the value", where);
    const vq_status status = vq_field_assign(ctx, where, field, value, at->config);
    json_decref(value);
    return status;
}

/* Reads "N." and leaves *text behind the dot. */
static bool read_index(const char **text, size_t *index)
{
    const size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > MAX_DIGITS || (*text)[digits] != '.') return false;
    *index = 0;
    for (size_t i = 0; i < digits; i++) *index = 10 * *index + (size_t)((*text)[i] - '0');
    *text += digits + 1;
    return true;
}

/* Moves the cursor into an element of a group; the one after the last is added. */
static vq_status enter(vq_context *ctx, cursor *at, const vq_field *field, const char **rest)
{
    char section[VQ_WHERE_SIZE];
    size_t index;
    const size_t count = vq_field_count(field, at->config);
    VQ_CHECK(ctx, read_index(rest, &index), VQ_E_ARG,
             "%s.%s.%.64s: an element is named by its number and a setting, such as %s.0.%s",
             at->section, field->name, *rest, field->name, field->group->fields[0].name);
    vq_where_index(section, at->section, field->name, index);
    VQ_CHECK(ctx, index < field->count_max, VQ_E_ARG, "%s: there is room for elements 0 to %zu",
             section, field->count_max - 1);
    VQ_CHECK(ctx, index <= count, VQ_E_ARG, "%s: the next element to add is number %zu", section,
             count);
    unsigned char *element = vq_field_element(field, at->config, index);
    if (index == count) {
        vq_settings_default(field->group, element);
        vq_field_store_count(field, count + 1, at->config);
    }
    at->table = field->group;
    at->config = element;
    memcpy(at->section, section, sizeof section);
    return VQ_OK;
}

static vq_status set_field(vq_context *ctx, cursor *at, const char *name, const char *value)
{
    for (;;) {
        const size_t length = strcspn(name, ".");
        const vq_field *field = vq_field_named(at->table, name, length);
        char where[VQ_WHERE_SIZE];
        vq_where_join(where, at->section, name, length);
        if (!field) return vq_field_unknown(ctx, at->table, where, name);
        if (name[length] == '\0') return assign_text(ctx, at, field, value);
        VQ_CHECK(ctx, field->type == VQ_FIELD_GROUP, VQ_E_ARG,
                 "%s: it has no parts, so nothing may follow its name", where);
        name += length + 1;
        VQ_TRY(enter(ctx, at, field, &name));
    }
}

vq_status vq_settings_set(vq_context *ctx, const vq_table *table, const char *name,
                          const char *value, void *config)
{
    vq_status status = VQ_OK;
    unsigned char *changed;
    VQ_TRY(VQ_NEW(ctx, table->size, &changed));
    memcpy(changed, config, table->size);
    cursor at = {.table = table, .config = changed};
    snprintf(at.section, sizeof at.section, "%s", table->name);
    VQ_TRY_TO(set_field(ctx, &at, name, value));
    memcpy(config, changed, table->size);
done:
    vq_release(ctx, changed);
    return status;
}
