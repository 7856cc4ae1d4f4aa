/* SPDX-License-Identifier: Apache-2.0
 * tests/support/fixture.h -- what most tests need: a context, a temporary folder, files in it,
 * and allocation and file operations that fail on demand. Include after cmocka.h. */
#ifndef VQ_TESTS_FIXTURE_H
#define VQ_TESTS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <vqvae/context.h>

/** A context with the defaults; fails the test where there is none. */
vq_context *fixture_context(void);

/** Makes a temporary folder, removed with all its files by fixture_folder_remove(). */
typedef struct fixture_folder {
    char path[512];
} fixture_folder;
void fixture_folder_make(fixture_folder *folder);
void fixture_folder_remove(const fixture_folder *folder);
size_t fixture_folder_count(const fixture_folder *folder);
/** Files and folders that this process holds open. */
size_t fixture_descriptors(void);

/** Path of a file in the folder; valid until the next call but three. */
const char *fixture_path(const fixture_folder *folder, const char *name);
void fixture_write(const char *path, const void *bytes, size_t size);
/** Whether the file holds exactly these bytes. */
bool fixture_holds(const char *path, const void *bytes, size_t size);

/** How a file operation fails. */
typedef enum fixture_fault {
    FIXTURE_FAIL,      /* with the code */
    FIXTURE_FAIL_ON,   /* so does every one after it */
    FIXTURE_INTERRUPT, /* by a signal, before it has done anything */
    FIXTURE_SHORT,     /* reads and writes move half of the bytes */
} fixture_fault;

/** Counts allocations or file operations; number `fail_at` (from 1) fails, 0: none does. */
typedef struct fixture_faults {
    long calls, fail_at, live; /* live: blocks not released yet */
    fixture_fault fault;       /* of file operations */
    const char *met;           /* which one it was: "open", "read", "write", "sync", ... */
    int code;                  /* errno of a failed file operation */
    size_t most;               /* bytes that one read or write moves; 0: all */
    bool interrupt;            /* every other operation is first interrupted */
    bool interrupted;
    bool disk; /* has only `room` bytes left, which writes use up */
    size_t room;
} fixture_faults;
vq_allocator fixture_allocator(fixture_faults *faults);
vq_file_hooks fixture_files(fixture_faults *faults);

/** Lets jansson, whose memory goes through no context, ask these faults as well; NULL: the C
 *  library again. For the whole process. */
void fixture_json_memory(fixture_faults *faults);

/** A context on faulty memory and files; either may be NULL. Faults start once it is made. */
vq_context *fixture_faulty_context(fixture_faults *memory, fixture_faults *files);

/** Fails unless the context's error sentence contains the words. */
void fixture_error_names(const vq_context *ctx, const char *words);

#endif
