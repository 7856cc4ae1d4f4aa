/* SPDX-License-Identifier: Apache-2.0
 * base/utf8.c -- well-formed UTF-8. */
#include "base/utf8.h"
#include <stddef.h>
#include <stdint.h>

/* Bytes that follow a first byte; -1 where no character begins with it. */
static int followers(unsigned char first)
{
    if (first < 0x80) return 0;
    if (first >= 0xc2 && first < 0xe0) return 1; /* 0xc0 and 0xc1 would be longer than need be */
    if (first >= 0xe0 && first < 0xf0) return 2;
    return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

bool vq_utf8_valid(const char *text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        const int more = followers(*c);
        if (more < 0) return false;
        uint32_t code = more ? *c & (0x3fu >> more) : *c;
        c++;
        for (int i = 0; i < more; i++, c++) {
            if ((*c & 0xc0) != 0x80) return false;
            code = code << 6 | (*c & 0x3f);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return false;
    }
    return true;
}
