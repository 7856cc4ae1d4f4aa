/* SPDX-License-Identifier: Apache-2.0
 * train/trainer.c -- one training step after the other. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "model/builder.h"
#include "model/session.h"
#include "model/weights.h"
#include "quantize/quantize_parts.h"

/* ---- making --------------------------------------------------------------------- */

static vq_status check_data(vq_context *ctx, const vq_train_data *data)
{
    VQ_CHECK(ctx, data->images >= 1, VQ_E_ARG, "there is no image to train on");
    VQ_CHECK(ctx, data->height >= 1 && data->width >= 1, VQ_E_ARG,
             "images of %lld x %lld pixels cannot be trained on", (long long)data->height,
             (long long)data->width);
    VQ_CHECK(ctx, isfinite(data->variance) && data->variance > 0.0, VQ_E_ARG,
             "all training pixels are alike (variance %g): there is nothing to learn",
             data->variance);
    return VQ_OK;
}

static vq_status check_size(vq_context *ctx, const char *name, int64_t *wanted, int64_t given)
{
    if (*wanted == 0) *wanted = given;
    VQ_CHECK(ctx, *wanted == given, VQ_E_SHAPE, "model.%s is %lld, but the images have %lld", name,
             (long long)*wanted, (long long)given);
    return VQ_OK;
}

static vq_status allocate_numbers(vq_trainer *t)
{
    vq_context *ctx = t->ctx;
    const size_t count = t->graph->trained_count;
    VQ_TRY(VQ_NEW(ctx, count, &t->moments.parameters));
    VQ_TRY(VQ_NEW(ctx, count, &t->moments.first));
    VQ_TRY(VQ_NEW(ctx, count, &t->moments.second));
    if (t->config.average > 0.0) VQ_TRY(VQ_NEW(ctx, count, &t->average));
    VQ_TRY(VQ_NEW(ctx, t->graph->state_count, &t->state));
    return VQ_NEW(ctx, vq_sum_chunks_count(count), &t->partials);
}

static vq_status make_plan(vq_trainer *t)
{
    const int64_t stride = vq_model_stride(&t->model);
    t->inner[0] = (t->data.height + stride - 1) / stride * stride;
    t->inner[1] = (t->data.width + stride - 1) / stride * stride;
    const vq_feed feed = {
        .value = vq_graph_find(t->graph, "pixels"),
        .desc = {.dtype = VQ_U8,
                 .shape = {.rank = 4,
                           .dim = {t->config.batch, t->inner[0], t->inner[1], t->model.channels}}}};
    /* Vectors to quantise stay to the end of a step, for codes that are revived. */
    vq_value latents[VQ_MAX_LEVELS];
    for (int l = 0; l < t->codebooks.n_books; l++) latents[l] = t->codebooks.book[l].latent;
    const vq_plan_config config = {.backend = t->backend,
                                   .precision = t->config.precision == 1 ? VQ_PRECISION_BF16
                                                                         : VQ_PRECISION_F32,
                                   .training = true,
                                   .feeds = &feed,
                                   .n_feeds = 1,
                                   .wants = latents,
                                   .n_wants = t->codebooks.n_books};
    VQ_TRY(vq_plan_create(t->ctx, t->graph, &config, &t->plan));
    vq_plan_bind(t->plan, t->moments.parameters, t->state);
    t->pixels = vq_plan_data(t->plan, feed.value, NULL);
    return VQ_OK;
}

/* Products in bf16 are our own alone. */
static vq_status find_backend(vq_trainer *t, const char *name)
{
    const bool automatic = !name || strcmp(name, "auto") == 0;
    const bool bf16 = t->config.precision == 1;
    VQ_TRY(vq_backend_find(t->ctx, bf16 && automatic ? "portable" : name, &t->backend));
    VQ_CHECK(t->ctx, !bf16 || t->backend == &vq_backend_portable, VQ_E_UNSUPPORTED,
             "train.precision is bf16, in which the backend %s does not train; portable does",
             t->backend->name);
    return VQ_OK;
}

static vq_status prepare(vq_trainer *t, const char *backend)
{
    vq_context *ctx = t->ctx;
    VQ_TRY(check_data(ctx, &t->data));
    VQ_TRY(vq_train_config_check(ctx, &t->config));
    VQ_TRY(check_size(ctx, "height", &t->model.height, t->data.height));
    VQ_TRY(check_size(ctx, "width", &t->model.width, t->data.width));
    VQ_TRY(find_backend(t, backend));
    VQ_TRY(vq_model_build(ctx, &t->model, t->data.variance, &t->graph));
    VQ_TRY(allocate_numbers(t));
    VQ_TRY(vq_codebooks_prepare(t));
    VQ_TRY(vq_strdup(ctx, "{}", &t->progress));
    VQ_TRY(make_plan(t));
    vq_codebooks_begin(t);
    return VQ_OK;
}

vq_status vq_trainer_prepare(vq_context *ctx, const vq_model_config *model,
                             const vq_train_config *train, const vq_train_data *data,
                             const char *backend, vq_trainer **out)
{
    vq_trainer *t = NULL;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &t));
    t->ctx = ctx;
    t->model = *model;
    t->config = *train;
    t->data = *data;
    const vq_status status = prepare(t, backend);
    if (status == VQ_OK) *out = t;
    else vq_trainer_destroy(t);
    return status;
}

static vq_status take_weights(vq_trainer *t, const vq_model *init)
{
    const vq_graph *theirs = init->graph, *ours = t->graph;
    bool same = theirs->n_params == ours->n_params;
    for (int p = 0; same && p < ours->n_params; p++)
        same = theirs->params[p].count == ours->params[p].count &&
               strcmp(theirs->params[p].name, ours->params[p].name) == 0;
    VQ_CHECK(t->ctx, same, VQ_E_SHAPE,
             "the model to start from has other parameters than this configuration asks for");
    memcpy(t->moments.parameters, init->trained, ours->trained_count * sizeof(float));
    memcpy(t->state, init->state, ours->state_count * sizeof(float));
    return VQ_OK;
}

vq_status vq_trainer_create(vq_context *ctx, const vq_model_config *model,
                            const vq_train_config *train, const vq_train_data *data,
                            const char *backend, const vq_model *init, vq_trainer **out)
{
    VQ_TRY(vq_trainer_prepare(ctx, model, train, data, backend, out));
    vq_trainer *t = *out;
    vq_status status = VQ_OK;
    if (init) status = take_weights(t, init);
    else vq_graph_init(t->graph, train->seed, t->moments.parameters, t->state);
    if (t->average)
        memcpy(t->average, t->moments.parameters, t->graph->trained_count * sizeof(float));
    if (status != VQ_OK) {
        vq_trainer_destroy(t);
        *out = NULL;
    } else if (init) {
        t->started = true;
    }
    return status;
}

void vq_trainer_destroy(vq_trainer *t)
{
    if (!t) return;
    vq_context *ctx = t->ctx;
    vq_plan_destroy(t->plan);
    vq_codebooks_release(t);
    vq_graph_destroy(ctx, t->graph);
    vq_release(ctx, t->moments.parameters);
    vq_release(ctx, t->moments.first);
    vq_release(ctx, t->moments.second);
    vq_release(ctx, t->average);
    vq_release(ctx, t->state);
    vq_release(ctx, t->partials);
    vq_release(ctx, t->progress);
    vq_release(ctx, t);
}

/* ---- stepping ------------------------------------------------------------------- */

void vq_trainer_order(const void *trainer, int64_t step, int64_t slot, int64_t *index,
                      uint64_t *epoch)
{
    const vq_trainer *t = trainer;
    const uint64_t images = (uint64_t)t->data.images;
    const uint64_t at = (uint64_t)step * (uint64_t)t->config.batch + (uint64_t)slot;
    *epoch = at / images;
    *index =
        (int64_t)vq_random_permuted(t->config.seed, VQ_RANDOM_ORDER, *epoch, images, at % images);
}

static bool all_finite(const float *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(numbers[i])) return false;
    return true;
}

/* The first parameter of whose numbers one is not finite, or NULL. Those that the optimiser moves
 * lie in `trained` (weights, or their gradients), the others in `state`, which may be NULL. */
static const vq_param *infinite_param(const vq_trainer *t, const float *trained, const float *state)
{
    for (int p = 0; p < t->graph->n_params; p++) {
        const vq_param *param = &t->graph->params[p];
        const float *numbers = param->kind == VQ_PARAM_TRAINED ? trained : state;
        if (numbers && !all_finite(numbers + param->at, param->count)) return param;
    }
    return NULL;
}

vq_status vq_trainer_check(const vq_trainer *t)
{
    const vq_param *param = infinite_param(t, t->moments.parameters, t->state);
    VQ_CHECK(t->ctx, !param, VQ_E_NUMERIC, "step %lld: the numbers of %s are not all finite",
             (long long)t->step, param->name);
    return VQ_OK;
}

/* What comes first in the computation is blamed: weights, then terms of the loss, then their
 * gradients. */
vq_status vq_trainer_blame(vq_trainer *t, double loss)
{
    const long long step = (long long)t->step + 1;
    const vq_param *param = infinite_param(t, t->moments.parameters, t->state);
    VQ_CHECK(t->ctx, !param, VQ_E_NUMERIC, "step %lld: the numbers of %s are not all finite", step,
             param->name);
    for (int i = 0; i < t->graph->n_terms; i++)
        VQ_CHECK(t->ctx, isfinite(vq_plan_term(t->plan, i)), VQ_E_NUMERIC,
                 "step %lld: the term %s is not finite; try a smaller train.lr or train.clip", step,
                 t->graph->terms[i].name);
    param = infinite_param(t, vq_plan_reduction(t->plan, NULL), NULL);
    VQ_CHECK(t->ctx, !param, VQ_E_NUMERIC,
             "step %lld: the gradient of %s is not finite; try a smaller train.lr or train.clip",
             step, param->name);
    return vq_fail(t->ctx, VQ_E_NUMERIC, "step %lld: the loss is %g or its gradient too large",
                   step, loss);
}

void vq_trainer_fill(vq_trainer *t, const uint8_t *pixels)
{
    const int64_t size[2] = {t->data.height, t->data.width};
    const size_t given = (size_t)(size[0] * size[1] * t->model.channels);
    const size_t padded = (size_t)(t->inner[0] * t->inner[1] * t->model.channels);
    for (size_t i = 0; i < (size_t)t->config.batch; i++)
        vq_pad_image(pixels + i * given, size, t->model.channels, t->pixels + i * padded, t->inner);
}

/* Mean over the levels of the terms that end in `suffix`. */
static double mean_term(const vq_trainer *t, const char *suffix)
{
    double sum = 0.0;
    int count = 0;
    for (int i = 0; i < t->graph->n_terms; i++) {
        const char *dot = strrchr(t->graph->terms[i].name, '.');
        if (!dot || strcmp(dot + 1, suffix) != 0) continue;
        sum += vq_plan_term(t->plan, i);
        count++;
    }
    return count ? sum / count : 0.0;
}

/* Perplexity, codes used in this batch by the finest level and their length (after the update),
 * from the counts in its sums. */
static void measure_codes(vq_trainer *t, vq_step_metrics *m)
{
    const size_t k = (size_t)t->model.level[0].k, dim = (size_t)t->model.level[0].d;
    const float *counts = vq_codebook_counts(t, 0), *codes = vq_codebook_numbers(t, 0);
    double total = 0.0, entropy = 0.0, squares = 0.0;
    m->codes_used = 0;
    for (size_t j = 0; j < k; j++) {
        if (counts[j] == 0.0f) continue;
        total += (double)counts[j];
        squares += (double)counts[j] * vq_squared_length(codes + j * dim, dim);
        m->codes_used++;
    }
    m->code_norm = sqrt(squares / total);
    for (size_t j = 0; j < k; j++) {
        const double share = (double)counts[j] / total;
        if (share > 0.0) entropy -= share * log(share);
    }
    m->perplexity = exp(entropy);
}

static void measure(vq_trainer *t, double loss, double norm, vq_step_metrics *m)
{
    *m = (vq_step_metrics){.step = t->step,
                           .epoch =
                               (double)t->step * (double)t->config.batch / (double)t->data.images,
                           .loss = loss,
                           .mse = mean_term(t, "mse"),
                           .commitment = mean_term(t, "commitment"),
                           .codebook = mean_term(t, "codebook"),
                           .lr = vq_learning_rate(&t->config, t->step),
                           .gradient_norm = norm};
    m->nmse = m->mse / t->data.variance;
    m->revived = t->codebooks.revived;
    m->dead_codes = vq_codebooks_dead(t);
    measure_codes(t, m);
}

/* Operations that meet what is not finite do not know the step, nor whose numbers it came from. */
static vq_status forward(vq_trainer *t)
{
    const vq_status status = vq_plan_forward(t->plan);
    if (status != VQ_E_NUMERIC) return status;
    const vq_param *param = infinite_param(t, t->moments.parameters, t->state);
    if (param) return vq_trainer_blame(t, 0.0);
    return vq_fail(t->ctx, status, "step %lld: %s", (long long)t->step + 1,
                   vq_context_error(t->ctx));
}

vq_status vq_trainer_begin(vq_trainer *t, const uint8_t *pixels)
{
    if (t->step == 0 && !t->started) VQ_TRY(vq_codebooks_start_alone(t, pixels));
    vq_trainer_fill(t, pixels);
    return VQ_OK;
}

/* What a step does besides the plan, in this order. */
typedef enum phase { PHASE_NORM, PHASE_WEIGHTS, PHASE_CODEBOOKS, PHASES } phase;

static void tell(const vq_trainer *t, phase which, bool ended)
{
    if (t->observe)
        t->observe(t->observer, (size_t)vq_plan_rows(t->plan) + (size_t)which, VQ_FORWARD, ended);
}

static double gradient_norm(vq_trainer *t)
{
    tell(t, PHASE_NORM, false);
    const double norm = vq_gradient_norm(t->ctx, vq_plan_reduction(t->plan, NULL),
                                         t->graph->trained_count, t->partials);
    tell(t, PHASE_NORM, true);
    return norm;
}

/* Step t->step, whose gradients and sums are there. */
static vq_status update(vq_trainer *t, double norm)
{
    tell(t, PHASE_WEIGHTS, false);
    vq_optimizer_step(t->ctx, t->graph, &t->config, t->step, vq_clip_scale(&t->config, norm),
                      vq_plan_reduction(t->plan, NULL), &t->moments, t->average);
    tell(t, PHASE_WEIGHTS, true);
    tell(t, PHASE_CODEBOOKS, false);
    VQ_TRY(vq_plan_update(t->plan, t->state, t->step));
    vq_codebooks_follow(t);
    tell(t, PHASE_CODEBOOKS, true);
    return VQ_OK;
}

vq_status vq_trainer_step(vq_trainer *t, const uint8_t *pixels, vq_step_metrics *metrics)
{
    size_t count;
    float *reduction = vq_plan_reduction(t->plan, &count);
    VQ_TRY(vq_trainer_begin(t, pixels));
    VQ_TRY(forward(t));
    VQ_TRY(vq_plan_backward(t->plan));
    if (t->reduce) VQ_TRY(t->reduce(t->reduce_user, reduction, count));

    const double loss = vq_plan_loss(t->plan), norm = gradient_norm(t);
    if (!isfinite(loss) || !isfinite(norm)) return vq_trainer_blame(t, loss);
    t->step++;
    VQ_TRY(update(t, norm));
    if (metrics) measure(t, loss, norm, metrics);
    return VQ_OK;
}

/* ---- reading ---------------------------------------------------------------------- */

vq_status vq_trainer_model(vq_trainer *t, vq_model **out)
{
    const float *weights = t->average ? t->average : t->moments.parameters;
    VQ_TRY(vq_trainer_check(t));
    return vq_model_create(t->ctx, &t->model, t->data.variance, weights, t->state, out);
}

const vq_model_config *vq_trainer_model_config(const vq_trainer *t)
{
    return &t->model;
}

const vq_train_config *vq_trainer_config(const vq_trainer *t)
{
    return &t->config;
}

int64_t vq_trainer_position(const vq_trainer *t)
{
    return t->step;
}

const char *vq_trainer_progress(const vq_trainer *t)
{
    return t->progress;
}

void vq_trainer_set_reduce(vq_trainer *t, vq_reduce_fn reduce, void *user)
{
    t->reduce = reduce;
    t->reduce_user = user;
}

bool vq_trainer_plan(const vq_trainer *t, size_t index, vq_plan_line *line)
{
    static const char *const words[PHASES][2] = {{"gradients", "norm"},
                                                 {"weights", "optimizer"},
                                                 {"codebooks", "update"}};
    const size_t rows = (size_t)vq_plan_rows(t->plan);
    if (index >= rows + PHASES) return false;
    if (index < rows) {
        *line = vq_plan_line_at(t->plan, (int)index);
        return true;
    }
    const char *const *of = words[index - rows];
    *line = (vq_plan_line){.node = of[0], .operation = of[1]};
    line->implementation[VQ_FORWARD] = vq_kernels_of(t->ctx)->name;
    return true;
}

void vq_trainer_observe(vq_trainer *t, vq_observe_fn *observe, void *user)
{
    t->observe = observe;
    t->observer = user;
    vq_plan_observe(t->plan, 0, observe, user);
}

size_t vq_trainer_bytes(const vq_trainer *t)
{
    const size_t copies = t->average ? 4 : 3; /* weights, two moments, average */
    return vq_plan_bytes(t->plan) +
           (copies * t->graph->trained_count + t->graph->state_count) * sizeof(float);
}
