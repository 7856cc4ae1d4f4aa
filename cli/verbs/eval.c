/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/eval.c -- vqvae eval: how well a model gives images back. */
#include "facts.h"
#include "files.h"
#include "picture.h"
#include "verbs.h"
#include "walk.h"
#include <stdlib.h>

typedef struct eval_options {
    common_options common;
    const char *grid, *backend;
    int64_t batch, columns, count, scale;
    bool force;
} eval_options;

#define EVAL(...) OPTION(eval_options, __VA_ARGS__)
static const option options[] = {
    EVAL(grid, 'g', "FILE.png", "", "also a picture: originals above reconstructions"),
    EVAL(count, 0, "N", "32", "images in the picture", .low = 1, .high = 4096),
    EVAL(columns, 0, "N", "16", "images beside each other in it", .low = 1, .high = 256),
    EVAL(scale, 0, "N", "2", "times that its images are enlarged", .low = 1, .high = 16),
    EVAL(batch, 'b', "N", "64", "images at a time", .low = 1, .high = 65536),
    EVAL(backend, 0, "NAME", "auto", "whose operations run", .choices = "auto|portable|onednn"),
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

static int print_score(program *p, const score *s, double seconds)
{
    return facts_print(p, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "images",
                                    (json_int_t)s->images, "mse", fact_number(s->mse), "nmse",
                                    fact_number(s->nmse), "psnr", fact_number(s->psnr),
                                    "commitment", fact_number(s->commitment), "seconds",
                                    fact_number(seconds), "levels", level_rows(s)));
}

/* Runs the first images once more, one session of their own, and draws them. */
static int draw_grid(program *p, const eval_options *o, const vq_model *model,
                     const vq_dataset *data)
{
    int64_t size[3], n = vq_dataset_count(data);
    uint8_t *back = NULL;
    const uint8_t *pixels = NULL;
    void *memory = NULL;
    vq_session *session = NULL;
    vq_evaluation sums = {0};
    vq_image picture = {0};
    walk w = {0};
    int code;
    if (n > o->count) n = o->count;
    vq_dataset_size(data, size);
    TRY_TO(allocate(p, (size_t)n, (size_t)(size[0] * size[1] * size[2]), &memory));
    back = memory;
    TRY_TO(lib(p, vq_evaluation_create(p->ctx, model, &sums)));
    TRY_TO(session_for(p, model, data, n, o->backend, &session));
    TRY_TO(walk_begin(p, data, NULL, n, n, &w));
    TRY_TO(walk_next(p, &w, &pixels, &n));
    TRY_TO(lib(p, vq_session_evaluate(session, n, pixels, &sums, back, NULL)));
    TRY_TO(picture_pairs(p, n, pixels, back, size, o->columns, o->scale, &picture));
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
    score s;
    int code;
    (void)n;
    if (o->grid) TRY(output_check(p, o->grid, o->force));
    TRY_TO(lib(p, vq_model_load(p->ctx, operands[0], &model)));
    (void)tell_scaling(p, model, operands[1]);
    TRY_TO(open_for_model(p, model, operands[1], &data));
    const double began = seconds_now();
    TRY_TO(evaluate(p, model, data, NULL, vq_dataset_count(data), o->batch, o->backend, &s, NULL));
    const double seconds = seconds_now() - began;
    if (o->grid) TRY_TO(draw_grid(p, o, model, data));
    TRY_TO(print_score(p, &s, seconds));
done:
    if (data) vq_dataset_close(p->ctx, data);
    vq_model_destroy(p->ctx, model);
    return code;
}

const verb verb_eval = {
    .name = "eval",
    .summary = "measure how well a model gives images back",
    .operands = "MODEL DATA",
    .min_operands = 2,
    .max_operands = 2,
    .about =
        "Prints the mean squared error of pixels on [0,1] (mse), its share of the variance of the\n"
        "training pixels (nmse), the peak signal-to-noise ratio in dB (psnr), the commitment "
        "term,\n"
        "and for each grid of codes its perplexity and how many codes were used.",
    .examples = "vqvae eval run /usr/share/datasets/fashion-mnist:t10k\n"
                "vqvae eval run /usr/share/datasets/fashion-mnist:t10k --grid pairs.png --json",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(eval_options),
    .run = run,
};
