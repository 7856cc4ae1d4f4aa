/* SPDX-License-Identifier: Apache-2.0
 * fuzz/system.h -- what of the system is replaced while a target runs: memory.c and files.c.
 * Calls of our own code are led there by the linker's --wrap; those of other libraries, and all
 * outside of a target, go where they always go. */
#ifndef VQ_TESTS_FUZZ_SYSTEM_H
#define VQ_TESTS_FUZZ_SYSTEM_H

#include "fuzz/fuzz.h"

/** Whether a target is running. */
bool fuzz_inside(void);
/** Counts an operation; true, with errno set, where fuzz_fail() wants this one to fail. */
bool fuzz_fails(fuzz_fault kind);

/** A block for the context; NULL without memory. Released by free(). */
void *fuzz_memory_take(size_t size);
/** Before and after a target, whose blocks must all have been given back by then. */
void fuzz_memory_begin(void);
void fuzz_memory_end(void);
/** Files and folders that are still open. */
int fuzz_files_open(void);

#endif
