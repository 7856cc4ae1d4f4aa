/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/encode.c -- vqvae encode: images to grids of codes. */
#include "codes.h"
#include "facts.h"
#include "verbs.h"
#include "walk.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct encode_options {
    common_options common;
    const char *out, *backend;
    int64_t batch;
    bool force;
} encode_options;

#define ENCODE(...) OPTION(encode_options, __VA_ARGS__)
static const option options[] = {
    ENCODE(out, 'o', "CODES", NULL, "file to write: .npy, or .safetensors for several grids"),
    ENCODE(batch, 'b', "N", "64", "images at a time", .low = 1, .high = 65536),
    ENCODE(backend, 0, "NAME", "auto", "whose operations run", .choices = "auto|portable|onednn"),
    ENCODE(force, 'f', NULL, "", "overwrite the file and its index"),
};

typedef struct encoder {
    const encode_options *o;
    vq_model *model;
    vq_session *session;
    int64_t batch;     /* of the session */
    bool told_scaling; /* once is enough */
    code_set set;
    text index;  /* its rows */
    size_t room; /* images that set.codes holds */
} encoder;

static int reserve(program *p, encoder *e, int64_t images)
{
    const size_t needed = (size_t)(e->set.images + images);
    size_t bytes;
    if (needed <= e->room) return DONE;
    if (__builtin_mul_overflow(needed, e->set.per_image * sizeof *e->set.codes, &bytes))
        return fail(p, MACHINE_FAILED, "no memory for the codes of %zu images", needed);
    uint32_t *codes = realloc(e->set.codes, bytes ? bytes : 1);
    if (!codes) return fail(p, MACHINE_FAILED, "no memory for the codes of %zu images", needed);
    e->set.codes = codes;
    e->room = needed;
    return DONE;
}

static void add_row(encoder *e, const char *source, const vq_dataset *data, int64_t i,
                    const int64_t size[3])
{
    const int64_t label = vq_dataset_label(data, i);
    const char *class = vq_dataset_class(data, label);
    char number[24];
    if (!class && label >= 0) { /* classes that are only numbered */
        (void)snprintf(number, sizeof number, "%" PRId64, label);
        class = number;
    }
    json_t *row =
        json_pack("{s:I, s:s, s:s, s:s?, s:I, s:I}", "row", (json_int_t)(e->set.images + i),
                  "source", source, "path", vq_dataset_name(data, i), "class", class, "width",
                  (json_int_t)size[1], "height", (json_int_t)size[0]);
    char *line = row ? json_dumps(row, 0) : NULL;
    json_decref(row);
    if (line) text_add(&e->index, "%s\n", line);
    else e->index.failed = true;
    free(line);
}

/* A session for as many images at a time as asked for, but for no more than there are. */
static int fit_session(program *p, encoder *e, const vq_dataset *data)
{
    const int64_t total = vq_dataset_count(data);
    const int64_t most = total > 1 ? total : 1;
    const int64_t batch = most < e->o->batch ? most : e->o->batch;
    if (e->session && e->batch >= batch) return DONE;
    vq_session_destroy(e->session);
    e->session = NULL;
    e->batch = batch;
    TRY(session_for(p, e->model, data, batch, e->o->backend, &e->session));
    arithmetic_name(e->session, e->set.arithmetic, sizeof e->set.arithmetic);
    return DONE;
}

/* The first input decides the size that all are brought to. */
static int prepare(program *p, encoder *e, const vq_dataset *data)
{
    int64_t size[3];
    vq_dataset_size(data, size);
    if (e->session && (size[0] != e->set.height || size[1] != e->set.width))
        return fail(p, BAD_INPUT,
                    "images of %" PRId64 "x%" PRId64 " after images of %" PRId64 "x%" PRId64
                    " do not fit into one file",
                    size[1], size[0], e->set.width, e->set.height);
    if (e->session) return fit_session(p, e, data);
    e->set.height = size[0];
    e->set.width = size[1];
    e->set.hash = vq_model_hash(e->model);
    e->set.n_grids = vq_model_grids(e->model, size[0], size[1], e->set.grids);
    e->set.per_image = vq_model_codes(e->model, size[0], size[1]);
    return fit_session(p, e, data);
}

static int encode_all(program *p, encoder *e, const char *source, const vq_dataset *data)
{
    const int64_t total = vq_dataset_count(data);
    const uint8_t *pixels = NULL;
    int64_t count, size[3];
    walk w = {0};
    int code;
    vq_dataset_size(data, size);
    TRY_TO(reserve(p, e, total));
    for (int64_t i = 0; i < total; i++) add_row(e, source, data, i, size);
    TRY_TO(walk_begin(p, data, NULL, total, e->batch, source, NULL, &w));
    for (;;) {
        TRY_TO(walk_next(p, &w, &pixels, &count));
        if (count == 0) break;
        uint32_t *to = e->set.codes + (size_t)e->set.images * e->set.per_image;
        TRY_TO(lib(p, vq_session_encode(e->session, count, pixels, to)));
        e->set.images += count;
    }
done:
    walk_end(p, &w);
    return code;
}

static int encode_input(program *p, encoder *e, const char *path)
{
    vq_dataset *data = NULL;
    int code;
    if (!e->told_scaling) e->told_scaling = tell_scaling(p, e->model, path);
    TRY(open_for_model(p, e->model, path, &data));
    TRY_TO(prepare(p, e, data));
    TRY_TO(encode_all(p, e, path, data));
done:
    vq_dataset_close(p->ctx, data);
    return code;
}

static int write_files(program *p, encoder *e, const char *index)
{
    text whole = {0};
    int code;
    index_head(&whole, &e->set);
    if (e->index.data) text_bytes(&whole, e->index.data, e->index.used);
    TRY_TO(text_check(p, &e->index));
    TRY_TO(text_check(p, &whole));
    TRY_TO(codes_write(p, e->o->out, &e->set));
    TRY_TO(file_replace(p, index, whole.data, whole.used));
done:
    free(whole.data);
    return code;
}

static int check_name(program *p, const encoder *e)
{
    const bool archive = path_has_extension(e->o->out, ".safetensors");
    const size_t levels = vq_model_configuration(e->model)->n_levels;
    if (levels > 1 && !archive)
        return fail(p, BAD_USAGE, "the model has %zu grids of codes; -o must end in .safetensors",
                    levels);
    if (archive || path_has_extension(e->o->out, ".npy")) return DONE;
    return fail(p, BAD_USAGE, "-o %s must end in .npy or .safetensors", e->o->out);
}

static int print_result(program *p, const encoder *e, const char *index, double seconds)
{
    const int64_t grid[] = {e->set.grids[0].height, e->set.grids[0].width};
    return facts_print(
        p, json_pack("{s:s, s:s, s:I, s:o, s:I, s:o, s:s, s:o}", "codes", e->o->out, "index", index,
                     "images", (json_int_t)e->set.images, "grid", fact_list(grid, 2),
                     "codes_per_image", (json_int_t)e->set.per_image, "model_hash",
                     fact_hash(e->set.hash), "arithmetic", e->set.arithmetic, "images_per_second",
                     fact_number((double)e->set.images / seconds)));
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const encode_options *o = parsed;
    encoder e = {.o = o};
    char index[PATH_ROOM];
    int code;
    TRY(index_path(p, o->out, index));
    TRY(output_check(p, o->out, o->force));
    TRY(output_check(p, index, o->force));
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &e.model)));
    TRY_TO(check_name(p, &e));
    const double began = seconds_now();
    for (int i = 1; i < n; i++) TRY_TO(encode_input(p, &e, operands[i]));
    const double seconds = seconds_now() - began;
    TRY_TO(write_files(p, &e, index));
    TRY_TO(print_result(p, &e, index, seconds));
done:
    free(e.index.data);
    codes_clear(&e.set);
    vq_session_destroy(e.session);
    vq_model_destroy(p->ctx, e.model);
    return code;
}

const verb verb_encode = {
    .name = "encode",
    .summary = "turn images into codes",
    .operands = "MODEL INPUT... -o CODES",
    .min_operands = 2,
    .max_operands = INT_MAX,
    .about =
        "INPUT is a dataset as for `vqvae train`, or an image file. One grid of codes becomes an\n"
        ".npy of shape images x height x width in the smallest of u8, u16 and u32 that fits;\n"
        "several become a .safetensors with a tensor each. An index beside it says which model\n"
        "and arithmetic made the codes, then which image of which INPUT each row is: for\n"
        "NAME.npy it is NAME.index.jsonl, for NAME.safetensors NAME.safetensors.index.jsonl.",
    .examples = "vqvae encode run /usr/share/datasets/fashion-mnist:t10k -o codes.npy\n"
                "vqvae inspect codes.npy",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(encode_options),
    .run = run,
};
