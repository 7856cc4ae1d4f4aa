/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/reconstruct.c -- vqvae reconstruct: each image beside what comes back. */
#include "facts.h"
#include "file_set.h"
#include "files.h"
#include "origins.h"
#include "picture.h"
#include "run/intake.h"
#include "verbs.h"
#include "walk.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct reconstruct_options {
    common_options common;
    const char *out;
    int64_t scale, size, count, precision;
    bool fast, force, strict;
} reconstruct_options;

enum { SIZE_OWN, SIZE_MODEL }; /* the words of --size */

#define RECONSTRUCT(...) OPTION(reconstruct_options, __VA_ARGS__)
static const option options[] = {
    RECONSTRUCT(out, 'o', "OUT", NULL, "one picture ending in .png, or a folder for one each"),
    RECONSTRUCT(count, 'n', "N", "64", "images of each DATA, from the first on", .low = 1,
                .high = 1 << 20),
    RECONSTRUCT(size, 0, "WORD", "own", "of images: their own, or scaled as for training",
                .choices = "own|model"),
    RECONSTRUCT(scale, 0, "N", "1", "times that images are enlarged", .low = 1, .high = 32),
    RECONSTRUCT(fast, 0, NULL, "", FAST_HELP),
    RECONSTRUCT(precision, 0, "NAME", "f32", PRECISION_HELP),
    RECONSTRUCT(strict, 0, NULL, "", STRICT_HELP),
    RECONSTRUCT(force, 'f', NULL, "", "overwrite pictures that exist"),
};

enum { GAP = 4, WHITE = 255 };

typedef struct job {
    const reconstruct_options *o;
    vq_model *model;
    vq_data_config intake;
    char **paths; /* of the sources */
    int n;
    vq_dataset **data; /* one a source; NULL for an image that cannot be read */
    bool one;          /* picture, of all images */
    vq_image *pairs;   /* waiting for that picture */
    size_t n_pairs, room;
    json_t *rows;
    skip_list skips;
    origins origins;
    vq_session *session;
    int64_t height, width; /* of the session */
} job;

static int64_t images_of(const job *j, int source)
{
    const int64_t n = j->data[source] ? vq_dataset_count(j->data[source]) : 0;
    return n < j->o->count ? n : j->o->count;
}

/* ---- where pictures go --------------------------------------------------- */

static int pair_path(program *p, const job *j, int source, int64_t index, char to[PATH_ROOM])
{
    char stem[PATH_ROOM];
    TRY(path_stem(p, vq_dataset_name(j->data[source], index), stem));
    return path_format(p, to, "%s/%s.png", j->o->out, stem);
}

/* "a.png" for a file of that name, "a.png of FOLDER" for one of several images. */
static int whole_name(program *p, const job *j, int source, int64_t index, char to[PATH_ROOM])
{
    if (vq_dataset_count(j->data[source]) == 1) return path_format(p, to, "%s", j->paths[source]);
    return path_format(p, to, "%s of %s", vq_dataset_name(j->data[source], index),
                       j->paths[source]);
}

/* Where the image may lie in a file of its own: seen from its source, a folder, or from the folder
 * of its source, a list. */
static int image_place(program *p, const job *j, int source, int64_t index, bool list,
                       char to[PATH_ROOM])
{
    const char *of = j->paths[source], *name = vq_dataset_name(j->data[source], index);
    const char *end = list ? strrchr(of, '/') : path_exists(of) ? NULL : strrchr(of, ':');
    const int n = end ? (int)(end - of) : list ? 0 : (int)strlen(of);
    if (name[0] == '/') return path_format(p, to, "%s", name);
    return path_format(p, to, "%.*s%s%s", n, of, n > 0 || end ? "/" : "", name);
}

/* Whatever --force says, no picture takes the place of an image that is read. */
static int list_read(program *p, const job *j, file_set *read)
{
    char place[PATH_ROOM];
    for (int s = 0; s < j->n; s++) {
        TRY(file_set_add_input(p, read, j->paths[s]));
        for (int64_t i = 0; i < 2 * images_of(j, s); i++) {
            TRY(image_place(p, j, s, i / 2, i % 2, place));
            TRY(file_set_add(p, read, place));
        }
    }
    file_set_order(read);
    return DONE;
}

/* A folder that cannot be read is an image without a name, and becomes no picture. */
static bool is_folder(const job *j, int source, int64_t index)
{
    return *path_name(vq_dataset_name(j->data[source], index)) == 0;
}

static int check_path(program *p, const job *j, int source, int64_t index, const file_set *read,
                      json_t *taken)
{
    char path[PATH_ROOM], name[PATH_ROOM];
    TRY(whole_name(p, j, source, index, name));
    TRY(pair_path(p, j, source, index, path));
    TRY(file_set_refuse(p, read, path));
    if (path_exists(path) && !j->o->force)
        return fail(p, BAD_INPUT, "%s exists; --force overwrites it", path);
    const char *other = json_string_value(json_object_get(taken, path));
    if (other)
        return fail(p, BAD_INPUT, "%s and %s would both become %s; give them folders of their own",
                    other, name, path);
    if (json_object_set_new_nocheck(taken, path, json_string_nocheck(name)) == 0) return DONE;
    return fail(p, MACHINE_FAILED, "no memory for the names of pictures");
}

/* Before anything is written: no picture may take the place of another, an earlier one or one of
 * this call. */
static int check_paths(program *p, const job *j)
{
    json_t *taken = json_object();
    file_set read = {0};
    int code = list_read(p, j, &read);
    for (int s = 0; s < j->n && code == DONE; s++)
        for (int64_t i = 0; i < images_of(j, s) && code == DONE; i++)
            code = is_folder(j, s, i) ? DONE : check_path(p, j, s, i, &read, taken);
    json_decref(taken);
    file_set_clear(&read);
    return code;
}

/* ---- one image ----------------------------------------------------------- */

static int fit_session(program *p, job *j, const vq_dataset *data)
{
    int64_t size[3];
    vq_dataset_size(data, size);
    if (j->session && j->height == size[0] && j->width == size[1]) return DONE;
    vq_session_destroy(j->session);
    j->session = NULL;
    const arithmetic_choice how = {j->o->fast, j->o->precision};
    TRY(session_for(p, j->model, data, 1, how, &j->session));
    j->height = size[0];
    j->width = size[1];
    return DONE;
}

/* Places image and reconstruction side by side in a picture of their own. */
static int draw_pair(program *p, const int64_t size[3], int64_t scale, const uint8_t *pixels,
                     const uint8_t *back, vq_image *out)
{
    TRY(canvas_create(p, size[0] * scale, 2 * size[1] * scale + GAP, size[2], WHITE, out));
    canvas_place(out, (placing){0, 0, scale}, pixels, size[0], size[1]);
    canvas_place(out, (placing){0, size[1] * scale + GAP, scale}, back, size[0], size[1]);
    return DONE;
}

static int keep_pair(program *p, job *j, vq_image *pair)
{
    if (j->n_pairs == j->room) {
        const size_t room = j->room ? 2 * j->room : 16;
        vq_image *more = realloc(j->pairs, room * sizeof *more);
        if (!more) return fail(p, MACHINE_FAILED, "no memory for %zu pictures", room);
        j->pairs = more;
        j->room = room;
    }
    j->pairs[j->n_pairs++] = *pair;
    *pair = (vq_image){0};
    return DONE;
}

static int add_row(program *p, job *j, int source, int64_t index, double psnr)
{
    const bool single = vq_dataset_count(j->data[source]) == 1;
    const char *name = single ? j->paths[source] : vq_dataset_name(j->data[source], index);
    if (json_array_append_new(j->rows, json_pack("{s:o, s:o}", "image", fact_text(name), "psnr",
                                                 fact_number(psnr))) == 0)
        return DONE;
    return fail(p, MACHINE_FAILED, "no memory for the results");
}

/* `pixels` is image `index` of the source as `view` delivers it. */
static int reconstruct(program *p, job *j, int source, const vq_dataset *view, int64_t index,
                       const uint8_t *pixels)
{
    char path[PATH_ROOM];
    int64_t size[3];
    void *back = NULL;
    vq_image pair = {0};
    vq_evaluation sums = {0};
    score s;
    int code;
    vq_dataset_size(view, size);
    TRY_TO(fit_session(p, j, view));
    TRY_TO(allocate(p, (size_t)(size[0] * size[1]), (size_t)size[2], &back));
    TRY_TO(lib(p, vq_evaluation_create(p->ctx, j->model, &sums)));
    TRY_TO(lib(p, vq_session_evaluate(j->session, 1, pixels, &sums, back, NULL)));
    score_of(j->model, &sums, &s);
    TRY_TO(draw_pair(p, size, j->o->scale, pixels, back, &pair));
    TRY_TO(add_row(p, j, source, index, s.psnr));
    if (j->one) TRY_TO(keep_pair(p, j, &pair));
    else {
        TRY_TO(pair_path(p, j, source, index, path));
        TRY_TO(picture_save(p, path, &pair));
    }
done:
    free(pair.pixels);
    free(back);
    vq_evaluation_clear(p->ctx, &sums);
    return code;
}

/* ---- all of them --------------------------------------------------------- */

/* An image of another size than the source's first one: the network takes any, and the eye wants to
 * see this one. */
static int reconstruct_other(program *p, job *j, int source, const vq_loaded *image)
{
    vq_dataset *view = NULL;
    int64_t size[3];
    void *pixels = NULL;
    int code;
    TRY(lib(p, vq_dataset_resized(p->ctx, j->data[source], image->height, image->width, &view)));
    vq_dataset_size(view, size);
    TRY_TO(allocate(p, (size_t)(size[0] * size[1]), (size_t)size[2], &pixels));
    TRY_TO(lib(p, vq_dataset_get(p->ctx, view, image->index, (vq_data_key){0}, pixels)));
    TRY_TO(reconstruct(p, j, source, view, image->index, pixels));
done:
    free(pixels);
    vq_dataset_close(p->ctx, view);
    return code;
}

typedef struct input {
    job *j;
    int source;
} input;

static int not_delivered(program *p, void *user, const vq_loaded *image)
{
    const input *in = user;
    job *j = in->j;
    if (image->status == VQ_E_SHAPE && j->o->size == SIZE_OWN)
        return reconstruct_other(p, j, in->source, image);
    return skip_image(p, &j->skips, j->paths[in->source], j->data[in->source], image->index,
                      image->status, image->sentence);
}

static int reconstruct_source(program *p, job *j, int source)
{
    const vq_dataset *data = j->data[source];
    input in = {j, source};
    const uint8_t *pixels = NULL;
    int64_t count;
    walk w = {0};
    int code;
    TRY_TO(walk_begin(p, data, NULL, images_of(j, source), 1, not_delivered, &in, &w));
    if (j->o->size == SIZE_MODEL) w.tells_fit = intake_words(&j->intake);
    for (;;) {
        TRY_TO(walk_next(p, &w, &pixels, &count));
        if (count == 0) break;
        TRY_TO(reconstruct(p, j, source, data, walk_item(&w, 1, 0).index, pixels));
    }
done:
    walk_end(p, &w);
    return code;
}

/* All pairs below each other. */
static int stack(program *p, const job *j, vq_image *out)
{
    int64_t height = -GAP, width = 0, y = 0;
    for (size_t i = 0; i < j->n_pairs; i++) {
        height += j->pairs[i].height + GAP;
        if (j->pairs[i].width > width) width = j->pairs[i].width;
    }
    TRY(canvas_create(p, height, width, j->pairs[0].channels, WHITE, out));
    for (size_t i = 0; i < j->n_pairs; i++) {
        const vq_image *pair = &j->pairs[i];
        canvas_place(out, (placing){y, 0, 1}, pair->pixels, pair->height, pair->width);
        y += pair->height + GAP;
    }
    return DONE;
}

static int save_stack(program *p, const job *j)
{
    vq_image whole = {0};
    int code;
    TRY_TO(stack(p, j, &whole));
    TRY_TO(picture_save(p, j->o->out, &whole));
done:
    free(whole.pixels);
    return code;
}

/* One of several images may be left out, as it would be in a folder. */
static int open_one(program *p, job *j, int s)
{
    char why[sizeof p->error];
    const int code = lib(p, vq_dataset_open(p->ctx, j->paths[s], &j->intake, &j->data[s]));
    if (code == DONE)
        return origins_add(p, &j->origins, j->paths[s], j->data[s], images_of(j, s), true);
    return j->n == 1 ? code : skip_input(p, &j->skips, j->paths[s], code, why, sizeof why);
}

static int open_all(program *p, job *j)
{
    void *memory = NULL;
    TRY(allocate(p, (size_t)j->n, sizeof(vq_dataset *), &memory));
    j->data = memory;
    for (int s = 0; s < j->n; s++) TRY(open_one(p, j, s));
    return DONE;
}

static int reconstruct_all(program *p, job *j)
{
    TRY(open_all(p, j));
    if (!j->one) {
        TRY(check_paths(p, j));
        TRY(folder_make(p, j->o->out));
    }
    TRY(origins_tell(p, &j->origins));
    for (int s = 0; s < j->n; s++)
        if (j->data[s]) TRY(reconstruct_source(p, j, s));
    skips_tell(p, &j->skips, NULL);
    if (json_array_size(j->rows) == 0) return fail(p, BAD_INPUT, "none of the images can be read");
    if (j->one) TRY(save_stack(p, j));
    return facts_print(p, json_incref(j->rows));
}

static void clear(program *p, job *j)
{
    for (size_t i = 0; i < j->n_pairs; i++) free(j->pairs[i].pixels);
    free(j->pairs);
    for (int s = 0; j->data && s < j->n; s++)
        if (j->data[s]) vq_dataset_close(p->ctx, j->data[s]);
    free(j->data);
    json_decref(j->rows);
    skips_clear(&j->skips);
    origins_clear(&j->origins);
    vq_session_destroy(j->session);
    vq_model_destroy(p->ctx, j->model);
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const reconstruct_options *o = parsed;
    job j = {.o = o,
             .paths = operands + 1,
             .n = n - 1,
             .one = path_has_extension(o->out, ".png"),
             .skips = {.strict = o->strict}};
    int code;
    TRY(arithmetic_check(p, o->fast, o->precision));
    if (j.one) TRY(output_check_inputs(p, o->out, operands, n));
    if (j.one) TRY(output_check(p, o->out, o->force));
    else TRY(output_check_folder(p, o->out, "a folder or a file ending in .png"));
    j.rows = json_array();
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &j.model)));
    TRY_TO(intake_of_model(p, operands[0], j.model, o->size == SIZE_OWN, &j.intake));
    TRY_TO(reconstruct_all(p, &j));
done:
    clear(p, &j);
    return code;
}

const verb verb_reconstruct = {
    .name = "reconstruct",
    .summary = "show images beside what comes back of them",
    .operands = "MODEL DATA... -o OUT",
    .min_operands = 2,
    .max_operands = INT_MAX,
    .about =
        "Encodes and decodes images, files or the first ones of datasets, at their own size or at\n"
        "that of the model. On the left the image, on the right what the model gives back; in a\n"
        "folder each pair has the name of its image.",
    .examples = "vqvae reconstruct run first/000000.png first/000001.png -o beside.png --scale 8\n"
                "vqvae reconstruct run first/000002.png -o beside",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(reconstruct_options),
    .run = run,
};
