/* SPDX-License-Identifier: Apache-2.0
 * base/settings_field.c -- fields found by name, loaded from their struct and stored to it. */
#include "base/settings_field.h"
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 64 };

void vq_where_join(char *to, const char *section, const char *name, size_t length)
{
    snprintf(to, VQ_WHERE_SIZE, "%s.%.*s", section, (int)(length < 100 ? length : 100), name);
}

void vq_where_index(char *to, const char *section, const char *name, size_t index)
{
    snprintf(to, VQ_WHERE_SIZE, "%s.%s.%zu", section, name, index);
}

const vq_field *vq_field_named(const vq_table *table, const char *name, size_t length)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        const char *known = table->fields[i].name;
        if (strlen(known) == length && memcmp(known, name, length) == 0) return &table->fields[i];
    }
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, remove or exchange (Levenshtein), one row of the table at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1];
    const size_t rows = least(strlen(a), NAME_MAX_LENGTH);
    const size_t columns = least(strlen(b), NAME_MAX_LENGTH);
    for (size_t j = 0; j <= columns; j++) row[j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            const size_t exchanged = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(exchanged, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns];
}

typedef struct nearest {
    const char *name; /* what was written, without the groups before it */
    size_t distance;
    char known[VQ_WHERE_SIZE];
} nearest;

static void compare_name(void *user, const char *prefix, const vq_field *field)
{
    nearest *best = user;
    const size_t distance = edit_distance(best->name, field->name);
    if (distance >= best->distance) return;
    best->distance = distance;
    snprintf(best->known, sizeof best->known, "%s%s", prefix, field->name);
}

vq_status vq_field_unknown(vq_context *ctx, const vq_table *table, const char *where,
                           const char *name)
{
    nearest best = {.name = name, .distance = SIZE_MAX};
    vq_settings_walk(table, compare_name, &best);
    return vq_fail(ctx, VQ_E_ARG, "%s: there is no such setting; the nearest is \"%s\"", where,
                   best.known);
}

/* Loads and stores copy bytes, so that tables may describe any struct without casts between
 * pointer types. */
static void load(const void *config, size_t at, void *to, size_t size)
{
    memcpy(to, (const unsigned char *)config + at, size);
}

static void store(void *config, size_t at, const void *from, size_t size)
{
    memcpy((unsigned char *)config + at, from, size);
}

int64_t vq_field_int(const vq_field *field, const void *config)
{
    int64_t value;
    load(config, field->at, &value, sizeof value);
    return value;
}

double vq_field_real(const vq_field *field, const void *config)
{
    double value;
    load(config, field->at, &value, sizeof value);
    return value;
}

bool vq_field_bool(const vq_field *field, const void *config)
{
    bool value;
    load(config, field->at, &value, sizeof value);
    return value;
}

int vq_field_choice(const vq_field *field, const void *config)
{
    int value;
    load(config, field->at, &value, sizeof value);
    return value;
}

size_t vq_field_count(const vq_field *field, const void *config)
{
    size_t value;
    load(config, field->count_at, &value, sizeof value);
    return value;
}

void vq_field_store_int(const vq_field *field, int64_t value, void *config)
{
    store(config, field->at, &value, sizeof value);
}

void vq_field_store_real(const vq_field *field, double value, void *config)
{
    store(config, field->at, &value, sizeof value);
}

void vq_field_store_bool(const vq_field *field, bool value, void *config)
{
    store(config, field->at, &value, sizeof value);
}

void vq_field_store_choice(const vq_field *field, int value, void *config)
{
    store(config, field->at, &value, sizeof value);
}

void vq_field_store_count(const vq_field *field, size_t value, void *config)
{
    store(config, field->count_at, &value, sizeof value);
}

void *vq_field_element(const vq_field *field, void *config, size_t index)
{
    return (unsigned char *)config + field->at + index * field->group->size;
}

const void *vq_field_element_const(const vq_field *field, const void *config, size_t index)
{
    return (const unsigned char *)config + field->at + index * field->group->size;
}

int vq_field_choice_named(const vq_field *field, const char *name)
{
    const size_t length = strlen(name);
    const char *next = field->choices;
    for (int index = 0; *next; index++) {
        const size_t size = strcspn(next, "|");
        if (size == length && memcmp(next, name, length) == 0) return index;
        next += size;
        if (*next == '|') next++;
    }
    return -1;
}
