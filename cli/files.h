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
/** Last part of the path, without its extension. */
int path_stem(program *p, const char *path, char to[PATH_ROOM]);
/** Formats a path; one too long is BAD_INPUT. */
int path_format(program *p, char to[PATH_ROOM], const char *format, ...) VQ_PRINTF(3, 4);
/** The path seen from the root, so that it holds from any folder. What follows the last colon
 *  of a path that does not exist by itself (DATA:part) is kept. */
int path_absolute(program *p, const char *path, char to[PATH_ROOM]);

/** Refuses an output that exists, unless forced, or whose folder does not. */
int output_check(program *p, const char *path, bool force);
/** Makes a folder and those above it; one that exists is fine. */
int folder_make(program *p, const char *path);

/** Reads a whole file; free(out->data). */
int file_read(program *p, const char *path, text *out);
/** Writes beside the place, syncs, renames. */
int file_replace(program *p, const char *path, const void *bytes, size_t size);

#endif
