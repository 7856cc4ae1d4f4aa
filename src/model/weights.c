/* SPDX-License-Identifier: Apache-2.0
 * model/weights.c -- parameters to and from archives; what a file says of itself. */
#include "model/weights.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <vqvae/version.h>

#include "base/json.h"
#include "tensor/archive.h"
#include "tensor/hash.h"
#include "tensor/shape.h"

enum { HASH_TEXT = 17 };

vq_status vq_weights_pack(const vq_graph *graph, vq_param_kind kind, const char *prefix,
                          const float *numbers, vq_pack *pack)
{
    for (int p = 0; p < graph->n_params; p++) {
        const vq_param *param = &graph->params[p];
        if (param->kind == kind)
            VQ_TRY(vq_pack_array(pack, prefix, param->name, VQ_F32, &param->shape,
                                 numbers + param->at));
    }
    return VQ_OK;
}

static bool same_shape(const vq_shape *a, const vq_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

/* The array of a parameter in the archive, of the right type and shape. */
static vq_status find_array(vq_context *ctx, const char *where, const vq_param *param,
                            const char *prefix, const vq_archive *archive, const vq_array **out)
{
    char name[3 * VQ_NAME_SIZE], met[64], wanted[64];
    (void)snprintf(name, sizeof name, "%s%s", prefix, param->name);
    const vq_array *array = vq_archive_find(archive, name);
    VQ_CHECK(ctx, array, VQ_E_SHAPE, "%s has no tensor %s, which its configuration asks for", where,
             name);
    vq_shape_text(&array->shape, met, sizeof met);
    vq_shape_text(&param->shape, wanted, sizeof wanted);
    VQ_CHECK(ctx, array->dtype == VQ_F32 && same_shape(&array->shape, &param->shape), VQ_E_SHAPE,
             "%s: tensor %s is %s %s; the configuration asks for f32 %s", where, name,
             vq_dtype_name(array->dtype), met, wanted);
    *out = array;
    return VQ_OK;
}

static bool set_holds(const vq_weights_set *set, const vq_param *param)
{
    return !set->others && (param->kind == VQ_PARAM_TRAINED || set->with_state);
}

static bool set_knows(const vq_weights_set *set, const vq_graph *graph, const char *name)
{
    const size_t length = strlen(set->prefix);
    if (strncmp(name, set->prefix, length) != 0) return false;
    if (set->others) return true;
    for (int p = 0; p < graph->n_params; p++)
        if (set_holds(set, &graph->params[p]) && strcmp(graph->params[p].name, name + length) == 0)
            return true;
    return false;
}

vq_status vq_weights_check(vq_context *ctx, const char *where, const vq_graph *graph,
                           const vq_weights_set *sets, size_t n_sets, const vq_archive *archive)
{
    const vq_array *array;
    for (size_t s = 0; s < n_sets; s++)
        for (int p = 0; p < graph->n_params; p++)
            if (set_holds(&sets[s], &graph->params[p]))
                VQ_TRY(find_array(ctx, where, &graph->params[p], sets[s].prefix, archive, &array));
    for (size_t i = 0; i < archive->n_arrays; i++) {
        bool known = false;
        for (size_t s = 0; s < n_sets; s++)
            known |= set_knows(&sets[s], graph, archive->arrays[i].name);
        VQ_CHECK(ctx, known, VQ_E_SHAPE, "%s has a tensor %s that its configuration does not know",
                 where, archive->arrays[i].name);
    }
    return VQ_OK;
}

vq_status vq_weights_unpack(vq_context *ctx, const char *where, const vq_graph *graph,
                            vq_param_kind kind, const char *prefix, const vq_archive *archive,
                            float *numbers)
{
    for (int p = 0; p < graph->n_params; p++) {
        const vq_param *param = &graph->params[p];
        const vq_array *array;
        if (param->kind != kind) continue;
        VQ_TRY(find_array(ctx, where, param, prefix, archive, &array));
        float *to = numbers + param->at;
        memcpy(to, array->data, param->count * sizeof *to);
        for (size_t i = 0; i < param->count; i++)
            VQ_CHECK(ctx, isfinite(to[i]), VQ_E_NUMERIC,
                     "%s: number %zu of tensor %s is not finite", where, i, array->name);
    }
    return VQ_OK;
}

/* {"NAME":"16 hexadecimal digits", ...} */
static vq_status pack_hashes(vq_pack *pack)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < pack->archive.n_arrays; i++) {
        char hex[HASH_TEXT];
        (void)snprintf(hex, sizeof hex, "%016" PRIx64, vq_array_hash(&pack->archive.arrays[i]));
        if (json_object_set_new(object, pack->archive.arrays[i].name, json_string(hex)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return vq_pack_json(pack, "vqvae.xxh3", object);
}

vq_status vq_weights_describe(const vq_model_config *config, double variance, vq_pack *pack)
{
    char *json = NULL;
    VQ_TRY(vq_pack_text(pack, "format", "pt"));
    VQ_TRY(vq_pack_text(pack, "vqvae.version", VQ_VERSION));
    VQ_TRY(vq_pack_text(pack, "vqvae.pixels", "x/255-0.5"));
    VQ_TRY(vq_pack_json(pack, "vqvae.variance", json_real(variance)));
    VQ_TRY(vq_model_config_write(pack->ctx, config, &json));
    const vq_status status = vq_pack_text(pack, "vqvae.config", json);
    vq_text_free(pack->ctx, json);
    return status == VQ_OK ? pack_hashes(pack) : status;
}

static vq_status check_hashes(vq_context *ctx, const char *where, const vq_archive *archive)
{
    json_t *object = NULL;
    VQ_TRY(vq_archive_object(ctx, where, archive, "vqvae.xxh3", &object));
    vq_status status = VQ_OK;
    for (size_t i = 0; status == VQ_OK && i < archive->n_arrays; i++) {
        char hex[HASH_TEXT];
        const vq_array *array = &archive->arrays[i];
        const char *kept = json_string_value(json_object_get(object, array->name));
        (void)snprintf(hex, sizeof hex, "%016" PRIx64, vq_array_hash(array));
        if (!kept || strcmp(kept, hex) != 0)
            status =
                vq_fail(ctx, VQ_E_FORMAT, "%s is damaged: tensor %s has hash %s, the file says %s",
                        where, array->name, hex, kept ? kept : "nothing");
    }
    json_decref(object);
    return status;
}

vq_status vq_weights_blame(vq_context *ctx, const char *where, vq_status status)
{
    if (status == VQ_OK) return VQ_OK;
    /* The settings are no argument of the caller's: it is the file that is wrong. */
    if (status == VQ_E_ARG) status = VQ_E_FORMAT;
    return vq_fail(ctx, status, "%s: %s", where, ctx->error);
}

/* A JSON number, which has a point whatever the language of the system is; 0 without a text. */
static vq_status read_variance(vq_context *ctx, const char *where, const vq_archive *archive,
                               double *variance)
{
    json_error_t error;
    bool no_memory;
    const char *text = vq_archive_meta(archive, "vqvae.variance");
    *variance = 0.0;
    if (!text) return VQ_OK;
    json_t *number = vq_json_read(text, strlen(text), JSON_DECODE_ANY, &error, &no_memory);
    *variance = json_is_number(number) ? json_number_value(number) : -1.0;
    json_decref(number);
    VQ_CHECK(ctx, !no_memory, VQ_E_NOMEM, "%s: no memory to read vqvae.variance", where);
    VQ_CHECK(ctx, *variance >= 0.0, VQ_E_FORMAT,
             "%s: vqvae.variance is \"%s\"; it must be a number of at least 0", where, text);
    return VQ_OK;
}

vq_status vq_weights_identify(vq_context *ctx, const char *where, const vq_archive *archive,
                              vq_model_config *config, double *variance)
{
    const char *json = vq_archive_meta(archive, "vqvae.config");
    VQ_CHECK(ctx, json, VQ_E_FORMAT,
             "%s is a safetensors file, but no model of this program: it has no vqvae.config",
             where);
    vq_model_config_default(config);
    VQ_TRY(vq_weights_blame(ctx, where, vq_model_config_read(ctx, json, config)));
    VQ_TRY(read_variance(ctx, where, archive, variance));
    return check_hashes(ctx, where, archive);
}
