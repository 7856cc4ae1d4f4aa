/* SPDX-License-Identifier: Apache-2.0
 * cli/option.c -- the command line against a verb's table. */
#include "option.h"
#include "common.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64 };

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

/* -K may be meant as -k. */
static int unknown_letter(program *p, const verb *v, char typed)
{
    const int other = isupper((unsigned char)typed) ? tolower((unsigned char)typed)
                                                    : toupper((unsigned char)typed);
    if (other != typed && find_letter(v, (char)other))
        return fail(p, BAD_USAGE, "there is no option -%c; did you mean -%c?", typed, other);
    return fail(p, BAD_USAGE, "there is no option -%c; `vqvae %s --help` lists them", typed,
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

static int unknown_choice(program *p, const option *o, const char *name, const char *text)
{
    enum { MAX_CHOICES = 16 };
    char words[MAX_CHOICES][WORD_MAX], hint[2 * WORD_MAX];
    const char *list[MAX_CHOICES];
    size_t n = 0;
    for (const char *c = o->choices; c && n < MAX_CHOICES; n++) {
        (void)snprintf(words[n], WORD_MAX, "%.*s", (int)strcspn(c, "|"), c);
        list[n] = words[n];
        c = strchr(c, '|');
        c = c ? c + 1 : NULL;
    }
    return fail(p, BAD_USAGE, "--%s takes one of %s, not \"%s\"%s", name, o->choices, text,
                hint_of(text, list, n, hint, sizeof hint));
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

static int store_real(program *p, const option *o, const char *name, const char *text, double *to)
{
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end == text || *end || !(number >= o->least && number <= o->most))
        return fail(p, BAD_USAGE, "--%s takes a number from %g to %g, not \"%s\"", name, o->least,
                    o->most, text);
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
    if ((o->type == OPTION_TEXT || o->type == OPTION_LIST) && !*text)
        return fail(p, BAD_USAGE, "--%s is followed by an empty word instead of %s: %s", name,
                    o->argument, o->help);
    if (index < 0) return unknown_choice(p, o, name, text);
    switch (o->type) {
    case OPTION_FLAG: *(bool *)to = true; return DONE;
    case OPTION_TEXT: *(const char **)to = text; return DONE;
    case OPTION_LIST: return store_item(p, text, to);
    case OPTION_REAL: return store_real(p, o, name, text, to);
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
        else if (o->type == OPTION_REAL) *(double *)(void *)((char *)options + o->at) = (double)NAN;
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
    if (!o) return unknown_letter(p, v, *name);
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
    for (int i = 0; i < operands; i++)
        if (!*arguments[i])
            return fail(p, BAD_USAGE, "argument %d is empty; it is `vqvae %s %s`", i + 1, v->name,
                        v->operands);
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
