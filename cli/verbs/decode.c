/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/decode.c -- vqvae decode: grids of codes to images. */
#include "codes.h"
#include "facts.h"
#include "picture.h"
#include "verbs.h"
#include "walk.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/tensor.h>

typedef struct decode_options {
    common_options common;
    const char *out;
    int64_t batch, count, precision;
    bool fast, force;
} decode_options;

#define DECODE(...) OPTION(decode_options, __VA_ARGS__)
static const option options[] = {
    DECODE(out, 'o', "OUTPUT", NULL, "a folder for PNG files, or a file ending in .npy"),
    DECODE(count, 'n', "N", "0", "images to decode, from the first on; 0: all", .low = 0,
           .high = INT64_C(1) << 40),
    DECODE(batch, 'b', "N", "64", "images at a time", .low = 1, .high = 65536),
    DECODE(fast, 0, NULL, "", FAST_HELP),
    DECODE(precision, 0, "NAME", "f32", PRECISION_HELP),
    DECODE(force, 'f', NULL, "", "write into a folder or over a file that exists"),
};

typedef struct decoder {
    const decode_options *o;
    const char *path; /* of the codes */
    vq_model *model;
    vq_session *session;
    int64_t batch;  /* as asked for, but no more than there are images */
    code_set *sets; /* one for each size of images */
    size_t n_sets;
    code_set *set;   /* the one being decoded */
    int64_t size[3]; /* of its images: height, width, channels */
    int64_t images;  /* decoded so far */
    uint8_t *pixels; /* a batch; the whole set when an .npy is written */
} decoder;

enum { PIXELS_MAX = 1 << 28 }; /* of one image, as where images are read */

static bool grids_fit(const decoder *d, int64_t height, int64_t width)
{
    vq_grid grids[VQ_MAX_LEVELS];
    if (height < 1 || width < 1) return false;
    const size_t n = vq_model_grids(d->model, height, width, grids);
    if (n != d->set->n_grids) return false;
    for (size_t i = 0; i < n; i++)
        if (grids[i].height != d->set->grids[i].height || grids[i].width != d->set->grids[i].width)
            return false;
    for (size_t i = 0; i < n; i++) d->set->grids[i].codes = grids[i].codes;
    return true;
}

/* The size of the images: from the index, as trained, or the largest that the grid covers. With it
 * the set knows how many codes its codebooks have. */
static int find_size(program *p, decoder *d)
{
    const vq_model_config *trained = vq_model_configuration(d->model);
    const vq_grid *grid = &d->set->grids[0];
    const int64_t stride = trained->level[0].stride;
    const int64_t tries[][2] = {{d->set->height, d->set->width},
                                {trained->height, trained->width},
                                {grid->height * stride, grid->width * stride}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        if (!grids_fit(d, tries[i][0], tries[i][1])) continue;
        if (tries[i][0] > PIXELS_MAX / tries[i][1])
            return fail(p, BAD_INPUT,
                        "%s: its grids would become images %" PRId64 " pixels wide and %" PRId64
                        " high; at most %d pixels in all are allowed",
                        d->path, tries[i][1], tries[i][0], PIXELS_MAX);
        d->size[0] = tries[i][0];
        d->size[1] = tries[i][1];
        d->size[2] = trained->channels;
        return DONE;
    }
    return fail(p, BAD_INPUT,
                "%s: %zu grid(s), the first %" PRId64 " high and %" PRId64
                " wide, are not what this model makes",
                d->path, d->set->n_grids, grid->height, grid->width);
}

static void compare_origin(program *p, const decoder *d)
{
    const char *now = vq_session_arithmetic(d->session);
    if (d->set->has_hash && d->set->hash != vq_model_hash(d->model))
        warn(p, "the codes were made by the model %016" PRIx64 ", this one is %016" PRIx64,
             d->set->hash, vq_model_hash(d->model));
    else if (!d->set->has_hash) say(p, "nothing beside the codes says which model made them");
    else if (d->set->arithmetic[0] && strcmp(now, d->set->arithmetic) != 0)
        warn(
            p,
            "the codes were made with \"%s\" and are decoded with \"%s\": levels of the images may "
            "differ by one from what their maker saw",
            d->set->arithmetic, now);
}

/* Images of several sizes are numbered size by size, as their rows are. */
static int image_path(program *p, const decoder *d, int64_t row, char to[PATH_ROOM])
{
    if (d->n_sets == 1) return path_format(p, to, "%s/%06" PRId64 ".png", d->o->out, row);
    return path_format(p, to, "%s/%" PRId64 "x%" PRId64 "-%06" PRId64 ".png", d->o->out,
                       d->set->width, d->set->height, row);
}

/* Before the first one is written: a folder half overwritten is worse than none. */
static int check_paths(program *p, const decoder *d)
{
    char path[PATH_ROOM];
    for (int64_t i = 0; i < d->set->images; i++) {
        TRY(image_path(p, d, i, path));
        if (path_exists(path) && !d->o->force)
            return fail(p, BAD_INPUT, "%s exists; --force overwrites it", path);
    }
    return DONE;
}

static int write_images(program *p, const decoder *d, int64_t first, int64_t count)
{
    const int64_t bytes = d->size[0] * d->size[1] * d->size[2];
    for (int64_t i = 0; i < count; i++) {
        char path[PATH_ROOM];
        TRY(image_path(p, d, first + i, path));
        const vq_image image = {d->size[0], d->size[1], d->size[2], d->pixels + i * bytes};
        TRY(picture_save(p, path, &image));
    }
    return DONE;
}

static int write_npy(program *p, const decoder *d)
{
    char name[] = "";
    const vq_array array = {
        .name = name,
        .dtype = VQ_U8,
        .shape = {4, {d->set->images, d->size[0], d->size[1], d->size[2]}},
        .data = d->pixels,
    };
    return lib_writing(p, vq_npy_save(p->ctx, d->o->out, &array));
}

static int decode_all(program *p, decoder *d, bool npy)
{
    const size_t bytes = (size_t)(d->size[0] * d->size[1] * d->size[2]);
    void *memory = NULL;
    TRY(allocate(p, (size_t)(npy ? d->set->images : d->batch), bytes, &memory));
    d->pixels = memory;
    for (int64_t at = 0; at < d->set->images; at += d->batch) {
        const int64_t left = d->set->images - at;
        const int64_t count = left < d->batch ? left : d->batch;
        uint8_t *to = d->pixels + (npy ? (size_t)at * bytes : 0);
        const uint32_t *codes = d->set->codes + (size_t)at * d->set->per_image;
        TRY(lib(p, vq_session_decode(d->session, count, codes, to)));
        if (!npy) TRY(write_images(p, d, at, count));
    }
    return npy ? write_npy(p, d) : DONE;
}

/* As many images at a time as asked for, but no more than there are, and fewer of those larger
 * than what the model was trained on. */
static int64_t batch_for(const decoder *d)
{
    const vq_model_config *trained = vq_model_configuration(d->model);
    const int64_t usual = trained->height * trained->width, pixels = d->size[0] * d->size[1];
    int64_t batch = d->set->images < d->o->batch ? d->set->images : d->o->batch;
    if (pixels > usual) batch = batch * usual / pixels;
    return batch > 1 ? batch : 1;
}

static int prepare(program *p, decoder *d)
{
    TRY(find_size(p, d));
    d->batch = batch_for(d);
    const vq_session_config config = {.batch = d->batch,
                                      .height = d->size[0],
                                      .width = d->size[1],
                                      .fast = d->o->fast,
                                      .precision = (int)d->o->precision};
    TRY(lib(p, vq_session_create(p->ctx, d->model, &config, &d->session)));
    if (d->set == d->sets) compare_origin(p, d);
    return DONE;
}

/* Decodes the images of one size. */
static int decode_set(program *p, decoder *d, code_set *set, bool npy)
{
    int code;
    d->set = set;
    TRY_TO(prepare(p, d));
    if (!npy && set == d->sets) TRY_TO(folder_make(p, d->o->out));
    if (!npy) TRY_TO(check_paths(p, d));
    TRY_TO(decode_all(p, d, npy));
    d->images += set->images;
done:
    free(d->pixels);
    d->pixels = NULL;
    vq_session_destroy(d->session);
    d->session = NULL;
    return code;
}

/* Whether the codes are such as the model makes is known before they are read. Of each size
 * --count leaves all images, fewer or none. */
static int judge(program *p, decoder *d, bool npy)
{
    int64_t left = d->o->count > 0 ? d->o->count : INT64_MAX;
    TRY(codes_describe(p, d->path, &d->sets, &d->n_sets));
    if (npy && d->n_sets > 1)
        return fail(p, BAD_INPUT,
                    "%s holds codes of images of %zu sizes; they go into a folder, "
                    "not into one .npy",
                    d->path, d->n_sets);
    for (size_t i = 0; i < d->n_sets; i++) {
        d->set = &d->sets[i];
        TRY(find_size(p, d));
        if (d->set->images > left) d->set->images = left;
        left -= d->set->images;
    }
    return DONE;
}

static int decode(program *p, decoder *d, bool npy)
{
    TRY(judge(p, d, npy));
    TRY(codes_read(p, d->path, d->sets, d->n_sets));
    for (size_t i = 0; i < d->n_sets; i++) TRY(decode_set(p, d, &d->sets[i], npy));
    return facts_print(p, json_pack("{s:o, s:I, s:I, s:o}", "output", fact_text(d->o->out),
                                    "images", (json_int_t)d->images, "sizes", (json_int_t)d->n_sets,
                                    "image", d->n_sets == 1 ? fact_list(d->size, 3) : json_null()));
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const decode_options *o = parsed;
    const bool npy = path_has_extension(o->out, ".npy");
    decoder d = {.o = o, .path = operands[1]};
    int code;
    TRY(arithmetic_check(p, o->fast, o->precision));
    if (npy) TRY(output_check_inputs(p, o->out, operands, n));
    if (npy) TRY(output_check(p, o->out, o->force));
    else TRY(output_check_folder(p, o->out, "a folder or a file ending in .npy"));
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &d.model)));
    TRY_TO(decode(p, &d, npy));
done:
    codes_clear(d.sets, d.n_sets);
    vq_model_destroy(p->ctx, d.model);
    return code;
}

const verb verb_decode = {
    .name = "decode",
    .summary = "turn codes back into images",
    .operands = "MODEL CODES -o OUTPUT",
    .min_operands = 2,
    .max_operands = 2,
    .about =
        "CODES is what `vqvae encode` wrote, or any .npy of whole numbers of the same shape. The\n"
        "images become PNG files 000000.png, 000001.png ... in a folder, or one .npy of bytes;\n"
        "images of several sizes become 640x480-000000.png and so on.\n"
        "Codes made by another model are decoded all the same, with a warning.",
    .examples = "vqvae decode run codes.npy -o first --count 16\n"
                "vqvae decode run codes.npy -o images.npy",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(decode_options),
    .run = run,
};
