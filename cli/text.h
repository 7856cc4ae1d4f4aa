/* SPDX-License-Identifier: Apache-2.0
 * cli/text.h -- text that grows. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "program.h"

/** Zero-initialise; free(data). Once memory ran out it stays as it is and says so. */
typedef struct text {
    char *data; /* NUL-terminated when not NULL */
    size_t used, room;
    bool failed;
} text;

void text_add(text *t, const char *format, ...) VQ_PRINTF(2, 3);
void text_bytes(text *t, const char *bytes, size_t n);
/** Adds it as UTF-8: bytes that are none, as file names may have, become \xe9 and the like. */
void text_utf8(text *t, const char *bytes);
/** The other way: \x80 to \xff become the bytes, in place. */
void text_restore(char *words);
/** Adds it as UTF-8 with & < > " ' written as HTML wants them. */
void text_html(text *t, const char *plain);
/** Adds bytes in base 64 (RFC 4648, section 4). */
void text_base64(text *t, const unsigned char *bytes, size_t n);
/** Fails where memory ran out on the way. */
int text_check(program *p, const text *t);

#endif
