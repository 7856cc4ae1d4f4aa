/* SPDX-License-Identifier: Apache-2.0
 * cli/text.c -- text that grows. */
#include "text.h"
#include <stdlib.h>
#include <string.h>

static bool reserve(text *t, size_t more)
{
    if (t->failed) return false;
    if (more >= t->room - t->used) {
        const size_t room = (t->used + more + 1) * 2;
        char *data = realloc(t->data, room);
        t->failed = data == NULL;
        if (t->failed) return false;
        t->data = data;
        t->room = room;
    }
    return true;
}

void text_bytes(text *t, const char *bytes, size_t n)
{
    if (!reserve(t, n)) return;
    memcpy(t->data + t->used, bytes, n);
    t->used += n;
    t->data[t->used] = 0;
}

void text_add(text *t, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int n = vsnprintf(NULL, 0, format, arguments);
    if (n < 0) t->failed = true;
    else if (reserve(t, (size_t)n)) {
        (void)vsnprintf(t->data + t->used, (size_t)n + 1, format, again);
        t->used += (size_t)n;
    }
    va_end(again);
    va_end(arguments);
}

/* Bytes of the well-formed character (RFC 3629) that begins here; 0 where none does. */
static size_t character(const unsigned char *c)
{
    const size_t n = c[0] < 0x80   ? 1
                     : c[0] < 0xc2 ? 0
                     : c[0] < 0xe0 ? 2
                     : c[0] < 0xf0 ? 3
                     : c[0] < 0xf5 ? 4
                                   : 0;
    if (n < 2) return n;
    /* No longer than need be, no surrogate, nothing beyond U+10FFFF. */
    const unsigned char least = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : 0xbf;
    if (c[1] < least || c[1] > most) return 0;
    for (size_t i = 2; i < n; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    return n;
}

/* Adds the character or the byte that stands here; how many bytes that were. */
static size_t add_character(text *t, const char *c)
{
    const size_t n = character((const unsigned char *)c);
    if (n > 0) text_bytes(t, c, n);
    else text_add(t, "\\x%02x", (unsigned)(unsigned char)*c);
    return n > 0 ? n : 1;
}

void text_utf8(text *t, const char *bytes)
{
    text_bytes(t, "", 0);
    while (*bytes) bytes += add_character(t, bytes);
}

void text_restore(char *words)
{
    char *to = words;
    for (const char *c = words; *c; to++) {
        unsigned byte;
        int n = 0;
        if (sscanf(c, "\\x%2x%n", &byte, &n) == 1 && n == 4 && byte >= 0x80) {
            *to = (char)byte;
            c += n;
        } else *to = *c++;
    }
    *to = 0;
}

void text_html(text *t, const char *plain)
{
    for (const char *c = plain; *c;) {
        switch (*c) {
        case '&': text_bytes(t, "&amp;", 5); break;
        case '<': text_bytes(t, "&lt;", 4); break;
        case '>': text_bytes(t, "&gt;", 4); break;
        case '"': text_bytes(t, "&quot;", 6); break;
        case '\'': text_bytes(t, "&#39;", 5); break;
        default: c += add_character(t, c); continue;
        }
        c++;
    }
}

void text_base64(text *t, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const unsigned a = bytes[i], b = left > 1 ? bytes[i + 1] : 0,
                       c = left > 2 ? bytes[i + 2] : 0;
        const unsigned word = a << 16 | b << 8 | c;
        const char four[4] = {digits[word >> 18], digits[word >> 12 & 63],
                              left > 1 ? digits[word >> 6 & 63] : '=',
                              left > 2 ? digits[word & 63] : '='};
        text_bytes(t, four, sizeof four);
    }
}

int text_check(program *p, const text *t)
{
    return t->failed ? fail(p, MACHINE_FAILED, "no memory for a text of %zu bytes", t->used) : DONE;
}
