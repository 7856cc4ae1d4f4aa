/* SPDX-License-Identifier: Apache-2.0
 * base/settings.c -- defaults, ranges and listings of configurations described by tables. */
#include "base/settings.h"
#include "base/settings_field.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WORDS = 128 };

static void store_default(const vq_field *field, void *config)
{
    switch (field->type) {
    case VQ_FIELD_INT: vq_field_store_int(field, (int64_t)field->standard, config); break;
    case VQ_FIELD_REAL: vq_field_store_real(field, field->standard, config); break;
    case VQ_FIELD_BOOL: vq_field_store_bool(field, field->standard != 0.0, config); break;
    case VQ_FIELD_CHOICE: vq_field_store_choice(field, (int)field->standard, config); break;
    case VQ_FIELD_GROUP:
        vq_field_store_count(field, 1, config);
        vq_settings_default(field->group, vq_field_element(field, config, 0));
        break;
    }
}

void vq_settings_default(const vq_table *table, void *config)
{
    memset(config, 0, table->size); /* elements of groups that do not exist yet */
    for (size_t i = 0; i < table->n_fields; i++) store_default(&table->fields[i], config);
}

const char *vq_settings_choice(const vq_field *field, int index, char *to, size_t size)
{
    const char *next = field->choices;
    for (int i = 0; i < index && *next; i++) {
        next += strcspn(next, "|");
        if (*next == '|') next++;
    }
    if (size == 0) return to;
    size_t length = index < 0 ? 0 : strcspn(next, "|");
    if (length > size - 1) length = size - 1;
    memcpy(to, next, length);
    to[length] = '\0';
    return to;
}

static void range_words(const vq_field *field, char *to, size_t size)
{
    if (isinf(field->high)) snprintf(to, size, "%.15g or more", field->low);
    else snprintf(to, size, "%.15g to %.15g", field->low, field->high);
}

static vq_status out_of_range(vq_context *ctx, const char *where, const vq_field *field,
                              const char *met)
{
    char range[WORDS];
    range_words(field, range, sizeof range);
    return vq_fail(ctx, VQ_E_ARG, "%s: %s is out of range; allowed is %s", where, met, range);
}

static vq_status check_number(vq_context *ctx, const char *where, const vq_field *field,
                              const void *config)
{
    const bool whole = field->type == VQ_FIELD_INT;
    const double value = whole ? (double)vq_field_int(field, config) : vq_field_real(field, config);
    /* Written so that NaN fails. */
    if (isfinite(value) && value >= field->low && value <= field->high) return VQ_OK;
    char met[WORDS];
    if (whole) snprintf(met, sizeof met, "%" PRId64, vq_field_int(field, config));
    else snprintf(met, sizeof met, "%.15g", value);
    return out_of_range(ctx, where, field, met);
}

static vq_status check_group(vq_context *ctx, const char *where, const vq_field *field,
                             const void *config)
{
    const size_t count = vq_field_count(field, config);
    VQ_CHECK(ctx, count >= 1 && count <= field->count_max, VQ_E_ARG,
             "%s: there are %zu elements; allowed is 1 to %zu", where, count, field->count_max);
    for (size_t i = 0; i < count; i++) {
        const void *element = vq_field_element_const(field, config, i);
        for (size_t j = 0; j < field->group->n_fields; j++) {
            const vq_field *inner = &field->group->fields[j];
            char index[VQ_WHERE_SIZE], name[VQ_WHERE_SIZE];
            snprintf(index, sizeof index, "%.200s.%zu", where, i);
            vq_where_join(name, index, inner->name, strlen(inner->name));
            VQ_TRY(vq_field_check(ctx, name, inner, element));
        }
    }
    return VQ_OK;
}

vq_status vq_field_check(vq_context *ctx, const char *where, const vq_field *field,
                         const void *config)
{
    char name[WORDS];
    switch (field->type) {
    case VQ_FIELD_INT:
    case VQ_FIELD_REAL: return check_number(ctx, where, field, config);
    case VQ_FIELD_BOOL: return VQ_OK;
    case VQ_FIELD_CHOICE: {
        const int index = vq_field_choice(field, config);
        VQ_CHECK(ctx, *vq_settings_choice(field, index, name, sizeof name), VQ_E_ARG,
                 "%s: choice number %d does not exist; allowed is %s", where, index,
                 field->choices);
        return VQ_OK;
    }
    case VQ_FIELD_GROUP: return check_group(ctx, where, field, config);
    }
    return vq_fail(ctx, VQ_E_INTERNAL, "%s: a table names a type that does not exist", where);
}

vq_status vq_settings_check(vq_context *ctx, const vq_table *table, const void *config)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        const vq_field *field = &table->fields[i];
        char where[VQ_WHERE_SIZE];
        vq_where_join(where, table->name, field->name, strlen(field->name));
        VQ_TRY(vq_field_check(ctx, where, field, config));
    }
    return VQ_OK;
}

static void walk(const vq_table *table, const char *prefix, vq_settings_visit *emit, void *user)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        const vq_field *field = &table->fields[i];
        emit(user, prefix, field);
        if (field->type != VQ_FIELD_GROUP) continue;
        char inner[VQ_WHERE_SIZE];
        snprintf(inner, sizeof inner, "%.100s%.100s.N.", prefix, field->name);
        walk(field->group, inner, emit, user);
    }
}

void vq_settings_walk(const vq_table *table, vq_settings_visit *emit, void *user)
{
    walk(table, "", emit, user);
}
