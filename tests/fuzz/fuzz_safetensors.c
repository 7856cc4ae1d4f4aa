/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_safetensors.c -- the reader of safetensors; what it accepts is written and read
 * again. */
#include "fuzz/files.h"
#include <string.h>
#include <vqvae/tensor.h>

static void check_equal(const vq_archive *a, const vq_archive *b)
{
    FUZZ_CHECK(a->n_arrays == b->n_arrays && a->n_keys == b->n_keys);
    for (size_t i = 0; i < a->n_arrays; i++) {
        const vq_array *x = &a->arrays[i], *y = vq_archive_find(b, x->name);
        FUZZ_CHECK(y && x->dtype == y->dtype && x->shape.rank == y->shape.rank);
        for (int d = 0; d < x->shape.rank; d++) FUZZ_CHECK(x->shape.dim[d] == y->shape.dim[d]);
        const size_t size = vq_shape_count(&x->shape) * vq_dtype_size(x->dtype);
        FUZZ_CHECK(memcmp(x->data, y->data, size) == 0);
    }
    for (size_t i = 0; i < a->n_keys; i++)
        FUZZ_CHECK(strcmp(a->values[i], vq_archive_meta(b, a->keys[i])) == 0);
}

static vq_status write_and_read(vq_context *ctx, const vq_archive *first)
{
    vq_archive second;
    VQ_TRY(vq_safetensors_save(ctx, "fuzz.safetensors", first));
    const fuzz_piece written = fuzz_written();
    VQ_TRY(vq_safetensors_parse(ctx, written.bytes, written.size, &second));
    check_equal(first, &second);
    vq_archive_clear(ctx, &second);
    return VQ_OK;
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    vq_archive archive;
    const vq_status status = vq_safetensors_parse(ctx, bytes, size, &archive);
    if (status != VQ_OK) {
        FUZZ_CHECK(archive.n_arrays == 0 && archive.n_keys == 0 && !archive.arrays);
        return status;
    }
    const vq_status again = write_and_read(ctx, &archive);
    FUZZ_CHECK(again == VQ_OK || again == VQ_E_NOMEM);
    vq_archive_clear(ctx, &archive);
    return again;
}
