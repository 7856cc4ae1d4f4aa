/* SPDX-License-Identifier: Apache-2.0
 * cli/facts.c -- results as JSON or as lines. */
#include "facts.h"
#include "text.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 64, COLUMNS = 16 };

/* jansson names its lack of memory, or says nothing, perhaps not even that all is well. */
json_t *facts_read(const char *bytes, size_t size, size_t flags, json_error_t *error)
{
    *error = (json_error_t){0};
    json_t *value = json_loadb(bytes, size, flags, error);
    if (!value && json_error_code(error) == json_error_out_of_memory) error->text[0] = '\0';
    return value;
}

json_t *fact_text(const char *bytes)
{
    text t = {0};
    text_utf8(&t, bytes);
    json_t *words = t.failed ? NULL : json_string(t.data);
    free(t.data);
    return words;
}

json_t *fact_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *fact_list(const int64_t *numbers, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) (void)json_array_append_new(list, json_integer(numbers[i]));
    return list;
}

json_t *fact_hash(uint64_t hash)
{
    char digits[20];
    (void)snprintf(digits, sizeof digits, "%016" PRIx64, hash);
    return json_string(digits);
}

char *facts_text(const json_t *facts, size_t flags)
{
    return json_dumps(facts, flags | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY);
}

char *facts_text_exact(const json_t *facts)
{
    enum { SHORT = 15, EXACT = 17 }; /* digits that most numbers, and all, need to come back */
    char *brief = json_dumps(facts, JSON_INDENT(2) | JSON_REAL_PRECISION(SHORT));
    json_t *again = brief ? json_loads(brief, 0, NULL) : NULL;
    const bool same = json_equal(facts, again);
    json_decref(again);
    if (same || !brief) return brief;
    free(brief);
    return json_dumps(facts, JSON_INDENT(2) | JSON_REAL_PRECISION(EXACT));
}

/* Numbers as "7 x 7 x 64"; of other lists only how long they are. */
static void list_cell(const json_t *list, char *to, size_t size)
{
    size_t used = 0;
    if (!json_is_number(json_array_get(list, 0))) {
        const size_t n = json_array_size(list);
        (void)snprintf(to, size, "%zu %s", n, n == 1 ? "entry" : "entries");
        return;
    }
    for (size_t i = 0; i < json_array_size(list) && used < size; i++) {
        char item[CELL];
        fact_cell(json_array_get(list, i), item, sizeof item);
        const int n = snprintf(to + used, size - used, "%s%s", i ? " x " : "", item);
        used += n > 0 ? (size_t)n : 0;
    }
}

void fact_cell(const json_t *value, char *to, size_t size)
{
    if (json_is_string(value)) (void)snprintf(to, size, "%s", json_string_value(value));
    else if (json_is_real(value)) (void)snprintf(to, size, "%.6g", json_real_value(value));
    else if (json_is_integer(value))
        (void)snprintf(to, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        (void)snprintf(to, size, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_array(value)) list_cell(value, to, size);
    else (void)snprintf(to, size, "-");
}

static size_t text_width(const json_t *value)
{
    char to[4 * CELL];
    fact_cell(value, to, sizeof to);
    return strlen(to);
}

static void column_widths(const json_t *rows, size_t width[COLUMNS])
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *key;
        json_t *value, *row = json_array_get(rows, i);
        size_t c = 0;
        json_object_foreach (row, key, value) {
            if (c == COLUMNS) break;
            const size_t n = text_width(value), name = strlen(key);
            if (i == 0) width[c] = name;
            if (n > width[c]) width[c] = n;
            c++;
        }
    }
}

static void print_table(const json_t *rows, int indent)
{
    size_t width[COLUMNS] = {0};
    column_widths(rows, width);
    for (size_t i = 0; i <= json_array_size(rows); i++) {
        const bool head = i == 0;
        const char *key;
        json_t *value, *row = json_array_get(rows, head ? 0 : i - 1);
        size_t c = 0;
        printf("%*s", indent, "");
        json_object_foreach (row, key, value) {
            char cell[4 * CELL];
            if (c == COLUMNS) break;
            fact_cell(value, cell, sizeof cell);
            const bool right = json_is_number(value);
            printf("%*s%s", right ? (int)width[c] : -(int)width[c], head ? key : cell, "  ");
            c++;
        }
        printf("\n");
    }
}

static bool is_table(const json_t *value)
{
    return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

static void print_object(const json_t *facts, int indent)
{
    const char *key;
    json_t *value;
    int width = 0;
    json_object_foreach ((json_t *)(uintptr_t)facts, key, value)
        if ((int)strlen(key) > width) width = (int)strlen(key);
    json_object_foreach ((json_t *)(uintptr_t)facts, key, value) {
        char cell[16 * CELL];
        if (json_is_object(value) || is_table(value)) {
            printf("%*s%s\n", indent, "", key);
            if (is_table(value)) print_table(value, indent + 2);
            else print_object(value, indent + 2);
            continue;
        }
        fact_cell(value, cell, sizeof cell);
        printf("%*s%-*s  %s\n", indent, "", width, key, cell);
    }
}

int facts_print_line(program *p, json_t *facts)
{
    char *line = facts ? facts_text(facts, JSON_COMPACT) : NULL;
    json_decref(facts);
    if (!line) return fail(p, MACHINE_FAILED, "no memory for the results");
    puts(line);
    free(line);
    return results_flush(p);
}

int facts_print(program *p, json_t *facts)
{
    if (p->json || !facts) return facts_print_line(p, facts);
    if (is_table(facts)) print_table(facts, 0);
    else print_object(facts, 0);
    json_decref(facts);
    return results_flush(p);
}
