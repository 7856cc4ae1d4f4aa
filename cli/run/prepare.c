/* SPDX-License-Identifier: Apache-2.0
 * cli/run/prepare.c -- everything a training needs before its first step. */
#include "run/training.h"
#include <inttypes.h>
#include <jansson.h>
#include <unistd.h>

/* Sizes that the model fixes are what the data must deliver. */
static vq_data_config data_config(const settings *s, bool augment)
{
    vq_data_config config = s->data;
    if (config.height == 0 && config.width == 0) {
        config.height = s->model.height;
        config.width = s->model.width;
    }
    if (config.channels == 0) config.channels = s->model.channels;
    config.augment = augment;
    return config;
}

/* What the model's settings leave open comes from the data; the rest must agree with it. */
static int fit_sizes(program *p, training *t, const int64_t size[3])
{
    static const char *const names[] = {"height", "width", "channels"};
    vq_model_config *model = &t->settings.model;
    int64_t *const fields[] = {&model->height, &model->width, &model->channels};
    for (int i = 0; i < 3; i++) {
        if (*fields[i] == 0) *fields[i] = size[i];
        if (*fields[i] != size[i])
            return fail(p, BAD_USAGE,
                        "model.%s is %" PRId64 ", but the data give %" PRId64
                        "; leave model.%s or data.%s out",
                        names[i], *fields[i], size[i], names[i], names[i]);
    }
    t->about.height = size[0];
    t->about.width = size[1];
    return DONE;
}

/* Whatever the data are, they cannot be delivered so. */
static int check_sizes(program *p, const vq_data_config *c)
{
    if (c->channels == 2 || c->channels > 3)
        return fail(p, BAD_USAGE,
                    "model.channels or data.channels is %" PRId64 "; images have 1 or 3",
                    c->channels);
    if ((c->height == 0) == (c->width == 0)) return DONE;
    return fail(p, BAD_USAGE,
                "the height of images is %" PRId64 ", their width %" PRId64
                "; give both or neither",
                c->height, c->width);
}

static int open_data(program *p, training *t)
{
    enum { PLAIN_CACHE_MB = 64 }; /* holds the held-out images, not all */
    const bool augments = t->settings.data.flip || t->settings.data.crop_pad > 0;
    vq_data_config config = data_config(&t->settings, true);
    int64_t size[3];
    TRY(check_sizes(p, &config));
    TRY(lib(p, vq_dataset_open(p->ctx, t->source.data, &config, &t->data)));
    vq_dataset_size(t->data, size);
    config.height = size[0];
    config.width = size[1];
    config.channels = size[2];
    config.augment = false;
    if (config.cache_mb > PLAIN_CACHE_MB) config.cache_mb = PLAIN_CACHE_MB;
    if (augments) TRY(lib(p, vq_dataset_open(p->ctx, t->source.data, &config, &t->plain)));
    else t->plain = t->data;
    if (t->source.valid[0])
        TRY(lib(p, vq_dataset_open(p->ctx, t->source.valid, &config, &t->other_valid)));
    return fit_sizes(p, t, size);
}

static int divide(program *p, training *t)
{
    const int64_t n = vq_dataset_count(t->data);
    const int64_t held = t->other_valid ? 0 : split_held(n);
    if (n <= held)
        return fail(p, BAD_INPUT,
                    "%s has %" PRId64 " image; training needs one and one to hold out: name others "
                    "with --valid",
                    t->source.data, n);
    if (t->source.images > 0 && (t->source.images != n || t->source.held != held))
        return fail(p, BAD_INPUT,
                    "%s has %" PRId64 " images, but had %" PRId64 " when the run was started",
                    t->source.data, n, t->source.images);
    t->source.images = n;
    t->source.held = held;
    t->about.images = n - held;
    return split_make(p, n, held, t->settings.train.seed, &t->parts);
}

static int measure(program *p, training *t)
{
    double mean;
    say(p, "reading %" PRId64 " images", t->parts.n_train);
    TRY(lib(p, vq_dataset_moments(p->ctx, t->data, t->parts.train, (size_t)t->parts.n_train, NULL,
                                  &mean, &t->about.variance)));
    if (t->about.variance > 0) return DONE;
    return fail(p, BAD_INPUT, "all pixels of %s are alike; there is nothing to learn",
                t->source.data);
}

/* ceil(epochs * images / batch), refused where it overflows. */
static int steps_of_epochs(program *p, training *t)
{
    int64_t images;
    if (__builtin_mul_overflow(t->epochs, t->about.images, &images))
        return fail(p, BAD_USAGE, "--epochs %" PRId64 " is too many", t->epochs);
    t->steps = images / t->settings.train.batch + (images % t->settings.train.batch != 0);
    return DONE;
}

static int make_trainer(program *p, training *t)
{
    vq_model *init = NULL;
    int code;
    if (t->source.init[0]) TRY_TO(lib(p, vq_model_load(p->ctx, t->source.init, &init)));
    TRY_TO(lib_usage(p, vq_trainer_create(p->ctx, &t->settings.model, &t->settings.train, &t->about,
                                          t->source.backend, init, &t->trainer)));
done:
    vq_model_destroy(p->ctx, init);
    return code;
}

/* The state knows what was trained; how often is logged, validated and saved is no part of it. */
static void take_train_settings(training *t)
{
    const vq_train_config given = t->settings.train;
    vq_train_config *now = &t->settings.train;
    *now = *vq_trainer_config(t->trainer);
    now->log_every = given.log_every;
    now->valid_every = given.valid_every;
    now->save_every = given.save_every;
}

static int resume_trainer(program *p, training *t)
{
    TRY(lib(p, vq_trainer_resume(p->ctx, t->folder.state, t->steps, &t->about, &t->trainer)));
    json_t *kept = json_loads(vq_trainer_progress(t->trainer), 0, NULL);
    t->best_step = json_integer_value(json_object_get(kept, "best_step"));
    t->best_nmse = json_number_value(json_object_get(kept, "best_nmse"));
    json_decref(kept);
    take_train_settings(t);
    const int64_t at = vq_trainer_position(t->trainer);
    if (t->settings.train.steps >= at) return DONE;
    return fail(p, BAD_USAGE, "%s is at step %" PRId64 " already; %" PRId64 " steps are fewer",
                t->folder.root, at, t->settings.train.steps);
}

int training_prepare(program *p, training *t, bool dry)
{
    TRY(open_data(p, t));
    TRY(divide(p, t));
    if (t->epochs > 0) TRY(steps_of_epochs(p, t));
    if (t->steps > 0) t->settings.train.steps = t->steps;
    t->new_length = t->from_state && t->steps > 0;
    t->about.variance = 1.0; /* stands in where no pixels are read */
    if (!dry) TRY(measure(p, t));
    return t->from_state ? resume_trainer(p, t) : make_trainer(p, t);
}

const vq_dataset *training_valid(const training *t, const int64_t **indices, int64_t *n)
{
    *indices = t->other_valid ? NULL : t->parts.held;
    *n = t->other_valid ? vq_dataset_count(t->other_valid) : t->parts.n_held;
    return t->other_valid ? t->other_valid : t->plain;
}

void training_clear(program *p, training *t)
{
    vq_trainer_destroy(t->trainer);
    split_clear(&t->parts);
    if (t->other_valid) vq_dataset_close(p->ctx, t->other_valid);
    if (t->plain && t->plain != t->data) vq_dataset_close(p->ctx, t->plain);
    if (t->data) vq_dataset_close(p->ctx, t->data);
    if (t->lock >= 0) (void)close(t->lock);
}

int run_valid_open(program *p, const run_source *source, const settings *s, vq_dataset **data,
                   split *parts)
{
    vq_data_config config = data_config(s, false);
    config.cache_mb = 0;
    const char *path = source->valid[0] ? source->valid : source->data;
    TRY(lib(p, vq_dataset_open(p->ctx, path, &config, data)));
    if (source->valid[0]) return DONE;
    int code = DONE;
    if (vq_dataset_count(*data) != source->images)
        code = fail(p, BAD_INPUT, "%s no longer has the %" PRId64 " images of the run", path,
                    source->images);
    else code = split_make(p, source->images, source->held, s->train.seed, parts);
    if (code == DONE) return DONE;
    vq_dataset_close(p->ctx, *data);
    *data = NULL;
    return code;
}
