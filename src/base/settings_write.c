/* SPDX-License-Identifier: Apache-2.0
 * base/settings_write.c -- configurations as JSON text, in the order of their table. */
#include "base/settings_field.h"
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER = 64, FIRST_CAPACITY = 1024 };

typedef struct text {
    vq_context *ctx;
    char *data;
    size_t length, capacity;
} text;

static vq_status reserve(text *t, size_t more)
{
    if (more < t->capacity - t->length) return VQ_OK;
    char *larger;
    const size_t capacity = 2 * (t->length + more) + FIRST_CAPACITY;
    VQ_TRY(VQ_NEW(t->ctx, capacity, &larger));
    if (t->data) memcpy(larger, t->data, t->length);
    vq_release(t->ctx, t->data);
    t->data = larger;
    t->capacity = capacity;
    return VQ_OK;
}

/* Appends; the buffer always ends in a zero, as memory comes zeroed. */
static vq_status add(text *t, const char *words)
{
    const size_t length = strlen(words);
    VQ_TRY(reserve(t, length + 1));
    memcpy(t->data + t->length, words, length);
    t->length += length;
    return VQ_OK;
}

/* Writes a number with these digits; `*again` is what it reads back as. False where memory is
 * short. jansson writes and reads a point whatever the language of the system is. */
static bool write_real(double value, size_t digits, char number[NUMBER], double *again)
{
    json_t *real = json_real(value);
    const size_t size =
        real ? json_dumpb(real, number, NUMBER - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits))
             : 0;
    json_decref(real);
    if (size == 0 || size >= NUMBER) return false;
    number[size] = '\0';
    json_t *read = json_loads(number, JSON_DECODE_ANY, NULL);
    *again = json_real_value(read);
    json_decref(read);
    return read != NULL;
}

/* The fewest digits that read back as the same number; 17 always do (IEEE 754). */
static vq_status add_real(text *t, double value)
{
    char number[NUMBER];
    double again = (double)NAN;
    VQ_CHECK(t->ctx, isfinite(value), VQ_E_NUMERIC, "a setting is not a finite number");
    for (size_t digits = 15; digits <= 17; digits++) {
        VQ_CHECK(t->ctx, write_real(value, digits, number, &again), VQ_E_NOMEM,
                 "no memory to write a setting");
        if (!(again < value) && !(again > value)) break;
    }
    return add(t, number);
}

static vq_status add_object(text *t, const vq_table *table, const void *config);

static vq_status add_group(text *t, const vq_field *field, const void *config)
{
    const size_t count = vq_field_count(field, config);
    VQ_TRY(add(t, "["));
    for (size_t i = 0; i < count; i++) {
        if (i) VQ_TRY(add(t, ", "));
        VQ_TRY(add_object(t, field->group, vq_field_element_const(field, config, i)));
    }
    return add(t, "]");
}

static vq_status add_value(text *t, const vq_field *field, const void *config)
{
    char word[NUMBER];
    switch (field->type) {
    case VQ_FIELD_INT:
        snprintf(word, sizeof word, "%" PRId64, vq_field_int(field, config));
        return add(t, word);
    case VQ_FIELD_REAL: return add_real(t, vq_field_real(field, config));
    case VQ_FIELD_BOOL: return add(t, vq_field_bool(field, config) ? "true" : "false");
    case VQ_FIELD_CHOICE:
        VQ_TRY(add(t, "\""));
        VQ_TRY(
            add(t, vq_settings_choice(field, vq_field_choice(field, config), word, sizeof word)));
        return add(t, "\"");
    case VQ_FIELD_GROUP: return add_group(t, field, config);
    }
    return vq_fail(t->ctx, VQ_E_INTERNAL, "a table names a type that does not exist");
}

static vq_status add_object(text *t, const vq_table *table, const void *config)
{
    VQ_TRY(add(t, "{"));
    for (size_t i = 0; i < table->n_fields; i++) {
        const vq_field *field = &table->fields[i];
        VQ_TRY(add(t, i ? ", \"" : "\""));
        VQ_TRY(add(t, field->name));
        VQ_TRY(add(t, "\": "));
        VQ_TRY(add_value(t, field, config));
    }
    return add(t, "}");
}

vq_status vq_settings_write(vq_context *ctx, const vq_table *table, const void *config, char **json)
{
    *json = NULL;
    VQ_TRY(vq_settings_check(ctx, table, config)); /* only what reads back is written */
    text t = {.ctx = ctx};
    const vq_status status = add_object(&t, table, config);
    if (status == VQ_OK) *json = t.data;
    else vq_release(ctx, t.data);
    return status;
}
