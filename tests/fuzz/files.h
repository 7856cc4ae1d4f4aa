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

/** Writes the path that an input asks for: what is in the folder ("/file"), a part of it (":part"),
 *  or `standard` where it asks for nothing. No input leads out of the folder. */
void fuzz_path(char *to, size_t size, const char *folder, const char *standard, fuzz_piece asked);
/** Makes the context open files that are memory, and no other. */
void fuzz_stay_in_memory(vq_context *ctx);

/** Makes the context's files be written into memory, of which the last one is kept. Reading goes on
 *  as before. */
void fuzz_keep_written(vq_context *ctx);
/** The file that was written last, until the next one is. */
fuzz_piece fuzz_written(void);

#endif
