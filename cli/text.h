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
/** Adds it with & < > " ' written as HTML wants them. */
void text_html(text *t, const char *plain);
/** Adds bytes in base 64 (RFC 4648, section 4). */
void text_base64(text *t, const unsigned char *bytes, size_t n);
/** Fails where memory ran out on the way. */
int text_check(program *p, const text *t);

#endif
