/* SPDX-License-Identifier: Apache-2.0
 * base/json.c -- JSON texts read. */
#include "base/json.h"

json_t *vq_json_read(const char *text, size_t length, size_t flags, json_error_t *error,
                     bool *no_memory)
{
    *error = (json_error_t){0}; /* jansson does not always set all of it */
    json_t *value = json_loadb(text, length, flags | JSON_REJECT_DUPLICATES, error);
    *no_memory =
        !value && (error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory);
    return value;
}
