/* SPDX-License-Identifier: Apache-2.0
 * base/json.c -- JSON texts read so that nothing is lost where memory is short.
 *
 * jansson (2.14) collects the letters of a text or number in a buffer that it doubles when it is
 * full. It goes on without the letters for which that failed: "encoder" may become "encode", 1000
 * become 100, and what is left of an escape ends the process. The buffer is never made smaller
 * while a text is read. So what is read is a list whose first element is a text longer than any
 * word of the text in question, its second that text. Where the first arrives whole, the buffer has
 * all the room that the second needs, and nothing of that can be lost. */
#include "base/json.h"
#include <string.h>

enum { GUARD = 5 }; /* letters of the list besides the text and as many x */

/* ["xxx...",TEXT], handed out piece by piece. */
typedef struct guarded {
    const char *text;
    size_t length, at;
} guarded;

static char letter_at(const guarded *g, size_t at)
{
    if (at < 2) return "[\""[at];
    at -= 2;
    if (at < g->length) return 'x';
    at -= g->length;
    if (at < 2) return "\","[at];
    at -= 2;
    return at < g->length ? g->text[at] : ']';
}

static size_t hand_out(void *to, size_t room, void *user)
{
    guarded *g = user;
    char *letters = to;
    const size_t left = 2 * g->length + GUARD - g->at, n = left < room ? left : room;
    for (size_t i = 0; i < n; i++) letters[i] = letter_at(g, g->at + i);
    g->at += n;
    return n;
}

static bool ran_out(const json_error_t *error)
{
    return error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory;
}

/* NULL where the text is wrong or memory is short, which jansson may mistake for a wrong text; what
 * it says is moved to where it is in the text. */
static json_t *read_guarded(const char *text, size_t length, json_error_t *error, bool *no_memory)
{
    guarded g = {text, length, 0};
    const int before = (int)length + GUARD - 1;
    *error = (json_error_t){0}; /* jansson does not always set all of it */
    json_t *list = json_load_callback(hand_out, &g, JSON_REJECT_DUPLICATES, error);
    const bool whole = list && json_string_length(json_array_get(list, 0)) == length;
    *no_memory = list ? !whole : ran_out(error);
    json_t *value =
        whole && json_array_size(list) == 2 ? json_incref(json_array_get(list, 1)) : NULL;
    if (!list && error->position >= before) error->position -= before;
    if (!list && error->line == 1) error->column -= before;
    json_decref(list);
    return value;
}

/* Why a text cannot be read that is not short of memory: by itself it is called wrong in its own
 * words. One with escapes is not read so, as no letter of it may be lost. */
static void find_words(const char *text, size_t length, size_t flags, json_error_t *error)
{
    if (memchr(text, '\\', length)) return;
    *error = (json_error_t){0};
    json_decref(json_loadb(text, length, flags | JSON_REJECT_DUPLICATES, error));
}

json_t *vq_json_read(const char *text, size_t length, size_t flags, json_error_t *error,
                     bool *no_memory)
{
    json_t *value = read_guarded(text, length, error, no_memory);
    if (json_is_object(value) || json_is_array(value) || (value && flags & JSON_DECODE_ANY))
        return value;
    const bool other = value != NULL; /* neither a list nor an object */
    json_decref(value);
    if (*no_memory) return NULL;
    /* A second time memory suffices, where it was only that. */
    value = read_guarded(text, length, error, no_memory);
    *no_memory = *no_memory || (value && !other);
    json_decref(value);
    if (!*no_memory) find_words(text, length, flags, error);
    return NULL;
}
