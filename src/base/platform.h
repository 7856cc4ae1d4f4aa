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
/** What an errno value means, for the end of a sentence. Writes at most `size` bytes. */
const char *vq_platform_error(int code, char *to, size_t size);

#endif
