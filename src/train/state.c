/* SPDX-License-Identifier: Apache-2.0
 * train/state.c -- state.safetensors: everything that resuming needs, in one file.
 *
 * Arrays: "model.", "moment1.", "moment2.", "average." + the names of the parameters. Texts:
 * configurations, data, step, the caller's progress, and what the numbers depend on: backend,
 * its library and instruction sets, threads and the implementation chosen for each step of the
 * plan. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/weights.h"
#include "train/trainer.h"

/* ---- machine --------------------------------------------------------------------- */

static json_t *machine_of(const vq_trainer *t)
{
    json_t *plan = json_array();
    for (int i = 0; i < vq_plan_rows(t->plan); i++) {
        const vq_plan_row row = vq_plan_row_at(t->plan, i);
        json_array_append_new(plan, json_pack("[s,s]", row.node, row.implementation));
    }
    char arithmetic[VQ_ARITHMETIC_SIZE];
    t->backend->arithmetic(t->ctx, arithmetic, sizeof arithmetic);
    return json_pack("{s:s,s:s,s:i,s:o}", "backend", t->backend->name, "arithmetic", arithmetic,
                     "threads", vq_context_threads(t->ctx), "plan", plan);
}

/* Says when the bits will differ from those of a run never stopped. */
static void compare_machine(vq_trainer *t, const char *text)
{
    json_t *then = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *now = machine_of(t);
    if (then && now && !json_equal(then, now))
        vq_log(t->ctx, VQ_LOG_WARNING,
               "this run was trained with another backend, library, instruction set, thread "
               "count or choice of implementations: it goes on, but not with the same bits");
    json_decref(then);
    json_decref(now);
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

vq_status vq_trainer_save(vq_trainer *t, const char *path, const char *progress)
{
    vq_pack pack = {.ctx = t->ctx};
    vq_status status = VQ_OK;
    const vq_graph *g = t->graph;
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "model.", t->moments.parameters, &pack));
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_STATE, "model.", t->state, &pack));
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "moment1.", t->moments.first, &pack));
    VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "moment2.", t->moments.second, &pack));
    if (t->average) VQ_TRY_TO(vq_weights_pack(g, VQ_PARAM_TRAINED, "average.", t->average, &pack));
    VQ_TRY_TO(pack_texts(t, progress, &pack));
    VQ_TRY_TO(vq_safetensors_save(t->ctx, path, &pack.archive));
done:
    vq_pack_clear(&pack);
    return status;
}

/* ---- reading ------------------------------------------------------------------------- */

static vq_status need_text(vq_context *ctx, const char *path, const vq_archive *archive,
                           const char *key, const char **out)
{
    *out = vq_archive_meta(archive, key);
    VQ_CHECK(ctx, *out, VQ_E_FORMAT, "%s has no %s: it is not the state of a training", path, key);
    return VQ_OK;
}

static vq_status check_same_data(vq_context *ctx, const char *path, const char *text,
                                 double variance, const vq_train_data *data)
{
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_int_t images = 0, height = 0, width = 0;
    const int bad =
        json_unpack(object, "{s:I,s:I,s:I}", "images", &images, "height", &height, "width", &width);
    json_decref(object);
    VQ_CHECK(ctx, !bad, VQ_E_FORMAT, "%s: vqvae.data is not what this program writes", path);
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

static vq_status read_step(vq_context *ctx, const char *path, const char *text, int64_t *step)
{
    char *end = NULL;
    const long long value = strtoll(text, &end, 10);
    VQ_CHECK(ctx, end != text && *end == '\0' && value >= 0, VQ_E_FORMAT,
             "%s: vqvae.step is \"%s\"; it must be a whole number of at least 0", path, text);
    *step = value;
    return VQ_OK;
}

static const char *machine_backend(const char *text, char *name, size_t size)
{
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *kept = json_string_value(json_object_get(object, "backend"));
    (void)snprintf(name, size, "%s", kept && vq_backend_named(kept) ? kept : "auto");
    json_decref(object);
    return name;
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
    return VQ_OK;
}

static vq_status from_archive(vq_context *ctx, const char *path, const vq_archive *archive,
                              int64_t steps, const vq_train_data *data, vq_trainer **out)
{
    vq_model_config model;
    vq_train_config train;
    double variance;
    const char *text;
    char backend[32];
    VQ_TRY(need_text(ctx, path, archive, "vqvae.train", &text));
    vq_train_config_default(&train);
    VQ_TRY(vq_train_config_read(ctx, text, &train));
    VQ_TRY(vq_weights_identify(ctx, path, archive, &model, &variance));
    VQ_TRY(need_text(ctx, path, archive, "vqvae.data", &text));
    VQ_TRY(check_same_data(ctx, path, text, variance, data));
    /* More steps go on at the rate the schedule ended with: a longer cosine would jump back up.
     * Where nothing falls, the state stays that of a training never made longer. */
    const bool falls = train.schedule == 1 && train.decay_steps == 0;
    if (steps > 0 && steps != train.steps && falls) train.decay_steps = train.steps;
    if (steps > 0) train.steps = steps;
    const char *machine = vq_archive_meta(archive, "vqvae.machine");
    VQ_TRY(vq_trainer_prepare(ctx, &model, &train, data,
                              machine_backend(machine, backend, sizeof backend), out));
    vq_trainer *t = *out;
    VQ_TRY(read_numbers(t, path, archive));
    VQ_TRY(need_text(ctx, path, archive, "vqvae.step", &text));
    VQ_TRY(read_step(ctx, path, text, &t->step));
    VQ_TRY(need_text(ctx, path, archive, "vqvae.started", &text));
    t->started = strcmp(text, "1") == 0;
    VQ_TRY(need_text(ctx, path, archive, "vqvae.progress", &text));
    vq_release(ctx, t->progress);
    t->progress = NULL;
    VQ_TRY(vq_strdup(ctx, text, &t->progress));
    compare_machine(t, machine);
    return VQ_OK;
}

vq_status vq_trainer_resume(vq_context *ctx, const char *path, int64_t steps,
                            const vq_train_data *data, vq_trainer **out)
{
    vq_archive archive;
    *out = NULL;
    VQ_TRY(vq_safetensors_load(ctx, path, &archive));
    const vq_status status = from_archive(ctx, path, &archive, steps, data, out);
    vq_archive_clear(ctx, &archive);
    if (status != VQ_OK) {
        vq_trainer_destroy(*out);
        *out = NULL;
    }
    return status;
}
