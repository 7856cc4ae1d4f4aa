/* SPDX-License-Identifier: Apache-2.0
 * cli/pages/fish.c -- completion for fish 3 and later. */
#include "pages/pages.h"

/* How the value of an option is completed; -r: there must be one, -F: a file, -x: no file. */
static void add_value(text *to, const char *word)
{
    switch (values_of(word)) {
    case VALUE_PATH: text_add(to, " -r -F"); return;
    case VALUE_FREE: text_add(to, " -x"); return;
    case VALUE_PRESET:
        text_add(to, " -x -a '");
        add_presets(to);
        break;
    case VALUE_SETTING:
        text_add(to, " -x -a '");
        add_settings(to, "=");
        break;
    case VALUE_CHOICE:
        text_add(to, " -x -a '");
        add_choices(to, word);
        break;
    }
    text_add(to, "'");
}

static void add_option(text *to, const verb *v, const option *o)
{
    char name[64];
    option_spell(o, name, sizeof name);
    text_add(to, "complete -c vqvae -n '__vqvae_verb %s'", v->name);
    if (o->letter) text_add(to, " -s %c", o->letter);
    text_add(to, " -l %s", name);
    if (o->type != OPTION_FLAG) add_value(to, option_value(o));
    text_add(to, " -d ");
    add_quoted(to, o->help, "\\");
    text_add(to, "\n");
}

typedef struct operand_list {
    text *to;
    const verb *v;
} operand_list;

static void add_operand(void *user, const char *word)
{
    const operand_list *list = user;
    if (values_of(word) == VALUE_FREE) return;
    text_add(list->to, "complete -c vqvae -n '__vqvae_verb %s'", list->v->name);
    if (values_of(word) == VALUE_PATH) text_add(list->to, " -F");
    else add_value(list->to, word);
    text_add(list->to, "\n");
}

void completion_fish(text *to)
{
    const verb *v;
    const option *o;
    text_add(to, "# SPDX-License-Identifier: Apache-2.0\n"
                 "# Completion of vqvae for fish, made from the program's tables of options.\n\n"
                 "function __vqvae_verb\n"
                 "    set -l words (commandline -opc)\n"
                 "    test (count $words) -gt 1; and test $words[2] = $argv[1]\n"
                 "end\n\n"
                 "function __vqvae_no_verb\n"
                 "    test (count (commandline -opc)) -eq 1\n"
                 "end\n\n"
                 "complete -c vqvae -f\n"
                 "complete -c vqvae -n __vqvae_no_verb -a help -d 'say what a verb does'\n");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) {
        operand_list list = {to, v};
        text_add(to, "\ncomplete -c vqvae -n __vqvae_no_verb -a %s -d ", v->name);
        add_quoted(to, v->summary, "\\");
        text_add(to, "\ncomplete -c vqvae -n '__vqvae_verb help' -a %s\n", v->name);
        for (size_t j = 0; (o = option_at(v, j)) != NULL; j++) add_option(to, v, o);
        operands_visit(v, add_operand, &list);
    }
}
