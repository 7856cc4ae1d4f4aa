/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_golden_train.c -- ten steps of a whole small model against PyTorch: losses,
 * learning rate and gradient norm of every step, and all weights at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <vqvae/train.h>

#include "model/builder.h"
#include "model/weights.h"
#include "support/golden.h"

enum { STEPS = 10, BATCH = 4 };

/* As in golden_train.py. */
static const char ema_model[] =
    "{\"channels\": 3, \"quantizer\": \"ema\", \"ema_start\": \"one\","
    " \"level\": [{\"stride\": 4, \"width\": 16, \"narrow\": 8, \"blocks\": 1,"
    " \"block_width\": 8, \"k\": 16, \"d\": 8}]}";
static const char ema_train[] = "{\"steps\": 10, \"batch\": 4, \"lr\": 0.002, \"eps\": 1e-5}";
static const char gradient_model[] =
    "{\"channels\": 3, \"quantizer\": \"gradient\","
    " \"level\": [{\"stride\": 4, \"width\": 16, \"narrow\": 8, \"blocks\": 1,"
    " \"block_width\": 8, \"k\": 16, \"d\": 8}]}";
static const char gradient_train[] =
    "{\"steps\": 10, \"batch\": 4, \"lr\": 0.002, \"eps\": 1e-5, \"optimizer\": \"adamw\","
    " \"weight_decay\": 0.05, \"clip\": 0.5, \"warmup\": 3, \"schedule\": \"cosine\","
    " \"final_lr\": 0.1}";

static vq_context *ctx;
static golden input, start; /* pixels of all steps; first weights */

static double variance(void)
{
    return *(const double *)golden_get(&start, "variance")->data;
}

/* The model that PyTorch started from. */
static vq_model *first_model(const vq_model_config *config)
{
    vq_graph *graph;
    vq_model *model;
    float *trained, *state;
    must(ctx, vq_model_build(ctx, config, variance(), &graph));
    must(ctx, VQ_NEW(ctx, graph->trained_count, &trained));
    must(ctx, VQ_NEW(ctx, graph->state_count, &state));
    must(ctx, vq_weights_unpack(ctx, start.name, graph, VQ_PARAM_TRAINED, "init.", &start.archive,
                                trained));
    must(ctx,
         vq_weights_unpack(ctx, start.name, graph, VQ_PARAM_STATE, "init.", &start.archive, state));
    must(ctx, vq_model_create(ctx, config, variance(), trained, state, &model));
    vq_release(ctx, trained);
    vq_release(ctx, state);
    vq_graph_destroy(ctx, graph);
    return model;
}

static vq_trainer *first_trainer(const char *model_json, const char *train_json,
                                 const char *backend)
{
    const vq_array *pixels = golden_get(&input, "pixels");
    const vq_train_data data = {.images = pixels->shape.dim[0],
                                .height = pixels->shape.dim[1],
                                .width = pixels->shape.dim[2],
                                .variance = variance()};
    vq_model_config config;
    vq_train_config train;
    vq_trainer *trainer;
    vq_model_config_default(&config);
    vq_train_config_default(&train);
    must(ctx, vq_model_config_read(ctx, model_json, &config));
    must(ctx, vq_train_config_read(ctx, train_json, &train));
    vq_model *model = first_model(&config);
    must(ctx, vq_trainer_create(ctx, &config, &train, &data, backend, model, &trainer));
    vq_model_destroy(ctx, model);
    return trainer;
}

static void compare_metric(const golden *file, int step, const char *name, double got)
{
    char what[64];
    const double *curve = golden_get(file, "curve.%s", name)->data;
    (void)snprintf(what, sizeof what, "%s of step %d", name, step + 1);
    golden_compare_number(file, what, curve[step], got);
}

static void run_step(const golden *file, vq_trainer *trainer, int step)
{
    const vq_array *pixels = golden_get(&input, "pixels");
    const size_t bytes = vq_shape_count(&pixels->shape) / STEPS;
    vq_step_metrics m;
    must(ctx, vq_trainer_step(trainer, (const uint8_t *)pixels->data + (size_t)step * bytes, &m));
    assert_int_equal(m.step, step + 1);
    compare_metric(file, step, "loss", m.loss);
    compare_metric(file, step, "mse", m.mse);
    compare_metric(file, step, "commitment", m.commitment);
    compare_metric(file, step, "perplexity", m.perplexity);
    compare_metric(file, step, "lr", m.lr);
    compare_metric(file, step, "gradient_norm", m.gradient_norm);
    golden_compare_number(file, "nmse", m.mse / variance(), m.nmse);
}

/* Every number of the model, codebook and its averages included. */
static void compare_model(const golden *file, vq_trainer *trainer)
{
    vq_model *model;
    must(ctx, vq_trainer_model(trainer, &model));
    assert_int_equal(model->graph->n_params, file->archive.n_arrays - 6); /* without the curves */
    for (int p = 0; p < model->graph->n_params; p++) {
        const vq_param *param = &model->graph->params[p];
        const float *numbers = param->kind == VQ_PARAM_TRAINED ? model->trained : model->state;
        golden_compare(file, golden_get(file, "final.%s", param->name), numbers + param->at);
    }
    vq_model_destroy(ctx, model);
}

static void train(const char *name, const char *model_json, const char *train_json)
{
    golden file;
    golden_open(&file, ctx, name);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        vq_trainer *trainer = first_trainer(model_json, train_json, (*backend)->name);
        for (int step = 0; step < STEPS; step++) run_step(&file, trainer, step);
        compare_model(&file, trainer);
        vq_trainer_destroy(trainer);
    }
    golden_close(&file);
}

static void test_ema_with_adam(void **state)
{
    (void)state;
    train("train_ema", ema_model, ema_train);
}

static void test_gradient_with_adamw_clipping_and_cosine(void **state)
{
    (void)state;
    train("train_gradient", gradient_model, gradient_train);
}

static int open_all(void **state)
{
    (void)state;
    if (vq_context_create(NULL, &ctx) != VQ_OK) return -1;
    golden_open(&input, ctx, "train_input");
    golden_open(&start, ctx, "train_start");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    golden_close(&input);
    golden_close(&start);
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ema_with_adam),
        cmocka_unit_test(test_gradient_with_adamw_clipping_and_cosine),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
