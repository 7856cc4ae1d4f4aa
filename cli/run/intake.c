/* SPDX-License-Identifier: Apache-2.0
 * cli/run/intake.c -- images made ready for a model as they were for its training. */
#include "run/intake.h"
#include "origins.h"
#include "run/folder.h"

/* The folder of the run that a model belongs to: itself, or the one that its file lies in. */
static int folder_of_model(program *p, const char *path, run_folder *out)
{
    char parent[PATH_ROOM];
    TRY(path_parent(p, path, parent));
    return run_folder_name(p, path_is_folder(path) ? path : parent, out);
}

/* Files of that name lie beside many a model; one without "run" is another program's. */
static int read_settings(program *p, const run_folder *folder, settings *s)
{
    json_t *object = NULL;
    json_t *needed = json_pack("{s:{s:n, s:n, s:n}}", "data", "fit", "filter", "labels");
    int code = DONE;
    settings_default(s);
    if (!path_exists(folder->config)) goto done;
    TRY_TO(json_file(p, folder->config, &object));
    if (!json_is_object(json_object_get(object, "run"))) goto done;
    TRY_TO(settings_read_named(
        p, object, needed, folder->config,
        "; only data.fit, data.filter and data.labels are taken from this file", s));
done:
    json_decref(needed);
    json_decref(object);
    return code;
}

/* Images that keep their own size need neither fit nor filter. */
static int read_or_do_without(program *p, const run_folder *folder, bool own_size, settings *s)
{
    const int code = read_settings(p, folder, s);
    if (!own_size || code != BAD_INPUT) return code;
    warn_failed(p, "", "; the defaults are taken for data.fit, data.filter and data.labels");
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
    const char *const *sources = (const char *const *)paths;
    TRY(lib(p, vq_dataset_open_all(p->ctx, sources, (size_t)n, config, out)));
    return origins_check(p, paths[0], *out);
}
