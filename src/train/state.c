/* SPDX-License-Identifier: Apache-2.0
 * train/state.c -- state.safetensors: everything that resuming needs, in one file.
 *
 * Arrays: "model.", "moment1.", "moment2.", "average." + the names of the parameters; "codes." and
 * how the codes of each quantiser were used (codebooks_state.c). Texts: configurations, data, step,
 * the caller's progress, and what the numbers depend on: backend, its library and instruction sets,
 * threads and the implementation chosen for each step of the plan.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/builder.h"
#include "model/weights.h"
#include "tensor/archive.h"
#include "train/trainer.h"

static const int64_t max_steps = 1000000000000; /* as train.steps */

/* ---- machine --------------------------------------------------------------------- */

/* NULL where memory is short. */
static json_t *plan_of(const vq_trainer *t)
{
    json_t *plan = json_array();
    for (int i = 0; plan && i < vq_plan_rows(t->plan); i++) {
        const vq_plan_row row = vq_plan_row_at(t->plan, i);
        const char *const *by = row.implementation;
        if (json_array_append_new(plan, json_pack("[s,s,s?,s?]", row.node, by[VQ_FORWARD],
                                                  by[VQ_GRADIENT_DATA], by[VQ_GRADIENT_WEIGHTS])) ==
            0)
            continue;
        json_decref(plan);
        plan = NULL;
    }
    return plan;
}

/* Our own kernels give the same bits with any threads. */
static json_t *machine_of(const vq_trainer *t)
{
    const int threads = t->backend == &vq_backend_portable ? 0 : vq_context_threads(t->ctx);
    char arithmetic[VQ_ARITHMETIC_SIZE];
    json_t *plan = plan_of(t);
    if (!plan) return NULL;
    t->backend->arithmetic(t->ctx, arithmetic, sizeof arithmetic);
    return json_pack("{s:s,s:s,s:i,s:o}", "backend", t->backend->name, "arithmetic", arithmetic,
                     "threads", threads, "plan", plan);
}

/* Says when the bits will differ from those of a run never stopped. */
static vq_status compare_machine(const vq_trainer *t, const json_t *then)
{
    json_t *now = machine_of(t);
    VQ_CHECK(t->ctx, now, VQ_E_NOMEM, "no memory to compare the machine with that of the state");
    if (!json_equal(then, now))
        vq_log(t->ctx, VQ_LOG_WARNING,
               "this run was trained with another backend, library, instruction set, thread "
               "count or choice of implementations: it goes on, but not with the same bits");
    json_decref(now);
    return VQ_OK;
}

/* ---- writing ------------------------------------------------------------------------ */

static vq_status pack_texts(const vq_trainer *t, const char *progress, vq_pack *pack)
{
    char *train = NULL;
    VQ_TRY(vq_weights_describe(&t->model, t->data.variance, pack));
    VQ_TRY(vq_train_config_write(t->ctx, &t->config, &train));
    vq_status status = vq_pack_text(pack, "vqvae.train", train);
    vq_text_free(t->ctx, train);
    if (status != VQ_OK) return status;
    VQ_TRY(vq_pack_json(pack, "vqvae.data",
                        json_pack("{s:I,s:I,s:I}", "images", (json_int_t)t->data.images, "height",
                                  (json_int_t)t->data.height, "width", (json_int_t)t->data.width)));
    VQ_TRY(vq_pack_json(pack, "vqvae.machine", machine_of(t)));
    VQ_TRY(vq_pack_text(pack, "vqvae.progress", progress ? progress : "{}"));
    VQ_TRY(vq_pack_text(pack, "vqvae.started", t->started ? "1" : "0"));
    char step[24];
    (void)snprintf(step, sizeof step, "%" PRId64, t->step);
    return vq_pack_text(pack, "vqvae.step", step);
}

/* Resuming will want an object, so nothing else is saved. */
static vq_status check_progress(vq_context *ctx, const char *progress)
{
    json_error_t error;
    bool no_memory;
    if (!progress) return VQ_OK;
    json_t *object = vq_json_read(progress, strlen(progress), 0, &error, &no_memory);
    const bool fine = json_is_object(object);
    json_decref(object);
    VQ_CHECK(ctx, !no_memory, VQ_E_NOMEM, "no memory to read the progress to be saved");
    VQ_CHECK(ctx, fine, VQ_E_ARG, "the progress to be saved is not a JSON object: %s", progress);
    return VQ_OK;
}

vq_status vq_trainer_save(vq_trainer *t, const char *path, const char *progress)
{
    vq_pack pack = {.ctx = t->ctx};
    vq_status status = VQ_OK;
    const vq_graph *g = t->graph;
    VQ_TRY(vq_trainer_check(t)); /* what could not be resumed must not replace what can */
    VQ_TRY(check_progress(t->ctx, progress));
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "model.", t->moments.parameters, &pack));
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_STATE, "model.", t->state, &pack));
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "moment1.", t->moments.first, &pack));
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "moment2.", t->moments.second, &pack));
    if (t->average) VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "average.", t->average, &pack));
    VQ_TRY_TO(vq_codebooks_pack(t, &pack));
    VQ_TRY_TO(pack_texts(t, progress, &pack));
    VQ_TRY_TO(vq_safetensors_save(t->ctx, path, &pack.archive));
done:
    vq_pack_clear(&pack);
    return status;
}

/* ---- reading ------------------------------------------------------------------------- */

/* What the texts of a state say, checked before anything is made of it. */
typedef struct texts {
    vq_model_config model;
    vq_train_config train;
    double variance;
    int64_t step;
    bool started;
    const char *progress; /* the archive's */
    json_t *machine;
} texts;

static vq_status need_text(vq_context *ctx, const char *path, const vq_archive *archive,
                           const char *key, const char **out)
{
    *out = vq_archive_meta(archive, key);
    VQ_CHECK(ctx, *out, VQ_E_FORMAT, "%s has no %s: it is not the state of a training", path, key);
    return VQ_OK;
}

/* The whole number of that name; false where there is none. (json_unpack() asks for memory, and
 * calls the object wrong where that is short.) */
static bool take_whole(const json_t *object, const char *key, json_int_t *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    return json_is_integer(value);
}

static vq_status check_same_data(vq_context *ctx, const char *path, const vq_archive *archive,
                                 double variance, const vq_train_data *data)
{
    json_t *object = NULL;
    json_int_t images, height, width;
    VQ_TRY(vq_archive_object(ctx, path, archive, "vqvae.data", &object));
    const bool good = take_whole(object, "images", &images) &&
                      take_whole(object, "height", &height) &&
                      take_whole(object, "width", &width) && json_object_size(object) == 3;
    json_decref(object);
    VQ_CHECK(ctx, good, VQ_E_FORMAT,
             "%s: vqvae.data does not hold the three whole numbers images, height and width", path);
    VQ_CHECK(ctx, images == data->images && height == data->height && width == data->width,
             VQ_E_ARG,
             "%s was trained on %lld images of %lldx%lld, but there are now %lld of %lldx%lld: "
             "resume with the same data",
             path, (long long)images, (long long)width, (long long)height, (long long)data->images,
             (long long)data->width, (long long)data->height);
    VQ_CHECK(
        ctx, variance == data->variance, VQ_E_ARG,
        "%s was trained on images of variance %.17g, but it is now %.17g: resume with the same "
        "data",
        path, variance, data->variance);
    return VQ_OK;
}

static vq_status read_train(vq_context *ctx, const char *path, const vq_archive *archive,
                            int64_t steps, vq_train_config *train)
{
    const char *text;
    VQ_TRY(need_text(ctx, path, archive, "vqvae.train", &text));
    vq_train_config_default(train);
    VQ_TRY(vq_weights_blame(ctx, path, vq_train_config_read(ctx, text, train)));
    /* More steps go on at the rate the schedule ended with: a longer cosine would jump back up.
     * Where nothing falls, the state stays that of a training never made longer. */
    const bool falls = train->schedule == 1 && train->decay_steps == 0;
    if (steps > 0 && steps != train->steps && falls) train->decay_steps = train->steps;
    if (steps > 0) train->steps = steps;
    return VQ_OK;
}

static vq_status read_position(vq_context *ctx, const char *path, const vq_archive *archive,
                               texts *out)
{
    const char *text;
    char *end = NULL;
    VQ_TRY(need_text(ctx, path, archive, "vqvae.step", &text));
    const long long step = strtoll(text, &end, 10);
    VQ_CHECK(ctx, end != text && *end == '\0' && step >= 0 && step <= max_steps, VQ_E_FORMAT,
             "%s: vqvae.step is \"%s\"; it must be a whole number from 0 to %" PRId64, path, text,
             max_steps);
    out->step = step;
    VQ_TRY(need_text(ctx, path, archive, "vqvae.started", &text));
    out->started = strcmp(text, "1") == 0;
    VQ_CHECK(ctx, out->started || strcmp(text, "0") == 0, VQ_E_FORMAT,
             "%s: vqvae.started is \"%s\"; it must be 0 or 1", path, text);
    return VQ_OK;
}

static vq_status read_progress(vq_context *ctx, const char *path, const vq_archive *archive,
                               texts *out)
{
    json_t *object = NULL;
    VQ_TRY(vq_archive_object(ctx, path, archive, "vqvae.progress", &object));
    json_decref(object);
    out->progress = vq_archive_meta(archive, "vqvae.progress");
    return vq_archive_object(ctx, path, archive, "vqvae.machine", &out->machine);
}

static vq_status read_texts(vq_context *ctx, const char *path, const vq_archive *archive,
                            int64_t steps, const vq_train_data *data, texts *out)
{
    VQ_TRY(read_train(ctx, path, archive, steps, &out->train));
    VQ_TRY(vq_weights_identify(ctx, path, archive, &out->model, &out->variance));
    VQ_TRY(check_same_data(ctx, path, archive, out->variance, data));
    VQ_TRY(read_position(ctx, path, archive, out));
    return read_progress(ctx, path, archive, out);
}

/* Names, types and shapes of all tensors, before memory is taken for a plan. */
static vq_status check_tensors(vq_context *ctx, const char *path, const texts *said,
                               const vq_archive *archive)
{
    static const vq_weights_set sets[] = {{.prefix = "model.", .with_state = true},
                                          {.prefix = "moment1."},
                                          {.prefix = "moment2."},
                                          {.prefix = "codes.", .others = true},
                                          {.prefix = "average."}};
    const size_t n_sets = sizeof sets / sizeof *sets - (said->train.average > 0.0 ? 0 : 1);
    vq_graph *graph = NULL;
    vq_status status = vq_model_build(ctx, &said->model, said->variance, &graph);
    VQ_TRY(vq_weights_blame(ctx, path, status));
    status = vq_weights_check(ctx, path, graph, sets, n_sets, archive);
    vq_graph_destroy(ctx, graph);
    return status;
}

static vq_status read_numbers(vq_trainer *t, const char *path, const vq_archive *archive)
{
    vq_context *ctx = t->ctx;
    const vq_graph *g = t->graph;
    VQ_TRY(vq_weights_unpack(ctx, path, g, VQ_PARAM_TRAINED, "model.", archive,
                             t->moments.parameters));
    VQ_TRY(vq_weights_unpack(ctx, path, g, VQ_PARAM_STATE, "model.", archive, t->state));
    VQ_TRY(
        vq_weights_unpack(ctx, path, g, VQ_PARAM_TRAINED, "moment1.", archive, t->moments.first));
    VQ_TRY(
        vq_weights_unpack(ctx, path, g, VQ_PARAM_TRAINED, "moment2.", archive, t->moments.second));
    if (t->average)
        VQ_TRY(vq_weights_unpack(ctx, path, g, VQ_PARAM_TRAINED, "average.", archive, t->average));
    return vq_codebooks_unpack(t, path, archive);
}

/* The backend of the state where this build has it. */
static const char *backend_of(vq_context *ctx, const json_t *machine)
{
    const char *kept = json_string_value(json_object_get(machine, "backend"));
    const vq_backend *found;
    return kept && vq_backend_find(ctx, kept, &found) == VQ_OK ? kept : "auto";
}

static vq_status make_trainer(vq_context *ctx, const char *path, const vq_archive *archive,
                              const texts *said, const vq_train_data *data, vq_trainer **out)
{
    VQ_TRY(check_tensors(ctx, path, said, archive));
    VQ_TRY(vq_trainer_prepare(ctx, &said->model, &said->train, data, backend_of(ctx, said->machine),
                              out));
    vq_trainer *t = *out;
    VQ_TRY(read_numbers(t, path, archive));
    t->step = said->step;
    t->started = said->started;
    vq_release(ctx, t->progress);
    t->progress = NULL;
    VQ_TRY(vq_strdup(ctx, said->progress, &t->progress));
    return compare_machine(t, said->machine);
}

vq_status vq_trainer_resume(vq_context *ctx, const char *path, int64_t steps,
                            const vq_train_data *data, vq_trainer **out)
{
    vq_archive archive;
    texts said = {0};
    vq_status status = VQ_OK;
    *out = NULL;
    VQ_TRY(vq_safetensors_load(ctx, path, &archive));
    VQ_TRY_TO(read_texts(ctx, path, &archive, steps, data, &said));
    VQ_TRY_TO(make_trainer(ctx, path, &archive, &said, data, out));
done:
    json_decref(said.machine);
    vq_archive_clear(ctx, &archive);
    if (status != VQ_OK) {
        vq_trainer_destroy(*out);
        *out = NULL;
    }
    return status;
}
