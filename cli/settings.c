/* SPDX-License-Identifier: Apache-2.0
 * cli/settings.c -- sections of settings, read and written by the library's own tables. */
#include "settings.h"
#include "facts.h"
#include "files.h"
#include <stdlib.h>
#include <string.h>

enum { MODEL, TRAIN, DATA, SECTIONS };

static const char *const section_names[] = {"model", "train", "data", "run"};

void settings_default(settings *s)
{
    vq_model_config_default(&s->model);
    vq_train_config_default(&s->train);
    vq_data_config_default(&s->data);
}

static vq_status read_section(vq_context *ctx, int section, const char *json, settings *s)
{
    switch (section) {
    case MODEL: return vq_model_config_read(ctx, json, &s->model);
    case TRAIN: return vq_train_config_read(ctx, json, &s->train);
    default: return vq_data_config_read(ctx, json, &s->data);
    }
}

static int section_number(const char *name, size_t length)
{
    for (int i = 0; i <= SECTIONS; i++)
        if (strlen(section_names[i]) == length && memcmp(section_names[i], name, length) == 0)
            return i;
    return -1;
}

static const char *section_hint(const char *typed, char *to, size_t size)
{
    return hint_of(typed, section_names, SECTIONS, to, size);
}

static int fail_in(program *p, int code, const char *where)
{
    char sentence[sizeof p->error];
    memcpy(sentence, p->error, sizeof sentence);
    return fail(p, code, "%s: %s", where, sentence);
}

int settings_read(program *p, const json_t *object, const char *where, settings *s)
{
    const char *key;
    char hint[64];
    json_t *value;
    if (!json_is_object(object))
        return fail(p, BAD_INPUT, "%s: settings are a JSON object {\"model\", \"train\", \"data\"}",
                    where);
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        const int section = section_number(key, strlen(key));
        if (section < 0)
            return fail(p, BAD_INPUT, "%s: \"%s\" is none of \"model\", \"train\", \"data\"%s",
                        where, key, section_hint(key, hint, sizeof hint));
        if (section == SECTIONS) continue;
        char *json = json_dumps(value, JSON_ENCODE_ANY);
        if (!json) return fail(p, MACHINE_FAILED, "no memory for settings");
        const int code = lib(p, read_section(p->ctx, section, json, s));
        free(json);
        if (code != DONE) return fail_in(p, code, where);
    }
    return DONE;
}

/* What the pattern names of a value: of an object its keys, of a list's elements what its first
 * element names. NULL: no memory. */
static json_t *named_part(json_t *value, json_t *pattern)
{
    const char *key;
    json_t *inner;
    if (json_is_array(value) && json_is_array(pattern)) {
        json_t *list = json_array();
        bool good = list != NULL;
        for (size_t i = 0; good && i < json_array_size(value); i++)
            good = json_array_append_new(list, named_part(json_array_get(value, i),
                                                          json_array_get(pattern, 0))) == 0;
        if (!good) json_decref(list);
        return good ? list : NULL;
    }
    if (!json_is_object(value) || !json_is_object(pattern)) return json_incref(value);
    json_t *object = json_object();
    bool good = object != NULL;
    json_object_foreach (pattern, key, inner) {
        json_t *met = json_object_get(value, key);
        if (good && met) good = json_object_set_new(object, key, named_part(met, inner)) == 0;
    }
    if (!good) json_decref(object);
    return good ? object : NULL;
}

int settings_read_named(program *p, json_t *object, json_t *pattern, const char *where,
                        const char *taken, settings *s)
{
    settings unused;
    json_t *part = pattern ? named_part(object, pattern) : NULL;
    if (!part) return fail(p, MACHINE_FAILED, "no memory for settings");
    int code = settings_read(p, part, where, s);
    json_decref(part);
    if (code != DONE) return code;
    settings_default(&unused);
    code = settings_read(p, object, where, &unused);
    if (code == DONE || code == MACHINE_FAILED) return code;
    warn_failed(p, "", taken);
    return DONE;
}

int settings_preset(program *p, const char *name, settings *s)
{
    const vq_preset *preset = vq_preset_named(name);
    const char *words[64];
    char hint[64];
    size_t n = 0;
    if (!preset) {
        for (const vq_preset *q; n < 64 && (q = vq_preset_at(n)) != NULL; n++) words[n] = q->name;
        (void)hint_of(name, words, n, hint, sizeof hint);
        return fail(p, BAD_USAGE, "there is no preset \"%s\"%s", name,
                    *hint ? hint : "; `vqvae presets` lists them");
    }
    json_t *object = json_loads(preset->json, JSON_REJECT_DUPLICATES, NULL);
    if (!object) return fail(p, MACHINE_FAILED, "no memory for settings");
    const int code = settings_read(p, object, preset->name, s);
    json_decref(object);
    return code;
}

/* Some editors begin UTF-8 with a mark (RFC 8259, section 8.1, lets readers pass over it). */
static size_t mark_length(const text *t)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t n = sizeof mark - 1;
    return t->used >= n && memcmp(t->data, mark, n) == 0 ? n : 0;
}

int json_file(program *p, const char *path, json_t **out)
{
    json_error_t error;
    text t = {0};
    int code;
    *out = NULL;
    TRY_TO(file_read(p, path, &t));
    const size_t mark = mark_length(&t);
    *out = facts_read(t.data + mark, t.used - mark, JSON_REJECT_DUPLICATES, &error);
    if (!*out && !*error.text) code = fail(p, MACHINE_FAILED, "no memory for %s", path);
    else if (!*out)
        code =
            fail(p, BAD_INPUT, "%s: line %d is not valid JSON: %s", path, error.line, error.text);
done:
    free(t.data);
    return code;
}

int settings_file(program *p, const char *path, settings *s)
{
    json_t *object = NULL;
    TRY(json_file(p, path, &object));
    const int code = settings_read(p, object, path, s);
    json_decref(object);
    return code;
}

int settings_set(program *p, const char *assignment, settings *s)
{
    char name[256];
    const char *equals = strchr(assignment, '=');
    const char *dot = strchr(assignment, '.');
    if (!equals || !dot || dot > equals || (size_t)(equals - dot) >= sizeof name)
        return fail(p, BAD_USAGE,
                    "--set takes section.name=value, such as train.lr=0.001, not \"%s\"",
                    assignment);
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - dot - 1), dot + 1);
    switch (section_number(assignment, (size_t)(dot - assignment))) {
    case MODEL: return lib_usage(p, vq_model_config_set(p->ctx, name, equals + 1, &s->model));
    case TRAIN: return lib_usage(p, vq_train_config_set(p->ctx, name, equals + 1, &s->train));
    case DATA: return lib_usage(p, vq_data_config_set(p->ctx, &s->data, name, equals + 1));
    default: break;
    }
    char section[256], hint[64];
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - assignment), assignment);
    return fail(p, BAD_USAGE, "--set %s: the sections are model, train and data%s", assignment,
                section_hint(section, hint, sizeof hint));
}

/* Moves the library's text into the object. */
static int add_section(program *p, json_t *object, const char *name, const char *json)
{
    json_t *section = json_loads(json, 0, NULL);
    if (section && json_object_set_new(object, name, section) == 0) return DONE;
    return fail(p, MACHINE_FAILED, "no memory for settings");
}

int settings_write(program *p, const settings *s, json_t **out)
{
    char *model = NULL, *train = NULL, *data = NULL;
    json_t *object = json_object();
    int code;
    TRY_TO(lib(p, vq_model_config_write(p->ctx, &s->model, &model)));
    TRY_TO(lib(p, vq_train_config_write(p->ctx, &s->train, &train)));
    TRY_TO(lib(p, vq_data_config_write(p->ctx, &s->data, &data)));
    TRY_TO(add_section(p, object, "model", model));
    TRY_TO(add_section(p, object, "train", train));
    TRY_TO(add_section(p, object, "data", data));
    *out = object;
    object = NULL;
done:
    json_decref(object);
    vq_text_free(p->ctx, model);
    vq_text_free(p->ctx, train);
    vq_data_free(p->ctx, data);
    return code;
}
