/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_options.c -- a command line, an argument a line: the verb, then what it is given. */
#include "fuzz/verdict.h"
#include "option.h"
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 64 };

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
    const verb *v = verb_named(arguments[0]);
    const int code = v ? parse(&p, v, n - 1, arguments + 1) : fail(&p, BAD_USAGE, "no such verb");
    FUZZ_CHECK(code == DONE || code == BAD_USAGE || code == MACHINE_FAILED);
    vq_release(ctx, text);
    return fuzz_status(&p, code);
}
