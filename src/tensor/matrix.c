/* SPDX-License-Identifier: Apache-2.0
 * tensor/matrix.c -- rows of a matrix in an .npy file, so that one larger than memory can be gone
 * through. */
#include "base/context.h"
#include "tensor/npy.h"
#include "tensor/numbers.h"

enum { STAGE = 8192 }; /* elements brought in at a time */

struct vq_matrix {
    vq_context *ctx;
    char *path;
    vq_input input;
    vq_npy_header header;
    unsigned char stage[STAGE * sizeof(double)];
};

static vq_status check(const vq_matrix *m)
{
    const vq_shape *shape = &m->header.shape;
    VQ_CHECK(m->ctx, vq_dtype_is_float(m->header.dtype), VQ_E_UNSUPPORTED,
             "the matrix holds %s numbers; f32, f64 and f16 are read",
             vq_dtype_name(m->header.dtype));
    VQ_CHECK(m->ctx, shape->rank == 2, VQ_E_SHAPE,
             "an array of rank %d; a matrix of vectors has rank 2: one vector a row", shape->rank);
    VQ_CHECK(m->ctx, shape->dim[0] > 0 && shape->dim[1] > 0, VQ_E_SHAPE,
             "a matrix of %lld x %lld numbers is empty", (long long)shape->dim[0],
             (long long)shape->dim[1]);
    return VQ_OK;
}

vq_status vq_matrix_open(vq_context *ctx, const char *path, vq_matrix **out)
{
    vq_matrix *m = NULL;
    vq_status status;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &m));
    m->ctx = ctx;
    m->input.fd = -1;
    VQ_TRY_TO(vq_strdup(ctx, path, &m->path));
    VQ_TRY_TO(vq_input_open(ctx, m->path, &m->input));
    VQ_TRY_TO(vq_input_blame(&m->input, vq_npy_header_take(&m->input, &m->header)));
    VQ_TRY_TO(vq_input_blame(&m->input, check(m)));
    *out = m;
    m = NULL;
done:
    vq_matrix_close(m);
    return status;
}

void vq_matrix_close(vq_matrix *m)
{
    if (!m) return;
    vq_input_close(&m->input);
    vq_release(m->ctx, m->path);
    vq_release(m->ctx, m);
}

int64_t vq_matrix_rows(const vq_matrix *m)
{
    return m->header.shape.dim[0];
}

int64_t vq_matrix_columns(const vq_matrix *m)
{
    return m->header.shape.dim[1];
}

/* `count` elements that lie side by side in the file from element `at` on, `step` numbers apart in
 * memory. */
static vq_status take_run(vq_matrix *m, size_t at, size_t count, size_t step, float *to)
{
    const size_t size = vq_dtype_size(m->header.dtype);
    float numbers[STAGE];
    while (count > 0) {
        const size_t some = count < STAGE ? count : STAGE;
        VQ_TRY(vq_input_take(&m->input, m->header.data_at + at * size, m->stage, some * size));
        if (m->header.swap) vq_numbers_swap(m->stage, some, size);
        vq_numbers_to_f32(m->header.dtype, m->stage, some, numbers);
        for (size_t i = 0; i < some; i++) to[i * step] = numbers[i];
        at += some;
        count -= some;
        to += some * step;
    }
    return VQ_OK;
}

vq_status vq_matrix_read(vq_matrix *m, int64_t first, int64_t count, float *to)
{
    const size_t rows = (size_t)vq_matrix_rows(m), columns = (size_t)vq_matrix_columns(m);
    VQ_CHECK(m->ctx, first >= 0 && count >= 0 && count <= vq_matrix_rows(m) - first, VQ_E_ARG,
             "%s: %lld rows from row %lld on were asked for; it has %zu", m->path, (long long)count,
             (long long)first, rows);
    if (!m->header.fortran)
        return take_run(m, (size_t)first * columns, (size_t)count * columns, 1, to);
    for (size_t d = 0; d < columns; d++)
        VQ_TRY(take_run(m, d * rows + (size_t)first, (size_t)count, columns, to + d));
    return VQ_OK;
}
