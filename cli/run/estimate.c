/* SPDX-License-Identifier: Apache-2.0
 * cli/run/estimate.c -- what a training will take, measured on its first images.
 *
 * A few steps of the trainer as it was prepared, a batch of a validation, and writing as much as a
 * save does, are timed and then thrown away. What they took in memory is what a training takes but
 * for the pixels it keeps. */
#include "run/estimate.h"
#include "facts.h"
#include "walk.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds of each part. */
typedef struct times {
    double opening;     /* data, and all else before images are read */
    double image;       /* to read and decode one, on one thread */
    double step, batch; /* of training; of images in a validation */
    double save, best;  /* to save all; to save a model that is the best so far */
} times;

/* Floating-point operations of a step's products. */
static double step_work(const training *t)
{
    vq_plan_line line;
    double sum = 0.0;
    for (size_t i = 0; vq_trainer_plan(t->trainer, i, &line); i++)
        for (int d = 0; d < VQ_DIRECTIONS; d++) sum += line.flops[d];
    return sum;
}

/* ---- measuring ----------------------------------------------------------- */

/* The first images trained on, as many as a batch has; those that cannot be read are grey. */
static int read_batch(program *p, const training *t, uint8_t **pixels, double *image)
{
    enum { GREY = 128 };
    const int64_t batch = t->settings.train.batch, n = t->parts.n_train;
    int64_t size[3];
    void *memory = NULL;
    vq_dataset_size(t->data, size);
    const size_t bytes = (size_t)(size[0] * size[1] * size[2]);
    TRY(allocate(p, (size_t)batch, bytes, &memory));
    *pixels = memory;
    const double began = seconds_now();
    for (int64_t i = 0; i < batch; i++) {
        const int64_t index = t->parts.train[i % n];
        uint8_t *to = *pixels + (size_t)i * bytes;
        if (vq_dataset_get(p->ctx, t->data, index, (vq_data_key){.epoch = 0}, to) != VQ_OK)
            memset(to, GREY, bytes);
    }
    *image = (seconds_now() - began) / (double)(batch < n ? batch : n);
    return DONE;
}

/* The mean, as a training meets whatever else the machine does; but without the first step, which
 * asks for memory and fits codebooks. */
static int time_steps(program *p, const training *t, const uint8_t *pixels, double *step)
{
    enum { LEAST = 3, MOST = 100 };
    static const double long_enough = 2.0; /* seconds */
    TRY(lib(p, vq_trainer_step(t->trainer, pixels, NULL)));
    const double began = seconds_now();
    int n = 0;
    for (double passed = 0.0; n < LEAST || (n < MOST && passed < long_enough); n++) {
        TRY(lib(p, vq_trainer_step(t->trainer, pixels, NULL)));
        passed = seconds_now() - began;
        *step = passed / (n + 1);
    }
    return DONE;
}

static int time_validation(program *p, const training *t, const uint8_t *pixels, double *batch)
{
    enum { TRIES = 3 };
    const int64_t n = t->settings.train.batch;
    vq_model *model = NULL;
    vq_session *session = NULL;
    vq_evaluation sums = {0};
    int code;
    TRY_TO(lib(p, vq_trainer_model(t->trainer, &model)));
    TRY_TO(lib(p, vq_evaluation_create(p->ctx, model, &sums)));
    TRY_TO(session_for(p, model, t->data, n, training_validates_in(t), &session));
    const double began = seconds_now();
    for (int i = 0; i < TRIES; i++)
        TRY_TO(lib(p, vq_session_evaluate(session, n, pixels, &sums, NULL, NULL)));
    *batch = (seconds_now() - began) / TRIES;
done:
    vq_session_destroy(session);
    vq_evaluation_clear(p->ctx, &sums);
    vq_model_destroy(p->ctx, model);
    return code;
}

/* Seconds until so many bytes are safe on the disk of the run, in a file without a name; 0 where
 * the folder is yet to be made. */
static int time_writing(program *p, const training *t, size_t bytes, double *seconds)
{
    static const char zeros[1 << 16];
    const char *root = t->folder.root;
    char parent[PATH_ROOM], path[PATH_ROOM];
    *seconds = 0.0;
    TRY(path_parent(p, root, parent));
    TRY(path_format(p, path, "%s/vqvae-XXXXXX", path_is_folder(root) ? root : parent));
    const int file = mkstemp(path);
    if (file < 0) return DONE;
    (void)unlink(path);
    const double began = seconds_now();
    while (bytes > 0) {
        const ssize_t n = write(file, zeros, bytes < sizeof zeros ? bytes : sizeof zeros);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        bytes -= (size_t)n;
    }
    const bool safe = bytes == 0 && fsync(file) == 0;
    const int why = errno;
    *seconds = seconds_now() - began;
    (void)close(file);
    if (safe) return DONE;
    return fail(p, MACHINE_FAILED, "%s could not be saved to: %s", root, strerror(why));
}

/* A save writes each weight four times: in the model, in the state, and there as two moments.
 * Beside the state it syncs the model, the metrics, and the folder twice. A best model is one more
 * file. */
static int time_saves(program *p, const training *t, size_t parameters, times *out)
{
    double all, little;
    TRY(time_writing(p, t, 4 * sizeof(float) * parameters, &all));
    TRY(time_writing(p, t, 1, &little));
    out->save = all + 4.0 * little;
    out->best = all / 4.0 + little;
    return DONE;
}

static int measure(program *p, const training *t, size_t parameters, times *out)
{
    uint8_t *pixels = NULL;
    int code;
    TRY_TO(read_batch(p, t, &pixels, &out->image));
    TRY_TO(time_steps(p, t, pixels, &out->step));
    TRY_TO(time_validation(p, t, pixels, &out->batch));
    TRY_TO(time_saves(p, t, parameters, out));
done:
    free(pixels);
    return code;
}

/* ---- putting together ---------------------------------------------------- */

/* Share of the decoded images that the cache holds, and their bytes. */
static double cached_share(const training *t, double *bytes)
{
    int64_t size[3];
    vq_dataset_size(t->data, size);
    const double all = (double)(size[0] * size[1] * size[2]) * (double)t->source.images;
    const double room = (double)t->settings.data.cache_mb * (1 << 20);
    *bytes = all < room ? all : room;
    return *bytes / all;
}

/* How often in all steps what is done every so many, and at the end. */
static int64_t times_due(const training *t, int64_t every)
{
    const int64_t steps = t->settings.train.steps;
    const int64_t last = every > 0 && steps % every == 0 ? 0 : 1;
    return last + (every > 0 ? steps / every - t->steps_done / every : 0);
}

static json_t *time_facts(const program *p, const training *t, const times *s)
{
    const int64_t batch = t->settings.train.batch, *indices;
    int64_t n_valid;
    double cached;
    (void)training_valid(t, &indices, &n_valid);
    const double image = s->image / vq_context_threads(p->ctx);
    const double reading = s->opening + image * (double)(t->parts.n_train + n_valid);
    const double decoding = image * (double)batch * (1.0 - cached_share(t, &cached));
    const double step = s->step + decoding;
    const double validation = s->batch * (double)((n_valid + batch - 1) / batch) + s->best;
    const int64_t steps = t->settings.train.steps - t->steps_done;
    const int64_t n = times_due(t, t->settings.train.valid_every);
    const int64_t saves = times_due(t, t->settings.train.save_every);
    const double all = reading + (double)steps * step + (double)n * validation;
    return json_pack("{s:o, s:o, s:o, s:I, s:o, s:I, s:o}", "reading_seconds", fact_number(reading),
                     "step_seconds", fact_number(step), "validation_seconds",
                     fact_number(validation), "validations", (json_int_t)n, "saving_seconds",
                     fact_number(s->save), "saves", (json_int_t)saves, "estimated_seconds",
                     fact_number(all + (double)saves * s->save));
}

/* Bytes of a validation beside the training: a model, a session for it and batches ahead. */
static int valid_bytes(program *p, const training *t, const vq_model *model, double *bytes)
{
    const int64_t *indices;
    int64_t n, batch = t->settings.train.batch;
    vq_session *session = NULL;
    const vq_dataset *data = training_valid(t, &indices, &n);
    if (n > 0 && n < batch) batch = n;
    TRY(session_for(p, model, data, batch, training_validates_in(t), &session));
    *bytes = (double)vq_session_bytes(session) + (double)vq_loader_bytes(data, batch) +
             sizeof(float) * (double)vq_model_parameters(model);
    vq_session_destroy(session);
    return DONE;
}

/* Most bytes held at a time: the trainer's, the images', and those of the start or of a
 * validation. What the system and libraries take of their own is not counted. */
static int memory_bytes(program *p, const training *t, const vq_model *model, double *bytes)
{
    const double start = (double)vq_trainer_fit_bytes(t->trainer);
    double valid, cached;
    TRY(valid_bytes(p, t, model, &valid));
    (void)cached_share(t, &cached);
    *bytes = (double)vq_trainer_bytes(t->trainer) + cached +
             (double)vq_loader_bytes(t->data, t->settings.train.batch) +
             (start > valid ? start : valid);
    return DONE;
}

static int measure_model(program *p, const training *t, size_t *parameters, double *bytes)
{
    vq_model *model = NULL;
    TRY(lib(p, vq_trainer_model(t->trainer, &model)));
    *parameters = vq_model_parameters(model);
    const int code = memory_bytes(p, t, model, bytes);
    vq_model_destroy(p->ctx, model);
    return code;
}

/* ---- more than there is ---------------------------------------------------- */

/* What a trainer takes with so many images a step; false where that is too much by itself. */
static bool measure_batch(program *p, const training *t, int64_t batch, double *bytes,
                          size_t *parameters)
{
    vq_train_config config = t->settings.train;
    vq_trainer *trainer = NULL;
    vq_model *model = NULL;
    config.batch = batch;
    const bool fits = vq_trainer_create(p->ctx, &t->settings.model, &config, &t->about,
                                        t->source.backend, NULL, &trainer) == VQ_OK &&
                      vq_trainer_model(trainer, &model) == VQ_OK;
    if (fits) *bytes = (double)vq_trainer_bytes(trainer);
    if (fits) *parameters = vq_model_parameters(model);
    vq_model_destroy(p->ctx, model);
    vq_trainer_destroy(trainer);
    return fits;
}

static size_t largest_codebook(const vq_model_config *config)
{
    size_t largest = 0;
    for (size_t i = 1; i < config->n_levels; i++)
        if (config->level[i].k * config->level[i].d >
            config->level[largest].k * config->level[largest].d)
            largest = i;
    return largest;
}

/* Memory grows with the batch in a straight line, which two small ones give. */
int training_too_large(program *p, const training *t)
{
    char sentence[512];
    double one, two;
    size_t parameters;
    const int64_t batch = t->settings.train.batch;
    const vq_model_config *config = &t->settings.model;
    (void)snprintf(sentence, sizeof sentence, "%.500s", p->error);
    if (measure_batch(p, t, 1, &one, &parameters) && measure_batch(p, t, 2, &two, &parameters))
        return fail(p, MACHINE_FAILED,
                    "%s: a training of %zu parameters takes about %.0f MB at a batch of %" PRId64
                    ", %.0f MB at 1 and %.1f MB more for each image; lower train.batch",
                    sentence, parameters, (one + (double)(batch - 1) * (two - one)) / (1 << 20),
                    batch, one / (1 << 20), (two - one) / (1 << 20));
    const size_t l = largest_codebook(config);
    const double numbers = (double)config->level[l].k * (double)config->level[l].d;
    return fail(p, MACHINE_FAILED,
                "%s, even at a batch of 1: the codebook of model.level.%zu alone is %" PRId64
                " x %" PRId64 " parameters, %.0f MB for each of several copies that a training "
                "holds; lower model.level.%zu.k and .d, or the width of the levels",
                sentence, l, config->level[l].k, config->level[l].d,
                numbers * sizeof(float) / (1 << 20), l);
}

int training_estimate(program *p, const training *t, double opening, json_t **facts)
{
    const vq_model_config *config = vq_trainer_model_config(t->trainer);
    const int64_t size[] = {config->height, config->width, config->channels}, *indices;
    times seconds = {.opening = opening};
    int64_t n_valid;
    double memory;
    size_t parameters;
    json_t *all = NULL;
    (void)training_valid(t, &indices, &n_valid);
    TRY(measure_model(p, t, &parameters, &memory));
    TRY(measure(p, t, parameters, &seconds));
    TRY(settings_write(p, &t->settings, &all));
    json_t *time = time_facts(p, t, &seconds);
    *facts = json_pack("{s:o, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:i, s:o}", "data",
                       fact_text(t->source.data), "training_images", (json_int_t)t->about.images,
                       "held_out_images", (json_int_t)n_valid, "image", fact_list(size, 3),
                       "parameters", (json_int_t)parameters, "steps",
                       (json_int_t)t->settings.train.steps, "steps_done", (json_int_t)t->steps_done,
                       "memory_mb", fact_number(memory / (1 << 20)), "threads",
                       vq_context_threads(p->ctx), "step_gflop", fact_number(1e-9 * step_work(t)));
    if (*facts) (void)json_object_update(*facts, time);
    if (*facts) (void)json_object_set(*facts, "settings", all);
    json_decref(time);
    json_decref(all);
    return *facts ? DONE : fail(p, MACHINE_FAILED, "no memory for the plan of a training");
}
