/* SPDX-License-Identifier: Apache-2.0
 * base/utf8.h -- texts that go into JSON. */
#ifndef VQ_BASE_UTF8_H
#define VQ_BASE_UTF8_H

#include <stdbool.h>

/** Whether the text is well-formed UTF-8 (RFC 3629): no byte out of place, nothing longer than it
 *  need be, no surrogates, nothing beyond U+10FFFF. */
bool vq_utf8_valid(const char *text);

#endif
