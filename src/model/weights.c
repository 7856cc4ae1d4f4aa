/* SPDX-License-Identifier: Apache-2.0
 * model/weights.c -- parameters to and from archives; what a file says of itself. */
#include "model/weights.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/version.h>

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

vq_status vq_weights_check(vq_context *ctx, const char *where, const vq_graph *graph,
                           const vq_archive *archive)
{
    const vq_array *array;
    for (int p = 0; p < graph->n_params; p++)
        VQ_TRY(find_array(ctx, where, &graph->params[p], "", archive, &array));
    for (size_t i = 0; i < archive->n_arrays; i++) {
        bool known = false;
        for (int p = 0; p < graph->n_params; p++)
            known |= strcmp(graph->params[p].name, archive->arrays[i].name) == 0;
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
    char number[40];
    (void)snprintf(number, sizeof number, "%.17g", variance);
    VQ_TRY(vq_pack_text(pack, "format", "pt"));
    VQ_TRY(vq_pack_text(pack, "vqvae.version", VQ_VERSION));
    VQ_TRY(vq_pack_text(pack, "vqvae.pixels", "x/255-0.5"));
    VQ_TRY(vq_pack_text(pack, "vqvae.variance", number));
    VQ_TRY(vq_model_config_write(pack->ctx, config, &json));
    const vq_status status = vq_pack_text(pack, "vqvae.config", json);
    vq_text_free(pack->ctx, json);
    return status == VQ_OK ? pack_hashes(pack) : status;
}

static vq_status check_hashes(vq_context *ctx, const char *where, const vq_archive *archive)
{
    const char *text = vq_archive_meta(archive, "vqvae.xxh3");
    VQ_CHECK(ctx, text, VQ_E_FORMAT, "%s has no hashes of its tensors (vqvae.xxh3)", where);
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    vq_status status = VQ_OK;
    if (!json_is_object(object))
        status = vq_fail(ctx, VQ_E_FORMAT, "%s: vqvae.xxh3 is no JSON object", where);
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

vq_status vq_weights_identify(vq_context *ctx, const char *where, const vq_archive *archive,
                              vq_model_config *config, double *variance)
{
    const char *json = vq_archive_meta(archive, "vqvae.config");
    VQ_CHECK(ctx, json, VQ_E_FORMAT,
             "%s is a safetensors file, but no model of this program: it has no vqvae.config",
             where);
    vq_model_config_default(config);
    VQ_TRY(vq_model_config_read(ctx, json, config));
    const char *number = vq_archive_meta(archive, "vqvae.variance");
    *variance = number ? strtod(number, NULL) : 0.0;
    VQ_CHECK(ctx, isfinite(*variance) && *variance >= 0.0, VQ_E_FORMAT,
             "%s: vqvae.variance is %s; it must be a number of at least 0", where, number);
    return check_hashes(ctx, where, archive);
}
