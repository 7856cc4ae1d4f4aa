/* SPDX-License-Identifier: Apache-2.0
 * cli/option.h -- a verb is a table of options. Parser, --help, manual and completions all walk it,
 * so that none of them can say what another does not. */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include "program.h"

typedef enum option_type {
    OPTION_FLAG,
    OPTION_WHOLE,
    OPTION_REAL,
    OPTION_TEXT,
    OPTION_LIST
} option_type;

/** Values of an option that may be given several times, in order. */
typedef struct option_list {
    const char **items;
    size_t n;
} option_list;

/** What a whole number holds that was not given and has no default; a real one is NAN then. */
#define OPTION_UNSET INT64_MIN

typedef struct option {
    const char *name; /* the field's; underscores are written as hyphens */
    char letter;      /* 0: long form only */
    option_type type;
    size_t at;            /* where the value goes in the verb's own struct */
    const char *argument; /* "N", or a word of values_of(); NULL for flags */
    const char *standard; /* the default; NULL: must be given; "": unset */
    const char *help;     /* one line, no full stop */
    const char *choices;  /* "auto|portable": WHOLE stores the index, TEXT the word */
    int64_t low, high;    /* accepted range of WHOLE */
    double least, most;   /* accepted range of REAL */
} option;

#define OPTION_TYPE(T, f)                                                                          \
    _Generic(((T *)0)->f,                                                                         \
        bool: OPTION_FLAG,                                                                        \
        int64_t: OPTION_WHOLE,                                                                    \
        double: OPTION_REAL,                                                                      \
        const char *: OPTION_TEXT,                                                                \
        option_list: OPTION_LIST)
/** The type comes from the field, so the two cannot disagree. The rest: help, then .low = ... */
#define OPTION(T, f, letter_, argument_, standard_, ...)                                           \
    {                                                                                              \
        .name = #f, .letter = (letter_), .type = OPTION_TYPE(T, f), .at = offsetof(T, f),          \
        .argument = (argument_), .standard = (standard_), .help = __VA_ARGS__                      \
    }

/** Options of every verb; the first member of every verb's struct. */
typedef struct common_options {
    bool help, quiet, json;
    int64_t threads;
} common_options;

typedef struct verb {
    const char *name, *summary;
    /* As the synopsis shows them: "MODEL DATA", "[PRESET]", "INPUT... -o CODES", or the words
     * that may stand there, "train|forward". */
    const char *operands;
    int min_operands, max_operands;
    const char *about;    /* paragraphs of --help, wrapped by hand at 79 columns */
    const char *examples; /* one a line; they run as they stand */
    const option *options;
    size_t n_options;
    size_t options_size;
    int (*run)(program *p, const void *options, int n, char **operands);
} verb;

/** What can stand where help shows a word such as "FILE": completions offer that. */
typedef enum value_kind {
    VALUE_FREE,    /* "N", "NAME": nothing can be offered */
    VALUE_PATH,    /* "FILE", "DATA", "MODEL", ...: a file or a folder */
    VALUE_PRESET,  /* "PRESET" */
    VALUE_SETTING, /* "KEY=VALUE" */
    VALUE_CHOICE   /* "train|forward": one of these words */
} value_kind;

/** The kind of a word of a synopsis; "[", "]" and "..." around it do not matter. */
value_kind values_of(const char *word);

/** All verbs, in the order of --help. */
const verb *verb_at(size_t index);
const verb *verb_named(const char *name);

/**
 * Reads the arguments after the verb into `options` (options_size zeroed bytes).
 * @param operands  out: what is no option, in order; `arguments` itself is permuted
 */
int options_parse(program *p, const verb *v, int n, char **arguments, void *options,
                  int *n_operands);
/** Releases lists. */
void options_clear(const verb *v, void *options);

/** The word of the list nearest to what was typed, or NULL where none is near. */
const char *nearest_word(const char *typed, const char *const *words, size_t n_words);
/** "; did you mean "WORD"?" for the nearest word of the list, "" where none is near. */
const char *hint_of(const char *typed, const char *const *words, size_t n_words, char *to,
                    size_t size);

/** Text of `vqvae --help`, and of `vqvae VERB --help`, on stdout. */
void help_program(void);
void help_verb(const verb *v);

#endif
