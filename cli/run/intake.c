/* SPDX-License-Identifier: Apache-2.0
 * cli/run/intake.c -- images made ready for a model as they were for its training. */
#include "run/intake.h"
#include "run/folder.h"

/* The folder of the run that a model belongs to: itself, or the one that its file lies in. */
static int folder_of_model(program *p, const char *path, run_folder *out)
{
    char parent[PATH_ROOM];
    TRY(path_parent(p, path, parent));
    return run_folder_name(p, path_is_folder(path) ? path : parent, out);
}

/* The settings of data that a model in use needs; a wrong value of theirs is refused. */
static int read_needed(program *p, const json_t *object, const char *where, settings *s)
{
    static const char *const needed[] = {"fit", "filter", "labels"};
    json_t *data = json_object();
    int code = DONE;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        json_t *value = json_object_get(json_object_get(object, "data"), needed[i]);
        if (value && json_object_set(data, needed[i], value) != 0) code = MACHINE_FAILED;
    }
    json_t *section = json_pack("{s:o}", "data", data);
    if (!section || code != DONE) code = fail(p, MACHINE_FAILED, "no memory for settings");
    else code = settings_read(p, section, where, s);
    json_decref(section);
    return code;
}

/* A newer program may have written settings that this one does not know. They are named, as they
 * might have changed the images, but what is needed stands beside them. */
static int tell_unknown(program *p, const json_t *object, const char *where)
{
    settings unused;
    settings_default(&unused);
    const int code = settings_read(p, object, where, &unused);
    if (code == DONE || code == MACHINE_FAILED) return code;
    warn(p, "%s; only data.fit, data.filter and data.labels are taken from this file", p->error);
    p->error[0] = 0;
    return DONE;
}

/* Files of that name lie beside many a model; one without "run" is another program's. */
static int read_settings(program *p, const run_folder *folder, settings *s)
{
    json_t *object = NULL;
    int code;
    settings_default(s);
    if (!path_exists(folder->config)) return DONE;
    TRY_TO(json_file(p, folder->config, &object));
    if (!json_is_object(json_object_get(object, "run"))) goto done;
    TRY_TO(read_needed(p, object, folder->config, s));
    TRY_TO(tell_unknown(p, object, folder->config));
done:
    json_decref(object);
    return code;
}

/* Images that keep their own size need neither fit nor filter. */
static int read_or_do_without(program *p, const run_folder *folder, bool own_size, settings *s)
{
    const int code = read_settings(p, folder, s);
    if (!own_size || code != BAD_INPUT) return code;
    warn(p, "%s; the defaults are taken for data.fit, data.filter and data.labels", p->error);
    p->error[0] = 0;
    settings_default(s);
    return DONE;
}

int intake_of_model(program *p, const char *path, const vq_model *model, bool own_size,
                    vq_data_config *out)
{
    const vq_model_config *trained = vq_model_configuration(model);
    run_folder folder;
    settings s;
    TRY(folder_of_model(p, path, &folder));
    TRY(read_or_do_without(p, &folder, own_size, &s));
    vq_data_config_default(out);
    out->height = own_size ? 0 : trained->height;
    out->width = own_size ? 0 : trained->width;
    out->channels = trained->channels;
    out->fit = s.data.fit;
    out->filter = s.data.filter;
    out->labels = s.data.labels;
    out->augment = false;
    out->cache_mb = 0; /* each image is read once */
    return DONE;
}

const char *intake_words(const vq_data_config *config)
{
    switch (config->fit) {
    case VQ_FIT_PAD: return "scaled and padded";
    case VQ_FIT_STRETCH: return "stretched";
    default: return "scaled and cropped";
    }
}

int intake_open(program *p, const vq_data_config *config, char **paths, int n, vq_dataset **out)
{
    return lib(p, vq_dataset_open_all(p->ctx, (const char *const *)paths, (size_t)n, config, out));
}
