/* SPDX-License-Identifier: Apache-2.0
 * train/codebooks_state.c -- how codes were used, kept in the state of a training. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/trainer.h"

#define REVIVED "codes.revived"

enum { NAME_SIZE = 2 * VQ_NAME_SIZE };

static void name_of(const vq_trained_codebook *book, const char *what, char *to)
{
    (void)snprintf(to, NAME_SIZE, "codes.%s.%s", book->node->name, what);
}

vq_status vq_codebooks_pack(const vq_trainer *t, vq_pack *pack)
{
    const vq_shape one = {1, {1}};
    char name[NAME_SIZE];
    VQ_TRY(vq_pack_array(pack, "", REVIVED, VQ_I64, &one, &t->codebooks.revived));
    for (int l = 0; l < t->codebooks.n_books; l++) {
        const vq_trained_codebook *book = &t->codebooks.book[l];
        const vq_shape shape = {1, {(int64_t)book->codes}};
        name_of(book, "usage", name);
        VQ_TRY(vq_pack_array(pack, "", name, VQ_F32, &shape, book->usage.usage));
        name_of(book, "age", name);
        VQ_TRY(vq_pack_array(pack, "", name, VQ_I32, &shape, book->usage.age));
    }
    return VQ_OK;
}

static vq_status take(vq_context *ctx, const char *path, const vq_archive *archive,
                      const char *name, vq_dtype dtype, size_t count, void *to)
{
    const vq_array *array = vq_archive_find(archive, name);
    VQ_CHECK(ctx, array, VQ_E_FORMAT, "%s has %s, but no %s", path, REVIVED, name);
    VQ_CHECK(ctx,
             array->dtype == dtype && array->shape.rank == 1 &&
                 array->shape.dim[0] == (int64_t)count,
             VQ_E_SHAPE, "%s: tensor %s is not %s of shape %zu", path, name, vq_dtype_name(dtype),
             count);
    memcpy(to, array->data, count * vq_dtype_size(dtype));
    return VQ_OK;
}

static vq_status check(vq_context *ctx, const char *path, const vq_trained_codebook *book)
{
    for (size_t k = 0; k < book->codes; k++)
        VQ_CHECK(ctx,
                 isfinite(book->usage.usage[k]) && book->usage.usage[k] >= 0.0f &&
                     book->usage.age[k] >= 0,
                 VQ_E_NUMERIC, "%s: code %zu of %s has the usage %g and the age %d", path, k,
                 book->node->name, (double)book->usage.usage[k], (int)book->usage.age[k]);
    return VQ_OK;
}

vq_status vq_codebooks_unpack(vq_trainer *t, const char *path, const vq_archive *archive)
{
    char name[NAME_SIZE];
    if (!vq_archive_find(archive, REVIVED)) {
        t->config.revive = 0.0;
        return VQ_OK;
    }
    VQ_TRY(take(t->ctx, path, archive, REVIVED, VQ_I64, 1, &t->codebooks.revived));
    VQ_CHECK(t->ctx, t->codebooks.revived >= 0, VQ_E_NUMERIC, "%s: %s is %lld", path, REVIVED,
             (long long)t->codebooks.revived);
    for (int l = 0; l < t->codebooks.n_books; l++) {
        vq_trained_codebook *book = &t->codebooks.book[l];
        name_of(book, "usage", name);
        VQ_TRY(take(t->ctx, path, archive, name, VQ_F32, book->codes, book->usage.usage));
        name_of(book, "age", name);
        VQ_TRY(take(t->ctx, path, archive, name, VQ_I32, book->codes, book->usage.age));
        VQ_TRY(check(t->ctx, path, book));
    }
    return VQ_OK;
}
