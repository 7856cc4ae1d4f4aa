/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/doctor.c -- vqvae doctor: how a model uses its codebooks, and what to change. */
#include "facts.h"
#include "run/folder.h"
#include "run/intake.h"
#include "run/metrics.h"
#include "verbs.h"
#include "walk.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <vqvae/diagnose.h>

typedef struct doctor_options {
    common_options common;
    int64_t batch, precision;
    bool fast, strict;
} doctor_options;

#define DOCTOR(...) OPTION(doctor_options, __VA_ARGS__)
static const option options[] = {
    DOCTOR(batch, 'b', "N", "64", "images at a time", .low = 1, .high = 65536),
    DOCTOR(fast, 0, NULL, "", FAST_HELP),
    DOCTOR(precision, 0, "NAME", "f32", PRECISION_HELP),
    DOCTOR(strict, 0, NULL, "", STRICT_HELP),
};

/* ---- figures ------------------------------------------------------------- */

/* For programs an object, for people a line. */
static json_t *spread(const program *p, const vq_spread *s)
{
    char line[128];
    if (p->json)
        return json_pack("{s:o, s:o, s:o}", "least", fact_number(s->least), "median",
                         fact_number(s->median), "greatest", fact_number(s->greatest));
    if (isnan(s->median)) return json_null();
    (void)snprintf(line, sizeof line, "%.4g to %.4g, median %.4g", s->least, s->greatest,
                   s->median);
    return json_string(line);
}

static json_t *use_json(const vq_codebook_figures *f)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "codes",
                     (json_int_t)f->codes, "dim", (json_int_t)f->dim, "vectors",
                     (json_int_t)f->vectors, "codes_used", (json_int_t)f->used, "perplexity",
                     fact_number(f->perplexity), "top_share", fact_number(f->top_share),
                     "at_origin", (json_int_t)f->at_origin, "out_of_reach",
                     (json_int_t)f->out_of_reach, "duplicates", (json_int_t)f->duplicates,
                     "crowded_out", (json_int_t)f->crowded_out, "forgotten",
                     (json_int_t)f->forgotten);
}

static json_t *place_json(const program *p, const vq_codebook_figures *f)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "vector_norm",
                     spread(p, &f->vector_norm), "chosen_norm", spread(p, &f->chosen_norm),
                     "used_norm", spread(p, &f->used_norm), "unused_norm",
                     spread(p, &f->unused_norm), "distance", spread(p, &f->distance),
                     "unused_distance", spread(p, &f->unused_distance), "spread",
                     fact_number(f->spread), "error", fact_number(f->error), "lag",
                     fact_number(f->lag), "line", fact_number(f->line), "variance",
                     spread(p, &f->variance), "moving_total", fact_number(f->moving_total));
}

static json_t *finding_json(const vq_finding *f)
{
    json_t *set = json_array();
    for (size_t i = 0; i < VQ_FINDING_SETTINGS && f->settings[i][0]; i++)
        (void)json_array_append_new(set, json_string(f->settings[i]));
    return json_pack("{s:s, s:s, s:s, s:o}", "cause", f->cause, "measured", f->measured, "change",
                     f->change, "set", set);
}

/* ---- words --------------------------------------------------------------- */

static void print_healthy(const char *level, const vq_codebook_figures *f)
{
    printf("%s is healthy: %" PRId64 " of %" PRId64
           " codes are used (perplexity %.4g), the squared distance to them is %.2g of the "
           "variance, and %.0f %% of that is lag",
           level, f->used, f->codes, f->perplexity, f->error, 100.0 * f->lag);
    if (f->used < f->codes)
        printf("; of the others %" PRId64 " lie at the origin, %" PRId64
               " repeat another one, %" PRId64 " are out of reach and %" PRId64 " crowded out",
               f->at_origin, f->duplicates, f->out_of_reach, f->crowded_out);
    printf("\n");
}

static void print_finding(const char *level, const vq_finding *f)
{
    printf("%s, %s: %s\n  change: %s", level, f->cause, f->measured, f->change);
    for (size_t i = 0; i < VQ_FINDING_SETTINGS && f->settings[i][0]; i++)
        printf("%s --set %s", i ? "" : ":", f->settings[i]);
    printf("\n");
}

/* ---- levels -------------------------------------------------------------- */

typedef struct verdict {
    char name[32];
    vq_codebook_figures figures;
    vq_finding findings[VQ_FINDINGS_MAX];
    size_t n;
} verdict;

static json_t *verdict_json(const program *p, const verdict *v)
{
    json_t *facts = json_pack("{s:s, s:b}", "level", v->name, "healthy", v->n == 0);
    json_t *use = use_json(&v->figures), *place = place_json(p, &v->figures);
    (void)json_object_update(facts, use);
    (void)json_object_update(facts, place);
    json_decref(use);
    json_decref(place);
    return facts;
}

static json_t *findings_json(const verdict *v)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < v->n; i++)
        (void)json_array_append_new(rows, finding_json(&v->findings[i]));
    return rows;
}

/* Figures first, so that what they say stands at the end. */
static int print_verdicts(program *p, const verdict *v, size_t n, int64_t skipped)
{
    json_t *levels = json_array();
    for (size_t l = 0; l < n; l++) {
        json_t *level = verdict_json(p, &v[l]);
        if (p->json) (void)json_object_set_new(level, "findings", findings_json(&v[l]));
        (void)json_array_append_new(levels, level);
    }
    if (p->json)
        return facts_print(p, json_pack("{s:I, s:I, s:o}", "images", (json_int_t)v->figures.images,
                                        "skipped", (json_int_t)skipped, "levels", levels));
    int code = DONE;
    for (size_t l = 0; l < n && code == DONE; l++)
        code = facts_print(p, json_incref(json_array_get(levels, l)));
    json_decref(levels);
    TRY(code);
    for (size_t l = 0; l < n; l++) {
        if (v[l].n == 0) print_healthy(v[l].name, &v[l].figures);
        for (size_t i = 0; i < v[l].n; i++) print_finding(v[l].name, &v[l].findings[i]);
    }
    return results_flush(p);
}

/* ---- the run ------------------------------------------------------------- */

static double number_of(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static int64_t count_of(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* Lines of a kind that this version does not write are passed over, as unreadable ones are. */
static int read_points(program *p, const char *path, vq_training_point **points, size_t *n)
{
    json_t *lines = NULL;
    void *memory = NULL;
    int code;
    TRY_TO(metrics_read(p, path, &lines));
    TRY_TO(allocate(p, json_array_size(lines) + 1, sizeof **points, &memory));
    *points = memory;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        (*points)[*n] = (vq_training_point){.step = count_of(line, "step"),
                                            .loss = number_of(line, "loss"),
                                            .perplexity = number_of(line, "perplexity"),
                                            .code_norm = number_of(line, "code_norm"),
                                            .revived = count_of(line, "revived"),
                                            .dead_codes = count_of(line, "dead_codes")};
        *n += (*points)[*n].step > 0;
    }
done:
    json_decref(lines);
    return code;
}

/* What a run folder tells of the training; nothing where the model is a file.
 * @param points  out: what the record points to, which the caller frees */
static int read_record(program *p, const char *path, vq_training_record *record,
                       vq_training_point **points)
{
    run_folder folder;
    settings s;
    run_source source;
    *record = (vq_training_record){0};
    if (!path_is_folder(path)) return DONE;
    TRY(run_folder_name(p, path, &folder));
    if (!path_exists(folder.config)) return DONE;
    const int code = run_config_read(p, &folder, false, &s, &source);
    if (code == MACHINE_FAILED) return code;
    if (code != DONE) {
        warn_failed(p, "", "; so the training itself is not judged");
        return DONE;
    }
    record->batch = s.train.batch;
    record->lr = s.train.lr;
    record->schedule = s.train.schedule;
    record->warmup = s.train.warmup;
    record->clip = s.train.clip;
    record->revive = s.train.revive;
    record->revived_until = s.train.revive_until * (double)s.train.steps;
    if (!path_exists(folder.metrics)) return DONE;
    TRY(read_points(p, folder.metrics, points, &record->n_points));
    record->points = *points;
    return DONE;
}

static int judge(program *p, const vq_model *model, vq_diagnosis *diagnosis,
                 const vq_training_record *record, int64_t skipped)
{
    const vq_model_config *config = vq_model_configuration(model);
    void *memory = NULL;
    int code;
    TRY_TO(allocate(p, config->n_levels, sizeof(verdict), &memory));
    verdict *v = memory;
    for (size_t l = 0; l < config->n_levels; l++) {
        (void)snprintf(v[l].name, sizeof v[l].name, "level.%zu", l);
        TRY_TO(lib(p, vq_diagnosis_figures(p->ctx, diagnosis, l, &v[l].figures)));
        v[l].n = vq_diagnosis_findings(config, l, &v[l].figures, record, v[l].findings);
    }
    TRY_TO(print_verdicts(p, v, config->n_levels, skipped));
done:
    free(memory);
    return code;
}

/* Images, and those of them that are left out. */
typedef struct patients {
    const char *source;
    const vq_dataset *data;
    skip_list skips;
} patients;

static int leave_out(program *p, void *user, const vq_loaded *image)
{
    patients *all = user;
    return skip_image(p, &all->skips, all->source, all->data, image->index, image->status,
                      image->sentence);
}

/* Runs all images through the encoder. */
static int examine(program *p, const doctor_options *o, const vq_model *model,
                   const vq_data_config *intake, patients *all, vq_diagnosis *diagnosis)
{
    const vq_dataset *data = all->data;
    vq_session *session = NULL;
    walk w = {0};
    const uint8_t *pixels = NULL;
    const int64_t n = vq_dataset_count(data), batch = o->batch < n ? o->batch : n;
    const arithmetic_choice how = {o->fast, o->precision};
    int64_t count;
    int code;
    TRY_TO(session_for(p, model, data, batch, how, &session));
    TRY_TO(walk_begin(p, data, NULL, n, batch, leave_out, all, &w));
    w.tells_fit = intake_words(intake);
    for (;;) {
        TRY_TO(walk_next(p, &w, &pixels, &count));
        if (count == 0) break;
        TRY_TO(lib(p, vq_session_diagnose(session, count, pixels, diagnosis)));
    }
    skips_tell(p, &all->skips, NULL);
    if (all->skips.n == n)
        TRY_TO(fail(p, BAD_INPUT, "none of the %" PRId64 " images can be read", n));
done:
    walk_end(p, &w);
    vq_session_destroy(session);
    return code;
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const doctor_options *o = parsed;
    vq_model *model = NULL;
    vq_dataset *data = NULL;
    patients all = {.source = operands[1], .skips = {.strict = o->strict}};
    vq_diagnosis *diagnosis = NULL;
    vq_data_config intake;
    vq_training_record record;
    vq_training_point *points = NULL;
    int code;
    TRY(arithmetic_check(p, o->fast, o->precision));
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &model)));
    TRY_TO(read_record(p, operands[0], &record, &points));
    TRY_TO(intake_of_model(p, operands[0], model, false, &intake));
    TRY_TO(intake_open(p, &intake, operands + 1, n - 1, &data));
    TRY_TO(lib(p, vq_diagnosis_create(p->ctx, model, &diagnosis)));
    all.data = data;
    TRY_TO(examine(p, o, model, &intake, &all, diagnosis));
    TRY_TO(judge(p, model, diagnosis, &record, all.skips.n));
done:
    skips_clear(&all.skips);
    vq_diagnosis_destroy(p->ctx, diagnosis);
    if (data) vq_dataset_close(p->ctx, data);
    vq_model_destroy(p->ctx, model);
    free(points);
    return code;
}

const verb verb_doctor = {
    .name = "doctor",
    .summary = "say how a model uses its codebooks, and what to change",
    .operands = "MODEL DATA",
    .min_operands = 2,
    .max_operands = 2,
    .about =
        "Runs DATA through the encoder and says of each codebook how many codes are used and why\n"
        "the others are not: at the origin, out of reach of the vectors, repeating another code, "
        "or\n"
        "crowded out by nearer ones; whether codes follow their vectors; whether the vectors "
        "differ\n"
        "at all; and whether a training step has enough of them. Each finding says what was\n"
        "measured and which settings to train anew with. Figures are least, greatest and median.\n"
        "\n"
        "A run folder says more than a model by itself: how many vectors a training step had, and "
        "by\n"
        "metrics.jsonl how the training went: a loss that fell apart, codes that were in use and "
        "were\n"
        "lost, codes that grow without end or are revived in vain. The exit code is 0 whatever is\n"
        "found; --json has \"healthy\" and \"findings\" for each level.",
    .examples = "vqvae doctor run /usr/share/datasets/fashion-mnist:t10k\n"
                "vqvae doctor run /usr/share/datasets/fashion-mnist:t10k --json",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(doctor_options),
    .run = run,
};
