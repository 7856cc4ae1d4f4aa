/* SPDX-License-Identifier: Apache-2.0
 * Step 8: encoder, quantiser and decoder, trained; and the codes of one image.
 * 8_whole DATASET [STEPS [PICTURE.png]], such as 8_whole fashion-mnist:train */
#include "picture.h"
#include "walk.h"

enum { BATCH = 32 };

static vq_trainer *make_trainer(vq_context *ctx, int64_t images)
{
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    const vq_train_data data = {images, SIDE, SIDE, .variance = 0.1};
    vq_model_config_default(&model);
    vq_train_config_default(&train);
    model.channels = 1;
    model.level[0] = (vq_level_config){
        .stride = 2, .width = 32, .blocks = 1, .block_width = 16, .k = CODES, .d = 16};
    train.batch = BATCH;
    train.lr = 1e-3;
    check(ctx, vq_trainer_create(ctx, &model, &train, &data, NULL, NULL, &trainer));
    return trainer;
}

static vq_model *train(vq_context *ctx, const vq_dataset *set, int64_t steps)
{
    vq_trainer *trainer = make_trainer(ctx, vq_dataset_count(set));
    vq_model *model;
    for (int64_t step = 0; step < steps; step++) {
        uint8_t batch[BATCH * PIXELS];
        vq_step_metrics m;
        for (int64_t slot = 0; slot < BATCH; slot++) {
            vq_data_key key = {0};
            int64_t index;
            vq_trainer_order(trainer, step, slot, &index, &key.epoch);
            check(ctx, vq_dataset_get(ctx, set, index, key, batch + slot * PIXELS));
        }
        check(ctx, vq_trainer_step(trainer, batch, &m));
        if ((step + 1) * 4 % steps == 0)
            printf("step %4d: mse %.4f, perplexity %4.1f, %2d of %d codes used\n", (int)m.step,
                   m.mse, m.perplexity, (int)m.codes_used, CODES);
    }
    check(ctx, vq_trainer_model(trainer, &model));
    vq_trainer_destroy(trainer);
    return model;
}

int main(int argc, char **argv)
{
    vq_context *ctx = open_library();
    vq_dataset *set;
    vq_session *session;
    vq_data_config data;
    uint8_t image[PIXELS], decoded[PIXELS];
    uint32_t codes[GRID * GRID];
    if (argc < 2) return 2;
    vq_data_config_default(&data);
    data.height = data.width = SIDE;
    data.channels = 1;
    check(ctx, vq_dataset_open(ctx, argv[1], &data, &set));
    vq_model *model = train(ctx, set, argc > 2 ? strtol(argv[2], NULL, 10) : 600);
    const vq_session_config one = {.batch = 1, .height = SIDE, .width = SIDE};
    check(ctx, vq_session_create(ctx, model, &one, &session));
    check(ctx, vq_dataset_get(ctx, set, 0, (vq_data_key){0}, image));
    check(ctx, vq_session_encode(session, 1, image, codes));
    check(ctx, vq_session_decode(session, 1, codes, decoded));
    print_letters(codes);
    if (argc > 3) save_beside(ctx, argv[3], image, codes, decoded);
    vq_session_destroy(session);
    vq_model_destroy(ctx, model);
    vq_dataset_close(ctx, set);
    vq_context_destroy(ctx);
    return 0;
}
