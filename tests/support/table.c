/* SPDX-License-Identifier: Apache-2.0
 * tests/support/table.c -- tables in files. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs all of the above */

#include "table.h"

static size_t split(char *line, char *cells[TABLE_COLUMNS_MAX])
{
    size_t n = 0;
    for (char *next = line; next; n++) {
        char *tab = strchr(next, '\t');
        if (tab) *tab++ = '\0';
        if (n < TABLE_COLUMNS_MAX) cells[n] = next;
        next = tab;
    }
    return n;
}

size_t table_read(const char *path, size_t columns, table_visit *visit, void *user)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0, rows = 0;
    if (!file) fail_msg("%s cannot be opened", path);
    table_row row = {0};
    for (ssize_t length; (length = getline(&line, &room, file)) > 0;) {
        row.line++;
        if (line[length - 1] == '\n') line[length - 1] = '\0';
        const size_t n = split(line, row.cells);
        if (n != columns) fail_msg("%s:%zu: %zu columns, not %zu", path, row.line, n, columns);
        if (row.line == 1) continue;
        visit(user, &row);
        rows++;
    }
    free(line);
    (void)fclose(file);
    return rows;
}

size_t table_unescape(char *cell)
{
    char *to = cell;
    for (const char *from = cell; *from; to++) {
        unsigned byte;
        if (from[0] == '\\' && from[1] == 'x' && sscanf(from + 2, "%2x", &byte) == 1) {
            *to = (char)byte;
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - cell);
}
