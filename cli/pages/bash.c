/* SPDX-License-Identifier: Apache-2.0
 * cli/pages/bash.c -- completion for bash 3.2 and later, without other packages. */
#include "pages/pages.h"
#include <string.h>

static const char beginning[] =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Completion of vqvae for bash, made from the program's tables of options.\n"
    "\n"
    "_vqvae_words() {\n"
    "    COMPREPLY=($(compgen -W \"$1\" -- \"$word\"))\n"
    "}\n"
    "\n"
    "_vqvae_paths() {\n"
    "    local IFS=$'\\n'\n"
    "    compopt -o filenames 2> /dev/null\n"
    "    COMPREPLY=(\"${COMPREPLY[@]}\" $(compgen -f -- \"$word\"))\n"
    "}\n"
    "\n"
    "_vqvae_settings() {\n"
    "    compopt -o nospace 2> /dev/null\n"
    "    _vqvae_words \"$1\"\n"
    "}\n"
    "\n"
    "_vqvae() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local verb=${COMP_WORDS[1]}\n"
    "    COMPREPLY=()\n"
    "    # Bash takes --name=value for three words.\n"
    "    if [ \"$word\" = = ]; then\n"
    "        word=\n"
    "    elif [ \"$before\" = = ]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    fi\n";

static void add_verbs(text *to)
{
    const verb *v;
    text_add(to, "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        _vqvae_words '");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) text_add(to, "%s ", v->name);
    text_add(to, "help --help --version'\n        return\n    fi\n"
                 "    if [ \"$verb\" = help ]; then\n        _vqvae_words '");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) text_add(to, " %s", v->name);
    text_add(to, "'\n        return\n    fi\n");
}

/* The command that offers what may stand for a word of a synopsis. */
static void add_offer(text *to, const char *word)
{
    switch (values_of(word)) {
    case VALUE_PATH: text_add(to, "_vqvae_paths"); return;
    case VALUE_PRESET:
        text_add(to, "_vqvae_words '");
        add_presets(to);
        break;
    case VALUE_SETTING:
        text_add(to, "_vqvae_settings '");
        add_settings(to, "=");
        break;
    case VALUE_CHOICE:
        text_add(to, "_vqvae_words '");
        add_choices(to, word);
        break;
    case VALUE_FREE: text_add(to, ":"); return;
    }
    text_add(to, "'");
}

static void add_value(text *to, const verb *v, const option *o)
{
    char name[64];
    if (o->type == OPTION_FLAG) return;
    option_spell(o, name, sizeof name);
    text_add(to, "    %s:--%s", v->name, name);
    if (o->letter) text_add(to, " | %s:-%c", v->name, o->letter);
    text_add(to, ")\n        ");
    add_offer(to, option_value(o));
    text_add(to, "\n        return\n        ;;\n");
}

static void add_operand(void *user, const char *word)
{
    text *to = user;
    if (values_of(word) == VALUE_FREE) return;
    text_add(to, "        [ -n \"${COMPREPLY[*]}\" ] || ");
    add_offer(to, word);
    text_add(to, "\n");
}

static void add_rest(text *to, const verb *v)
{
    char name[64];
    const option *o;
    text_add(to, "    %s:-*)\n        _vqvae_words '", v->name);
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++) {
        option_spell(o, name, sizeof name);
        text_add(to, " --%s", name);
    }
    text_add(to, "'\n        ;;\n    %s:*)\n        :\n", v->name);
    operands_visit(v, add_operand, to);
    text_add(to, "        ;;\n");
}

void completion_bash(text *to)
{
    const verb *v;
    const option *o;
    text_add(to, "%s", beginning);
    add_verbs(to);
    text_add(to, "    case \"$verb:$before\" in\n");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++)
        for (size_t j = 0; (o = option_at(v, j)) != NULL; j++) add_value(to, v, o);
    text_add(to, "    esac\n    case \"$verb:$word\" in\n");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) add_rest(to, v);
    text_add(to, "    esac\n}\n\ncomplete -F _vqvae vqvae\n");
}
