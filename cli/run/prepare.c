/* SPDX-License-Identifier: Apache-2.0
 * cli/run/prepare.c -- everything a training needs before its first step. */
#include "interrupt.h"
#include "run/copies.h"
#include "run/training.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>
#include <vqvae/tensor.h>

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
    TRY(run_source_open(p, &t->source, &config, &t->data));
    vq_dataset_size(t->data, size);
    config.height = size[0];
    config.width = size[1];
    config.channels = size[2];
    config.augment = false;
    if (config.cache_mb > PLAIN_CACHE_MB) config.cache_mb = PLAIN_CACHE_MB;
    if (augments) TRY(run_source_open(p, &t->source, &config, &t->plain));
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
    TRY(split_make(p, n, held, t->settings.train.seed, &t->parts));
    return t->other_valid ? split_hold_all(p, vq_dataset_count(t->other_valid), &t->parts) : DONE;
}

/* A pass over images of a training, which can be interrupted. */
typedef struct reading {
    program *p;
    training *t;
    const vq_dataset *data;
    const char *source;
    index_list skipped;
    int code; /* of an image that is not left out */
} reading;

static bool not_interrupted(void *user, uint64_t images)
{
    (void)user, (void)images;
    return !interrupted();
}

static bool leave_out(void *user, int64_t index, vq_status status, const char *sentence)
{
    reading *r = user;
    r->code = skip_image(r->p, &r->t->skips, r->source, r->data, index, status, sentence);
    if (r->code == DONE) r->code = index_add(r->p, &r->skipped, index);
    return r->code == DONE;
}

/* Reads the listed images and drops those from the list, and their hashes, that cannot be read. */
static int read_images(program *p, training *t, const vq_dataset *data, const char *source,
                       int64_t *list, int64_t *n, uint64_t *hashes, double *variance)
{
    double mean;
    int64_t kept = 0;
    reading r = {.p = p, .t = t, .data = data, .source = source};
    const vq_data_pass pass = {
        .go_on = not_interrupted, .skip = leave_out, .user = &r, .hashes = hashes};
    const vq_status status =
        vq_dataset_moments(p->ctx, data, list, (size_t)*n, &pass, &mean, variance);
    const int code = r.code != DONE ? r.code : lib(p, status);
    for (int64_t i = 0; i < *n; i++)
        if (hashes[i]) hashes[kept++] = hashes[i];
    split_drop(list, n, &r.skipped);
    free(r.skipped.items);
    return code;
}

/* Which images cannot be read is found before the first step, so that every epoch and every
 * validation of a run is over the same images. */
static int measure(program *p, training *t)
{
    split *parts = &t->parts;
    const char *other = t->source.valid[0] ? t->source.valid : t->source.data;
    void *memory = NULL;
    double unused;
    int code;
    TRY(allocate(p, (size_t)(parts->n_train + parts->n_held), sizeof(uint64_t), &memory));
    uint64_t *hashes = memory;
    say(p, "reading %" PRId64 " image%s", parts->n_train, parts->n_train == 1 ? "" : "s");
    TRY_TO(read_images(p, t, t->data, t->source.data, parts->train, &parts->n_train, hashes,
                       &t->about.variance));
    t->about.images = parts->n_train;
    if (!(t->about.variance > 0))
        TRY_TO(fail(p, BAD_INPUT, "all pixels of %s are alike; there is nothing to learn",
                    t->source.data));
    TRY_TO(read_images(p, t, t->other_valid ? t->other_valid : t->plain, other, parts->held,
                       &parts->n_held, hashes + parts->n_train, &unused));
    skips_tell(p, &t->skips, t->folder.skipped);
    TRY_TO(copies_tell(p, t, hashes));
done:
    free(memory);
    return code;
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

static int check_length(program *p, const training *t, int64_t at)
{
    if (t->settings.train.steps >= at) return DONE;
    return fail(p, BAD_USAGE, "%s is at step %" PRId64 " already; %" PRId64 " steps are fewer",
                t->folder.root, at, t->settings.train.steps);
}

static int resume_trainer(program *p, training *t)
{
    TRY(lib(p, vq_trainer_resume(p->ctx, t->folder.state, t->steps, &t->about, &t->trainer)));
    json_t *kept = json_loads(vq_trainer_progress(t->trainer), 0, NULL);
    t->best_step = json_integer_value(json_object_get(kept, "best_step"));
    t->best_nmse = json_number_value(json_object_get(kept, "best_nmse"));
    json_decref(kept);
    take_train_settings(t);
    return check_length(p, t, vq_trainer_position(t->trainer));
}

/* What a state trained on is not compared with the data, whose pixels were not read. */
static int plan_on(program *p, training *t)
{
    vq_archive state = {0};
    TRY(lib(p, vq_safetensors_load(p->ctx, t->folder.state, &state)));
    const char *step = vq_archive_meta(&state, "vqvae.step");
    t->steps_done = step ? strtoll(step, NULL, 10) : 0;
    vq_archive_clear(p->ctx, &state);
    TRY(check_length(p, t, t->steps_done));
    return make_trainer(p, t);
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
    if (!t->from_state) return make_trainer(p, t);
    return dry ? plan_on(p, t) : resume_trainer(p, t);
}

const vq_dataset *training_valid(const training *t, const int64_t **indices, int64_t *n)
{
    *indices = t->parts.held;
    *n = t->parts.n_held;
    return t->other_valid ? t->other_valid : t->plain;
}

arithmetic_choice training_validates_in(const training *t)
{
    const int64_t precision = t->settings.train.precision;
    return (arithmetic_choice){.fast = precision != 0, .precision = precision};
}

void training_clear(program *p, training *t)
{
    vq_trainer_destroy(t->trainer);
    split_clear(&t->parts);
    skips_clear(&t->skips);
    if (t->other_valid) vq_dataset_close(p->ctx, t->other_valid);
    if (t->plain && t->plain != t->data) vq_dataset_close(p->ctx, t->plain);
    if (t->data) vq_dataset_close(p->ctx, t->data);
    if (t->lock >= 0) (void)close(t->lock);
}

int run_valid_open(program *p, const run_folder *folder, const run_source *source,
                   const settings *s, vq_dataset **data, split *parts)
{
    vq_data_config config = data_config(s, false);
    const char *path = source->valid[0] ? source->valid : source->data;
    int code;
    config.cache_mb = 0;
    if (source->valid[0]) TRY(lib(p, vq_dataset_open(p->ctx, path, &config, data)));
    else TRY(run_source_open(p, source, &config, data));
    if (source->valid[0]) TRY_TO(split_hold_all(p, vq_dataset_count(*data), parts));
    else if (vq_dataset_count(*data) == source->images)
        TRY_TO(split_make(p, source->images, source->held, s->train.seed, parts));
    else
        TRY_TO(fail(p, BAD_INPUT, "%s no longer has the %" PRId64 " images of the run", path,
                    source->images));
    TRY_TO(run_skipped_drop(p, folder, path, parts));
done:
    if (code == DONE) return DONE;
    split_clear(parts);
    vq_dataset_close(p->ctx, *data);
    *data = NULL;
    return code;
}
