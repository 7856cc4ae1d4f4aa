/* SPDX-License-Identifier: Apache-2.0
 * tests/support/table.h -- tables in files: a line a row, a tab between columns, the first line
 * names these. Include after cmocka.h. */
#ifndef VQ_TESTS_TABLE_H
#define VQ_TESTS_TABLE_H

#include <stddef.h>

enum { TABLE_COLUMNS_MAX = 8 };

typedef struct table_row {
    size_t line; /* in the file, from 1 */
    char *cells[TABLE_COLUMNS_MAX];
} table_row;

typedef void table_visit(void *user, const table_row *row);

/** Calls `visit` for each row and returns how many there are. Fails the test where the file cannot
 *  be read or a row has not exactly `columns` cells. */
size_t table_read(const char *path, size_t columns, table_visit *visit, void *user);

/** Puts bytes in the place of each \xNN; returns how many bytes the cell then holds. */
size_t table_unescape(char *cell);

#endif
