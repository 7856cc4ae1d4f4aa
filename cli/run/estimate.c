/* SPDX-License-Identifier: Apache-2.0
 * cli/run/estimate.c -- what a training will take. */
#include "run/estimate.h"
#include "facts.h"
#include "machine.h"
#include <vqvae/model.h>

/* Share of the machine's own rate that steps reach: 0.4 to 0.7 with oneDNN from preset tiny to
 * preset cifar10. The portable backend is slower. */
static const double usual_share = 0.5;

/* Floating-point operations of a step's products. */
static double step_work(const training *t)
{
    vq_plan_line line;
    double sum = 0.0;
    for (size_t i = 0; vq_trainer_plan(t->trainer, i, &line); i++)
        for (int d = 0; d < VQ_DIRECTIONS; d++) sum += line.flops[d];
    return sum;
}

/* Bytes of images that are kept decoded: as many as fit of both datasets, and batches ahead. */
static double image_bytes(const training *t)
{
    const vq_data_config *data = &t->settings.data;
    int64_t size[3];
    vq_dataset_size(t->data, size);
    const double image = (double)(size[0] * size[1] * size[2]);
    const double limit = (double)data->cache_mb * (1 << 20);
    const double all = image * (double)t->source.images;
    return (all < limit ? all : limit) + 3.0 * image * (double)t->settings.train.batch;
}

static int count_parameters(program *p, const training *t, size_t *parameters)
{
    vq_model *model = NULL;
    TRY(lib(p, vq_trainer_model(t->trainer, &model)));
    *parameters = vq_model_parameters(model);
    vq_model_destroy(p->ctx, model);
    return DONE;
}

int training_estimate(program *p, const training *t, json_t **facts)
{
    const vq_model_config *config = vq_trainer_model_config(t->trainer);
    const int64_t size[] = {config->height, config->width, config->channels};
    const int64_t steps = t->settings.train.steps, *indices;
    const double work = step_work(t), rate = 1e9 * machine_peak(p);
    const double memory = (double)vq_trainer_bytes(t->trainer) + image_bytes(t);
    int64_t n_valid;
    size_t parameters;
    json_t *all = NULL;
    (void)training_valid(t, &indices, &n_valid);
    TRY(count_parameters(p, t, &parameters));
    TRY(settings_write(p, &t->settings, &all));
    *facts =
        json_pack("{s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:i, s:o, s:o, s:o, s:O}", "data",
                  t->source.data, "training_images", (json_int_t)t->about.images, "held_out_images",
                  (json_int_t)n_valid, "image", fact_list(size, 3), "parameters",
                  (json_int_t)parameters, "steps", (json_int_t)steps, "steps_done",
                  (json_int_t)t->steps_done, "memory_mb", fact_number(memory / 1e6), "threads",
                  vq_context_threads(p->ctx), "step_gflop", fact_number(1e-9 * work), "peak_gflops",
                  fact_number(1e-9 * rate), "estimated_seconds",
                  fact_number((double)(steps - t->steps_done) * work / (usual_share * rate)),
                  "settings", all);
    json_decref(all);
    return *facts ? DONE : fail(p, MACHINE_FAILED, "no memory for the plan of a training");
}
