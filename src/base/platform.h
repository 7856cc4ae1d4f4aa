/* SPDX-License-Identifier: Apache-2.0
 * base/platform.h -- the defaults behind the hooks of a context. */
#ifndef VQ_BASE_PLATFORM_H
#define VQ_BASE_PLATFORM_H

#include <stddef.h>
#include <vqvae/context.h>

/** The C library's memory. */
vq_allocator vq_platform_allocator(void);
/** Replaces every hook left NULL by the POSIX call of that name. */
void vq_platform_files(vq_file_hooks *files);
/** Processors this process may run on; at least 1. */
int vq_platform_processors(void);
/** Address of a thing in a shared library that is found beside this one or where the system looks;
 *  it stays loaded. NULL, and the reason in `why`, where there is none. */
void *vq_platform_symbol(const char *library, const char *symbol, char *why, size_t size);
/** What an errno value means, for the end of a sentence. Writes at most `size` bytes. */
const char *vq_platform_error(int code, char *to, size_t size);

#endif
