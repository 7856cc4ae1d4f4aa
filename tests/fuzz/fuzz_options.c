/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_options.c -- a command line, an argument a line: the verb, then what it is given. */
#include "fuzz/verdict.h"
#include "option.h"
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 64 };

/* A verb with options of every type, for those that no real one has. */
typedef struct every_options {
    common_options common;
    bool flag;
    int64_t whole, pick;
    double real;
    const char *text, *must, *word;
    option_list list;
} every_options;

static const option every[] = {
    OPTION(every_options, flag, 'f', NULL, "", "a flag"),
    OPTION(every_options, whole, 'w', "N", "", "a whole number", .low = -5, .high = 5),
    OPTION(every_options, pick, 0, "NAME", "one", "a choice by number", .choices = "one|two"),
    OPTION(every_options, real, 0, "X", "", "a number", .least = 0.0, .most = 2.0),
    OPTION(every_options, text, 't', "TEXT", "", "a text"),
    OPTION(every_options, must, 0, "TEXT", NULL, "a text that must be given"),
    OPTION(every_options, word, 0, "NAME", "", "a choice by word", .choices = "one|two"),
    OPTION(every_options, list, 'l', "TEXT", "", "texts"),
};

static const verb verb_every = {
    .name = "every",
    .operands = "X",
    .min_operands = 1,
    .max_operands = 2,
    .options = every,
    .n_options = sizeof every / sizeof *every,
    .options_size = sizeof(every_options),
};

static int parse(program *p, const verb *v, int n, char **arguments)
{
    void *options = NULL;
    int n_operands = -1;
    TRY(allocate(p, 1, v->options_size, &options));
    const int code = options_parse(p, v, n, arguments, options, &n_operands);
    if (code == DONE) {
        FUZZ_CHECK(n_operands >= 0 && n_operands <= n);
        for (int i = 0; i < n_operands; i++) FUZZ_CHECK(arguments[i]);
    }
    options_clear(v, options);
    free(options);
    return code;
}

static int split_lines(char *text, char **lines)
{
    int n = 0;
    while (n < ARGUMENTS_MAX) {
        lines[n++] = text;
        text += strcspn(text, "\n");
        if (!*text) break;
        *text++ = '\0';
    }
    return n;
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static program p; /* large */
    char *arguments[ARGUMENTS_MAX];
    char *text = fuzz_text(ctx, (fuzz_piece){bytes, size});
    if (!text) return vq_fail(ctx, VQ_E_NOMEM, "no memory");
    p = (program){.ctx = ctx, .quiet = true};
    const int n = split_lines(text, arguments);
    const verb *v = strcmp(arguments[0], "every") == 0 ? &verb_every : verb_named(arguments[0]);
    const int code = v ? parse(&p, v, n - 1, arguments + 1) : fail(&p, BAD_USAGE, "no such verb");
    FUZZ_CHECK(code == DONE || code == BAD_USAGE || code == MACHINE_FAILED);
    vq_release(ctx, text);
    return fuzz_status(&p, code);
}
