/* SPDX-License-Identifier: Apache-2.0
 * cli/pages/parts.c -- what all shells are told: presets, settings, operands. */
#include "pages/pages.h"
#include <string.h>
#include <vqvae/data.h>
#include <vqvae/train.h>

void add_presets(text *to)
{
    const vq_preset *preset;
    for (size_t i = 0; (preset = vq_preset_at(i)) != NULL; i++) text_add(to, " %s", preset->name);
}

typedef struct setting_list {
    text *to;
    const char *section, *ending;
} setting_list;

/* Levels are listed as level.N: the first stands for all of them. */
static void add_setting(void *user, const char *name, const char *type, const char *standard,
                        const char *range, const char *help, const char *source)
{
    static const char numbered[] = "level.N.";
    const setting_list *list = user;
    const size_t n = strlen(numbered);
    (void)type, (void)standard, (void)range, (void)help, (void)source;
    if (strncmp(name, numbered, n) == 0)
        text_add(list->to, " %s.level.0.%s%s", list->section, name + n, list->ending);
    else text_add(list->to, " %s.%s%s", list->section, name, list->ending);
}

void add_settings(text *to, const char *ending)
{
    setting_list list = {to, "model", ending};
    vq_model_settings_visit(add_setting, &list);
    list.section = "train";
    vq_train_settings_visit(add_setting, &list);
    list.section = "data";
    vq_data_settings_visit(add_setting, &list);
}

void add_choices(text *to, const char *choices)
{
    text_add(to, " ");
    for (const char *c = choices; *c; c++) text_bytes(to, *c == '|' ? " " : c, 1);
}

void add_quoted(text *to, const char *plain, const char *marked)
{
    text_add(to, "'");
    for (const char *c = plain; *c; c++) {
        if (*c == '\'') text_add(to, "'\\''");
        else text_add(to, "%s%c", strchr(marked, *c) ? "\\" : "", *c);
    }
    text_add(to, "'");
}

void operands_visit(const verb *v, void (*visit)(void *user, const char *word), void *user)
{
    bool of_option = false;
    for (const char *at = v->operands; *at;) {
        char word[64];
        const size_t n = strcspn(at, " ");
        (void)snprintf(word, sizeof word, "%.*s", (int)n, at);
        if (word[0] != '-' && !of_option) visit(user, word);
        of_option = word[0] == '-';
        at += n + strspn(at + n, " ");
    }
}
