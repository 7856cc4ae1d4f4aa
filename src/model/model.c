/* SPDX-License-Identifier: Apache-2.0
 * model/model.c -- models: made from numbers, loaded, saved. */
#include <stdio.h>
#include <string.h>

#include "base/folder.h"
#include "model/builder.h"
#include "model/weights.h"
#include "tensor/hash.h"

enum { PATH_SIZE = 4096 };

/* A model that has a graph, but no numbers yet. */
static vq_status outline(vq_context *ctx, const vq_model_config *config, double variance,
                         vq_model **out)
{
    vq_model *model = NULL;
    vq_status status = VQ_OK;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &model));
    model->config = *config;
    model->variance = variance;
    VQ_TRY_TO(vq_model_build(ctx, config, variance, &model->graph));
done:
    if (status == VQ_OK) *out = model;
    else vq_model_destroy(ctx, model);
    return status;
}

static vq_status allocate_numbers(vq_context *ctx, vq_model *model)
{
    VQ_TRY(VQ_NEW(ctx, model->graph->trained_count, &model->trained));
    return VQ_NEW(ctx, model->graph->state_count, &model->state);
}

static uint64_t hash_numbers(vq_dtype dtype, size_t count, void *data)
{
    const vq_array array = {.dtype = dtype,
                            .shape = {.rank = 1, .dim = {(int64_t)count}},
                            .data = data};
    return vq_array_hash(&array);
}

static void set_hash(vq_model *model)
{
    uint64_t parts[2] = {hash_numbers(VQ_F32, model->graph->trained_count, model->trained),
                         hash_numbers(VQ_F32, model->graph->state_count, model->state)};
    model->hash = hash_numbers(VQ_U64, 2, parts);
}

vq_status vq_model_create(vq_context *ctx, const vq_model_config *config, double variance,
                          const float *trained, const float *state, vq_model **out)
{
    VQ_TRY(outline(ctx, config, variance, out));
    vq_model *model = *out;
    const vq_status status = allocate_numbers(ctx, model);
    if (status != VQ_OK) {
        vq_model_destroy(ctx, model);
        *out = NULL;
        return status;
    }
    memcpy(model->trained, trained, model->graph->trained_count * sizeof(float));
    memcpy(model->state, state, model->graph->state_count * sizeof(float));
    set_hash(model);
    return VQ_OK;
}

void vq_model_destroy(vq_context *ctx, vq_model *model)
{
    if (!model) return;
    vq_graph_destroy(ctx, model->graph);
    vq_release(ctx, model->trained);
    vq_release(ctx, model->state);
    vq_release(ctx, model);
}

static vq_status from_archive(vq_context *ctx, const char *where, const vq_archive *archive,
                              vq_model **out)
{
    static const vq_weights_set all = {.prefix = "", .with_state = true};
    vq_model_config config;
    vq_model *model = NULL;
    vq_status status = VQ_OK;
    double variance;
    VQ_CHECK(ctx, !vq_archive_meta(archive, "vqvae.step"), VQ_E_FORMAT,
             "%s is the state of a training and no model; its run's folder, best.safetensors or "
             "model.safetensors is",
             where);
    VQ_TRY(vq_weights_identify(ctx, where, archive, &config, &variance));
    VQ_TRY(vq_weights_blame(ctx, where, outline(ctx, &config, variance, &model)));
    VQ_TRY_TO(vq_weights_check(ctx, where, model->graph, &all, 1, archive));
    VQ_TRY_TO(allocate_numbers(ctx, model));
    VQ_TRY_TO(
        vq_weights_unpack(ctx, where, model->graph, VQ_PARAM_TRAINED, "", archive, model->trained));
    VQ_TRY_TO(
        vq_weights_unpack(ctx, where, model->graph, VQ_PARAM_STATE, "", archive, model->state));
    set_hash(model);
done:
    if (status == VQ_OK) *out = model;
    else vq_model_destroy(ctx, model);
    return status;
}

static vq_status parse(vq_context *ctx, const char *where, const void *bytes, size_t size,
                       vq_model **out)
{
    vq_archive archive;
    VQ_TRY(vq_safetensors_parse(ctx, bytes, size, &archive));
    const vq_status status = from_archive(ctx, where, &archive, out);
    vq_archive_clear(ctx, &archive);
    return status;
}

vq_status vq_model_parse(vq_context *ctx, const void *bytes, size_t size, vq_model **out)
{
    *out = NULL;
    return parse(ctx, "the model in memory", bytes, size, out);
}

/* The file that a path means: itself, or the best or last model of a run folder. */
static vq_status find_file(vq_context *ctx, const char *path, char *file)
{
    static const char *const names[] = {"best.safetensors", "model.safetensors"};
    if (vq_path_look(path) != VQ_PATH_FOLDER) {
        const int length = snprintf(file, PATH_SIZE, "%s", path);
        VQ_CHECK(ctx, length < PATH_SIZE, VQ_E_ARG, "the path of the model is too long");
        return VQ_OK;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const int length = snprintf(file, PATH_SIZE, "%s/%s", path, names[i]);
        VQ_CHECK(ctx, length < PATH_SIZE, VQ_E_ARG, "the path of the model is too long");
        if (vq_path_look(file) != VQ_PATH_NONE) return VQ_OK;
    }
    return vq_fail(ctx, VQ_E_IO,
                   "the folder %s has neither best.safetensors nor model.safetensors: it is no run "
                   "of vqvae train, or it was stopped before it saved",
                   path);
}

vq_status vq_model_load(vq_context *ctx, const char *path, vq_model **out)
{
    char file[PATH_SIZE];
    vq_archive archive;
    *out = NULL;
    VQ_TRY(find_file(ctx, path, file));
    VQ_TRY(vq_path_check_file(ctx, file, "a model is a .safetensors file or the folder of a run"));
    VQ_TRY(vq_safetensors_load(ctx, file, &archive));
    const vq_status status = from_archive(ctx, file, &archive, out);
    vq_archive_clear(ctx, &archive);
    return status;
}

vq_status vq_model_save(vq_context *ctx, const vq_model *model, const char *path)
{
    vq_pack pack = {.ctx = ctx};
    vq_status status = VQ_OK;
    VQ_TRY_TO(vq_weights_pack(model->graph, VQ_PARAM_TRAINED, "", model->trained, &pack));
    VQ_TRY_TO(vq_weights_pack(model->graph, VQ_PARAM_STATE, "", model->state, &pack));
    VQ_TRY_TO(vq_weights_describe(&model->config, model->variance, &pack));
    VQ_TRY_TO(vq_safetensors_save(ctx, path, &pack.archive));
done:
    vq_pack_clear(&pack);
    return status;
}

const vq_model_config *vq_model_configuration(const vq_model *model)
{
    return &model->config;
}

size_t vq_model_parameters(const vq_model *model)
{
    return model->graph->trained_count;
}

double vq_model_variance(const vq_model *model)
{
    return model->variance;
}

uint64_t vq_model_hash(const vq_model *model)
{
    return model->hash;
}

const float *vq_model_numbers(const vq_model *model, size_t level, const char *suffix)
{
    char name[VQ_NAME_SIZE];
    (void)snprintf(name, sizeof name, "quantizer.%zu.%s", level, suffix);
    for (int p = 0; p < model->graph->n_params; p++) {
        const vq_param *param = &model->graph->params[p];
        if (strcmp(param->name, name) == 0)
            return (param->kind == VQ_PARAM_TRAINED ? model->trained : model->state) + param->at;
    }
    return NULL;
}

static int64_t round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

size_t vq_model_grids(const vq_model *model, int64_t height, int64_t width, vq_grid *grids)
{
    const vq_model_config *c = &model->config;
    const int64_t whole = vq_model_stride(c);
    int64_t stride = 1;
    for (size_t l = 0; l < c->n_levels; l++) {
        stride *= c->level[l].stride;
        grids[l] = (vq_grid){.height = round_up(height, whole) / stride,
                             .width = round_up(width, whole) / stride,
                             .codes = c->level[l].k};
        (void)snprintf(grids[l].name, sizeof grids[l].name, "level.%zu", l);
    }
    return c->n_levels;
}

size_t vq_model_codes(const vq_model *model, int64_t height, int64_t width)
{
    vq_grid grids[VQ_MAX_LEVELS];
    size_t total = 0;
    const size_t n = vq_model_grids(model, height, width, grids);
    for (size_t l = 0; l < n; l++) total += (size_t)(grids[l].height * grids[l].width);
    return total;
}
