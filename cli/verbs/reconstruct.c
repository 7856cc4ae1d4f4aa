/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/reconstruct.c -- vqvae reconstruct: each image beside what comes back. */
#include "facts.h"
#include "files.h"
#include "picture.h"
#include "verbs.h"
#include "walk.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct reconstruct_options {
    common_options common;
    const char *out, *backend;
    int64_t scale;
    bool force;
} reconstruct_options;

#define RECONSTRUCT(...) OPTION(reconstruct_options, __VA_ARGS__)
static const option options[] = {
    RECONSTRUCT(out, 'o', "OUT", NULL, "one picture ending in .png, or a folder for one each"),
    RECONSTRUCT(scale, 0, "N", "1", "times that images are enlarged", .low = 1, .high = 32),
    RECONSTRUCT(backend, 0, "NAME", "auto", "whose operations run",
                .choices = "auto|portable|onednn"),
    RECONSTRUCT(force, 'f', NULL, "", "overwrite pictures that exist"),
};

enum { GAP = 4, WHITE = 255 };

/* Places image and reconstruction side by side in a picture of their own. */
static int pair(program *p, const vq_dataset *data, vq_session *session, vq_evaluation *sums,
                int64_t scale, vq_image *out)
{
    int64_t size[3];
    void *memory = NULL;
    int code;
    vq_dataset_size(data, size);
    const size_t bytes = (size_t)(size[0] * size[1] * size[2]);
    TRY(allocate(p, 2, bytes, &memory));
    uint8_t *pixels = memory, *back = pixels + bytes;
    TRY_TO(lib(p, vq_dataset_get(p->ctx, data, 0, (vq_data_key){0}, pixels)));
    TRY_TO(lib(p, vq_session_evaluate(session, 1, pixels, sums, back, NULL)));
    TRY_TO(canvas_create(p, size[0] * scale, 2 * size[1] * scale + GAP, size[2], WHITE, out));
    canvas_place(out, (placing){0, 0, scale}, pixels, size[0], size[1]);
    canvas_place(out, (placing){0, size[1] * scale + GAP, scale}, back, size[0], size[1]);
done:
    free(memory);
    return code;
}

/* At its own size: the network takes any, and the eye wants to see this one. */
static int reconstruct(program *p, const vq_model *model, const reconstruct_options *o,
                       const char *path, vq_image *out, double *psnr)
{
    vq_data_config config;
    vq_dataset *data = NULL;
    vq_session *session = NULL;
    vq_evaluation sums = {0};
    score s;
    int code;
    vq_data_config_default(&config);
    config.channels = vq_model_configuration(model)->channels;
    config.cache_mb = 0;
    TRY_TO(lib(p, vq_dataset_open(p->ctx, path, &config, &data)));
    if (vq_dataset_count(data) != 1)
        TRY_TO(
            fail(p, BAD_INPUT, "%s is no single image; `vqvae eval --grid` shows datasets", path));
    TRY_TO(session_for(p, model, data, 1, o->backend, &session));
    TRY_TO(lib(p, vq_evaluation_create(p->ctx, model, &sums)));
    TRY_TO(pair(p, data, session, &sums, o->scale, out));
    score_of(model, &sums, &s);
    *psnr = s.psnr;
done:
    vq_session_destroy(session);
    vq_evaluation_clear(p->ctx, &sums);
    if (data) vq_dataset_close(p->ctx, data);
    return code;
}

/* All pairs below each other. */
static int stack(program *p, const vq_image *pairs, int n, vq_image *out)
{
    int64_t height = -GAP, width = 0, y = 0;
    for (int i = 0; i < n; i++) {
        height += pairs[i].height + GAP;
        if (pairs[i].width > width) width = pairs[i].width;
    }
    TRY(canvas_create(p, height, width, pairs[0].channels, WHITE, out));
    for (int i = 0; i < n; i++) {
        canvas_place(out, (placing){y, 0, 1}, pairs[i].pixels, pairs[i].height, pairs[i].width);
        y += pairs[i].height + GAP;
    }
    return DONE;
}

static int save_stack(program *p, const reconstruct_options *o, const vq_image *pairs, int n)
{
    vq_image whole = {0};
    int code;
    TRY_TO(stack(p, pairs, n, &whole));
    TRY_TO(picture_save(p, o->out, &whole));
done:
    free(whole.pixels);
    return code;
}

static int pair_path(program *p, const reconstruct_options *o, const char *image,
                     char to[PATH_ROOM])
{
    char stem[PATH_ROOM];
    TRY(path_stem(p, image, stem));
    return path_format(p, to, "%s/%s.png", o->out, stem);
}

/* Before anything is written: no picture may take the place of another, an earlier one or one of
 * this call. */
static int check_paths(program *p, const reconstruct_options *o, char **images, int n)
{
    char path[PATH_ROOM], earlier[PATH_ROOM];
    for (int i = 0; i < n; i++) {
        TRY(pair_path(p, o, images[i], path));
        if (path_exists(path) && !o->force)
            return fail(p, BAD_INPUT, "%s exists; --force overwrites it", path);
        for (int j = 0; j < i; j++) {
            TRY(pair_path(p, o, images[j], earlier));
            if (strcmp(path, earlier) != 0) continue;
            return fail(p, BAD_INPUT,
                        "%s and %s would both become %s; give them folders of their "
                        "own",
                        images[j], images[i], path);
        }
    }
    return DONE;
}

static int save_each(program *p, const reconstruct_options *o, const vq_image *pairs, int n,
                     char **images)
{
    char path[PATH_ROOM];
    TRY(folder_make(p, o->out));
    for (int i = 0; i < n; i++) {
        TRY(pair_path(p, o, images[i], path));
        TRY(picture_save(p, path, &pairs[i]));
    }
    return DONE;
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const reconstruct_options *o = parsed;
    const bool one = path_has_extension(o->out, ".png");
    const int count = n - 1;
    char **paths = operands + 1;
    vq_model *model = NULL;
    vq_image *pairs = NULL;
    void *memory = NULL;
    json_t *rows = json_array();
    int code;
    TRY_TO(one ? output_check(p, o->out, o->force) : check_paths(p, o, paths, count));
    TRY_TO(allocate(p, (size_t)count, sizeof *pairs, &memory));
    pairs = memory;
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &model)));
    for (int i = 0; i < count; i++) {
        double psnr = 0.0;
        TRY_TO(reconstruct(p, model, o, paths[i], &pairs[i], &psnr));
        (void)json_array_append_new(rows, json_pack("{s:s, s:o}", "image", paths[i], "psnr",
                                                    fact_number(psnr)));
    }
    TRY_TO(one ? save_stack(p, o, pairs, count) : save_each(p, o, pairs, count, paths));
    TRY_TO(facts_print(p, json_incref(rows)));
done:
    for (int i = 0; pairs && i < count; i++) free(pairs[i].pixels);
    free(pairs);
    json_decref(rows);
    vq_model_destroy(p->ctx, model);
    return code;
}

const verb verb_reconstruct = {
    .name = "reconstruct",
    .summary = "show images beside what comes back of them",
    .operands = "MODEL IMAGE... -o OUT",
    .min_operands = 2,
    .max_operands = INT_MAX,
    .about =
        "Encodes and decodes PNG or JPEG files at their own size. On the left the image, on the\n"
        "right what the model gives back.",
    .examples = "vqvae reconstruct run first/000000.png first/000001.png -o beside.png --scale 8\n"
                "vqvae reconstruct run first/000002.png -o beside",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(reconstruct_options),
    .run = run,
};
