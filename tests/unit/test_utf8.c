/* SPDX-License-Identifier: Apache-2.0
 * What is UTF-8, beside what jansson takes for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs all of the above */
#include <jansson.h>

#include "base/utf8.h"

static void compare(const char *text)
{
    json_t *value = json_string(text);
    const bool valid = value != NULL;
    json_decref(value);
    if (vq_utf8_valid(text) != valid)
        fail_msg("%02x %02x %02x %02x", (unsigned char)text[0], (unsigned char)text[1],
                 (unsigned char)text[2], (unsigned char)text[3]);
}

/* Every text of up to two bytes, and every longer one whose last bytes are at an edge. */
static void as_jansson_has_it(void **state)
{
    static const unsigned char edges[] = {0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                          0xa0, 0xbf, 0xc0, 0xe0, 0xf0, 0xff};
    enum { EDGES = sizeof edges };
    (void)state;
    for (unsigned pair = 0; pair < 0x10000; pair++) {
        for (size_t i = 0; i < EDGES * EDGES; i++) {
            const unsigned char text[] = {(unsigned char)(pair >> 8), (unsigned char)pair,
                                          edges[i / EDGES], edges[i % EDGES], 0};
            if (i > 0 && pair < 0xe000) break;
            compare((const char *)text);
        }
    }
}

static void by_hand(void **state)
{
    (void)state;
    assert_true(vq_utf8_valid(""));
    assert_true(vq_utf8_valid("a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80z"));
    assert_false(vq_utf8_valid("\xc1\xa1"));         /* longer than it need be */
    assert_false(vq_utf8_valid("\xed\xa0\x80"));     /* half a pair */
    assert_false(vq_utf8_valid("\xf4\x90\x80\x80")); /* beyond U+10FFFF */
    assert_false(vq_utf8_valid("\xe6\x97"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(as_jansson_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
