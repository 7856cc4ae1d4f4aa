/* SPDX-License-Identifier: Apache-2.0
 * cli/files.h -- paths, and files replaced so that a reader never sees half of one. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "text.h"

enum { PATH_ROOM = 4096 };

bool path_exists(const char *path);
bool path_is_folder(const char *path);
/** Whether the path ends in the extension (".png"), in either case. */
bool path_has_extension(const char *path, const char *extension);
/** Last part of the path. */
const char *path_name(const char *path);
/** The same without its extension. */
int path_stem(program *p, const char *path, char to[PATH_ROOM]);
/** The folder that the path lies in. */
int path_parent(program *p, const char *path, char to[PATH_ROOM]);
/** Formats a path; one too long is BAD_INPUT. */
int path_format(program *p, char to[PATH_ROOM], const char *format, ...) VQ_PRINTF(3, 4);
/** The path seen from the root, so that it holds from any folder. What follows the last colon
 *  of a path that does not exist by itself (DATA:part) is kept. */
int path_absolute(program *p, const char *path, char to[PATH_ROOM]);

/** Refuses an output that exists, unless forced, or whose folder does not. */
int output_check(program *p, const char *path, bool force);
/** Refuses an output that is one of the n inputs, or a file that makes an input a run, whatever
 *  name it has. */
int output_check_inputs(program *p, const char *path, char *const *inputs, int n);
/** Refuses an output that the option names whose path does not end in the extension. */
int output_check_ending(program *p, const char *option, const char *path, const char *extension);
/** Refuses two outputs, named by two options, that are one file, by whatever names. */
int output_check_apart(program *p, const char *option, const char *path, const char *other_option,
                       const char *other);
/** Refuses a folder that would be called like a file. @param allowed  what may be written */
int output_check_folder(program *p, const char *path, const char *allowed);
/** Makes a folder and those above it; one that exists is fine. */
int folder_make(program *p, const char *path);

/** Reads a whole file; free(out->data). */
int file_read(program *p, const char *path, text *out);
/** A file written beside its place; nothing is seen there before output_commit(). Zero it, and
 *  output_abandon() it at the end. */
typedef struct output {
    FILE *file;
    char path[PATH_ROOM], temporary[PATH_ROOM];
} output;

int output_begin(program *p, const char *path, output *out);
int output_print(program *p, output *out, const char *format, ...) VQ_PRINTF(3, 4);
int output_write(program *p, output *out, const void *bytes, size_t size);
/** Overwrites the first bytes of what was written. */
int output_patch(program *p, output *out, const void *bytes, size_t size);
/** Syncs, renames. */
int output_commit(program *p, output *out);
/** Removes what was not committed. */
void output_abandon(output *out);
/** All of the above for bytes at hand. */
int file_replace(program *p, const char *path, const void *bytes, size_t size);

#endif
