/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/eval.c -- vqvae eval: how well a model gives images back. */
#include "facts.h"
#include "files.h"
#include "picture.h"
#include "run/intake.h"
#include "verbs.h"
#include "walk.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct eval_options {
    common_options common;
    const char *grid;
    int64_t batch, columns, count, scale, precision;
    bool fast, force, strict;
} eval_options;

#define EVAL(...) OPTION(eval_options, __VA_ARGS__)
static const option options[] = {
    EVAL(grid, 'g', "FILE.png", "", "also a picture: originals above reconstructions"),
    EVAL(count, 0, "N", "32", "images in the picture", .low = 1, .high = 4096),
    EVAL(columns, 0, "N", "16", "images beside each other in it", .low = 1, .high = 256),
    EVAL(scale, 0, "N", "2", "times that its images are enlarged", .low = 1, .high = 16),
    EVAL(batch, 'b', "N", "64", "images at a time", .low = 1, .high = 65536),
    EVAL(fast, 0, NULL, "", FAST_HELP),
    EVAL(precision, 0, "NAME", "f32", PRECISION_HELP),
    EVAL(strict, 0, NULL, "", STRICT_HELP),
    EVAL(force, 'f', NULL, "", "overwrite the picture"),
};

static json_t *level_rows(const score *s)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < s->n_levels; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "level.%zu", i);
        (void)json_array_append_new(rows, json_pack("{s:s, s:I, s:o, s:I}", "level", name, "codes",
                                                    (json_int_t)s->codes[i], "perplexity",
                                                    fact_number(s->perplexity[i]), "codes_used",
                                                    (json_int_t)s->codes_used[i]));
    }
    return rows;
}

static int print_score(program *p, const score *s, const skip_list *skips, double seconds)
{
    return facts_print(p, json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "images",
                                    (json_int_t)s->images, "skipped", (json_int_t)skips->n, "mse",
                                    fact_number(s->mse), "nmse", fact_number(s->nmse), "psnr",
                                    fact_number(s->psnr), "commitment", fact_number(s->commitment),
                                    "seconds", fact_number(seconds), "levels", level_rows(s)));
}

/* What cannot be read was told of when all images were evaluated. */
static int pass_over(program *p, void *user, const vq_loaded *image)
{
    (void)p, (void)user, (void)image;
    return DONE;
}

/* Runs the first images once more, one session of their own, and draws them. */
static int draw_grid(program *p, const eval_options *o, const vq_model *model,
                     const vq_dataset *data)
{
    const arithmetic_choice how = {o->fast, o->precision};
    int64_t size[3], most = vq_dataset_count(data), n = 0, count = 1;
    void *memory = NULL;
    vq_session *session = NULL;
    vq_evaluation sums = {0};
    vq_image picture = {0};
    walk w = {0};
    int code;
    if (most > o->count) most = o->count;
    vq_dataset_size(data, size);
    const size_t bytes = (size_t)(size[0] * size[1] * size[2]);
    TRY_TO(allocate(p, 2 * (size_t)most, bytes, &memory));
    uint8_t *originals = memory, *back = originals + (size_t)most * bytes;
    TRY_TO(lib(p, vq_evaluation_create(p->ctx, model, &sums)));
    TRY_TO(session_for(p, model, data, most, how, &session));
    TRY_TO(walk_begin(p, data, NULL, vq_dataset_count(data), most, pass_over, NULL, &w));
    for (const uint8_t *pixels = NULL; n < most && count > 0; n += count) {
        TRY_TO(walk_next(p, &w, &pixels, &count));
        if (count > most - n) count = most - n;
        if (count == 0) break;
        memcpy(originals + (size_t)n * bytes, pixels, (size_t)count * bytes);
        TRY_TO(lib(p, vq_session_evaluate(session, count, pixels, &sums, back + (size_t)n * bytes,
                                          NULL)));
    }
    TRY_TO(picture_pairs(p, n, originals, back, size, o->columns, o->scale, &picture));
    TRY_TO(picture_save(p, o->grid, &picture));
done:
    free(picture.pixels);
    walk_end(p, &w);
    vq_session_destroy(session);
    vq_evaluation_clear(p->ctx, &sums);
    free(memory);
    return code;
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    const eval_options *o = parsed;
    vq_model *model = NULL;
    vq_dataset *data = NULL;
    vq_data_config intake;
    skip_list skips = {.strict = o->strict};
    score s;
    int code;
    TRY(arithmetic_check(p, o->fast, o->precision));
    if (o->grid) TRY(output_check_ending(p, "--grid", o->grid, ".png"));
    if (o->grid) TRY(output_check_inputs(p, o->grid, operands, n));
    if (o->grid) TRY(output_check(p, o->grid, o->force));
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &model)));
    TRY_TO(intake_of_model(p, operands[0], model, false, &intake));
    TRY_TO(intake_open(p, &intake, operands + 1, n - 1, &data));
    const double began = seconds_now();
    const evaluated what = {.data = data,
                            .n = vq_dataset_count(data),
                            .batch = o->batch,
                            .how = {o->fast, o->precision},
                            .source = operands[1],
                            .skips = &skips,
                            .tells_fit = intake_words(&intake)};
    TRY_TO(evaluate(p, model, &what, &s, NULL));
    skips_tell(p, &skips, NULL);
    if (s.images == 0)
        TRY_TO(fail(p, BAD_INPUT, "none of the %" PRId64 " images can be read", what.n));
    const double seconds = seconds_now() - began;
    if (o->grid) TRY_TO(draw_grid(p, o, model, data));
    TRY_TO(print_score(p, &s, &skips, seconds));
done:
    skips_clear(&skips);
    if (data) vq_dataset_close(p->ctx, data);
    vq_model_destroy(p->ctx, model);
    return code;
}

const verb verb_eval = {
    .name = "eval",
    .summary = "measure how well a model gives images back",
    .operands = "MODEL DATA...",
    .min_operands = 2,
    .max_operands = INT_MAX,
    .about =
        "Prints the mean squared error of pixels on [0,1] (mse), its share of the variance of the\n"
        "training pixels (nmse), the peak signal-to-noise ratio in dB (psnr), the commitment "
        "term,\n"
        "and for each grid of codes its perplexity and how many codes were used. Several DATA are\n"
        "measured as one. Images of another size than the model's are brought to it as its run\n"
        "did (data.fit, data.filter in the config.json beside the model).",
    .examples = "vqvae eval run /usr/share/datasets/fashion-mnist:t10k\n"
                "vqvae eval run /usr/share/datasets/fashion-mnist:t10k --grid pairs.png --json",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(eval_options),
    .run = run,
};
