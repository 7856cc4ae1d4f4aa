/* SPDX-License-Identifier: Apache-2.0
 * tensor/array_writer.c -- arrays that grow by rows while they are written, in little memory.
 *
 * How many rows there are is known at the end only. The header of a .npy has room for any number,
 * so rows go behind one that says 0 and the number is put in at last. In a .safetensors the header
 * lists everything and each array lies in one piece, so rows of all arrays go to a file beside it
 * (the spool) in the order in which they come, and are taken from there once all are known. */
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "tensor/npy.h"
#include "tensor/safetensors.h"
#include "tensor/shape.h"

enum { PIECE = 1 << 20 };

/* Rows of one array that follow each other in the spool. */
typedef struct stretch {
    size_t array;
    uint64_t at, bytes;
} stretch;

struct vq_array_writer {
    vq_context *ctx;
    char *path, *spool_path;
    bool is_npy;
    vq_replacement file; /* the .npy, or the spool */
    uint64_t written;    /* bytes of rows */
    vq_array *arrays;    /* their data stay NULL */
    size_t n_arrays, arrays_room;
    stretch *stretches;
    size_t n_stretches, stretches_room;
    unsigned char *piece; /* PIECE bytes, while the spool is copied */
    int spool;            /* the spool as it is read; -1: not open */
};

static bool ends_in(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && strcasecmp(path + n - m, ending) == 0;
}

static vq_status begin(vq_array_writer *w, const char *path)
{
    static const char suffix[] = ".rows";
    const size_t size = strlen(path) + sizeof suffix;
    VQ_TRY(vq_strdup(w->ctx, path, &w->path));
    if (w->is_npy) return vq_replace_begin(w->ctx, path, &w->file);
    VQ_TRY(VQ_NEW(w->ctx, size, &w->spool_path));
    memcpy(w->spool_path, path, size - sizeof suffix);
    memcpy(w->spool_path + size - sizeof suffix, suffix, sizeof suffix);
    return vq_replace_begin(w->ctx, w->spool_path, &w->file);
}

vq_status vq_array_writer_create(vq_context *ctx, const char *path, vq_array_writer **out)
{
    vq_array_writer *w = NULL;
    *out = NULL;
    const bool is_npy = ends_in(path, ".npy");
    VQ_CHECK(ctx, is_npy || ends_in(path, ".safetensors"), VQ_E_ARG,
             "%s: arrays are written to names that end in .npy or .safetensors", path);
    VQ_TRY(VQ_NEW(ctx, 1, &w));
    w->ctx = ctx;
    w->is_npy = is_npy;
    w->file.fd = w->spool = -1;
    const vq_status status = begin(w, path);
    if (status == VQ_OK) *out = w;
    else vq_array_writer_destroy(w);
    return status;
}

void vq_array_writer_destroy(vq_array_writer *w)
{
    if (!w) return;
    vq_context *ctx = w->ctx;
    vq_replace_abandon(&w->file);
    if (w->spool >= 0) ctx->files.close(ctx->files.user, w->spool);
    for (size_t i = 0; i < w->n_arrays; i++) vq_release(ctx, w->arrays[i].name);
    vq_release(ctx, w->arrays);
    vq_release(ctx, w->stretches);
    vq_release(ctx, w->piece);
    vq_release(ctx, w->spool_path);
    vq_release(ctx, w->path);
    vq_release(ctx, w);
}

/* ---- rows ------------------------------------------------------------------------- */

static vq_array *array_named(vq_array_writer *w, const char *name)
{
    for (size_t i = 0; i < w->n_arrays; i++)
        if (strcmp(w->arrays[i].name, name) == 0) return &w->arrays[i];
    return NULL;
}

/* Twice the room, once what is there fills it. */
static vq_status make_room(vq_context *ctx, size_t used, size_t size, size_t *room, void **items)
{
    void *more = NULL;
    if (used < *room) return VQ_OK;
    const size_t wanted = *room ? 2 * *room : 8;
    VQ_TRY(vq_alloc(ctx, wanted, size, &more));
    if (used > 0) memcpy(more, *items, used * size);
    vq_release(ctx, *items);
    *items = more;
    *room = wanted;
    return VQ_OK;
}

static vq_status add_array(vq_array_writer *w, const vq_array *rows, vq_array **out)
{
    char *name = NULL;
    VQ_CHECK(w->ctx, !w->is_npy || w->n_arrays == 0, VQ_E_ARG,
             "%s: a .npy holds one array; .safetensors holds several", w->path);
    VQ_TRY(make_room(w->ctx, w->n_arrays, sizeof *w->arrays, &w->arrays_room, (void **)&w->arrays));
    VQ_TRY(vq_strdup(w->ctx, rows->name, &name));
    *out = &w->arrays[w->n_arrays++];
    **out = (vq_array){.name = name, .dtype = rows->dtype, .shape = rows->shape};
    (*out)->shape.dim[0] = 0;
    if (!w->is_npy) return VQ_OK;
    char header[VQ_NPY_OWN_HEADER_MAX];
    return vq_replace_write(&w->file, header, vq_npy_header_write(*out, header));
}

static bool same_rows(const vq_array *a, const vq_array *b)
{
    bool same = a->dtype == b->dtype && a->shape.rank == b->shape.rank;
    for (int i = 1; same && i < a->shape.rank; i++) same = a->shape.dim[i] == b->shape.dim[i];
    return same;
}

static vq_status note_stretch(vq_array_writer *w, size_t array, size_t bytes)
{
    stretch *last = w->n_stretches > 0 ? &w->stretches[w->n_stretches - 1] : NULL;
    if (last && last->array == array) {
        last->bytes += bytes;
        return VQ_OK;
    }
    VQ_TRY(make_room(w->ctx, w->n_stretches, sizeof *w->stretches, &w->stretches_room,
                     (void **)&w->stretches));
    w->stretches[w->n_stretches++] = (stretch){array, w->written, bytes};
    return VQ_OK;
}

vq_status vq_array_writer_add(vq_array_writer *w, const vq_array *rows)
{
    size_t bytes;
    VQ_CHECK(w->ctx, vq_shape_bytes(&rows->shape, rows->dtype, &bytes) && rows->shape.rank > 0,
             VQ_E_ARG, "%s: rows of \"%s\" have an impossible type or shape", w->path, rows->name);
    VQ_CHECK(w->ctx, !w->is_npy || vq_npy_holds(rows->dtype), VQ_E_UNSUPPORTED,
             "%s: .npy has no %s numbers", w->path, vq_dtype_name(rows->dtype));
    vq_array *array = array_named(w, rows->name);
    if (!array) VQ_TRY(add_array(w, rows, &array));
    VQ_CHECK(w->ctx, same_rows(array, rows), VQ_E_SHAPE,
             "%s: rows of \"%s\" must all have the type and the extents of its first ones", w->path,
             rows->name);
    VQ_TRY(vq_replace_write(&w->file, rows->data, bytes));
    VQ_TRY(note_stretch(w, (size_t)(array - w->arrays), bytes));
    array->shape.dim[0] += rows->shape.dim[0];
    w->written += bytes;
    return VQ_OK;
}

vq_status vq_array_writer_rename(vq_array_writer *w, const char *from, const char *to)
{
    char *name = NULL;
    vq_array *array = array_named(w, from);
    VQ_CHECK(w->ctx, array && !array_named(w, to), VQ_E_ARG, "%s: \"%s\" cannot become \"%s\": %s",
             w->path, from, to, array ? "there is one already" : "there is none");
    VQ_TRY(vq_strdup(w->ctx, to, &name));
    vq_release(w->ctx, array->name);
    array->name = name;
    return VQ_OK;
}

/* ---- the end ---------------------------------------------------------------------- */

static vq_status copy_stretch(vq_array_writer *w, const stretch *s, vq_replacement *to)
{
    for (uint64_t done = 0; done < s->bytes;) {
        const uint64_t left = s->bytes - done;
        const size_t size = left < PIECE ? (size_t)left : PIECE;
        VQ_TRY(vq_file_read_at(w->ctx, w->spool_path, w->spool, s->at + done, w->piece, size));
        VQ_TRY(vq_replace_write(to, w->piece, size));
        done += size;
    }
    return VQ_OK;
}

static vq_status put_rows(void *user, const vq_array *array, vq_replacement *to)
{
    vq_array_writer *w = user;
    const size_t index = (size_t)(array - w->arrays);
    for (size_t i = 0; i < w->n_stretches; i++)
        if (w->stretches[i].array == index) VQ_TRY(copy_stretch(w, &w->stretches[i], to));
    return VQ_OK;
}

static vq_status commit_archive(vq_array_writer *w, const vq_archive *archive)
{
    w->spool = vq_file_descriptor(w->ctx, w->file.temporary, O_RDONLY);
    if (w->spool < 0) return vq_file_failed(w->ctx, w->spool_path, "be read again");
    VQ_TRY(VQ_NEW(w->ctx, PIECE, &w->piece));
    return vq_safetensors_write(w->ctx, w->path, archive, put_rows, w);
}

vq_status vq_array_writer_commit(vq_array_writer *w, char *const *keys, char *const *values,
                                 size_t n_keys)
{
    const vq_archive archive = {.arrays = w->arrays,
                                .n_arrays = w->n_arrays,
                                .keys = (char **)(uintptr_t)keys,
                                .values = (char **)(uintptr_t)values,
                                .n_keys = n_keys};
    if (!w->is_npy) return commit_archive(w, &archive);
    char header[VQ_NPY_OWN_HEADER_MAX];
    VQ_CHECK(w->ctx, w->n_arrays == 1, VQ_E_ARG, "%s: no rows were added", w->path);
    VQ_CHECK(w->ctx, n_keys == 0, VQ_E_ARG, "%s: a .npy has no room for metadata", w->path);
    VQ_TRY(vq_replace_patch(&w->file, header, vq_npy_header_write(&w->arrays[0], header)));
    return vq_replace_commit(&w->file);
}
