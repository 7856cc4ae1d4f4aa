/* SPDX-License-Identifier: Apache-2.0
 * Step 5, continued: which term of the loss reaches which part of a model. */
#include "walk.h"

enum { IMAGES = 8, SIDE = 16, TERMS = 3, PARTS = 3 };

static const char *const names[TERMS] = {"|x - decoded|^2", "|sg(z) - z_q|^2", "|z - sg(z_q)|^2"};
static const char *const terms[TERMS] = {"mse", "codebook", "commitment"};
static const char *const parts[PARTS] = {"encoder.", "quantizer.", "decoder."};

static vq_trainer *make_trainer(vq_context *ctx)
{
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    const vq_train_data data = {.images = IMAGES, .height = SIDE, .width = SIDE, .variance = 0.1};
    vq_model_config_default(&model);
    vq_train_config_default(&train);
    model.channels = 1;
    model.quantizer = 1; /* a codebook that is moved along a gradient */
    model.level[0].width = 16;
    model.level[0].block_width = 8;
    model.level[0].k = 16;
    model.level[0].d = 8;
    train.batch = IMAGES;
    check(ctx, vq_trainer_create(ctx, &model, &train, &data, "portable", NULL, &trainer));
    return trainer;
}

/* Lengths of gradients: a row for each term, a column for each part. */
static void measure(double norms[TERMS][PARTS])
{
    uint8_t pixels[IMAGES * SIDE * SIDE];
    vq_context *ctx = open_library();
    vq_trainer *trainer = make_trainer(ctx);
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++) /* eight slopes of different steepness */
        pixels[i] = (uint8_t)(i % SIDE * (1 + i / (SIDE * SIDE)) + i / SIDE % SIDE * 8);
    for (int t = 0; t < TERMS; t++)
        for (int p = 0; p < PARTS; p++)
            check(ctx, vq_trainer_gradient_norm(trainer, pixels, terms[t], parts[p], &norms[t][p]));
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

int main(void)
{
    double norms[TERMS][PARTS];
    measure(norms);
    printf("                  encoder  codebook   decoder\n");
    for (int t = 0; t < TERMS; t++)
        printf("%-16s %8.4f %9.4f %9.4f\n", names[t], norms[t][0], norms[t][1], norms[t][2]);
    return 0;
}
