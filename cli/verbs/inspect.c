/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/inspect.c -- vqvae inspect: what a file is and what it holds. */
#include "codes.h"
#include "facts.h"
#include "plan.h"
#include "run/folder.h"
#include "verbs.h"
#include "walk.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/tensor.h>

typedef struct inspect_options {
    common_options common;
    const char *backend, *purpose;
    bool plan;
    int64_t batch, height, width, precision;
} inspect_options;

#define INSPECT(...) OPTION(inspect_options, __VA_ARGS__)
static const option options[] = {
    INSPECT(plan, 0, NULL, "", "of a model: its operations as prepared, and what they cost"),
    INSPECT(purpose, 0, "NAME", "use", "of --plan: exact use, use with --fast, or a training step",
            .choices = "use|fast|training"),
    INSPECT(batch, 'b', "N", "1", "images at a time for --plan", .low = 1, .high = 65536),
    INSPECT(height, 0, "N", "0", "of the images for --plan; 0: as trained", .low = 0,
            .high = 65536),
    INSPECT(width, 0, "N", "0", "of the images for --plan; 0: as trained", .low = 0, .high = 65536),
    INSPECT(backend, 0, "NAME", "auto", "whose operations", .choices = "auto|portable|onednn"),
    INSPECT(precision, 0, "NAME", "f32",
            "of the products of convolutions, in training or with --fast", .choices = "f32|bf16"),
};

/* ---- models -------------------------------------------------------------- */

static json_t *grid_rows(const vq_grid *grids, size_t n)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:I}", "grid", grids[i].name,
                                                    "height", (json_int_t)grids[i].height, "width",
                                                    (json_int_t)grids[i].width, "codes",
                                                    (json_int_t)grids[i].codes));
    return rows;
}

static json_t *config_json(program *p, const vq_model *model)
{
    char *json = NULL;
    if (vq_model_config_write(p->ctx, vq_model_configuration(model), &json) != VQ_OK) return NULL;
    json_t *object = json_loads(json, 0, NULL);
    vq_text_free(p->ctx, json);
    return object;
}

static int model_facts(program *p, const char *path)
{
    vq_model *model = NULL;
    vq_grid grids[VQ_MAX_LEVELS];
    TRY(lib(p, vq_model_load(p->ctx, path, &model)));
    const vq_model_config *config = vq_model_configuration(model);
    const int64_t size[] = {config->height, config->width, config->channels};
    const size_t n = vq_model_grids(model, config->height, config->width, grids);
    json_t *facts =
        json_pack("{s:o, s:s, s:o, s:I, s:o, s:o, s:o, s:o}", "file", fact_text(path), "kind",
                  "model", "image", fact_list(size, 3), "parameters",
                  (json_int_t)vq_model_parameters(model), "variance",
                  fact_number(vq_model_variance(model)), "hash", fact_hash(vq_model_hash(model)),
                  "grids", grid_rows(grids, n), "settings", config_json(p, model));
    vq_model_destroy(p->ctx, model);
    return facts_print(p, facts);
}

/* ---- plans --------------------------------------------------------------- */

/* A model prepared for use or for training. */
typedef struct prepared {
    vq_model *model;
    vq_session *session; /* or */
    vq_trainer *trainer;
    int64_t input[4];
} prepared;

static int prepare_training(program *p, const inspect_options *o, prepared *plan)
{
    vq_model_config model = *vq_model_configuration(plan->model);
    vq_train_config train;
    vq_train_config_default(&train);
    train.batch = o->batch;
    train.precision = (int)o->precision;
    const vq_train_data about = {.images = plan->input[0],
                                 .height = plan->input[1],
                                 .width = plan->input[2],
                                 .variance = vq_model_variance(plan->model)};
    model.height = plan->input[1];
    model.width = plan->input[2];
    return lib(p,
               vq_trainer_create(p->ctx, &model, &train, &about, o->backend, NULL, &plan->trainer));
}

static int prepare(program *p, const inspect_options *o, const char *path, prepared *plan)
{
    const bool trains = strcmp(o->purpose, "training") == 0;
    const bool fast = strcmp(o->purpose, "fast") == 0;
    if (o->precision && !trains && !fast)
        return fail(p, BAD_USAGE,
                    "--precision bf16 is of --purpose fast or training; exact use is in f32");
    TRY(lib(p, vq_model_load(p->ctx, path, &plan->model)));
    const vq_model_config *config = vq_model_configuration(plan->model);
    const vq_session_config wanted = {.batch = o->batch,
                                      .height = o->height ? o->height : config->height,
                                      .width = o->width ? o->width : config->width,
                                      .backend = o->backend,
                                      .fast = fast,
                                      .precision = (int)o->precision};
    plan->input[0] = wanted.batch;
    plan->input[1] = wanted.height;
    plan->input[2] = wanted.width;
    plan->input[3] = config->channels;
    if (trains) return prepare_training(p, o, plan);
    return lib(p, vq_session_create(p->ctx, plan->model, &wanted, &plan->session));
}

static bool plan_line(const prepared *plan, size_t i, vq_plan_line *line)
{
    return plan->trainer ? vq_trainer_plan(plan->trainer, i, line)
                         : vq_session_plan(plan->session, i, line);
}

/* A row for each direction that a node computes; its bytes stand in the first. */
static json_t *plan_rows(const prepared *plan, double *gflop)
{
    json_t *rows = json_array();
    vq_plan_line line;
    *gflop = 0.0;
    for (size_t i = 0; plan_line(plan, i, &line); i++)
        for (vq_direction d = VQ_FORWARD; d < VQ_DIRECTIONS; d++) {
            if (!line.implementation[d]) continue;
            json_t *row = plan_fact(&line, d);
            *gflop += 1e-9 * line.flops[d];
            (void)json_object_set_new(
                row, "bytes", d == VQ_FORWARD ? json_integer((json_int_t)line.bytes) : json_null());
            (void)json_array_append_new(rows, row);
        }
    return rows;
}

static int plan_facts(program *p, const inspect_options *o, const char *path)
{
    prepared plan = {0};
    double gflop;
    int code;
    TRY_TO(prepare(p, o, path, &plan));
    const size_t bytes =
        plan.trainer ? vq_trainer_bytes(plan.trainer) : vq_session_bytes(plan.session);
    json_t *rows = plan_rows(&plan, &gflop);
    TRY_TO(facts_print(p, json_pack("{s:o, s:s, s:s, s:I, s:o, s:o}", "input",
                                    fact_list(plan.input, 4), "purpose", o->purpose, "instructions",
                                    vq_context_cpu(p->ctx), "buffer_bytes", (json_int_t)bytes,
                                    "gflop", fact_number(gflop), "plan", rows)));
done:
    vq_trainer_destroy(plan.trainer);
    vq_session_destroy(plan.session);
    vq_model_destroy(p->ctx, plan.model);
    return code;
}

/* ---- archives ------------------------------------------------------------ */

/* A metadata value, as JSON where it is. */
static json_t *meta_value(const char *value)
{
    json_t *object = json_loads(value, JSON_DECODE_ANY, NULL);
    return object ? object : fact_text(value);
}

static json_t *tensor_rows(const vq_archive *archive)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < archive->n_arrays; i++) {
        const vq_array *a = &archive->arrays[i];
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:s, s:o}", "tensor", a->name, "type", vq_dtype_name(a->dtype),
                            "shape", fact_list(a->shape.dim, (size_t)a->shape.rank)));
    }
    return rows;
}

static int archive_facts(program *p, const char *path, const char *kind, const vq_archive *archive)
{
    json_t *meta = json_object();
    bool whole = true;
    for (size_t i = 0; i < archive->n_keys; i++)
        if (strcmp(archive->keys[i], "vqvae.xxh3") != 0) /* a hash for each tensor: long */
            whole =
                json_object_set_new(meta, archive->keys[i], meta_value(archive->values[i])) == 0 &&
                whole;
    if (!whole) {
        json_decref(meta);
        return fail(p, MACHINE_FAILED, "no memory for the results");
    }
    return facts_print(p, json_pack("{s:o, s:s, s:o, s:o}", "file", fact_text(path), "kind", kind,
                                    "metadata", meta, "tensors", tensor_rows(archive)));
}

static uint32_t largest_code(const code_set *set)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < (size_t)set->images * set->per_image; i++)
        if (set->codes[i] > largest) largest = set->codes[i];
    return largest;
}

static json_t *code_size_row(const code_set *set)
{
    const int64_t size[] = {set->width, set->height};
    json_t *rows = grid_rows(set->grids, set->n_grids);
    for (size_t i = 0; i < set->n_grids; i++)
        (void)json_object_del(json_array_get(rows, i), "codes");
    return json_pack("{s:o, s:I, s:I, s:o}", "size",
                     set->width > 0 ? fact_list(size, 2) : json_null(), "images",
                     (json_int_t)set->images, "largest_code", (json_int_t)largest_code(set),
                     "grids", rows);
}

static int code_facts(program *p, const char *path)
{
    code_set *sets;
    size_t n;
    int64_t images = 0;
    TRY(codes_describe(p, path, &sets, &n));
    const int code = codes_read(p, path, sets, n);
    if (code != DONE) {
        codes_clear(sets, n);
        return code;
    }
    json_t *sizes = json_array();
    for (size_t i = 0; i < n; i++) {
        images += sets[i].images;
        (void)json_array_append_new(sizes, code_size_row(&sets[i]));
    }
    json_t *facts = json_pack("{s:o, s:s, s:I, s:o, s:o}", "file", fact_text(path), "kind", "codes",
                              "images", (json_int_t)images, "model_hash",
                              sets->has_hash ? fact_hash(sets->hash) : json_null(), "arithmetic",
                              sets->arithmetic[0] ? fact_text(sets->arithmetic) : json_null());
    /* Of one size, what there is to say stands in the first row. */
    if (facts && n == 1) (void)json_object_update(facts, json_array_get(sizes, 0));
    else if (facts) (void)json_object_set(facts, "sizes", sizes);
    json_decref(sizes);
    codes_clear(sets, n);
    return facts_print(p, facts);
}

static int safetensors_facts(program *p, const char *path)
{
    vq_archive archive = {0};
    int code;
    TRY(lib(p, vq_safetensors_describe(p->ctx, path, &archive)));
    const char *kind = vq_archive_meta(&archive, "vqvae.kind");
    if (kind && strcmp(kind, "codes") == 0) code = code_facts(p, path);
    else if (vq_archive_meta(&archive, "vqvae.step"))
        code = archive_facts(p, path, "training state", &archive);
    else if (vq_archive_meta(&archive, "vqvae.config")) code = model_facts(p, path);
    else code = archive_facts(p, path, "tensors", &archive);
    vq_archive_clear(p->ctx, &archive);
    return code;
}

static int npy_facts(program *p, const char *path)
{
    vq_array a = {0};
    TRY(lib(p, vq_npy_describe(p->ctx, path, &a)));
    const bool codes =
        a.shape.rank == 3 && (a.dtype == VQ_U8 || a.dtype == VQ_U16 || a.dtype == VQ_U32);
    char index[PATH_ROOM];
    /* Images and codes may have one shape; what encode wrote has its index beside it. */
    if (codes && index_path(p, path, index) == DONE && path_exists(index)) {
        vq_array_clear(p->ctx, &a);
        return code_facts(p, path);
    }
    json_t *facts =
        json_pack("{s:o, s:s, s:s, s:o}", "file", fact_text(path), "kind", "array", "type",
                  vq_dtype_name(a.dtype), "shape", fact_list(a.shape.dim, (size_t)a.shape.rank));
    vq_array_clear(p->ctx, &a);
    return facts_print(p, facts);
}

/* ---- the rest ------------------------------------------------------------ */

static int lines_facts(program *p, const char *path)
{
    text whole = {0};
    json_t *first = NULL, *last = NULL, *object;
    int64_t lines = 0;
    int code;
    TRY_TO(file_read(p, path, &whole));
    for (const char *line = whole.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        object = json_loadb(line, (size_t)(end - line), 0, NULL);
        if (!object)
            TRY_TO(fail(p, BAD_INPUT, "%s: line %" PRId64 " is not valid JSON", path, lines + 1));
        if (lines++ == 0) first = json_incref(object);
        json_decref(last);
        last = object;
    }
    const bool index = json_object_get(first, "model_hash") != NULL;
    const bool metrics = json_object_get(first, "step") != NULL;
    json_t *facts =
        json_pack("{s:o, s:s, s:I, s:O*, s:O?}", "file", fact_text(path), "kind",
                  index     ? "index of codes"
                  : metrics ? "metrics of a training"
                            : "lines of JSON",
                  "lines", (json_int_t)lines, "first", index ? first : NULL, "last", last);
    TRY_TO(facts_print(p, facts));
done:
    json_decref(first);
    json_decref(last);
    free(whole.data);
    return code;
}

static json_t *last_metrics(program *p, const char *path)
{
    text whole = {0};
    json_t *last = NULL;
    if (path_exists(path) && file_read(p, path, &whole) == DONE)
        for (const char *line = whole.data, *end; (end = strchr(line, '\n')) != NULL;
             line = end + 1) {
            json_decref(last);
            last = json_loadb(line, (size_t)(end - line), 0, NULL);
        }
    free(whole.data);
    return last ? last : json_null();
}

static int run_facts(program *p, const run_folder *folder)
{
    json_t *config = NULL;
    TRY(json_file(p, folder->config, &config));
    return facts_print(
        p, json_pack("{s:o, s:s, s:b, s:b, s:b, s:o, s:o}", "folder", fact_text(folder->root),
                     "kind", "run", "has_state", path_exists(folder->state), "has_model",
                     path_exists(folder->model), "has_best", path_exists(folder->best), "last",
                     last_metrics(p, folder->metrics), "config", config));
}

static int settings_facts(program *p, const char *path)
{
    json_t *object = NULL;
    TRY(json_file(p, path, &object));
    return facts_print(p, json_pack("{s:o, s:s, s:o}", "file", fact_text(path), "kind", "settings",
                                    "holds", object));
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Classes that are only numbered are called by their numbers, those that occur. */
static int add_numbered(program *p, const vq_dataset *data, json_t *classes)
{
    const int64_t n = vq_dataset_count(data);
    void *memory = NULL;
    TRY(allocate(p, (size_t)n, sizeof(int64_t), &memory));
    int64_t *labels = memory;
    for (int64_t i = 0; i < n; i++) labels[i] = vq_dataset_label(data, i);
    qsort(labels, (size_t)n, sizeof *labels, by_value);
    for (int64_t i = 0; i < n; i++) {
        char number[24];
        if (labels[i] < 0 || (i > 0 && labels[i] == labels[i - 1])) continue;
        (void)snprintf(number, sizeof number, "%" PRId64, labels[i]);
        (void)json_array_append_new(classes, json_string(number));
    }
    free(labels);
    return DONE;
}

static int data_facts(program *p, const char *path)
{
    vq_data_config config;
    vq_dataset *data = NULL;
    int64_t size[3];
    vq_data_config_default(&config);
    config.cache_mb = 0;
    TRY(lib(p, vq_dataset_open(p->ctx, path, &config, &data)));
    vq_dataset_size(data, size);
    json_t *classes = json_array();
    const char *name;
    bool whole = true;
    for (int64_t i = 0; (name = vq_dataset_class(data, i)) != NULL; i++)
        if (json_array_append_new(classes, fact_text(name)) != 0) whole = false;
    int code = whole ? DONE : fail(p, MACHINE_FAILED, "no memory for the results");
    if (whole && json_array_size(classes) == 0) code = add_numbered(p, data, classes);
    json_t *facts = json_pack("{s:o, s:s, s:I, s:o, s:I, s:o}", "file", fact_text(path), "kind",
                              "images", "images", (json_int_t)vq_dataset_count(data), "first_image",
                              fact_list(size, 3), "classes", (json_int_t)json_array_size(classes),
                              "first_name", fact_text(vq_dataset_name(data, 0)));
    if (facts && p->json) (void)json_object_set(facts, "class_names", classes);
    json_decref(classes);
    vq_dataset_close(p->ctx, data);
    if (code == DONE) return facts_print(p, facts);
    json_decref(facts);
    return code;
}

/* Options of --plan mean nothing without it. */
static int check_plan(program *p, const inspect_options *o)
{
    const struct {
        const char *name;
        bool given;
    } of_plan[] = {{"--purpose", strcmp(o->purpose, "use") != 0},
                   {"--batch", o->batch != 1},
                   {"--height", o->height != 0},
                   {"--width", o->width != 0},
                   {"--backend", strcmp(o->backend, "auto") != 0},
                   {"--precision", o->precision != 0}};
    for (size_t i = 0; !o->plan && i < sizeof of_plan / sizeof *of_plan; i++)
        if (of_plan[i].given)
            return fail(p, BAD_USAGE, "%s says how --plan prepares a model; give --plan, too",
                        of_plan[i].name);
    return DONE;
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const inspect_options *o = parsed;
    const char *path = operands[0];
    run_folder folder;
    (void)n;
    TRY(check_plan(p, o));
    if (o->plan) return plan_facts(p, o, path);
    TRY(run_folder_name(p, path, &folder));
    if (path_is_folder(path) && path_exists(folder.config)) return run_facts(p, &folder);
    if (path_has_extension(path, ".safetensors")) return safetensors_facts(p, path);
    if (path_has_extension(path, ".npy")) return npy_facts(p, path);
    if (path_has_extension(path, ".jsonl")) return lines_facts(p, path);
    if (path_has_extension(path, ".json")) return settings_facts(p, path);
    return data_facts(p, path);
}

const verb verb_inspect = {
    .name = "inspect",
    .summary = "say what a file is and what it holds",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .about =
        "FILE is anything that the program writes or reads: a model, a training state, codes, an\n"
        "index, metrics, settings, a run folder, a dataset, an image.\n\n"
        "--plan prepares a model and prints, for each operation that is left and each direction\n"
        "in which it runs (forward; in training also the gradients of its data and of its\n"
        "weights), who computes it and how, its output's shape, the GFLOP of its products as\n"
        "direct sums take them, and once the bytes of its outputs, gradients and kept data\n"
        "before they share memory. `vqvae bench layers` times them.",
    .examples = "vqvae inspect run\n"
                "vqvae inspect run/state.safetensors\n"
                "vqvae inspect run --plan --batch 64\n"
                "vqvae inspect run --plan --batch 64 --purpose training\n"
                "vqvae inspect /usr/share/datasets/fashion-mnist:t10k",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(inspect_options),
    .run = run,
};
