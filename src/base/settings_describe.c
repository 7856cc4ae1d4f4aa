/* SPDX-License-Identifier: Apache-2.0
 * base/settings_describe.c -- types, defaults and ranges of a table's fields as words. */
#include "base/settings_describe.h"

#include <math.h>
#include <stdio.h>

enum { WORD = 64, NAME = 256 };

typedef struct described {
    vq_setting_visit visit;
    void *user;
} described;

/* A number as people write it: whole numbers without an exponent, infinity as nothing. */
static void write_number(double value, char *to, size_t size)
{
    if (isinf(value)) snprintf(to, size, "%s", "");
    else if (value == floor(value) && fabs(value) < 1e15) snprintf(to, size, "%.0f", value);
    else snprintf(to, size, "%g", value);
}

static void write_range(const vq_field *field, char *to, size_t size)
{
    char low[WORD], high[WORD];
    write_number(field->low, low, sizeof low);
    write_number(field->high, high, sizeof high);
    snprintf(to, size, "%s..%s", low, high);
}

static void visit_field(void *user, const char *prefix, const vq_field *field)
{
    const described *d = user;
    char name[NAME], standard[WORD] = "", range[2 * WORD + 2] = "";
    const char *type = "", *allowed = range;
    snprintf(name, sizeof name, "%s%s", prefix, field->name);
    switch (field->type) {
    case VQ_FIELD_INT:
    case VQ_FIELD_REAL:
        type = field->type == VQ_FIELD_INT ? "whole number" : "number";
        write_number(field->standard, standard, sizeof standard);
        write_range(field, range, sizeof range);
        break;
    case VQ_FIELD_BOOL:
        type = "yes or no";
        snprintf(standard, sizeof standard, "%s", field->standard != 0.0 ? "true" : "false");
        allowed = "true|false";
        break;
    case VQ_FIELD_CHOICE:
        type = "choice";
        vq_settings_choice(field, (int)field->standard, standard, sizeof standard);
        allowed = field->choices;
        break;
    case VQ_FIELD_GROUP: return; /* its fields are visited one by one */
    }
    d->visit(d->user, name, type, standard, allowed, field->help,
             field->source ? field->source : "");
}

void vq_settings_describe(const vq_table *table, vq_setting_visit visit, void *user)
{
    described d = {visit, user};
    vq_settings_walk(table, visit_field, &d);
}
