/* SPDX-License-Identifier: Apache-2.0
 * model/diagnosis.c -- a census for each codebook of a model, fed by a session's encoder. */
#include "model/census.h"
#include "model/session.h"
#include "model/weights.h"

struct vq_diagnosis {
    const vq_model *model;
    size_t n_levels;
    int64_t images;
    vq_census census[VQ_MAX_LEVELS];
};

static vq_status begin_levels(vq_context *ctx, vq_diagnosis *d)
{
    const vq_model_config *config = &d->model->config;
    for (size_t l = 0; l < config->n_levels; l++, d->n_levels++) {
        d->census[l] = (vq_census){.dim = (size_t)config->level[l].d,
                                   .n_codes = (size_t)config->level[l].k,
                                   .codebook = vq_model_numbers(d->model, l, "codebook"),
                                   .moving = vq_model_numbers(d->model, l, "counts"),
                                   .epsilon = config->epsilon};
        VQ_TRY(vq_census_begin(ctx, &d->census[l]));
    }
    return VQ_OK;
}

vq_status vq_diagnosis_create(vq_context *ctx, const vq_model *model, vq_diagnosis **out)
{
    vq_diagnosis *d = NULL;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &d));
    d->model = model;
    const vq_status status = begin_levels(ctx, d);
    if (status == VQ_OK) *out = d;
    else vq_diagnosis_destroy(ctx, d);
    return status;
}

void vq_diagnosis_destroy(vq_context *ctx, vq_diagnosis *d)
{
    if (!d) return;
    for (size_t l = 0; l < d->n_levels; l++) vq_census_clear(ctx, &d->census[l]);
    vq_release(ctx, d);
}

vq_status vq_session_diagnose(vq_session *s, int64_t n, const uint8_t *pixels, vq_diagnosis *d)
{
    VQ_CHECK(s->ctx, s->model == d->model, VQ_E_ARG,
             "the session runs another model than the diagnosis was made for");
    VQ_TRY(vq_session_run_encoder(s, n, pixels));
    for (size_t l = 0; l < s->n_levels; l++)
        vq_census_add(&d->census[l], (size_t)n * s->level[l].positions, s->level[l].latent,
                      s->level[l].codes);
    d->images += n;
    return VQ_OK;
}

vq_status vq_diagnosis_figures(vq_context *ctx, vq_diagnosis *d, size_t level,
                               vq_codebook_figures *figures)
{
    VQ_CHECK(ctx, level < d->n_levels, VQ_E_ARG, "level %zu was asked for, but the model has %zu",
             level, d->n_levels);
    VQ_CHECK(ctx, d->images > 0, VQ_E_ARG, "no image was added to the diagnosis yet");
    VQ_TRY(vq_census_figures(ctx, &d->census[level], figures));
    figures->images = d->images;
    return VQ_OK;
}
