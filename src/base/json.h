/* SPDX-License-Identifier: Apache-2.0
 * base/json.h -- JSON texts read by jansson, whose memory does not come from the context. Where it
 * is short, jansson says so, says nothing, finds fault with the text or, while it collects the
 * letters of a word, loses some of them; what is read here is whole. */
#ifndef VQ_BASE_JSON_H
#define VQ_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** Reads a text without duplicate keys. `flags` are JSON_DECODE_ANY or 0.
 *  @param error      what is wrong with the text, in jansson's words
 *  @param no_memory  instead, whether memory was short
 *  @return the value, to be released by json_decref(), or NULL */
json_t *vq_json_read(const char *text, size_t length, size_t flags, json_error_t *error,
                     bool *no_memory);

#endif
