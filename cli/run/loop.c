/* SPDX-License-Identifier: Apache-2.0
 * cli/run/loop.c -- steps, validations, saves; and stopping in between.
 *
 * The state is the truth: everything else that a save writes is written before it, and what
 * lies beyond its step is cut or written anew, with the same bits, on resuming. So a kill at any
 * moment loses steps, never a run. */
#include "interrupt.h"
#include "run/training.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* Which image of the dataset the trainer's next one is. */
typedef struct train_order {
    const vq_trainer *trainer;
    const int64_t *indices;
} train_order;

static void order_of_training(const void *state, int64_t step, int64_t slot, int64_t *index,
                              uint64_t *epoch)
{
    const train_order *order = state;
    int64_t item;
    vq_trainer_order(order->trainer, step, slot, &item, epoch);
    *index = order->indices[item];
}

typedef struct loop {
    training *t;
    metrics_log metrics;
    progress progress;
    vq_loader *loader;
    double waited; /* seconds that loaders before this one kept steps waiting */
    train_order order;
    int64_t saved; /* step of the state on the disk; -1: none */
} loop;

/* Wall-clock times stay out of the state: equal trainings give equal files. */
int training_save_state(program *p, training *t)
{
    char kept[128];
    if (t->best_step > 0)
        (void)snprintf(kept, sizeof kept, "{\"best_step\": %" PRId64 ", \"best_nmse\": %.17g}",
                       t->best_step, t->best_nmse);
    else (void)snprintf(kept, sizeof kept, "{}");
    return lib_writing(p, vq_trainer_save(t->trainer, t->folder.state, kept));
}

static int save_model(program *p, training *t, const char *path)
{
    vq_model *model = NULL;
    TRY(lib(p, vq_trainer_model(t->trainer, &model)));
    const int code = lib_writing(p, vq_model_save(p->ctx, model, path));
    vq_model_destroy(p->ctx, model);
    return code;
}

static int save_all(program *p, loop *l)
{
    const double began = seconds_now();
    TRY(metrics_sync(p, &l->metrics));
    TRY(run_skipped_write(p, &l->t->folder, &l->t->skips));
    TRY(save_model(p, l->t, l->t->folder.model));
    TRY(training_save_state(p, l->t));
    l->saved = vq_trainer_position(l->t->trainer);
    l->progress.paused += seconds_now() - began;
    return DONE;
}

static int validate(program *p, loop *l, score *out)
{
    training *t = l->t;
    const int64_t step = vq_trainer_position(t->trainer);
    const double began = seconds_now();
    const int64_t *indices;
    int64_t n;
    vq_model *model = NULL;
    int code;
    const vq_dataset *data = training_valid(t, &indices, &n);
    const evaluated what = {.data = data,
                            .indices = indices,
                            .n = n,
                            .batch = t->settings.train.batch,
                            .how = training_validates_in(t),
                            .source = t->source.valid[0] ? t->source.valid : t->source.data,
                            .skips = &t->skips};
    TRY_TO(lib(p, vq_trainer_model(t->trainer, &model)));
    TRY_TO(evaluate(p, model, &what, out, NULL));
    if (out->images == 0)
        TRY_TO(fail(p, BAD_INPUT, "%s: none of the %" PRId64 " held-out images can be read now",
                    what.source, n));
    const bool best = isfinite(out->nmse) && (t->best_step == 0 || out->nmse < t->best_nmse);
    progress_valid(p, step, out, best);
    if (best) {
        t->best_step = step;
        t->best_nmse = out->nmse;
        TRY_TO(lib_writing(p, vq_model_save(p->ctx, model, t->folder.best)));
    }
done:
    vq_model_destroy(p->ctx, model);
    l->progress.paused += seconds_now() - began;
    return code;
}

/* Images that cannot be read end a training; what it has learned is kept. */
static int data_failed(program *p, loop *l, int code)
{
    char sentence[sizeof p->error];
    const int64_t at = vq_trainer_position(l->t->trainer);
    memcpy(sentence, p->error, sizeof sentence);
    if (l->saved != at && save_all(p, l) != DONE) return fail(p, code, "%s", sentence);
    return fail(p, code, "%.900s; %.900s keeps step %" PRId64, sentence, l->t->folder.state, at);
}

static bool is_due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

/* What follows a step: a line, a validation, a save, as they fall due. */
static int after_step(program *p, loop *l, const vq_step_metrics *m)
{
    training *t = l->t;
    const bool last = m->step == t->settings.train.steps;
    const bool validates = last || is_due(m->step, t->settings.train.valid_every);
    score valid;
    progress_step(p, &l->progress, m);
    if (validates || is_due(m->step, t->settings.train.log_every)) {
        const pace at =
            progress_pace(&l->progress, m->step, l->waited + vq_loader_waited(l->loader));
        progress_line(p, &l->progress, m);
        const int code = validates ? validate(p, l, &valid) : DONE;
        const bool valid_known = validates && code == DONE;
        TRY(metrics_add(p, &l->metrics, m, valid_known ? &valid : NULL, &at));
        if (code == BAD_INPUT && p->status != VQ_E_NUMERIC) return data_failed(p, l, code);
        TRY(code);
    }
    if (last || interrupted() || is_due(m->step, t->settings.train.save_every)) TRY(save_all(p, l));
    return DONE;
}

/* What is on the disk stays: it is the last good state. */
static int diverged(program *p, const loop *l)
{
    char sentence[sizeof p->error], kept[PATH_ROOM + 32] = "nothing was saved yet";
    memcpy(sentence, p->error, sizeof sentence);
    if (l->saved >= 0)
        (void)snprintf(kept, sizeof kept, "%s keeps step %" PRId64, l->t->folder.state, l->saved);
    return fail(p, DIVERGED,
                "training diverged after step %" PRId64 ": %.900s; %.900s, try a lower "
                "train.lr",
                vq_trainer_position(l->t->trainer), sentence, kept);
}

/* Images that vanished since they were read first: others of the batch stand in for them, but a
 * batch of nothing else has nothing to learn from. */
static int check_batch(program *p, loop *l)
{
    const training *t = l->t;
    const int64_t batch = t->settings.train.batch;
    int64_t bad = 0;
    for (int64_t i = 0; i < batch; i++) bad += vq_loader_item(l->loader, i).status != VQ_OK;
    for (int64_t i = 0; i < batch && bad > 0; i++) {
        const vq_loaded item = vq_loader_item(l->loader, i);
        if (item.status == VQ_OK) continue;
        if (bad == batch) return fail(p, BAD_INPUT, "%s", item.sentence);
        TRY(skip_image(p, &l->t->skips, t->source.data, t->data, item.index, item.status,
                       item.sentence));
    }
    return DONE;
}

/* ---- images, and fits of the codebooks --------------------------------------------- */

static int open_loader(program *p, loop *l, int64_t step)
{
    const training *t = l->t;
    const vq_train_config *config = &t->settings.train;
    TRY(lib(p, vq_loader_create(p->ctx, t->data, order_of_training, &l->order, config->seed,
                                config->batch, step, 0, &l->loader)));
    vq_loader_set_skip(l->loader, !t->skips.strict);
    return DONE;
}

static void close_loader(program *p, loop *l)
{
    if (!l->loader) return;
    l->waited += vq_loader_waited(l->loader);
    vq_loader_destroy(p->ctx, l->loader);
    l->loader = NULL;
}

/* What a fit to several batches asks for; `code` is that of a failure of ours. */
typedef struct fit_source {
    program *p;
    loop *l;
    int code;
} fit_source;

static vq_status next_of_fit(void *user, int64_t step, const uint8_t **pixels)
{
    fit_source *s = user;
    if (interrupted()) return VQ_E_CANCELLED;
    if (step == vq_trainer_position(s->l->t->trainer)) {
        close_loader(s->p, s->l);
        s->code = open_loader(s->p, s->l, step);
    }
    if (s->code == DONE) s->code = lib(s->p, vq_loader_next(s->p->ctx, s->l->loader, pixels));
    if (s->code == DONE) s->code = check_batch(s->p, s->l);
    return s->code == DONE ? VQ_OK : VQ_E_IO;
}

/* Stopped here, nothing is lost: resuming fits anew. The loader is left where the steps go on. */
static int fit(program *p, loop *l)
{
    fit_source source = {.p = p, .l = l, .code = DONE};
    const int64_t at = vq_trainer_position(l->t->trainer);
    if (vq_trainer_wants_fit(l->t->trainer)) {
        const double began = seconds_now();
        close_loader(p, l);
        const double waited = l->waited;
        const vq_status status = vq_trainer_fit(l->t->trainer, next_of_fit, &source);
        close_loader(p, l);
        l->waited = waited;
        l->progress.paused += seconds_now() - began;
        if (source.code != DONE) return at > 0 ? data_failed(p, l, source.code) : source.code;
        if (status != VQ_E_CANCELLED) TRY(lib(p, status));
    }
    return l->loader ? DONE : open_loader(p, l, at);
}

/* ---- steps ---------------------------------------------------------------------- */

static int step(program *p, loop *l)
{
    const uint8_t *pixels = NULL;
    vq_step_metrics m;
    TRY(fit(p, l));
    if (interrupted()) return DONE;
    int code = lib(p, vq_loader_next(p->ctx, l->loader, &pixels));
    if (code == DONE) code = check_batch(p, l);
    if (code != DONE) return data_failed(p, l, code);
    TRY(lib(p, vq_trainer_step(l->t->trainer, pixels, &m)));
    return after_step(p, l, &m);
}

static int steps(program *p, loop *l)
{
    training *t = l->t;
    while (vq_trainer_position(t->trainer) < t->settings.train.steps && !interrupted()) {
        const int code = step(p, l);
        if (code != DONE) return p->status == VQ_E_NUMERIC ? diverged(p, l) : code;
    }
    const int64_t at = vq_trainer_position(t->trainer);
    if (at >= t->settings.train.steps) return DONE;
    if (l->saved != at) TRY(save_all(p, l));
    return fail(p, INTERRUPTED,
                "stopped and saved at step %" PRId64 " of %" PRId64
                "; `vqvae train -o %s --resume` goes on",
                at, t->settings.train.steps, t->folder.root);
}

int training_run(program *p, training *t)
{
    const int64_t first = vq_trainer_position(t->trainer);
    const vq_train_config *config = &t->settings.train;
    loop l = {.t = t, .saved = t->from_state ? first : -1, .order = {t->trainer, t->parts.train}};
    int code;
    progress_begin(&l.progress, config->steps, first, config->batch,
                   vq_trainer_model_config(t->trainer)->level[0].k);
    TRY_TO(metrics_cut(p, t->folder.metrics, first, &l.progress.seconds_before));
    TRY_TO(metrics_open(p, t->folder.metrics, &l.metrics));
    TRY_TO(steps(p, &l));
    close_loader(p, &l);
    t->data_wait = progress_wait(&l.progress, l.waited);
done:
    close_loader(p, &l);
    metrics_close(&l.metrics);
    return code;
}
