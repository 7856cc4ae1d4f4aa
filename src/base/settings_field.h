/* SPDX-License-Identifier: Apache-2.0
 * base/settings_field.h -- one field of a table: found by name, loaded, stored, checked. Shared
 * by the parts of settings; `where` is the full name that sentences begin with. */
#ifndef VQ_BASE_SETTINGS_FIELD_H
#define VQ_BASE_SETTINGS_FIELD_H

#include "base/settings.h"
#include <jansson.h>

enum { VQ_WHERE_SIZE = 256 };

/** Writes "section.name" into a text of VQ_WHERE_SIZE bytes. */
void vq_where_join(char *to, const char *section, const char *name, size_t length);
/** Writes "section.name.index". */
void vq_where_index(char *to, const char *section, const char *name, size_t index);

/** The field with the name's first `length` bytes, or NULL. */
const vq_field *vq_field_named(const vq_table *table, const char *name, size_t length);
/** Fails: no such setting, and which known one is nearest. */
vq_status vq_field_unknown(vq_context *ctx, const vq_table *table, const char *where,
                           const char *name);

int64_t vq_field_int(const vq_field *field, const void *config);
double vq_field_real(const vq_field *field, const void *config);
bool vq_field_bool(const vq_field *field, const void *config);
int vq_field_choice(const vq_field *field, const void *config);
size_t vq_field_count(const vq_field *field, const void *config);

void vq_field_store_int(const vq_field *field, int64_t value, void *config);
void vq_field_store_real(const vq_field *field, double value, void *config);
void vq_field_store_bool(const vq_field *field, bool value, void *config);
void vq_field_store_choice(const vq_field *field, int value, void *config);
void vq_field_store_count(const vq_field *field, size_t value, void *config);

/** Element of a group. */
void *vq_field_element(const vq_field *field, void *config, size_t index);
const void *vq_field_element_const(const vq_field *field, const void *config, size_t index);

/** Index of a choice's name, or -1. */
int vq_field_choice_named(const vq_field *field, const char *name);

/** Checks the range of what the field holds. */
VQ_MUST_USE vq_status vq_field_check(vq_context *ctx, const char *where, const vq_field *field,
                                     const void *config);
/** Stores a JSON value of the field's type, then checks its range. */
VQ_MUST_USE vq_status vq_field_assign(vq_context *ctx, const char *where, const vq_field *field,
                                      json_t *value, void *config);

#endif
