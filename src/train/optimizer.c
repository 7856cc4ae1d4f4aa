/* SPDX-License-Identifier: Apache-2.0
 * train/optimizer.c -- learning rate, clipping, Adam and AdamW, averaged weights: one pass
 * over the gradients for their norm, one over everything for the step. */
#include "train/optimizer.h"

#include <math.h>

#include "base/parallel.h"
#include "kernels/kernels.h"

/* Numbers given to a thread at a time: large enough that starting one pays. */
enum { GRAIN = 16384 };

static const double pi = 3.14159265358979323846;

double vq_learning_rate(const vq_train_config *c, int64_t step)
{
    const int64_t end = c->decay_steps ? c->decay_steps : c->steps;
    double share = 1.0;
    if (c->schedule == 1 && end > c->warmup) {
        const double done = (double)(step - 1 - c->warmup) / (double)(end - c->warmup);
        const double at = done < 0.0 ? 0.0 : done > 1.0 ? 1.0 : done;
        share = c->final_lr + (1.0 - c->final_lr) * 0.5 * (1.0 + cos(pi * at));
    }
    if (step < c->warmup) share *= (double)step / (double)c->warmup;
    return c->lr * share;
}

typedef struct norm_job {
    vq_squares_fn *squares;
    const float *numbers;
} norm_job;

static double sum_squares(const void *arg, size_t begin, size_t end)
{
    const norm_job *job = arg;
    return job->squares(end - begin, job->numbers + begin, NULL, 0.0f, NULL);
}

double vq_gradient_norm(vq_context *ctx, const float *gradients, size_t count, double *partials)
{
    const norm_job job = {vq_kernels_of(ctx)->squares, gradients};
    return sqrt(vq_sum_chunks(ctx, count, sum_squares, &job, partials));
}

double vq_clip_scale(const vq_train_config *c, double norm)
{
    if (c->clip <= 0.0) return 1.0;
    const double scale = c->clip / (norm + 1e-6);
    return scale < 1.0 ? scale : 1.0;
}

typedef struct adam_job {
    vq_adam_fn *adam;
    vq_adam_step step;
    const float *gradients;
    vq_moments moments;
    float *average;
    size_t at;
} adam_job;

static void adam_range(void *arg, size_t begin, size_t end, int thread)
{
    const adam_job *job = arg;
    const size_t from = job->at + begin;
    (void)thread;
    job->adam(end - begin, &job->step, job->moments.parameters + from, job->gradients + from,
              job->moments.first + from, job->moments.second + from,
              job->average ? job->average + from : NULL);
}

/* 1 - the decay of averages, which rises so that the first weights are soon forgotten. */
static float follow_of(const vq_train_config *c, int64_t step)
{
    const double early = (1.0 + (double)step) / (10.0 + (double)step);
    return (float)(1.0 - (early < c->average ? early : c->average));
}

static vq_adam_step step_of(const vq_train_config *c, vq_param_group group, int64_t step,
                            double scale)
{
    const bool codebook = group == VQ_GROUP_CODEBOOKS;
    const double lr = vq_learning_rate(c, step) * (codebook ? c->codebook_lr : 1.0);
    const double decay = codebook ? 0.0 : c->weight_decay;
    const double t = (double)step;
    return (vq_adam_step){.rate = (float)(lr / (1.0 - pow(c->b1, t))),
                          .decay1 = (float)c->b1,
                          .decay2 = (float)c->b2,
                          .correction2 = (float)(1.0 / sqrt(1.0 - pow(c->b2, t))),
                          .epsilon = (float)c->eps,
                          .weight_decay = c->optimizer == 1 ? (float)(1.0 - lr * decay) : 1.0f,
                          .l2 = c->optimizer == 1 ? 0.0f : (float)decay,
                          .scale = (float)scale,
                          .follow = follow_of(c, step)};
}

void vq_optimizer_step(vq_context *ctx, const vq_graph *graph, const vq_train_config *config,
                       int64_t step, double clip_scale, const float *gradients,
                       const vq_moments *moments, float *average)
{
    adam_job job = {.adam = vq_kernels_of(ctx)->adam,
                    .gradients = gradients,
                    .moments = *moments,
                    .average = average};
    size_t pending = 0; /* numbers of the current group that wait to be moved together */
    vq_param_group group = VQ_GROUP_WEIGHTS;
    for (int p = 0; p <= graph->n_params; p++) {
        const vq_param *param = p < graph->n_params ? &graph->params[p] : NULL;
        if (param && param->kind != VQ_PARAM_TRAINED) continue;
        if (!param || param->group != group) {
            job.step = step_of(config, group, step, clip_scale);
            vq_parallel_for(ctx, pending, GRAIN, adam_range, &job);
            job.at += pending;
            pending = 0;
        }
        if (param) {
            group = param->group;
            pending += param->count;
        }
    }
}
