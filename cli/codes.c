/* SPDX-License-Identifier: Apache-2.0
 * cli/codes.c -- files of codes. */
#include "codes.h"
#include "facts.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/tensor.h>

void arithmetic_name(const vq_session *session, char *to, size_t size)
{
    (void)snprintf(to, size, "f32 %s", vq_session_arithmetic(session));
}

int index_path(program *p, const char *codes, char to[PATH_ROOM])
{
    if (path_has_extension(codes, ".safetensors"))
        return path_format(p, to, "%s.index.jsonl", codes);
    const char *slash = strrchr(codes, '/');
    const char *dot = strrchr(slash ? slash : codes, '.');
    const int length = dot && dot != codes ? (int)(dot - codes) : (int)strlen(codes);
    return path_format(p, to, "%.*s.index.jsonl", length, codes);
}

void codes_clear(code_set *set)
{
    free(set->codes);
    set->codes = NULL;
}

/* ---- writing ------------------------------------------------------------- */

static vq_dtype smallest_dtype(int64_t k)
{
    return k <= 1 << 8 ? VQ_U8 : k <= 1 << 16 ? VQ_U16 : VQ_U32;
}

static void narrow(vq_dtype dtype, void *to, size_t at, uint32_t code)
{
    if (dtype == VQ_U8) ((uint8_t *)to)[at] = (uint8_t)code;
    else if (dtype == VQ_U16) ((uint16_t *)to)[at] = (uint16_t)code;
    else ((uint32_t *)to)[at] = code;
}

/* The codes of one grid, which begin at `first` in the row of each image. */
static int grid_array(program *p, const code_set *set, size_t grid, size_t first, vq_array *out)
{
    vq_grid *g = (vq_grid *)(uintptr_t)&set->grids[grid];
    const size_t cells = (size_t)(g->height * g->width);
    *out = (vq_array){.name = g->name,
                      .dtype = smallest_dtype(g->codes),
                      .shape = {3, {set->images, g->height, g->width}}};
    TRY(allocate(p, (size_t)set->images * cells, vq_dtype_size(out->dtype), &out->data));
    for (size_t i = 0; i < (size_t)set->images; i++)
        for (size_t c = 0; c < cells; c++)
            narrow(out->dtype, out->data, i * cells + c,
                   set->codes[i * set->per_image + first + c]);
    return DONE;
}

static int write_archive(program *p, const char *path, const code_set *set, vq_array *arrays)
{
    char hash[20], name[sizeof set->arithmetic], kind[] = "codes";
    char keys[][24] = {"vqvae.arithmetic", "vqvae.kind", "vqvae.model_hash"};
    char *key_list[] = {keys[0], keys[1], keys[2]}, *values[] = {name, kind, hash};
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, set->hash);
    memcpy(name, set->arithmetic, sizeof name);
    const vq_archive archive = {.arrays = arrays,
                                .n_arrays = set->n_grids,
                                .keys = key_list,
                                .values = values,
                                .n_keys = 3};
    return lib_writing(p, vq_safetensors_save(p->ctx, path, &archive));
}

int codes_write(program *p, const char *path, const code_set *set)
{
    vq_array arrays[VQ_MAX_LEVELS] = {0};
    size_t first = 0;
    int code = DONE;
    for (size_t i = 0; i < set->n_grids; i++) {
        TRY_TO(grid_array(p, set, i, first, &arrays[i]));
        first += (size_t)(set->grids[i].height * set->grids[i].width);
    }
    if (path_has_extension(path, ".npy"))
        TRY_TO(lib_writing(p, vq_npy_save(p->ctx, path, &arrays[0])));
    else TRY_TO(write_archive(p, path, set, arrays));
done:
    for (size_t i = 0; i < set->n_grids; i++) free(arrays[i].data);
    return code;
}

void index_head(text *to, const code_set *set)
{
    text_add(to,
             "{\"model_hash\": \"%016" PRIx64 "\", \"arithmetic\": \"%s\", \"images\": %" PRId64
             ", \"height\": %" PRId64 ", \"width\": %" PRId64 ", \"grids\": [",
             set->hash, set->arithmetic, set->images, set->height, set->width);
    for (size_t i = 0; i < set->n_grids; i++)
        text_add(to,
                 "%s{\"name\": \"%s\", \"height\": %" PRId64 ", \"width\": %" PRId64
                 ", \"codes\": %" PRId64 "}",
                 i ? ", " : "", set->grids[i].name, set->grids[i].height, set->grids[i].width,
                 set->grids[i].codes);
    text_add(to, "]}\n");
}

/* ---- reading ------------------------------------------------------------- */

/* Element `at` of any array of integers; false where it cannot be a code. */
static bool widen(const vq_array *a, size_t at, uint32_t *code)
{
    int64_t value = -1;
    switch (a->dtype) {
    case VQ_U8: value = ((const uint8_t *)a->data)[at]; break;
    case VQ_U16: value = ((const uint16_t *)a->data)[at]; break;
    case VQ_U32: value = ((const uint32_t *)a->data)[at]; break;
    case VQ_I32: value = ((const int32_t *)a->data)[at]; break;
    case VQ_I64: value = ((const int64_t *)a->data)[at]; break;
    default: return false;
    }
    if (value < 0 || value > UINT32_MAX) return false;
    *code = (uint32_t)value;
    return true;
}

static int check_array(program *p, const char *path, const vq_array *a, int64_t images)
{
    const bool whole = a->dtype == VQ_U8 || a->dtype == VQ_U16 || a->dtype == VQ_U32 ||
                       a->dtype == VQ_I32 || a->dtype == VQ_I64;
    if (!whole || a->shape.rank != 3)
        return fail(p, BAD_INPUT,
                    "%s: codes are u8, u16, u32, i32 or i64 of rank 3 (images, height, width), not "
                    "%s of rank %d",
                    path, vq_dtype_name(a->dtype), a->shape.rank);
    if (a->shape.dim[0] != images)
        return fail(p, BAD_INPUT, "%s: its grids have %" PRId64 " and %" PRId64 " images", path,
                    images, a->shape.dim[0]);
    return DONE;
}

static int gather(program *p, const char *path, const vq_array *a, code_set *set, size_t first)
{
    const size_t cells = (size_t)(a->shape.dim[1] * a->shape.dim[2]);
    for (size_t i = 0; i < (size_t)set->images; i++)
        for (size_t c = 0; c < cells; c++)
            if (!widen(a, i * cells + c, &set->codes[i * set->per_image + first + c]))
                return fail(p, BAD_INPUT, "%s: image %zu has a code below 0 or above 2^32 - 1",
                            path, i);
    return DONE;
}

static int take_arrays(program *p, const char *path, const vq_array *const *arrays, size_t n,
                       code_set *set)
{
    void *codes = NULL;
    size_t first = 0;
    set->n_grids = n;
    set->images = arrays[0]->shape.rank > 0 ? arrays[0]->shape.dim[0] : 0;
    for (size_t i = 0; i < n; i++) {
        const vq_array *a = arrays[i];
        TRY(check_array(p, path, a, set->images));
        set->grids[i] = (vq_grid){.height = a->shape.dim[1], .width = a->shape.dim[2]};
        (void)snprintf(set->grids[i].name, sizeof set->grids[i].name, "level.%zu", i);
        set->per_image += (size_t)(a->shape.dim[1] * a->shape.dim[2]);
    }
    TRY(allocate(p, (size_t)set->images * set->per_image, sizeof *set->codes, &codes));
    set->codes = codes;
    for (size_t i = 0; i < n; i++) {
        TRY(gather(p, path, arrays[i], set, first));
        first += (size_t)(set->grids[i].height * set->grids[i].width);
    }
    return DONE;
}

static void take_hash(code_set *set, const char *hash, const char *arithmetic)
{
    char *end = NULL;
    if (arithmetic) (void)snprintf(set->arithmetic, sizeof set->arithmetic, "%s", arithmetic);
    if (!hash) return;
    set->hash = strtoull(hash, &end, 16);
    set->has_hash = end == hash + 16 && *end == 0;
}

static int read_archive(program *p, const char *path, code_set *set)
{
    vq_archive archive = {0};
    const vq_array *arrays[VQ_MAX_LEVELS];
    size_t n = 0;
    int code;
    TRY_TO(lib(p, vq_safetensors_load(p->ctx, path, &archive)));
    for (char name[32]; n < VQ_MAX_LEVELS; n++) {
        (void)snprintf(name, sizeof name, "level.%zu", n);
        arrays[n] = vq_archive_find(&archive, name);
        if (!arrays[n]) break;
    }
    if (n == 0 || n != archive.n_arrays)
        TRY_TO(fail(p, BAD_INPUT,
                    "%s is no file of codes: its tensors are not level.0, level.1 ...", path));
    TRY_TO(take_arrays(p, path, arrays, n, set));
    take_hash(set, vq_archive_meta(&archive, "vqvae.model_hash"),
              vq_archive_meta(&archive, "vqvae.arithmetic"));
done:
    vq_archive_clear(p->ctx, &archive);
    return code;
}

static int read_npy(program *p, const char *path, code_set *set)
{
    vq_array array = {0};
    const vq_array *const arrays[] = {&array};
    TRY(lib(p, vq_npy_load(p->ctx, path, &array)));
    const int code = take_arrays(p, path, arrays, 1, set);
    vq_array_clear(p->ctx, &array);
    return code;
}

/* The index is a companion: codes without one are read all the same. */
static void read_index(program *p, const char *path, code_set *set)
{
    char index[PATH_ROOM];
    if (index_path(p, path, index) != DONE) return;
    FILE *file = fopen(index, "rb");
    json_t *head = file ? json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    if (file) (void)fclose(file);
    const json_t *height = json_object_get(head, "height"), *width = json_object_get(head, "width");
    set->height = json_integer_value(height);
    set->width = json_integer_value(width);
    take_hash(set, json_string_value(json_object_get(head, "model_hash")),
              json_string_value(json_object_get(head, "arithmetic")));
    json_decref(head);
}

int codes_read(program *p, const char *path, code_set *set)
{
    *set = (code_set){0};
    const bool archive = path_has_extension(path, ".safetensors");
    if (!archive && !path_has_extension(path, ".npy"))
        return fail(p, BAD_INPUT, "%s: files of codes are .npy or .safetensors", path);
    const int code = archive ? read_archive(p, path, set) : read_npy(p, path, set);
    if (code == DONE) read_index(p, path, set);
    else codes_clear(set);
    return code;
}
