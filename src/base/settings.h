/* SPDX-License-Identifier: Apache-2.0
 * base/settings.h -- configurations described by one table of fields each.
 *
 * A table row says name, type, place, default, range and help. From it come the
 * defaults, the JSON reader and writer, the check of ranges, `--set key=value`,
 * `--help` and the page of settings in docs/. Nothing else knows a default. */
#ifndef VQ_BASE_SETTINGS_H
#define VQ_BASE_SETTINGS_H

#include "base/context.h"
#include <stddef.h>
#include <stdint.h>

typedef enum vq_field_type {
    VQ_FIELD_INT,    /* int64_t */
    VQ_FIELD_REAL,   /* double */
    VQ_FIELD_BOOL,   /* bool */
    VQ_FIELD_CHOICE, /* int: index into `choices` */
    VQ_FIELD_GROUP   /* array of structs with its own table */
} vq_field_type;

typedef struct vq_table vq_table;

typedef struct vq_field {
    const char *name; /* as users write it: "lr" */
    vq_field_type type;
    size_t at;             /* offset in the struct */
    double low, high;      /* accepted range, both ends included; INT and REAL */
    double standard;       /* the default: number, 0/1, or index of the choice */
    const char *choices;   /* "constant|cosine"; CHOICE */
    const char *help;      /* what it means, its unit; one line, no full stop */
    const char *source;    /* paper, equation or project it follows; "" where ours */
    const vq_table *group; /* GROUP: the table of one element */
    size_t count_at;       /* GROUP: offset of a size_t with the number of elements */
    size_t count_max;      /* GROUP: room in the struct's array */
} vq_field;

struct vq_table {
    const char *name; /* section: "model", "train", "data", "level" */
    const vq_field *fields;
    size_t n_fields;
    size_t size; /* of the struct */
};

/** Fills a struct with the table's defaults; groups get one element of defaults. */
void vq_settings_default(const vq_table *table, void *config);

/** Reads a JSON object into a struct already filled with defaults. Unknown names, wrong
 *  types, duplicates and values out of range are VQ_E_ARG; the sentence names the field
 *  (with `table->name` before it), what was met, what is allowed, and the nearest known name.
 *  A field absent from the text keeps its value. */
VQ_MUST_USE vq_status vq_settings_read(vq_context *ctx, const vq_table *table, const char *json,
                                       void *config);

/** Sets one field from text: name "lr" or "level.0.k"; index = count adds an element. */
VQ_MUST_USE vq_status vq_settings_set(vq_context *ctx, const vq_table *table, const char *name,
                                      const char *value, void *config);

/** Checks every range. */
VQ_MUST_USE vq_status vq_settings_check(vq_context *ctx, const vq_table *table, const void *config);

/** JSON text of every field in table order; numbers round-trip exactly. Owned by the caller
 *  (vq_release). */
VQ_MUST_USE vq_status vq_settings_write(vq_context *ctx, const vq_table *table, const void *config,
                                        char **json);

/** Calls `emit` for every field, groups with prefix "level.N.". For help and docs. */
typedef void vq_settings_visit(void *user, const char *prefix, const vq_field *field);
void vq_settings_walk(const vq_table *table, vq_settings_visit *emit, void *user);

/** Name of the choice with this index, without its terminator: writes at most `size`. */
const char *vq_settings_choice(const vq_field *field, int index, char *to, size_t size);

#endif
