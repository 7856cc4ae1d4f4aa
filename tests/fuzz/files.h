/* SPDX-License-Identifier: Apache-2.0
 * fuzz/files.h -- files that are memory, for readers that want a path. While a target runs there
 * are no others. */
#ifndef VQ_TESTS_FUZZ_FILES_H
#define VQ_TESTS_FUZZ_FILES_H

#include "fuzz/fuzz.h"

enum { FUZZ_FILES_MAX = 4 };
#define FUZZ_FOLDER "/fuzz"

/** Makes file number `slot` hold these bytes, which stay the caller's, and returns its path. */
const char *fuzz_file(size_t slot, const void *bytes, size_t size);
/** Gives file `slot` a second path, NAME in FUZZ_FOLDER, for good. */
void fuzz_file_name(size_t slot, const char *name);

/** Writes the path that an input asks for: what is in the folder ("/file"), a part of it (":part"),
 *  or `standard` where it asks for nothing. */
void fuzz_path(char *to, size_t size, const char *standard, fuzz_piece asked);

/** The file that was written last, until the next one is. */
fuzz_piece fuzz_written(void);

#endif
