/* SPDX-License-Identifier: Apache-2.0
 * Turns one image into codes and back: encode_image MODEL IN.png OUT.png */
#include <stdio.h>
#include <stdlib.h>
#include <vqvae/vqvae.h>

static vq_status run(vq_context *ctx, char **argv)
{
    vq_model *model = NULL;
    vq_session *session = NULL;
    vq_image image = {0};
    uint32_t *codes = NULL;
    vq_status status = vq_model_load(ctx, argv[1], &model);
    if (status == VQ_OK) status = vq_image_load(ctx, argv[2], &image);
    if (status == VQ_OK && image.channels != vq_model_configuration(model)->channels) {
        fprintf(stderr, "%s has %d channels, the model wants others\n", argv[2],
                (int)image.channels);
        status = VQ_E_SHAPE;
    }
    if (status == VQ_OK) {
        const vq_session_config config = {.batch = 1, .height = image.height, .width = image.width};
        status = vq_session_create(ctx, model, &config, &session);
    }
    if (status == VQ_OK) {
        const size_t n = vq_model_codes(model, image.height, image.width);
        codes = malloc(n * sizeof *codes);
        status = codes ? vq_session_encode(session, 1, image.pixels, codes) : VQ_E_NOMEM;
        if (status == VQ_OK) status = vq_session_decode(session, 1, codes, image.pixels);
        if (status == VQ_OK) status = vq_image_save(ctx, argv[3], &image);
        if (status == VQ_OK) printf("%zu codes, the first is %u\n", n, codes[0]);
    }
    free(codes);
    vq_session_destroy(session);
    vq_image_clear(ctx, &image);
    vq_model_destroy(ctx, model);
    return status;
}

int main(int argc, char **argv)
{
    vq_context *ctx;
    if (argc != 4) return 2;
    if (vq_context_create(NULL, &ctx) != VQ_OK) return 3;
    const vq_status status = run(ctx, argv);
    if (status != VQ_OK) fprintf(stderr, "%s\n", vq_context_error(ctx));
    vq_context_destroy(ctx);
    return status != VQ_OK;
}
