/* SPDX-License-Identifier: Apache-2.0
 * cli/codes.c -- files of codes. */
#include "codes.h"
#include "facts.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/tensor.h>

int index_path(program *p, const char *codes, char to[PATH_ROOM])
{
    if (path_has_extension(codes, ".safetensors"))
        return path_format(p, to, "%s.index.jsonl", codes);
    const char *slash = strrchr(codes, '/');
    const char *dot = strrchr(slash ? slash : codes, '.');
    const int length = dot && dot != codes ? (int)(dot - codes) : (int)strlen(codes);
    return path_format(p, to, "%.*s.index.jsonl", length, codes);
}

void code_grid_name(int64_t width, int64_t height, size_t level, char *to, size_t size)
{
    (void)snprintf(to, size, "%" PRId64 "x%" PRId64 ".level.%zu", width, height, level);
}

vq_dtype codes_dtype(int64_t k)
{
    return k <= 1 << 8 ? VQ_U8 : k <= 1 << 16 ? VQ_U16 : VQ_U32;
}

void codes_store(vq_dtype dtype, void *to, size_t at, uint32_t code)
{
    if (dtype == VQ_U8) ((uint8_t *)to)[at] = (uint8_t)code;
    else if (dtype == VQ_U16) ((uint16_t *)to)[at] = (uint16_t)code;
    else ((uint32_t *)to)[at] = code;
}

void codes_clear(code_set *sets, size_t n_sets)
{
    for (size_t i = 0; sets && i < n_sets; i++) free(sets[i].codes);
    free(sets);
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

/* Copies the codes of one grid to their places among those of all grids. */
static int gather(program *p, const char *path, const vq_array *a, size_t level, code_set *set,
                  size_t first)
{
    const size_t cells = (size_t)(a->shape.dim[1] * a->shape.dim[2]);
    const int64_t k = set->grids[level].codes;
    for (size_t i = 0; i < (size_t)set->images; i++)
        for (size_t c = 0; c < cells; c++) {
            uint32_t *to = &set->codes[i * set->per_image + first + c];
            if (!widen(a, i * cells + c, to))
                return fail(p, BAD_INPUT, "%s: image %zu has a code below 0 or above 2^32 - 1",
                            path, i);
            if (k > 0 && *to >= k)
                return fail(p, BAD_INPUT,
                            "%s: image %zu, level.%zu, position %zu: code %" PRIu32
                            ", but the codebook has %" PRId64 " codes",
                            path, i, level, c, *to, k);
        }
    return DONE;
}

static int describe_arrays(program *p, const char *path, const vq_array *const *arrays, size_t n,
                           code_set *set)
{
    set->n_grids = n;
    set->per_image = 0;
    set->images = arrays[0]->shape.rank > 0 ? arrays[0]->shape.dim[0] : 0;
    for (size_t i = 0; i < n; i++) {
        const vq_array *a = arrays[i];
        TRY(check_array(p, path, a, set->images));
        set->grids[i] = (vq_grid){.height = a->shape.dim[1], .width = a->shape.dim[2]};
        (void)snprintf(set->grids[i].name, sizeof set->grids[i].name, "level.%zu", i);
        set->per_image += (size_t)(a->shape.dim[1] * a->shape.dim[2]);
    }
    return DONE;
}

/* What was described may have been replaced since. */
static int check_same(program *p, const char *path, const vq_array *a, const code_set *set,
                      size_t level)
{
    const vq_grid *grid = &set->grids[level];
    if (a && a->shape.rank == 3 && a->shape.dim[0] >= set->images &&
        a->shape.dim[1] == grid->height && a->shape.dim[2] == grid->width)
        return DONE;
    return fail(p, BAD_INPUT, "%s changed while it was read", path);
}

/* The codes of the first set->images images. */
static int take_codes(program *p, const char *path, const vq_array *const *arrays, code_set *set)
{
    void *codes = NULL;
    size_t first = 0;
    TRY(allocate(p, (size_t)set->images * set->per_image, sizeof *set->codes, &codes));
    set->codes = codes;
    for (size_t i = 0; i < set->n_grids; i++) {
        TRY(check_same(p, path, arrays[i], set, i));
        TRY(gather(p, path, arrays[i], i, set, first));
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

static code_set *set_of_size(code_set *sets, size_t *n_sets, int64_t height, int64_t width)
{
    for (size_t i = 0; i < *n_sets; i++)
        if (sets[i].height == height && sets[i].width == width) return &sets[i];
    sets[*n_sets] = (code_set){.height = height, .width = width, .in_names = width > 0};
    return &sets[(*n_sets)++];
}

/* The size that a name says, "640x480.level.0"; 0 x 0 for "level.0". */
static bool size_of_name(const char *name, int64_t *height, int64_t *width)
{
    char again[96];
    size_t level;
    *height = *width = 0;
    if (sscanf(name, "level.%zu", &level) == 1) return level < VQ_MAX_LEVELS;
    if (sscanf(name, "%" SCNd64 "x%" SCNd64 ".level.%zu", width, height, &level) != 3) return false;
    code_grid_name(*width, *height, level, again, sizeof again);
    return strcmp(name, again) == 0 && *width > 0 && *height > 0 && level < VQ_MAX_LEVELS;
}

/* The grids of one size, whose names go on from level 0; the first that is missing ends them. */
static size_t arrays_of_size(const vq_archive *archive, const code_set *set,
                             const vq_array *arrays[VQ_MAX_LEVELS])
{
    size_t n = 0;
    for (char name[96]; n < VQ_MAX_LEVELS; n++) {
        if (set->in_names) code_grid_name(set->width, set->height, n, name, sizeof name);
        else (void)snprintf(name, sizeof name, "level.%zu", n);
        arrays[n] = vq_archive_find(archive, name);
        if (!arrays[n]) break;
    }
    return n;
}

static int describe_size(program *p, const char *path, const vq_archive *archive, code_set *set)
{
    const vq_array *arrays[VQ_MAX_LEVELS];
    const size_t n = arrays_of_size(archive, set, arrays);
    if (n == 0) return fail(p, BAD_INPUT, "%s: its grids do not begin at level 0", path);
    TRY(describe_arrays(p, path, arrays, n, set));
    take_hash(set, vq_archive_meta(archive, "vqvae.model_hash"),
              vq_archive_meta(archive, "vqvae.arithmetic"));
    return DONE;
}

static int describe_sizes(program *p, const char *path, const vq_archive *archive, code_set *sets,
                          size_t *n_sets)
{
    size_t taken = 0;
    for (size_t i = 0; i < archive->n_arrays; i++) {
        int64_t height, width;
        if (!size_of_name(archive->arrays[i].name, &height, &width))
            return fail(p, BAD_INPUT,
                        "%s is no file of codes: its tensors are not level.0, level.1 ..., or "
                        "these after a size such as 640x480.level.0",
                        path);
        (void)set_of_size(sets, n_sets, height, width);
    }
    for (size_t i = 0; i < *n_sets; i++) {
        TRY(describe_size(p, path, archive, &sets[i]));
        taken += sets[i].n_grids;
    }
    if (taken == archive->n_arrays) return DONE;
    return fail(p, BAD_INPUT, "%s: a level is missing among its grids", path);
}

static int describe_archive(program *p, const char *path, code_set **sets, size_t *n_sets)
{
    vq_archive archive = {0};
    void *memory = NULL;
    int code;
    TRY_TO(lib(p, vq_safetensors_describe(p->ctx, path, &archive)));
    if (archive.n_arrays == 0) TRY_TO(fail(p, BAD_INPUT, "%s holds no codes", path));
    TRY_TO(allocate(p, archive.n_arrays, sizeof **sets, &memory));
    *sets = memory;
    TRY_TO(describe_sizes(p, path, &archive, *sets, n_sets));
done:
    vq_archive_clear(p->ctx, &archive);
    return code;
}

static int read_archive(program *p, const char *path, code_set *sets, size_t n_sets)
{
    vq_archive archive = {0};
    const vq_array *arrays[VQ_MAX_LEVELS];
    int code;
    TRY_TO(lib(p, vq_safetensors_load(p->ctx, path, &archive)));
    for (size_t i = 0; i < n_sets; i++) {
        (void)arrays_of_size(&archive, &sets[i], arrays);
        TRY_TO(take_codes(p, path, arrays, &sets[i]));
    }
done:
    vq_archive_clear(p->ctx, &archive);
    return code;
}

static int describe_npy(program *p, const char *path, code_set **sets, size_t *n_sets)
{
    vq_array array = {0};
    const vq_array *const arrays[] = {&array};
    void *memory = NULL;
    TRY(allocate(p, 1, sizeof **sets, &memory));
    *sets = memory;
    *n_sets = 1;
    TRY(lib(p, vq_npy_describe(p->ctx, path, &array)));
    const int code = describe_arrays(p, path, arrays, 1, *sets);
    vq_array_clear(p->ctx, &array);
    return code;
}

static int read_npy(program *p, const char *path, code_set *set)
{
    vq_array array = {0};
    const vq_array *const arrays[] = {&array};
    TRY(lib(p, vq_npy_load(p->ctx, path, &array)));
    const int code = take_codes(p, path, arrays, set);
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

int codes_describe(program *p, const char *path, code_set **sets, size_t *n_sets)
{
    *sets = NULL;
    *n_sets = 0;
    const bool archive = path_has_extension(path, ".safetensors");
    if (!archive && !path_has_extension(path, ".npy"))
        return fail(p, BAD_INPUT, "%s: files of codes are .npy or .safetensors", path);
    const int code =
        archive ? describe_archive(p, path, sets, n_sets) : describe_npy(p, path, sets, n_sets);
    if (code == DONE && *n_sets == 1 && !(*sets)->in_names) read_index(p, path, *sets);
    if (code == DONE) return DONE;
    codes_clear(*sets, *n_sets);
    *sets = NULL;
    return code;
}

int codes_read(program *p, const char *path, code_set *sets, size_t n_sets)
{
    return path_has_extension(path, ".npy") ? read_npy(p, path, sets)
                                            : read_archive(p, path, sets, n_sets);
}
