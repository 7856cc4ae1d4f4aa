/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/presets.c -- vqvae presets: configurations by name, and what each setting means. */
#include "facts.h"
#include "settings.h"
#include "verbs.h"
#include <stdlib.h>

typedef struct presets_options {
    common_options common;
    bool settings;
} presets_options;

static const option options[] = {
    OPTION(presets_options, settings, 0, NULL, "", "list every setting with default and range"),
};

static int list_presets(program *p)
{
    json_t *list = json_array();
    const vq_preset *preset;
    for (size_t i = 0; (preset = vq_preset_at(i)) != NULL; i++) {
        json_t *row = json_pack("{s:s, s:s}", "name", preset->name, "summary", preset->summary);
        if (row && p->json)
            (void)json_object_set_new(row, "settings", json_loads(preset->json, 0, NULL));
        (void)json_array_append_new(list, row);
    }
    return facts_print(p, list);
}

/* One preset with every setting filled in: what --config reads. */
static int show_preset(program *p, const char *name)
{
    settings s;
    json_t *all = NULL;
    settings_default(&s);
    TRY(settings_preset(p, name, &s));
    TRY(settings_write(p, &s, &all));
    if (p->json) return facts_print_line(p, all);
    char *json = facts_text_exact(all);
    json_decref(all);
    if (!json) return fail(p, MACHINE_FAILED, "no memory for the preset");
    puts(json);
    free(json);
    return DONE;
}

typedef struct listing {
    json_t *rows;
    const char *section;
    bool all; /* columns that are too wide for a terminal */
} listing;

static void add_setting(void *user, const char *name, const char *type, const char *standard,
                        const char *range, const char *help, const char *source)
{
    const listing *to = user;
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s.%s", to->section, name);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "setting", whole, "default", standard, "range",
                            range, "meaning", help);
    if (row && to->all) {
        (void)json_object_set_new(row, "type", json_string(type));
        (void)json_object_set_new(row, "source", json_string(source));
    }
    (void)json_array_append_new(to->rows, row);
}

static int list_settings(program *p)
{
    listing l = {.rows = json_array(), .all = p->json};
    l.section = "model";
    vq_model_settings_visit(add_setting, &l);
    l.section = "train";
    vq_train_settings_visit(add_setting, &l);
    l.section = "data";
    vq_data_settings_visit(add_setting, &l);
    return facts_print(p, l.rows);
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const presets_options *o = parsed;
    if (o->settings) return list_settings(p);
    return n > 0 ? show_preset(p, operands[0]) : list_presets(p);
}

const verb verb_presets = {
    .name = "presets",
    .summary = "list configurations that go by a name, and all settings",
    .operands = "[PRESET]",
    .min_operands = 0,
    .max_operands = 1,
    .about =
        "With PRESET: every setting of that preset, as JSON that `vqvae train --config` reads.",
    .examples = "vqvae presets\n"
                "vqvae presets tiny > tiny.json\n"
                "vqvae presets --settings",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(presets_options),
    .run = run,
};
