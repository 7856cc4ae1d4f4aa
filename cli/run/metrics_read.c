/* SPDX-License-Identifier: Apache-2.0
 * cli/run/metrics_read.c -- metrics.jsonl read back. A kill may have left half a line at the end,
 * and a disk anything; what is no JSON object in a line of its own is passed over. */
#include "facts.h"
#include "files.h"
#include "run/metrics.h"
#include <stdlib.h>
#include <string.h>

typedef struct metrics_line {
    const char *text;
    size_t size;    /* with its end */
    json_t *object; /* NULL: none stands there */
    bool no_memory; /* to see that */
} metrics_line;

/* Moves `at` past the next line, and releases the one before. False where no whole line is left, or
 * no memory for it. */
static bool next_line(const char **at, metrics_line *line)
{
    const char *end = strchr(*at, '\n');
    json_error_t error;
    json_decref(line->object);
    *line = (metrics_line){0};
    if (!end) return false;
    line->text = *at;
    line->size = (size_t)(end - *at) + 1;
    line->object = facts_read(line->text, line->size - 1, 0, &error);
    line->no_memory = !line->object && !*error.text;
    *at = end + 1;
    return !line->no_memory;
}

static int check_memory(program *p, const metrics_line *last)
{
    return last->no_memory ? fail(p, MACHINE_FAILED, "no memory for the figures of a run") : DONE;
}

int metrics_read(program *p, const char *path, json_t **lines)
{
    text whole = {0};
    metrics_line line = {0};
    int code;
    *lines = json_array();
    TRY_TO(file_read(p, path, &whole));
    for (const char *at = whole.data; next_line(&at, &line);)
        if (json_is_object(line.object)) (void)json_array_append(*lines, line.object);
    code = check_memory(p, &line);
done:
    free(whole.data);
    return code;
}

int metrics_keep(program *p, const char *whole, int64_t step, text *kept, double *seconds)
{
    metrics_line line = {0};
    *seconds = 0.0;
    for (const char *at = whole; next_line(&at, &line);) {
        const json_t *of = json_object_get(line.object, "step");
        if (!json_is_integer(of) || json_integer_value(of) > step) continue;
        text_bytes(kept, line.text, line.size);
        *seconds = json_number_value(json_object_get(line.object, "seconds"));
    }
    TRY(check_memory(p, &line));
    return text_check(p, kept);
}
