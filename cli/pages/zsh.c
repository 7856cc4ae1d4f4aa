/* SPDX-License-Identifier: Apache-2.0
 * cli/pages/zsh.c -- completion for zsh, by its own _arguments. */
#include "pages/pages.h"
#include <string.h>

/* What a specification ends with: how the word is completed. */
static void add_action(text *to, const char *word)
{
    switch (values_of(word)) {
    case VALUE_PATH: text_add(to, "_files"); return;
    case VALUE_SETTING: text_add(to, "_vqvae_settings"); return;
    case VALUE_FREE: text_add(to, " "); return;
    case VALUE_PRESET:
        text_add(to, "(");
        add_presets(to);
        break;
    case VALUE_CHOICE:
        text_add(to, "(");
        add_choices(to, word);
        break;
    }
    text_add(to, ")");
}

/* One specification: '(-o --out)--out=[help]:RUN:_files'. */
static void add_spec(text *to, const option *o, const char *name, const char *spelling)
{
    const bool takes = o->type != OPTION_FLAG;
    text_add(to, "        '");
    if (o->type == OPTION_LIST) text_add(to, "*");
    else if (o->letter) text_add(to, "(-%c --%s)", o->letter, name);
    text_add(to, "%s'", spelling);
    text_add(to, "'['");
    add_quoted(to, o->help, "[]:\\");
    text_add(to, "']");
    if (takes) {
        text_add(to, ":%s:", o->argument);
        add_action(to, option_value(o));
    }
    text_add(to, "'\n");
}

static void add_option(text *to, const option *o)
{
    char name[64], spelling[80];
    const bool takes = o->type != OPTION_FLAG;
    option_spell(o, name, sizeof name);
    if (o->letter) {
        (void)snprintf(spelling, sizeof spelling, "-%c%s", o->letter, takes ? "+" : "");
        add_spec(to, o, name, spelling);
    }
    (void)snprintf(spelling, sizeof spelling, "--%s%s", name, takes ? "=" : "");
    add_spec(to, o, name, spelling);
}

/* The kinds of operands of a verb may stand in any place: which one is meant is not told by
 * counting, as there are verbs that take many. The first that can be offered is. */
typedef struct operand_search {
    char word[64];
} operand_search;

static void keep_operand(void *user, const char *word)
{
    operand_search *found = user;
    if (!found->word[0] && values_of(word) != VALUE_FREE)
        (void)snprintf(found->word, sizeof found->word, "%s", word);
}

static void add_verb(text *to, const verb *v)
{
    const option *o;
    operand_search operand = {""};
    text_add(to, "    %s)\n        specs=(\n", v->name);
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++) add_option(to, o);
    operands_visit(v, keep_operand, &operand);
    if (operand.word[0]) {
        text_add(to, "        '*:argument:");
        add_action(to, operand.word);
        text_add(to, "'\n");
    }
    text_add(to, "        )\n        ;;\n");
}

static void add_names(text *to)
{
    const verb *v;
    text_add(to, "    local -a verbs=(\n");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) {
        text_add(to, "        '%s:'", v->name);
        add_quoted(to, v->summary, ":\\");
        text_add(to, "\n");
    }
    text_add(to, "        'help:say what the program or a verb does'\n    )\n");
}

void completion_zsh(text *to)
{
    const verb *v;
    text_add(to, "#compdef vqvae\n"
                 "# SPDX-License-Identifier: Apache-2.0\n"
                 "# Completion of vqvae for zsh, made from the program's tables of options.\n\n"
                 "_vqvae_settings() {\n    compadd -S '' --");
    add_settings(to, "=");
    text_add(to, "\n}\n\n_vqvae() {\n    local -a specs\n");
    add_names(to);
    text_add(to, "    if (( CURRENT == 2 )) || [[ $words[2] == help ]]; then\n"
                 "        _describe verb verbs\n        return\n    fi\n"
                 "    local verb=$words[2]\n"
                 "    shift words\n    (( CURRENT-- ))\n    case $verb in\n");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) add_verb(to, v);
    text_add(to, "    *) return 1 ;;\n    esac\n    _arguments -s $specs\n}\n\n"
                 "if [ \"$funcstack[1]\" = _vqvae ]; then\n    _vqvae \"$@\"\nelse\n"
                 "    compdef _vqvae vqvae\nfi\n");
}
