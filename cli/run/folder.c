/* SPDX-License-Identifier: Apache-2.0
 * cli/run/folder.c -- the files of a run and its config.json. */
#include "run/folder.h"
#include "facts.h"
#include "run/split.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int run_folder_name(program *p, const char *root, run_folder *out)
{
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/') n--;
    TRY(path_format(p, out->root, "%.*s", (int)n, root));
    TRY(path_format(p, out->config, "%s/config.json", out->root));
    TRY(path_format(p, out->metrics, "%s/metrics.jsonl", out->root));
    TRY(path_format(p, out->model, "%s/model.safetensors", out->root));
    TRY(path_format(p, out->best, "%s/best.safetensors", out->root));
    TRY(path_format(p, out->state, "%s/state.safetensors", out->root));
    TRY(path_format(p, out->skipped, "%s/skipped.jsonl", out->root));
    return path_format(p, out->report, "%s/report.html", out->root);
}

/* Files are replaced by way of NAME.PROCESS-ATTEMPT.tmp beside them. The page of a report is not
 * written by trainings, so its own stay. */
static bool is_leftover(const char *name)
{
    static const char *const written[] = {"config.json",       "metrics.jsonl",
                                          "model.safetensors", "best.safetensors",
                                          "state.safetensors", "skipped.jsonl"};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        const size_t n = strlen(written[i]);
        if (strncmp(name, written[i], n) != 0 || name[n] != '.') continue;
        return strcmp(name + n + 1 + strspn(name + n + 1, "0123456789-"), ".tmp") == 0;
    }
    return false;
}

static int remove_leftovers(program *p, const run_folder *f)
{
    char path[PATH_ROOM];
    int code = DONE;
    DIR *folder = opendir(f->root);
    if (!folder) return fail(p, BAD_INPUT, "%s: %s", f->root, strerror(errno));
    for (const struct dirent *entry; code == DONE && (entry = readdir(folder)) != NULL;) {
        if (!is_leftover(entry->d_name)) continue;
        code = path_format(p, path, "%s/%s", f->root, entry->d_name);
        if (code == DONE && unlink(path) != 0 && errno != ENOENT)
            code = fail(p, MACHINE_FAILED, "cannot remove %s: %s", path, strerror(errno));
    }
    (void)closedir(folder);
    return code;
}

int run_folder_lock(program *p, const run_folder *f, int *lock)
{
    TRY(folder_make(p, f->root));
    *lock = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0) return fail(p, BAD_INPUT, "%s: %s", f->root, strerror(errno));
    if (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(p, BAD_INPUT, "another training is at work in %s; stop it first", f->root);
        warn(p, "%s cannot be locked: %s; start no other training in it", f->root, strerror(errno));
    }
    return remove_leftovers(p, f);
}

bool run_folder_used(const run_folder *f)
{
    const char *const written[] = {f->state, f->config, f->metrics, f->model, f->best, f->skipped};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        if (path_exists(written[i])) return true;
    return false;
}

int run_folder_begin(program *p, const run_folder *f)
{
    const char *const left[] = {f->state, f->config, f->metrics, f->model,
                                f->best,  f->report, f->skipped};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (unlink(left[i]) != 0 && errno != ENOENT)
            return fail(p, MACHINE_FAILED, "cannot remove %s: %s", left[i], strerror(errno));
    return DONE;
}

/* ---- skipped.jsonl ------------------------------------------------------- */

int run_skipped_write(program *p, const run_folder *folder, const skip_list *skips)
{
    TRY(text_check(p, &skips->rows));
    if (skips->n > 0) return file_replace(p, folder->skipped, skips->rows.data, skips->rows.used);
    if (unlink(folder->skipped) == 0 || errno == ENOENT) return DONE;
    return fail(p, MACHINE_FAILED, "cannot remove %s: %s", folder->skipped, strerror(errno));
}

int run_skipped_drop(program *p, const run_folder *folder, const char *source, split *parts)
{
    text whole = {0}, wanted = {0};
    index_list dropped = {0};
    int code = DONE;
    if (!path_exists(folder->skipped)) return DONE;
    text_utf8(&wanted, source);
    TRY_TO(text_check(p, &wanted));
    TRY_TO(file_read(p, folder->skipped, &whole));
    for (const char *line = whole.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *row = json_loadb(line, (size_t)(end - line), 0, NULL);
        const char *of = json_string_value(json_object_get(row, "source"));
        const json_t *index = json_object_get(row, "index");
        if (of && strcmp(of, wanted.data) == 0 && json_is_integer(index))
            code = index_add(p, &dropped, json_integer_value(index));
        json_decref(row);
        TRY_TO(code);
    }
    split_drop(parts->held, &parts->n_held, &dropped);
done:
    free(dropped.items);
    free(whole.data);
    free(wanted.data);
    return code;
}

/* ---- config.json --------------------------------------------------------- */

static json_t *text_or_null(const char *word)
{
    return *word ? fact_text(word) : json_null();
}

void run_source_describe(run_source *source)
{
    size_t used = 0;
    source->data[0] = 0;
    for (size_t i = 0; i < source->n_sources && used < sizeof source->data; i++)
        used += (size_t)snprintf(source->data + used, sizeof source->data - used, "%s%s",
                                 i ? ", " : "", source->sources[i]);
}

int run_source_open(program *p, const run_source *source, const vq_data_config *config,
                    vq_dataset **out)
{
    const char *paths[RUN_SOURCES_MAX];
    for (size_t i = 0; i < source->n_sources; i++) paths[i] = source->sources[i];
    return lib(p, vq_dataset_open_all(p->ctx, paths, source->n_sources, config, out));
}

/* One source is a text, several are a list of texts. */
static json_t *sources_json(const run_source *s)
{
    if (s->n_sources < 2) return text_or_null(s->data);
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_sources; i++)
        if (json_array_append_new(list, fact_text(s->sources[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *source_json(const run_source *s, const vq_train_config *train)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:s}", "data", sources_json(s),
                     "valid", text_or_null(s->valid), "init", text_or_null(s->init), "backend",
                     s->backend, "precision", train->precision ? "bf16" : "f32", "threads",
                     (json_int_t)s->threads, "images", (json_int_t)s->images, "held_out",
                     (json_int_t)s->held, "split", split_rule);
}

int run_config_write(program *p, const run_folder *folder, const settings *s,
                     const run_source *source)
{
    json_t *object = NULL;
    TRY(settings_write(p, s, &object));
    const bool good = json_object_set_new(object, "run", source_json(source, &s->train)) == 0;
    char *json = good ? facts_text_exact(object) : NULL;
    json_decref(object);
    if (!json) return fail(p, MACHINE_FAILED, "no memory to write %s", folder->config);
    const int code = file_replace(p, folder->config, json, strlen(json));
    free(json);
    return code;
}

static int take_text(program *p, const json_t *value, const char *key, char *to, size_t size)
{
    const char *word = json_string_value(value);
    const int n = snprintf(to, size, "%s", word ? word : "");
    if (n >= 0 && (size_t)n < size) return DONE;
    return fail(p, BAD_INPUT, "\"%s\" is longer than %zu bytes", key, size - 1);
}

/* A path whose bytes are no UTF-8 was written with \xe9 and the like. */
static int take_path(program *p, const json_t *value, const char *key, char to[PATH_ROOM])
{
    TRY(take_text(p, value, key, to, PATH_ROOM));
    if (!path_exists(to)) text_restore(to);
    return DONE;
}

static int read_sources(program *p, const json_t *run, const char *path, run_source *s)
{
    const json_t *data = json_object_get(run, "data");
    s->n_sources = json_is_array(data) ? json_array_size(data) : 1;
    if (s->n_sources < 1 || s->n_sources > RUN_SOURCES_MAX)
        return fail(p, BAD_INPUT, "%s: \"data\" names %zu sources; 1 to %d are allowed", path,
                    s->n_sources, RUN_SOURCES_MAX);
    for (size_t i = 0; i < s->n_sources; i++)
        TRY(take_path(p, json_is_array(data) ? json_array_get(data, i) : data, "data",
                      s->sources[i]));
    run_source_describe(s);
    return DONE;
}

static int read_source(program *p, const json_t *run, const char *path, run_source *s)
{
    *s = (run_source){0};
    if (!json_is_object(run))
        return fail(p, BAD_INPUT, "%s has no section \"run\": it is not of a run", path);
    TRY(read_sources(p, run, path, s));
    TRY(take_path(p, json_object_get(run, "valid"), "valid", s->valid));
    TRY(take_path(p, json_object_get(run, "init"), "init", s->init));
    TRY(take_text(p, json_object_get(run, "backend"), "backend", s->backend, sizeof s->backend));
    s->threads = json_integer_value(json_object_get(run, "threads"));
    s->images = json_integer_value(json_object_get(run, "images"));
    s->held = json_integer_value(json_object_get(run, "held_out"));
    const bool sane = s->threads >= 0 && s->threads <= 1024 && s->held >= 0 && s->images > s->held;
    return sane ? DONE : fail(p, BAD_INPUT, "%s: \"run\" holds numbers out of range", path);
}

int run_config_read(program *p, const run_folder *folder, bool newer, settings *s,
                    run_source *source)
{
    json_t *object = NULL, *known = NULL;
    int code;
    settings_default(s);
    if (newer) TRY_TO(settings_write(p, s, &known));
    TRY_TO(json_file(p, folder->config, &object));
    TRY_TO(newer ? settings_read_named(p, object, known, folder->config,
                                       "; settings that are not known are passed over", s)
                 : settings_read(p, object, folder->config, s));
    TRY_TO(read_source(p, json_object_get(object, "run"), folder->config, source));
done:
    json_decref(object);
    json_decref(known);
    return code;
}

/* ---- comparing ----------------------------------------------------------- */

static bool may_differ(const char *key, const json_t *wanted)
{
    static const char *const free_keys[] = {"steps", "valid_every", "save_every", "log_every",
                                            "cache_mb"};
    static const char *const size_keys[] = {"height", "width", "channels"};
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
        if (strcmp(key, free_keys[i]) == 0) return true;
    for (size_t i = 0; i < sizeof size_keys / sizeof *size_keys; i++)
        if (strcmp(key, size_keys[i]) == 0) return json_number_value(wanted) == 0.0;
    return false;
}

/* Writes the dotted name of the first difference to `name`; false where there is none. */
static bool first_difference(const json_t *wanted, const json_t *stored, const char *prefix,
                             char *name, size_t size)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
        char path[256];
        const json_t *other = json_object_get(stored, key);
        (void)snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_equal(value, other) || may_differ(key, value)) continue;
        if (json_is_object(value)) {
            if (first_difference(value, other, path, name, size)) return true;
            continue;
        }
        (void)snprintf(name, size, "%s", path);
        return true;
    }
    return false;
}

int run_config_compare(program *p, const settings *wanted, const settings *stored)
{
    json_t *a = NULL, *b = NULL;
    char name[256];
    int code;
    TRY_TO(settings_write(p, wanted, &a));
    TRY_TO(settings_write(p, stored, &b));
    if (first_difference(a, b, "", name, sizeof name))
        code =
            fail(p, BAD_USAGE,
                 "the run was started with another %s; leave its settings out to resume it", name);
done:
    json_decref(a);
    json_decref(b);
    return code;
}
