/* SPDX-License-Identifier: Apache-2.0
 * nearest_codes CODEBOOK DATA.npy TRAINED: names the code nearest to each vector of a matrix, then
 * trains the codebook on them for a step and saves it. Needs no model, and never loads oneDNN. */
#include <stdio.h>
#include <stdlib.h>
#include <vqvae/vqvae.h>

int main(int argc, char **argv)
{
    vq_context *ctx;
    vq_codebook *book = NULL;
    vq_matrix *data = NULL;
    if (argc != 4 || vq_context_create(NULL, &ctx) != VQ_OK) return 2;
    vq_status status = vq_codebook_load(ctx, argv[1], NULL, &book);
    if (status == VQ_OK) status = vq_matrix_open(ctx, argv[2], &data);
    const int64_t n = data ? vq_matrix_rows(data) : 0;
    const int64_t dim = data ? vq_matrix_columns(data) : 0;
    float *vectors = calloc((size_t)n, (size_t)dim * sizeof *vectors);
    uint32_t *codes = calloc((size_t)n, sizeof *codes);
    if (status == VQ_OK && (!vectors || !codes)) status = VQ_E_NOMEM;
    if (status == VQ_OK && dim != vq_codebook_configuration(book)->dim) status = VQ_E_SHAPE;
    if (status == VQ_OK) status = vq_matrix_read(data, 0, n, vectors);
    if (status == VQ_OK) status = vq_codebook_nearest(ctx, book, (size_t)n, vectors, codes, NULL);
    for (int64_t i = 0; status == VQ_OK && i < n; i++) printf("%u\n", codes[i]);
    if (status == VQ_OK) status = vq_codebook_step(ctx, book, (size_t)n, vectors, NULL);
    if (status == VQ_OK) status = vq_codebook_save(ctx, book, argv[3]);
    if (status != VQ_OK) fprintf(stderr, "%s: %s\n", vq_status_name(status), vq_context_error(ctx));
    free(codes);
    free(vectors);
    vq_matrix_close(data);
    vq_codebook_destroy(ctx, book);
    vq_context_destroy(ctx);
    return status != VQ_OK;
}
