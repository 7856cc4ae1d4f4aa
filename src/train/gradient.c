/* SPDX-License-Identifier: Apache-2.0
 * train/gradient.c -- which term of the loss pulls at which part of the model. */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

/* The term's own name, after the node's. */
static bool is_named(const vq_term *term, const char *name)
{
    const char *dot = strrchr(term->name, '.');
    return strcmp(dot ? dot + 1 : term->name, name) == 0;
}

static vq_status weigh_only(vq_trainer *t, const char *term)
{
    bool found = false;
    for (int i = 0; i < t->graph->n_terms; i++) {
        const bool named = is_named(&t->graph->terms[i], term);
        vq_plan_weigh(t->plan, i, named ? 1.0 : 0.0);
        found |= named;
    }
    VQ_CHECK(t->ctx, found, VQ_E_ARG, "the loss of this model has no term %s", term);
    return VQ_OK;
}

static vq_status run(vq_trainer *t, const uint8_t *pixels, const char *term)
{
    VQ_TRY(weigh_only(t, term));
    VQ_TRY(vq_trainer_begin(t, pixels));
    VQ_TRY(vq_plan_forward(t->plan));
    return vq_plan_backward(t->plan);
}

static double norm_of(const vq_trainer *t, const char *prefix)
{
    const float *gradients = vq_plan_reduction(t->plan, NULL);
    double sum = 0.0;
    for (int p = 0; p < t->graph->n_params; p++) {
        const vq_param *param = &t->graph->params[p];
        if (param->kind != VQ_PARAM_TRAINED || strncmp(param->name, prefix, strlen(prefix)) != 0)
            continue;
        for (size_t i = param->at; i < param->at + param->count; i++)
            sum += (double)gradients[i] * (double)gradients[i];
    }
    return sqrt(sum);
}

vq_status vq_trainer_gradient_norm(vq_trainer *t, const uint8_t *pixels, const char *term,
                                   const char *prefix, double *norm)
{
    const vq_status status = run(t, pixels, term);
    for (int i = 0; i < t->graph->n_terms; i++)
        vq_plan_weigh(t->plan, i, t->graph->terms[i].weight);
    if (status == VQ_OK) *norm = norm_of(t, prefix);
    return status;
}
