/* SPDX-License-Identifier: Apache-2.0
 * cli/facts.h -- results built once as JSON, printed as JSON or as lines for people. */
#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include "program.h"
#include <jansson.h>

/** Reads a text of JSON, `flags` being jansson's; json_decref().
 *  @param error  what is wrong with it; an empty text where memory was short
 *  @return NULL where either is so */
json_t *facts_read(const char *bytes, size_t size, size_t flags, json_error_t *error);

/** A JSON text of any bytes, as text_utf8() writes them. */
json_t *fact_text(const char *bytes);
/** A JSON number; null where it is not finite. */
json_t *fact_number(double value);
/** A JSON list of numbers. */
json_t *fact_list(const int64_t *numbers, size_t n);
/** "4f02..." of 16 digits. */
json_t *fact_hash(uint64_t hash);

/** A value on one line, as people read it: texts without quotation marks, "yes", "7 x 7 x 64". */
void fact_cell(const json_t *value, char *to, size_t size);

/** Prints to stdout: one line of JSON with --json, else a line for each fact, nested ones
 *  indented and lists of objects as tables. Takes the object over; NULL is lack of memory. */
int facts_print(program *p, json_t *facts);
/** Always one line of JSON. Takes the object over. */
int facts_print_line(program *p, json_t *facts);
/** Text of JSON with numbers of nine digits; free(). NULL: no memory. */
char *facts_text(const json_t *facts, size_t flags);
/** Indented text of JSON whose numbers read back exactly, 0.3 written as 0.3; free(). */
char *facts_text_exact(const json_t *facts);

#endif
