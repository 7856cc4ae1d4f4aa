/* SPDX-License-Identifier: Apache-2.0
 * base/platform_error.c -- errno in words, thread-safely.
 *
 * On its own because strerror_r has two forms, and the one of POSIX must be asked for. */
#undef _GNU_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "base/platform.h"
#include <stdio.h>
#include <string.h>

const char *vq_platform_error(int code, char *to, size_t size)
{
    if (strerror_r(code, to, size) != 0) snprintf(to, size, "error %d", code);
    return to;
}
