/* SPDX-License-Identifier: Apache-2.0
 * cli/main.c -- picks the verb, reads its options, runs it, turns failures into exit codes. */
#include "option.h"
#include <stdlib.h>
#include <string.h>
#include <vqvae/version.h>

static int unknown_verb(program *p, const char *typed)
{
    enum { MAX_VERBS = 64 };
    const char *words[MAX_VERBS];
    size_t n = 0;
    for (const verb *v; n < MAX_VERBS && (v = verb_at(n)) != NULL; n++) words[n] = v->name;
    const char *near = nearest_word(typed, words, n);
    if (near)
        return fail(p, BAD_USAGE, "there is no verb \"%s\"; did you mean \"%s\"?", typed, near);
    return fail(p, BAD_USAGE, "there is no verb \"%s\"; `vqvae --help` lists them", typed);
}

static int run_verb(program *p, const verb *v, int n, char **arguments)
{
    void *options = NULL;
    int n_operands = 0, code;
    TRY(allocate(p, 1, v->options_size, &options));
    p->verb = v->name;
    TRY_TO(options_parse(p, v, n, arguments, options, &n_operands));
    const common_options *common = options;
    p->quiet = common->quiet;
    p->json = common->json;
    if (common->help) {
        help_verb(v);
        goto done;
    }
    TRY_TO(program_context(p, (int)common->threads, NULL));
    TRY_TO(v->run(p, options, n_operands, arguments));
done:
    options_clear(v, options);
    free(options);
    return code;
}

static int help(program *p, int n, char **arguments)
{
    if (n == 0) {
        help_program();
        return DONE;
    }
    const verb *v = verb_named(arguments[0]);
    if (!v) return unknown_verb(p, arguments[0]);
    help_verb(v);
    return DONE;
}

static int dispatch(program *p, int n, char **arguments)
{
    if (n == 0) return fail(p, BAD_USAGE, "a verb is missing; `vqvae --help` lists them");
    const char *first = arguments[0];
    if (strcmp(first, "--version") == 0) {
        printf("vqvae %s\n", vq_version());
        return DONE;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0)
        return help(p, n - 1, arguments + 1);
    if (first[0] == '-')
        return fail(p, BAD_USAGE, "the verb comes first: vqvae VERB %s ...", first);
    const verb *v = verb_named(first);
    return v ? run_verb(p, v, n - 1, arguments + 1) : unknown_verb(p, first);
}

int main(int argc, char **argv)
{
    program p;
    program_init(&p);
    int code = dispatch(&p, argc - 1, argv + 1);
    if (code == DONE) code = results_flush(&p);
    else (void)fflush(stdout);
    if (code != DONE) program_complain(&p, code);
    program_close(&p);
    return code;
}
