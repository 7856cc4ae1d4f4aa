/* SPDX-License-Identifier: Apache-2.0
 * quantize/codebook_file.c -- codebooks from and to files: .npy of the vectors, .safetensors of
 * vectors and averages, and models, of which only the quantisers are looked at. */
#include <float.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <vqvae/version.h>

#include "base/folder.h"
#include "quantize/codebook.h"
#include "tensor/archive.h"
#include "tensor/numbers.h"
#include "tensor/pack.h"
#include "tensor/shape.h"

#ifndef VQ_REAL_DOUBLE

enum { NAME_SIZE = 64, MAX_LEVELS = 64 };

static const char settings_key[] = "vqvae.codebook", model_key[] = "vqvae.config";
static const char *const starts[] = {
    [VQ_EMA_ONE] = "one", [VQ_EMA_ZERO] = "zero", [VQ_EMA_DEBIAS] = "debias"};

/* ---- reading ------------------------------------------------------------------ */

/* What is read into, and where from. */
typedef struct loader {
    vq_context *ctx;
    const char *where; /* begins the sentences: the path, or "the file" */
    vq_codebook_config config;
    vq_codebook_numbers numbers;
    float *vectors, *counts, *sums; /* owned */
} loader;

static vq_status take_floats(const loader *l, const vq_array *array, const vq_shape *shape,
                             float **out)
{
    char have[80], want[80];
    vq_shape_text(&array->shape, have, sizeof have);
    vq_shape_text(shape, want, sizeof want);
    VQ_CHECK(l->ctx, vq_dtype_is_float(array->dtype), VQ_E_UNSUPPORTED,
             "%s: a codebook is a matrix of floats, not of %s", l->where,
             vq_dtype_name(array->dtype));
    VQ_CHECK(l->ctx, strcmp(have, want) == 0, VQ_E_SHAPE,
             "%s: %s has shape %s where the codebook needs %s", l->where, array->name, have, want);
    VQ_TRY(VQ_NEW(l->ctx, vq_shape_count(shape), out));
    vq_numbers_to_f32(array->dtype, array->data, vq_shape_count(shape), *out);
    return VQ_OK;
}

static vq_status take_vectors(loader *l, const vq_array *array)
{
    VQ_CHECK(l->ctx, array->shape.rank == 2, VQ_E_SHAPE,
             "%s: an array of rank %d; a codebook has rank 2: one vector a row", l->where,
             array->shape.rank);
    l->config.codes = array->shape.dim[0];
    l->config.dim = array->shape.dim[1];
    VQ_TRY(take_floats(l, array, &array->shape, &l->vectors));
    l->numbers.vectors = l->vectors;
    return VQ_OK;
}

static vq_status check_counts(const loader *l, const char *name)
{
    for (int64_t k = 0; k < l->config.codes; k++)
        VQ_CHECK(l->ctx, !(l->counts[k] < 0.0f), VQ_E_FORMAT,
                 "%s: %s has %g for code %lld; 0 is the least", l->where, name,
                 (double)l->counts[k], (long long)k);
    return VQ_OK;
}

/* Both averages, or neither: a codebook by gradient has none. */
static vq_status take_averages(loader *l, const vq_array *counts, const vq_array *sums)
{
    const vq_shape vector = {1, {l->config.codes}}, matrix = {2, {l->config.codes, l->config.dim}};
    VQ_CHECK(l->ctx, !counts == !sums, VQ_E_FORMAT,
             "%s: of the moving averages it holds %s alone; counts and sums belong together",
             l->where, counts ? counts->name : sums->name);
    if (!counts) return VQ_OK;
    VQ_TRY(take_floats(l, counts, &vector, &l->counts));
    VQ_TRY(check_counts(l, counts->name));
    VQ_TRY(take_floats(l, sums, &matrix, &l->sums));
    l->numbers.counts = l->counts;
    l->numbers.sums = l->sums;
    return VQ_OK;
}

/* A setting that is met is a value of its kind, or the file is refused; one that is not met stays
 * as it is by default. */
static vq_status refuse_setting(const loader *l, const char *key, const json_t *met,
                                const char *allowed)
{
    char text[80];
    const size_t size = json_dumpb(met, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
    return vq_fail(l->ctx, VQ_E_FORMAT, "%s: %s is %.*s; %s is allowed", l->where, key,
                   (int)(size < sizeof text ? size : sizeof text), text, allowed);
}

static vq_status take_number(const loader *l, const json_t *settings, const char *key, double least,
                             double most, const char *allowed, double *out)
{
    const json_t *met = json_object_get(settings, key);
    if (!met) return VQ_OK;
    const double value = json_number_value(met);
    if (!json_is_number(met) || value < least || value > most)
        return refuse_setting(l, key, met, allowed);
    *out = value;
    return VQ_OK;
}

static vq_status take_whole(const loader *l, const json_t *settings, const char *key,
                            json_int_t least, const char *allowed, json_int_t *out)
{
    const json_t *met = json_object_get(settings, key);
    if (!met) return VQ_OK;
    if (!json_is_integer(met) || json_integer_value(met) < least)
        return refuse_setting(l, key, met, allowed);
    *out = json_integer_value(met);
    return VQ_OK;
}

static vq_status take_start(loader *l, const json_t *settings)
{
    const json_t *met = json_object_get(settings, "ema_start");
    const char *word = json_string_value(met);
    if (!met) return VQ_OK;
    for (int i = 0; word && i <= VQ_EMA_DEBIAS; i++) {
        if (strcmp(word, starts[i]) != 0) continue;
        l->config.start = i;
        return VQ_OK;
    }
    return refuse_setting(l, "ema_start", met, "\"one\", \"zero\" or \"debias\"");
}

/* JSON's whole numbers are signed here: seeds from 2^63 on are written as negative ones. */
static vq_status take_progress(loader *l, const json_t *settings)
{
    json_int_t steps = 0, seed = 0;
    VQ_TRY(take_whole(l, settings, "steps", 0, "a whole number from 0", &steps));
    VQ_TRY(take_whole(l, settings, "seed", INT64_MIN, "a whole number", &seed));
    l->numbers.steps = (int64_t)steps;
    l->config.seed = (uint64_t)seed;
    return VQ_OK;
}

/* Of moving averages: the same keys in the file of a codebook and in the configuration of a model.
 * A model has no steps or seed of its own for its codebooks. */
static vq_status take_settings(loader *l, const vq_archive *archive, const char *key)
{
    json_t *object;
    vq_status status;
    VQ_TRY(vq_archive_object(l->ctx, l->where, archive, key, &object));
    VQ_TRY_TO(take_number(l, object, "decay", 0.0, 1.0 - DBL_EPSILON / 2,
                          "a number from 0 to less than 1", &l->config.decay));
    VQ_TRY_TO(take_number(l, object, "epsilon", DBL_MIN, DBL_MAX, "a number above 0",
                          &l->config.epsilon));
    VQ_TRY_TO(take_start(l, object));
    if (strcmp(key, settings_key) == 0) VQ_TRY_TO(take_progress(l, object));
done:
    json_decref(object);
    return status;
}

static vq_status take_named(loader *l, const vq_archive *archive, const char *prefix)
{
    char name[3][NAME_SIZE];
    static const char *const suffixes[] = {"codebook", "counts", "sums"};
    for (int i = 0; i < 3; i++) (void)snprintf(name[i], NAME_SIZE, "%s%s", prefix, suffixes[i]);
    const vq_array *vectors = vq_archive_find(archive, name[0]);
    VQ_CHECK(l->ctx, vectors, VQ_E_ARG, "%s has no tensor %s", l->where, name[0]);
    VQ_TRY(take_vectors(l, vectors));
    return take_averages(l, vq_archive_find(archive, name[1]), vq_archive_find(archive, name[2]));
}

static int count_levels(const vq_archive *archive)
{
    char name[NAME_SIZE];
    for (int level = 0; level < MAX_LEVELS; level++) {
        (void)snprintf(name, sizeof name, "quantizer.%d.codebook", level);
        if (!vq_archive_find(archive, name)) return level;
    }
    return MAX_LEVELS;
}

static vq_status take_level(loader *l, const vq_archive *archive, int levels, const char *name)
{
    char prefix[NAME_SIZE], grid[NAME_SIZE];
    VQ_CHECK(l->ctx, name || levels == 1, VQ_E_ARG,
             "%s has %d codebooks; name one of level.0 to level.%d", l->where, levels, levels - 1);
    for (int level = 0; level < levels; level++) {
        (void)snprintf(grid, sizeof grid, "level.%d", level);
        if (name && strcmp(name, grid) != 0) continue;
        (void)snprintf(prefix, sizeof prefix, "quantizer.%d.", level);
        VQ_TRY(take_settings(l, archive, model_key));
        return take_named(l, archive, prefix);
    }
    return vq_fail(l->ctx, VQ_E_ARG, "%s has no codebook \"%s\", but level.0 to level.%d", l->where,
                   name, levels - 1);
}

static vq_status take_archive(loader *l, const vq_archive *archive, const char *name)
{
    const int levels = count_levels(archive);
    if (levels > 0 && vq_archive_meta(archive, model_key))
        return take_level(l, archive, levels, name);
    VQ_CHECK(l->ctx, !name, VQ_E_ARG,
             "%s is no model: it holds one codebook, which has no name such as \"%s\"", l->where,
             name);
    if (vq_archive_meta(archive, settings_key)) VQ_TRY(take_settings(l, archive, settings_key));
    return take_named(l, archive, "");
}

static vq_status make(loader *l, vq_codebook **out)
{
    const vq_status status = vq_codebook_restore(l->ctx, &l->config, &l->numbers, out);
    return status == VQ_OK ? VQ_OK : vq_fail(l->ctx, status, "%s: %s", l->where, l->ctx->error);
}

static loader loader_for(vq_context *ctx, const char *where)
{
    loader l = {.ctx = ctx, .where = where};
    vq_codebook_config_default(&l.config);
    return l;
}

static void clear(loader *l)
{
    vq_release(l->ctx, l->vectors);
    vq_release(l->ctx, l->counts);
    vq_release(l->ctx, l->sums);
}

/* Both release what was read. */
static vq_status from_array(vq_context *ctx, const char *where, vq_array *array, vq_codebook **out)
{
    loader l = loader_for(ctx, where);
    vq_status status = take_vectors(&l, array);
    if (status == VQ_OK) status = make(&l, out);
    clear(&l);
    vq_array_clear(ctx, array);
    return status;
}

static vq_status from_archive(vq_context *ctx, const char *where, vq_archive *archive,
                              const char *name, vq_codebook **out)
{
    loader l = loader_for(ctx, where);
    vq_status status = take_archive(&l, archive, name);
    if (status == VQ_OK) status = make(&l, out);
    clear(&l);
    vq_archive_clear(ctx, archive);
    return status;
}

static vq_status refuse_name(vq_context *ctx, const char *where, const char *name)
{
    VQ_CHECK(ctx, !name, VQ_E_ARG, "%s: an .npy holds one codebook without a name such as \"%s\"",
             where, name);
    return VQ_OK;
}

static bool ends_in(const char *path, const char *extension)
{
    const size_t size = strlen(path), tail = strlen(extension);
    return size >= tail && strcmp(path + size - tail, extension) == 0;
}

vq_status vq_codebook_load(vq_context *ctx, const char *path, const char *name, vq_codebook **out)
{
    vq_array array;
    vq_archive archive;
    *out = NULL;
    VQ_TRY(vq_path_check_file(ctx, path, "a codebook is an .npy or .safetensors file"));
    if (ends_in(path, ".npy")) {
        VQ_TRY(refuse_name(ctx, path, name));
        VQ_TRY(vq_npy_load(ctx, path, &array));
        return from_array(ctx, path, &array, out);
    }
    VQ_TRY(vq_safetensors_load(ctx, path, &archive));
    return from_archive(ctx, path, &archive, name, out);
}

vq_status vq_codebook_load_memory(vq_context *ctx, const void *bytes, size_t size, const char *name,
                                  vq_codebook **out)
{
    static const char where[] = "the codebook";
    vq_array array;
    vq_archive archive;
    *out = NULL;
    if (size >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0) {
        VQ_TRY(refuse_name(ctx, where, name));
        VQ_TRY(vq_npy_parse(ctx, bytes, size, &array));
        return from_array(ctx, where, &array, out);
    }
    VQ_TRY(vq_safetensors_parse(ctx, bytes, size, &archive));
    return from_archive(ctx, where, &archive, name, out);
}

/* ---- writing ------------------------------------------------------------------ */

static vq_status pack_all(const vq_codebook *book, vq_pack *pack)
{
    const vq_codebook_config *c = &book->config;
    const vq_shape vector = {1, {c->codes}}, matrix = {2, {c->codes, c->dim}};
    VQ_TRY(vq_pack_array(pack, "", "codebook", VQ_F32, &matrix, book->state.codebook));
    VQ_TRY(vq_pack_array(pack, "", "counts", VQ_F32, &vector, book->state.counts));
    VQ_TRY(vq_pack_array(pack, "", "sums", VQ_F32, &matrix, book->state.sums));
    VQ_TRY(vq_pack_text(pack, "format", "pt"));
    VQ_TRY(vq_pack_text(pack, "vqvae.version", VQ_VERSION));
    return vq_pack_json(pack, settings_key,
                        json_pack("{s:f, s:f, s:s, s:I, s:I}", "decay", c->decay, "epsilon",
                                  c->epsilon, "ema_start", starts[c->start], "steps",
                                  (json_int_t)book->steps, "seed", (json_int_t)c->seed));
}

static vq_status save_archive(vq_context *ctx, const vq_codebook *book, const char *path)
{
    vq_pack pack = {.ctx = ctx};
    vq_status status = pack_all(book, &pack);
    if (status == VQ_OK) status = vq_safetensors_save(ctx, path, &pack.archive);
    vq_pack_clear(&pack);
    return status;
}

vq_status vq_codebook_save(vq_context *ctx, const vq_codebook *book, const char *path)
{
    const vq_array array = {.dtype = VQ_F32,
                            .shape = {2, {book->config.codes, book->config.dim}},
                            .data = book->state.codebook};
    return ends_in(path, ".npy") ? vq_npy_save(ctx, path, &array) : save_archive(ctx, book, path);
}

#endif
