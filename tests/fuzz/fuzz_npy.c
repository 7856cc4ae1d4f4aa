/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_npy.c -- the reader of .npy; what it accepts is written and read again. */
#include "fuzz/files.h"
#include <string.h>
#include <vqvae/tensor.h>

static vq_status write_and_read(vq_context *ctx, const vq_array *first)
{
    vq_array second;
    VQ_TRY(vq_npy_save(ctx, "fuzz.npy", first));
    const fuzz_piece written = fuzz_written();
    VQ_TRY(vq_npy_parse(ctx, written.bytes, written.size, &second));
    FUZZ_CHECK(first->dtype == second.dtype && first->shape.rank == second.shape.rank);
    for (int d = 0; d < first->shape.rank; d++)
        FUZZ_CHECK(first->shape.dim[d] == second.shape.dim[d]);
    const size_t size = vq_shape_count(&first->shape) * vq_dtype_size(first->dtype);
    FUZZ_CHECK(memcmp(first->data, second.data, size) == 0);
    vq_array_clear(ctx, &second);
    return VQ_OK;
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    vq_array array;
    const vq_status status = vq_npy_parse(ctx, bytes, size, &array);
    if (status != VQ_OK) {
        FUZZ_CHECK(!array.data && !array.name);
        return status;
    }
    const vq_status again = write_and_read(ctx, &array);
    FUZZ_CHECK(again == VQ_OK || again == VQ_E_NOMEM);
    vq_array_clear(ctx, &array);
    return again;
}
