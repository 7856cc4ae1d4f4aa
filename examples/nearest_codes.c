/* SPDX-License-Identifier: Apache-2.0
 * Names the code nearest to each vector of a matrix: nearest_codes CODEBOOK DATA.npy
 * A codebook needs no model: libvqvae alone is linked, and oneDNN is never loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <vqvae/codebook.h>
#include <vqvae/tensor.h>

/* One row at a time; a thread of a server would do the same with a context of its own. */
static vq_status run(vq_context *ctx, const vq_codebook *book, vq_matrix *data, float *vector)
{
    for (int64_t i = 0; i < vq_matrix_rows(data); i++) {
        uint32_t code;
        float distance;
        vq_status status = vq_matrix_read(data, i, 1, vector);
        if (status == VQ_OK) status = vq_codebook_nearest(ctx, book, 1, vector, &code, &distance);
        if (status != VQ_OK) return status;
        printf("%u %g\n", code, (double)distance);
    }
    return VQ_OK;
}

int main(int argc, char **argv)
{
    vq_context *ctx;
    vq_codebook *book = NULL;
    vq_matrix *data = NULL;
    if (argc != 3) return 2;
    if (vq_context_create(NULL, &ctx) != VQ_OK) return 3;
    vq_status status = vq_codebook_load(ctx, argv[1], NULL, &book);
    if (status == VQ_OK) status = vq_matrix_open(ctx, argv[2], &data);
    float *vector = data ? calloc((size_t)vq_matrix_columns(data), sizeof *vector) : NULL;
    const bool fits = data && vq_matrix_columns(data) == vq_codebook_configuration(book)->dim;
    if (status == VQ_OK && fits) status = vector ? run(ctx, book, data, vector) : VQ_E_NOMEM;
    if (status != VQ_OK) fprintf(stderr, "%s: %s\n", vq_status_name(status), vq_context_error(ctx));
    else if (!fits) fprintf(stderr, "the vectors are not as long as the codes\n");
    free(vector);
    vq_matrix_close(data);
    vq_codebook_destroy(ctx, book);
    vq_context_destroy(ctx);
    return status != VQ_OK || !fits;
}
