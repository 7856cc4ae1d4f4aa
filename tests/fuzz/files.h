/* SPDX-License-Identifier: Apache-2.0
 * fuzz/files.h -- files that are memory, for readers that want a path. Linux only. */
#ifndef VQ_TESTS_FUZZ_FILES_H
#define VQ_TESTS_FUZZ_FILES_H

#include "fuzz/fuzz.h"

enum { FUZZ_FILES_MAX = 4 };

/** Fills file number `slot` and returns its path, which is valid for good. */
const char *fuzz_file(size_t slot, const void *bytes, size_t size);
/** Gives file `slot` a second path, NAME in a folder that is removed at exit; returns the
 *  folder's path. */
const char *fuzz_file_name(size_t slot, const char *name);

/** Makes the context's files be written into memory, of which the last one is kept. Reading goes on
 *  as before. */
void fuzz_keep_written(vq_context *ctx);
/** The file that was written last, until the next one is. */
fuzz_piece fuzz_written(void);

#endif
