/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/encode.c -- vqvae encode: images to grids of codes. */
#include "code_writer.h"
#include "facts.h"
#include "interrupt.h"
#include "machine.h"
#include "origins.h"
#include "run/intake.h"
#include "verbs.h"
#include "walk.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct encode_options {
    common_options common;
    const char *out;
    int64_t batch, size, precision;
    bool fast, flips, force, strict;
} encode_options;

enum { SIZE_OWN, SIZE_MODEL }; /* the words of --size */

#define ENCODE(...) OPTION(encode_options, __VA_ARGS__)
static const option options[] = {
    ENCODE(out, 'o', "CODES", NULL, "file to write: .npy, or .safetensors for several grids"),
    ENCODE(size, 0, "WORD", "own", "of images: their own, or scaled as for training",
           .choices = "own|model"),
    ENCODE(batch, 'b', "N", "64", "images at a time", .low = 1, .high = 65536),
    ENCODE(fast, 0, NULL, "", FAST_HELP),
    ENCODE(precision, 0, "NAME", "f32", PRECISION_HELP),
    ENCODE(flips, 0, NULL, "",
           "with --fast: also encode exactly, and tell the share of other codes"),
    ENCODE(strict, 0, NULL, "", STRICT_HELP),
    ENCODE(force, 'f', NULL, "", "overwrite the file and its index"),
};

/* An image that has another size than those encoded at the moment. */
typedef struct waiting {
    int64_t height, width, index;
} waiting;

typedef struct encoder {
    const encode_options *o;
    vq_model *model;
    vq_data_config intake;
    code_writer writer;
    skip_list skips;
    origins origins;
    double waited; /* seconds, for images */
    bool alone;    /* there is one input */
    char arithmetic[96];

    vq_session *session, *exact;   /* exact: only where flips are counted */
    char refused[512];             /* why the model takes no images of this size; "": it does */
    int64_t batch, height, width;  /* of the sessions */
    uint32_t *codes, *exact_codes; /* of a batch */
    int64_t compared, flips;

    waiting *waiting; /* of the input being encoded */
    size_t n_waiting, room;
} encoder;

/* ---- sessions ------------------------------------------------------------ */

/* As many images at a time as asked for, but no more than there are, and fewer of those larger
 * than what the model was trained on: memory does not grow with them before one is that large. */
static int64_t batch_for(const encoder *e, int64_t images, const int64_t size[3])
{
    const vq_model_config *trained = vq_model_configuration(e->model);
    const int64_t usual = trained->height * trained->width, pixels = size[0] * size[1];
    int64_t batch = images < e->o->batch ? images : e->o->batch;
    if (pixels > usual) batch = batch * usual / pixels;
    return batch > 1 ? batch : 1;
}

static void drop_sessions(encoder *e)
{
    vq_session_destroy(e->session);
    vq_session_destroy(e->exact);
    free(e->codes);
    e->session = e->exact = NULL;
    e->codes = e->exact_codes = NULL;
}

/* An input, and which of its images are encoded: the n listed ones, or without a list all. */
typedef struct input {
    encoder *e;
    const char *source;
    const vq_dataset *data;
    const int64_t *indices;
    int64_t n;
} input;

/* "photos: image 1.png", or of an image that is an input by itself its path. */
static int words_of_image(program *p, const input *in, int64_t index, char to[PATH_ROOM])
{
    if (vq_dataset_count(in->data) == 1) return path_format(p, to, "%s", in->source);
    return path_format(p, to, "%s: image %s", in->source, vq_dataset_name(in->data, index));
}

static int words_of_first(program *p, const input *in, char to[PATH_ROOM])
{
    if (in->indices || in->n == 1)
        return words_of_image(p, in, in->indices ? in->indices[0] : 0, to);
    return path_format(p, to, "%s: the first image", in->source);
}

/* Images too large for the model are left out one by one; a lack of memory ends all, and names the
 * image that it was met at. */
static int judge_refusal(program *p, const input *in, int code)
{
    encoder *e = in->e;
    char image[PATH_ROOM], sentence[sizeof e->refused];
    (void)snprintf(sentence, sizeof sentence, "%.*s", (int)sizeof sentence - 1, p->error);
    drop_sessions(e);
    if (code == BAD_INPUT && e->o->size == SIZE_OWN) {
        memcpy(e->refused, sentence, sizeof sentence);
        p->error[0] = 0;
        return DONE;
    }
    TRY(words_of_first(p, in, image));
    return fail(p, code,
                "%.900s of %" PRId64 "x%" PRId64 " cannot be encoded: %.500s; make it smaller%s",
                image, e->width, e->height, sentence,
                e->o->size == SIZE_OWN ? ", or let --size model do so" : "");
}

static int make_sessions(program *p, const input *in, int64_t batch, const int64_t size[3])
{
    encoder *e = in->e;
    drop_sessions(e);
    e->batch = batch;
    e->height = size[0];
    e->width = size[1];
    const arithmetic_choice how = {e->o->fast, e->o->precision}, exact = {0};
    int code = session_for(p, e->model, in->data, batch, how, &e->session);
    if (code == DONE && e->o->flips)
        code = session_for(p, e->model, in->data, batch, exact, &e->exact);
    return code == DONE ? DONE : judge_refusal(p, in, code);
}

static int fit_session(program *p, const input *in)
{
    encoder *e = in->e;
    int64_t size[3];
    char image[PATH_ROOM];
    void *memory = NULL;
    vq_dataset_size(in->data, size);
    const int64_t batch = batch_for(e, in->n, size);
    const bool same_size = e->height == size[0] && e->width == size[1];
    const bool fits = e->session && e->batch >= batch && same_size;
    e->refused[0] = 0;
    if (!fits) TRY(make_sessions(p, in, batch, size));
    if (e->refused[0]) return DONE;
    TRY(words_of_first(p, in, image));
    TRY(code_writer_set_size(p, &e->writer, size[0], size[1], image));
    if (fits) return DONE;
    const size_t codes = (size_t)batch * e->writer.sizes[e->writer.at].per_image;
    TRY(allocate(p, 2 * codes, sizeof *e->codes, &memory));
    e->codes = memory;
    e->exact_codes = e->codes + codes;
    (void)snprintf(e->arithmetic, sizeof e->arithmetic, "%s", vq_session_arithmetic(e->session));
    return DONE;
}

/* ---- one input ----------------------------------------------------------- */

static int wait_for_size(program *p, const input *in, const vq_loaded *image)
{
    encoder *e = in->e;
    char words[PATH_ROOM];
    TRY(words_of_image(p, in, image->index, words));
    if (e->writer.npy && e->writer.n_sizes > 0) /* of which there will be no second one */
        TRY(code_writer_set_size(p, &e->writer, image->height, image->width, words));
    if (e->n_waiting == e->room) {
        const size_t room = e->room ? 2 * e->room : 64;
        waiting *more = realloc(e->waiting, room * sizeof *more);
        if (!more) return fail(p, MACHINE_FAILED, "no memory for a list of %zu images", room);
        e->waiting = more;
        e->room = room;
    }
    e->waiting[e->n_waiting++] = (waiting){image->height, image->width, image->index};
    return DONE;
}

/* What becomes of an image that the walk does not deliver. */
static int not_delivered(program *p, void *user, const vq_loaded *image)
{
    const input *in = user;
    encoder *e = in->e;
    if (image->status == VQ_E_SHAPE && e->o->size == SIZE_OWN) return wait_for_size(p, in, image);
    TRY(skip_image(p, &e->skips, in->source, in->data, image->index, image->status,
                   image->sentence));
    return code_writer_row(p, &e->writer, in->source, in->data, image);
}

/* Counts the codes of a batch that exact arithmetic would choose otherwise. */
static int count_flips(program *p, encoder *e, const uint8_t *pixels, int64_t count)
{
    const size_t codes = (size_t)count * e->writer.sizes[e->writer.at].per_image;
    if (!e->exact) return DONE;
    TRY(lib(p, vq_session_encode(e->exact, count, pixels, e->exact_codes)));
    for (size_t i = 0; i < codes; i++) e->flips += e->codes[i] != e->exact_codes[i];
    e->compared += (int64_t)codes;
    return DONE;
}

/* Leaves out images of a size that the model does not take. */
static int refuse_run(program *p, const input *in, const walk *w, int64_t count)
{
    encoder *e = in->e;
    for (int64_t i = 0; i < count; i++) {
        char image[PATH_ROOM], sentence[sizeof p->error];
        vq_loaded refused = walk_item(w, count, i);
        TRY(words_of_image(p, in, refused.index, image));
        (void)snprintf(sentence, sizeof sentence, "%.400s: at %" PRId64 "x%" PRId64 " %s", image,
                       e->width, e->height, e->refused);
        refused.status = VQ_E_UNSUPPORTED;
        refused.sentence = sentence;
        TRY(skip_image(p, &e->skips, in->source, in->data, refused.index, refused.status,
                       sentence));
        TRY(code_writer_row(p, &e->writer, in->source, in->data, &refused));
    }
    return DONE;
}

static int encode_run(program *p, const input *in, const walk *w, const uint8_t *pixels,
                      int64_t count)
{
    encoder *e = in->e;
    if (interrupted()) return fail(p, INTERRUPTED, "stopped; %s was not written", e->o->out);
    if (e->refused[0]) return refuse_run(p, in, w, count);
    TRY(lib(p, vq_session_encode(e->session, count, pixels, e->codes)));
    TRY(count_flips(p, e, pixels, count));
    TRY(code_writer_add(p, &e->writer, count, e->codes));
    for (int64_t i = 0; i < count; i++) {
        const vq_loaded image = walk_item(w, count, i);
        TRY(code_writer_row(p, &e->writer, in->source, in->data, &image));
    }
    return DONE;
}

/* Encodes images of a dataset at the size that it delivers. */
static int encode_images(program *p, input *in)
{
    encoder *e = in->e;
    const uint8_t *pixels = NULL;
    int64_t count;
    walk w = {0};
    int code;
    TRY_TO(fit_session(p, in));
    TRY_TO(walk_begin(p, in->data, in->indices, in->n, e->batch, not_delivered, in, &w));
    if (e->o->size == SIZE_MODEL) w.tells_fit = intake_words(&e->intake);
    for (;;) {
        TRY_TO(walk_next(p, &w, &pixels, &count));
        if (count == 0) break;
        TRY_TO(encode_run(p, in, &w, pixels, count));
    }
done:
    e->waited += walk_waited(&w);
    walk_end(p, &w);
    return code;
}

static int by_size(const void *a, const void *b)
{
    const waiting *x = a, *y = b;
    if (x->height != y->height) return x->height < y->height ? -1 : 1;
    if (x->width != y->width) return x->width < y->width ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Encodes the n images of one size that waited. */
static int encode_size(program *p, encoder *e, const char *source, const vq_dataset *data,
                       const waiting *first, size_t n)
{
    vq_dataset *view = NULL;
    void *memory = NULL;
    int code;
    TRY(allocate(p, n, sizeof(int64_t), &memory));
    int64_t *indices = memory;
    for (size_t i = 0; i < n; i++) indices[i] = first[i].index;
    TRY_TO(lib(p, vq_dataset_resized(p->ctx, data, first->height, first->width, &view)));
    input in = {e, source, view, indices, (int64_t)n};
    TRY_TO(encode_images(p, &in));
done:
    if (view) vq_dataset_close(p->ctx, view);
    free(indices);
    return code;
}

static int encode_waiting(program *p, encoder *e, const char *source, const vq_dataset *data)
{
    if (e->n_waiting > 0) qsort(e->waiting, e->n_waiting, sizeof *e->waiting, by_size);
    for (size_t at = 0, n; at < e->n_waiting; at += n) {
        const waiting *first = &e->waiting[at];
        for (n = 1; at + n < e->n_waiting; n++)
            if (first[n].height != first->height || first[n].width != first->width) break;
        TRY(encode_size(p, e, source, data, first, n));
    }
    e->n_waiting = 0;
    return DONE;
}

/* The first size that is not the model's is told of: nobody should wonder about the grids. */
static void tell_size(program *p, const encoder *e, const char *source, const vq_dataset *data)
{
    const vq_model_config *trained = vq_model_configuration(e->model);
    int64_t size[3];
    vq_dataset_size(data, size);
    if (e->writer.n_sizes > 0 || (size[0] == trained->height && size[1] == trained->width)) return;
    say(p,
        "images are encoded at their own size, the first of %s at %" PRId64 "x%" PRId64
        "; --size model scales them to the %" PRId64 "x%" PRId64 " trained on",
        source, size[1], size[0], trained->width, trained->height);
}

/* An input that is one image is left out where it cannot be read, as it would be in a folder. */
static int not_opened(program *p, encoder *e, const char *path, int code)
{
    char sentence[sizeof p->error];
    if (e->alone) return code;
    TRY(skip_input(p, &e->skips, path, code, sentence, sizeof sentence));
    const vq_loaded image = {.status = p->status, .sentence = sentence};
    return code_writer_row(p, &e->writer, path, NULL, &image);
}

static int encode_input(program *p, encoder *e, const char *path)
{
    vq_dataset *data = NULL;
    int code = lib(p, vq_dataset_open(p->ctx, path, &e->intake, &data));
    if (code != DONE) return not_opened(p, e, path, code);
    TRY_TO(origins_add(p, &e->origins, path, data, vq_dataset_count(data), false));
    if (e->o->size == SIZE_OWN) tell_size(p, e, path, data);
    input in = {e, path, data, NULL, vq_dataset_count(data)};
    TRY_TO(encode_images(p, &in));
    TRY_TO(encode_waiting(p, e, path, data));
done:
    vq_dataset_close(p->ctx, data);
    return code;
}

/* ---- the verb ------------------------------------------------------------ */

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

static json_t *grid_facts(const code_writer *w)
{
    const int64_t grid[] = {w->sizes[0].grids[0].height, w->sizes[0].grids[0].width};
    return w->n_sizes == 1 ? fact_list(grid, 2) : json_null();
}

static int print_result(program *p, const encoder *e, const char *index, double seconds)
{
    const code_writer *w = &e->writer;
    const bool one = w->n_sizes == 1;
    json_t *facts = json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "codes",
        fact_text(e->o->out), "index", fact_text(index), "images", (json_int_t)w->images, "skipped",
        (json_int_t)w->skipped, "sizes", (json_int_t)w->n_sizes, "grid", grid_facts(w),
        "codes_per_image", one ? json_integer((json_int_t)w->sizes[0].per_image) : json_null(),
        "model_hash", fact_hash(vq_model_hash(e->model)), "arithmetic", e->arithmetic,
        "images_per_second", fact_number((double)w->images / seconds), "data_wait",
        fact_number(e->waited / seconds), "peak_rss_mb", fact_number(machine_memory_mb()));
    if (e->o->flips)
        (void)json_object_set_new(facts, "flip_rate",
                                  fact_number((double)e->flips / (double)e->compared));
    return facts_print(p, facts);
}

static int encode(program *p, encoder *e, int n, char **inputs, const char *index)
{
    const double began = seconds_now();
    TRY(code_writer_begin(p, e->o->out, index, e->model, &e->writer));
    for (int i = 0; i < n; i++) TRY(encode_input(p, e, inputs[i]));
    if (e->writer.images == 0)
        return fail(p, BAD_INPUT, "none of the %" PRId64 " images can be read; %s was not written",
                    e->writer.skipped, e->o->out);
    const double seconds = seconds_now() - began;
    TRY(origins_tell(p, &e->origins));
    TRY(code_writer_commit(p, &e->writer, e->arithmetic));
    skips_tell(p, &e->skips, index);
    return print_result(p, e, index, seconds);
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const encode_options *o = parsed;
    encoder e = {.o = o, .alone = n == 2, .skips = {.strict = o->strict}};
    char index[PATH_ROOM];
    int code;
    if (o->flips && !o->fast)
        return fail(p, BAD_USAGE, "--flips compares --fast with exact codes; it needs --fast");
    TRY(arithmetic_check(p, o->fast, o->precision));
    TRY(index_path(p, o->out, index));
    TRY(output_check_inputs(p, o->out, operands, n));
    TRY(output_check_inputs(p, index, operands, n));
    TRY(output_check(p, o->out, o->force));
    TRY(output_check(p, index, o->force));
    interrupt_listen();
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &e.model)));
    TRY_TO(intake_of_model(p, operands[0], e.model, o->size == SIZE_OWN, &e.intake));
    TRY_TO(check_name(p, &e));
    TRY_TO(encode(p, &e, n - 1, operands + 1, index));
done:
    code_writer_end(p, &e.writer);
    skips_clear(&e.skips);
    origins_clear(&e.origins);
    free(e.waiting);
    drop_sessions(&e);
    vq_model_destroy(p->ctx, e.model);
    return code;
}

const verb verb_encode = {
    .name = "encode",
    .summary = "turn images into codes",
    .operands = "MODEL INPUT... -o CODES",
    .min_operands = 2,
    .max_operands = INT_MAX,
    .about = "INPUT is a dataset as for `vqvae train`, or an image file; of any number of\n"
             "images only a batch is held in memory. One grid of codes becomes an .npy of\n"
             "shape images x height x width in the smallest of u8, u16 and u32 that fits.\n"
             "Several grids become a .safetensors with a tensor each, level.0, level.1 ...;\n"
             "so do images of several sizes, whose tensors say the size: 640x480.level.0. An\n"
             "index beside it says which model and arithmetic made the codes, then of each\n"
             "image where it came from, its class, its size as stored and its row in the\n"
             "tensors of that size, or why it was left out: for NAME.npy it is\n"
             "NAME.index.jsonl, for NAME.safetensors NAME.safetensors.index.jsonl.\n\n"
             "--size model brings images to the model's size as its run did: by data.fit and\n"
             "data.filter of the config.json beside the model.\n\n"
             "The codes are the same on every machine: exact arithmetic, \"f32 exact 1\", adds\n"
             "in one order whatever the processor, compiler, number of threads and batch.\n"
             "--fast gives that up for speed, and --precision bf16 further where the processor\n"
             "has such products; --flips tells how many codes then are others.",
    .examples =
        "vqvae encode run /usr/share/datasets/fashion-mnist:t10k -o codes.npy\n"
        "vqvae encode run /usr/share/datasets/fashion-mnist:t10k -o fast.npy --fast --flips\n"
        "vqvae inspect codes.npy",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(encode_options),
    .run = run,
};
