/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/train.c -- vqvae train: a model out of images. */
#include "facts.h"
#include "interrupt.h"
#include "machine.h"
#include "run/estimate.h"
#include "verbs.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_options {
    common_options common;
    const char *out, *preset, *config, *valid, *init, *precision, *backend;
    option_list set;
    int64_t steps, epochs, batch, seed, valid_every, save_every;
    bool resume, force, dry_run, strict;
} train_options;

#define STEPS_MAX INT64_C(1000000000000)
#define TRAIN(...) OPTION(train_options, __VA_ARGS__)
static const option options[] = {
    TRAIN(out, 'o', "RUN", NULL, "folder of the run: models, state, metrics"),
    TRAIN(preset, 'p', "PRESET", "", "settings to start from; `vqvae presets` lists them"),
    TRAIN(config, 'c', "FILE", "", "JSON file of settings, such as a run's config.json"),
    TRAIN(set, 's', "KEY=VALUE", "", "one setting, such as model.level.0.k=1024; repeatable"),
    TRAIN(valid, 0, "DATA", "", "images to validate on; else 5 % (at most 5,000) are held out"),
    TRAIN(steps, 'n', "N", "", "steps to train", .low = 1, .high = STEPS_MAX),
    TRAIN(epochs, 'e', "N", "", "the same as passes over the data", .low = 1, .high = 1 << 30),
    TRAIN(batch, 'b', "N", "", "images a step", .low = 1, .high = 65536),
    TRAIN(seed, 0, "N", "", "of every random choice", .low = 0, .high = INT64_C(1) << 53),
    TRAIN(valid_every, 0, "N", "", "steps between validations; 0: only at the end", .low = 0,
          .high = STEPS_MAX),
    TRAIN(save_every, 0, "N", "", "steps between saves; 0: only at the end", .low = 0,
          .high = STEPS_MAX),
    TRAIN(init, 0, "MODEL", "", "start from the weights and the shape of this model"),
    TRAIN(resume, 'r', NULL, "", "go on where the run stopped; DATA and settings are known then"),
    TRAIN(precision, 0, "NAME", "", "of the products of convolutions", .choices = "f32|bf16"),
    TRAIN(backend, 0, "NAME", "", "whose operations run", .choices = "auto|portable|onednn"),
    TRAIN(dry_run, 0, NULL, "", "say what would be trained and what it would take, and stop"),
    TRAIN(strict, 0, NULL, "", STRICT_HELP),
    TRAIN(force, 'f', NULL, "", "start over where the folder holds a run already"),
};

/* ---- settings ------------------------------------------------------------ */

/* A start from a model has the shape of that model. */
static int model_settings(program *p, const char *path, settings *s)
{
    vq_model *model = NULL;
    TRY(lib(p, vq_model_load(p->ctx, path, &model)));
    s->model = *vq_model_configuration(model);
    vq_model_destroy(p->ctx, model);
    return DONE;
}

/* What is given, over what `s` holds. */
static int compose(program *p, const train_options *o, settings *s)
{
    if (o->preset) TRY(settings_preset(p, o->preset, s));
    if (o->config) TRY(settings_file(p, o->config, s));
    if (o->init) TRY(model_settings(p, o->init, s));
    for (size_t i = 0; i < o->set.n; i++) TRY(settings_set(p, o->set.items[i], s));
    if (o->precision) s->train.precision = strcmp(o->precision, "bf16") == 0;
    if (o->batch != OPTION_UNSET) s->train.batch = o->batch;
    if (o->seed != OPTION_UNSET) s->train.seed = (uint64_t)o->seed;
    if (o->valid_every != OPTION_UNSET) s->train.valid_every = o->valid_every;
    if (o->save_every != OPTION_UNSET) s->train.save_every = o->save_every;
    return DONE;
}

static int64_t given_or(int64_t given, int64_t otherwise)
{
    return given != OPTION_UNSET ? given : otherwise;
}

static void lengths(const train_options *o, training *t)
{
    t->steps = given_or(o->steps, 0);
    t->epochs = given_or(o->epochs, 0);
}

/* ---- beginning and going on ---------------------------------------------- */

static int name_sources(program *p, const train_options *o, int n, char **operands, training *t)
{
    run_source *s = &t->source;
    for (int i = 0; i < n; i++) TRY(path_absolute(p, operands[i], s->sources[i]));
    if (n > 0) s->n_sources = (size_t)n;
    run_source_describe(s);
    if (o->valid) TRY(path_absolute(p, o->valid, s->valid));
    if (o->init) TRY(path_absolute(p, o->init, s->init));
    if (o->backend) (void)snprintf(s->backend, sizeof s->backend, "%s", o->backend);
    if (!s->backend[0]) (void)snprintf(s->backend, sizeof s->backend, "auto");
    if (o->common.threads > 0) s->threads = o->common.threads;
    s->threads = s->threads > 0 ? s->threads : vq_context_threads(p->ctx);
    return DONE;
}

static int refuse_used(program *p, const train_options *o, const training *t)
{
    if (run_folder_used(&t->folder) && !o->force && !o->dry_run)
        return fail(p, BAD_INPUT,
                    "%s already holds a run; --resume goes on with it, --force starts over",
                    o->out);
    return DONE;
}

static int begin(program *p, const train_options *o, int n, training *t)
{
    if (n == 0)
        return fail(p, BAD_USAGE, "DATA is missing; it is `vqvae train DATA -o %s`", o->out);
    TRY(refuse_used(p, o, t));
    settings_default(&t->settings);
    return compose(p, o, &t->settings);
}

/* A folder that was made in the meantime may hold another training's run by now. */
static int claim_new(program *p, const train_options *o, training *t)
{
    if (t->lock >= 0) return DONE;
    TRY(run_folder_lock(p, &t->folder, &t->lock));
    return refuse_used(p, o, t);
}

/* What the folder says holds; settings given again must be the same ones, but for those that
 * change no number of the model. */
static int go_on(program *p, const train_options *o, training *t)
{
    TRY(run_config_read(p, &t->folder, false, &t->settings, &t->source));
    if (o->backend && strcmp(o->backend, t->source.backend) != 0)
        return fail(p, BAD_USAGE, "%s is trained with --backend %s, and --resume goes on with it",
                    o->out, t->source.backend);
    settings wanted = t->settings;
    for (size_t i = 0; i < o->set.n; i++) /* steps of presets and files are of their own runs */
        if (strncmp(o->set.items[i], "train.steps=", strlen("train.steps=")) == 0)
            return fail(p, BAD_USAGE, "--resume takes its steps from --steps or --epochs");
    TRY(compose(p, o, &wanted));
    TRY(run_config_compare(p, &wanted, &t->settings));
    t->settings.train.log_every = wanted.train.log_every;
    t->settings.train.valid_every = wanted.train.valid_every;
    t->settings.train.save_every = wanted.train.save_every;
    t->settings.data.cache_mb = wanted.data.cache_mb;
    t->from_state = path_exists(t->folder.state);
    if (!t->from_state) say(p, "%s has no saved state: training starts over", o->out);
    return DONE;
}

static int announce(program *p, const training *t, bool goes_on)
{
    if (!goes_on) return DONE;
    say(p, "%s at step %" PRId64 " of %" PRId64, t->from_state ? "resumed" : "started",
        vq_trainer_position(t->trainer), t->settings.train.steps);
    return DONE;
}

/* ---- results ------------------------------------------------------------- */

static int result_facts(program *p, const training *t)
{
    const bool any = t->best_step > 0;
    json_t *facts =
        json_pack("{s:o, s:I, s:o, s:o, s:o, s:I, s:o, s:o}", "run", fact_text(t->folder.root),
                  "steps", (json_int_t)vq_trainer_position(t->trainer), "best_step",
                  any ? json_integer(t->best_step) : json_null(), "best_valid_nmse",
                  any ? fact_number(t->best_nmse) : json_null(), "model",
                  fact_text(any ? t->folder.best : t->folder.model), "skipped",
                  (json_int_t)t->skips.n, "data_wait", fact_number(t->data_wait), "peak_rss_mb",
                  fact_number(machine_memory_mb()));
    return facts_print(p, facts);
}

/* ---- the verb ------------------------------------------------------------ */

static int prepare(program *p, const train_options *o, int n, char **operands, training *t)
{
    TRY(run_folder_name(p, o->out, &t->folder));
    /* A folder yet to be made is made and locked once nothing can be refused any more. */
    if (path_is_folder(t->folder.root) && !o->dry_run)
        TRY(run_folder_lock(p, &t->folder, &t->lock));
    const bool goes_on = o->resume && path_exists(t->folder.config);
    if (o->resume && !goes_on) say(p, "%s holds no run yet: training starts", o->out);
    TRY(goes_on ? go_on(p, o, t) : begin(p, o, n, t));
    TRY(name_sources(p, o, n, operands, t));
    lengths(o, t);
    t->skips.strict = o->strict;
    TRY(program_context(p, (int)t->source.threads, NULL));
    TRY(training_prepare(p, t, o->dry_run));
    if (o->dry_run) return DONE;
    TRY(claim_new(p, o, t));
    if (!t->from_state) TRY(run_folder_begin(p, &t->folder));
    /* The state is the truth, so a new length is written there first: no kill loses it. */
    if (t->new_length) TRY(training_save_state(p, t));
    TRY(run_config_write(p, &t->folder, &t->settings, &t->source));
    TRY(run_skipped_write(p, &t->folder, &t->skips));
    return announce(p, t, goes_on);
}

/* What --dry-run has to say, also of a training that memory cannot hold.
 * @param code     of preparing it
 * @param opening  seconds that preparing took */
static int plan(program *p, const training *t, int code, double opening)
{
    json_t *facts = NULL;
    if (code == DONE) code = training_estimate(p, t, opening, &facts);
    if (code == MACHINE_FAILED && p->status == VQ_E_NOMEM && t->about.images > 0)
        return training_too_large(p, t);
    return code == DONE ? facts_print(p, facts) : code;
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const train_options *o = parsed;
    training *t = NULL;
    void *memory = NULL;
    int code;
    if (o->steps != OPTION_UNSET && o->epochs != OPTION_UNSET)
        return fail(p, BAD_USAGE, "--steps and --epochs say the same thing; give one of them");
    TRY(allocate(p, 1, sizeof *t, &memory));
    t = memory;
    t->lock = -1;
    interrupt_listen();
    const double began = seconds_now();
    code = prepare(p, o, n, operands, t);
    if (o->dry_run) {
        TRY_TO(plan(p, t, code, seconds_now() - began));
        goto done;
    }
    TRY_TO(code);
    TRY_TO(training_run(p, t));
    TRY_TO(result_facts(p, t));
    say(p, "`vqvae report %s` makes a page of it", t->folder.root);
done:
    training_clear(p, t);
    free(t);
    return code;
}

const verb verb_train = {
    .name = "train",
    .summary = "train a model on images",
    .operands = "[DATA...] -o RUN",
    .min_operands = 0,
    .max_operands = RUN_SOURCES_MAX,
    .about =
        "Learns an encoder, a codebook and a decoder from the images of DATA and leaves them in\n"
        "the folder RUN: model.safetensors (last), best.safetensors (least error on held-out\n"
        "images), state.safetensors (what --resume needs), metrics.jsonl and config.json.\n"
        "Several DATA become one dataset, their classes merged by name.\n"
        "Images that cannot be read are left out with a warning; skipped.jsonl lists them.\n"
        "Ctrl-C saves and stops. --dry-run times a few steps on the first images, throws them\n"
        "away and says how long all of them would take. Settings come from defaults, then\n"
        "--preset, --config, --set and options, later ones winning; `vqvae presets --settings`\n"
        "explains each.",
    .examples = "vqvae train /usr/share/datasets/fashion-mnist:train -o run --preset tiny\n"
                "vqvae train -o run --resume --steps 300\n"
                "vqvae train /usr/share/datasets/fashion-mnist:train -o wider --preset tiny \\\n"
                "    --set model.level.0.k=64 --epochs 1 --dry-run",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(train_options),
    .run = run,
};
