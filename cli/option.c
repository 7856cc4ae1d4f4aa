/* SPDX-License-Identifier: Apache-2.0
 * cli/option.c -- the command line against a verb's table. */
#include "option.h"
#include "common.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64 };

/* Optimal string alignment: insertion, deletion, replacement and swapped neighbours cost one
 * each. (Damerau 1964; three rows of the table suffice.) */
static size_t word_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    const size_t n = strlen(a), m = strlen(b);
    if (n > WORD_MAX || m > WORD_MAX) return WORD_MAX;
    for (size_t j = 0; j <= m; j++) rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t least = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < least) least = before[j] + 1;
            if (now[j - 1] + 1 < least) least = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                earlier[j - 2] + 1 < least)
                least = earlier[j - 2] + 1;
            now[j] = least;
        }
    }
    return rows[n % 3][m];
}

const char *nearest_word(const char *typed, const char *const *words, size_t n_words)
{
    const char *best = NULL;
    size_t least = strlen(typed) / 3 + 2; /* further away it is a guess, not a hint */
    for (size_t i = 0; i < n_words; i++) {
        const size_t distance = word_distance(typed, words[i]);
        if (distance < least) {
            least = distance;
            best = words[i];
        }
    }
    return best;
}

/* ---- finding an option --------------------------------------------------- */

const option *option_at(const verb *v, size_t index)
{
    if (index < v->n_options) return &v->options[index];
    index -= v->n_options;
    return index < n_shared_options ? &shared_options[index] : NULL;
}

void option_spell(const option *o, char *to, size_t size)
{
    (void)snprintf(to, size, "%s", o->name);
    for (char *c = to; *c; c++)
        if (*c == '_') *c = '-';
}

static const option *find_long(const verb *v, const char *name, size_t length)
{
    char spelled[WORD_MAX];
    const option *o;
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++) {
        option_spell(o, spelled, sizeof spelled);
        if (strlen(spelled) == length && memcmp(spelled, name, length) == 0) return o;
    }
    return NULL;
}

static const option *find_letter(const verb *v, char letter)
{
    const option *o;
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++)
        if (o->letter == letter) return o;
    return NULL;
}

static int unknown_option(program *p, const verb *v, const char *typed, size_t length)
{
    enum { MAX_OPTIONS = 64 };
    char spelled[MAX_OPTIONS][WORD_MAX], name[WORD_MAX];
    const char *words[MAX_OPTIONS];
    size_t n = 0;
    for (const option *o; n < MAX_OPTIONS && (o = option_at(v, n)) != NULL; n++) {
        option_spell(o, spelled[n], WORD_MAX);
        words[n] = spelled[n];
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)length, typed);
    const char *near = nearest_word(name, words, n);
    if (near) return fail(p, BAD_USAGE, "there is no option --%s; did you mean --%s?", name, near);
    return fail(p, BAD_USAGE, "there is no option --%s; `vqvae %s --help` lists them", name,
                v->name);
}

/* ---- storing a value ----------------------------------------------------- */

static int choice_index(const char *choices, const char *text)
{
    const size_t length = strlen(text);
    int index = 0;
    for (const char *c = choices; c; index++) {
        const char *end = strchr(c, '|');
        const size_t n = end ? (size_t)(end - c) : strlen(c);
        if (n == length && memcmp(c, text, n) == 0) return index;
        c = end ? end + 1 : NULL;
    }
    return -1;
}

static int store_whole(program *p, const option *o, const char *name, const char *text, int64_t *to)
{
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno || number < o->low || number > o->high)
        return fail(p, BAD_USAGE, "--%s takes a whole number from %lld to %lld, not \"%s\"", name,
                    (long long)o->low, (long long)o->high, text);
    *to = number;
    return DONE;
}

static int store_item(program *p, const char *text, option_list *list)
{
    const char **items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (!items) return fail(p, MACHINE_FAILED, "no memory for the command line");
    list->items = items;
    list->items[list->n++] = text;
    return DONE;
}

static int store(program *p, const option *o, const char *text, void *options)
{
    char name[WORD_MAX];
    void *to = (char *)options + o->at;
    const int index = o->choices ? choice_index(o->choices, text) : 0;
    option_spell(o, name, sizeof name);
    if (index < 0)
        return fail(p, BAD_USAGE, "--%s takes one of %s, not \"%s\"", name, o->choices, text);
    switch (o->type) {
    case OPTION_FLAG: *(bool *)to = true; return DONE;
    case OPTION_TEXT: *(const char **)to = text; return DONE;
    case OPTION_LIST: return store_item(p, text, to);
    case OPTION_WHOLE: break;
    }
    if (o->choices) {
        *(int64_t *)to = index;
        return DONE;
    }
    return store_whole(p, o, name, text, to);
}

static int store_standards(program *p, const verb *v, void *options)
{
    const option *o;
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++) {
        if (o->standard && *o->standard) TRY(store(p, o, o->standard, options));
        else if (o->type == OPTION_WHOLE) *(int64_t *)((char *)options + o->at) = OPTION_UNSET;
    }
    return DONE;
}

static int check_required(program *p, const verb *v, const void *options)
{
    char name[WORD_MAX];
    const option *o;
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++) {
        if (o->standard || o->type != OPTION_TEXT) continue;
        if (*(const char *const *)((const char *)options + o->at)) continue;
        option_spell(o, name, sizeof name);
        return fail(p, BAD_USAGE, "--%s %s is missing: %s", name, o->argument, o->help);
    }
    return DONE;
}

/* ---- walking the arguments ----------------------------------------------- */

/* Reads the option in arguments[*at] and moves *at past it and its value. */
static int take_option(program *p, const verb *v, int n, char **arguments, int *at, void *options)
{
    const char *text = arguments[(*at)++];
    const bool is_long = text[1] == '-';
    const char *name = text + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    const size_t length = equals ? (size_t)(equals - name) : is_long ? strlen(name) : 1;
    const option *o = is_long ? find_long(v, name, length) : find_letter(v, *name);
    const char *value = equals ? equals + 1 : !is_long && name[1] ? name + 1 : NULL;
    if (!o && is_long) return unknown_option(p, v, name, length);
    if (!o)
        return fail(p, BAD_USAGE, "there is no option -%c; `vqvae %s --help` lists them", *name,
                    v->name);
    if (o->type == OPTION_FLAG) {
        if (value)
            return fail(p, BAD_USAGE, "%.*s takes no value", (int)(value - text) - !!equals, text);
        return store(p, o, "", options);
    }
    if (!value && *at < n) value = arguments[(*at)++];
    if (!value) return fail(p, BAD_USAGE, "%s needs a value: %s", text, o->help);
    return store(p, o, value, options);
}

int options_parse(program *p, const verb *v, int n, char **arguments, void *options,
                  int *n_operands)
{
    common_options *common = options;
    int operands = 0;
    bool only_operands = false;
    TRY(store_standards(p, v, options));
    for (int at = 0; at < n;) {
        if (!only_operands && strcmp(arguments[at], "--") == 0) {
            only_operands = true;
            at++;
        } else if (!only_operands && arguments[at][0] == '-' && arguments[at][1]) {
            TRY(take_option(p, v, n, arguments, &at, options));
        } else {
            arguments[operands++] = arguments[at++];
        }
    }
    *n_operands = operands;
    if (common->help) return DONE;
    if (operands < v->min_operands)
        return fail(p, BAD_USAGE, "too few arguments; it is `vqvae %s %s`", v->name, v->operands);
    if (operands > v->max_operands)
        return fail(p, BAD_USAGE, "\"%s\" is one argument too many; it is `vqvae %s %s`",
                    arguments[v->max_operands], v->name, v->operands);
    return check_required(p, v, options);
}

void options_clear(const verb *v, void *options)
{
    for (size_t i = 0; i < v->n_options; i++)
        if (v->options[i].type == OPTION_LIST)
            free(((option_list *)(void *)((char *)options + v->options[i].at))->items);
}
