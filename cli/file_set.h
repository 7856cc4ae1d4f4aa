/* SPDX-License-Identifier: Apache-2.0
 * cli/file_set.h -- files that a verb reads, known whatever names lead to them. */
#ifndef CLI_FILE_SET_H
#define CLI_FILE_SET_H

#include "program.h"

/** Zero-initialise; file_set_clear() it. */
typedef struct file_set {
    struct file_id *items;
    size_t n, room;
} file_set;

/** Adds what is there; nothing where there is nothing. */
int file_set_add(program *p, file_set *set, const char *path);
/** Adds an input of a verb: a file, or a folder with the files that make it a run. */
int file_set_add_input(program *p, file_set *set, const char *path);
/** To be called between the last addition and the first question. */
void file_set_order(file_set *set);
/** Refuses an output that is in the set. */
int file_set_refuse(program *p, const file_set *set, const char *path);
void file_set_clear(file_set *set);

#endif
