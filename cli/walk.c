/* SPDX-License-Identifier: Apache-2.0
 * cli/walk.c -- images batch by batch, and what a model makes of them. */
#include "walk.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The last batch is filled up with the last image; walk_next() does not deliver those. */
static void order_of_walk(const void *state, int64_t step, int64_t slot, int64_t *index,
                          uint64_t *epoch)
{
    const walk *w = state;
    int64_t item = step * w->batch + slot;
    if (item >= w->n) item = w->n - 1;
    *index = w->indices ? w->indices[item] : item;
    *epoch = 0;
}

int walk_begin(program *p, const vq_dataset *data, const int64_t *indices, int64_t n, int64_t batch,
               walk_gap *gap, void *user, walk *w)
{
    *w = (walk){.data = data, .indices = indices, .n = n, .batch = batch, .gap = gap, .user = user};
    if (n == 0) return DONE;
    TRY(lib(p, vq_loader_create(p->ctx, data, order_of_walk, w, 0, batch, 0, 0, &w->loader)));
    vq_loader_set_skip(w->loader, gap != NULL);
    return DONE;
}

/* Fetches the next batch where this one is at its end; *any is false past the last item. */
static int next_item(program *p, walk *w, bool *any)
{
    *any = true;
    if (w->slot < w->in_batch) return DONE;
    const int64_t left = w->n - w->at;
    w->slot = 0;
    w->in_batch = left < w->batch ? left : w->batch;
    *any = left > 0;
    return *any ? lib(p, vq_loader_next(p->ctx, w->loader, &w->pixels)) : DONE;
}

static bool readable(const walk *w)
{
    return w->slot < w->in_batch && vq_loader_item(w->loader, w->slot).status == VQ_OK;
}

/* Images that are brought to another size should not surprise anybody; once is enough. */
static void tell_fit(program *p, walk *w, const int64_t size[3], const vq_loaded *image)
{
    if (image->height == 0 || (image->height == size[0] && image->width == size[1])) return;
    say(p,
        "images of another size are %s to the model's %" PRId64 "x%" PRId64
        ": the first is %s of %" PRId64 "x%" PRId64,
        w->tells_fit, size[1], size[0], vq_dataset_name(w->data, image->index), image->width,
        image->height);
    w->tells_fit = NULL;
}

int walk_next(program *p, walk *w, const uint8_t **pixels, int64_t *n)
{
    int64_t size[3];
    bool any = true;
    *n = 0;
    for (;;) {
        TRY(next_item(p, w, &any));
        if (!any) return DONE;
        if (readable(w)) break;
        const vq_loaded item = vq_loader_item(w->loader, w->slot);
        w->slot++;
        w->at++;
        TRY(w->gap(p, w->user, &item));
    }
    vq_dataset_size(w->data, size);
    *pixels = w->pixels + (size_t)w->slot * (size_t)(size[0] * size[1] * size[2]);
    for (; readable(w); w->slot++, w->at++) {
        const vq_loaded item = vq_loader_item(w->loader, w->slot);
        if (w->tells_fit) tell_fit(p, w, size, &item);
        ++*n;
    }
    return DONE;
}

double walk_waited(const walk *w)
{
    return w->loader ? vq_loader_waited(w->loader) : 0.0;
}

vq_loaded walk_item(const walk *w, int64_t n, int64_t i)
{
    return vq_loader_item(w->loader, w->slot - n + i);
}

void walk_end(program *p, walk *w)
{
    if (w->loader) vq_loader_destroy(p->ctx, w->loader);
    w->loader = NULL;
}

/* Every level adds its terms to the loss that is trained; `commitment` is their mean. The term
 * that moves codebooks by gradient has the same value, only other derivatives (arXiv:1711.00937,
 * eq. 3). */
static double weight_of_distance(const vq_model_config *config)
{
    enum { BY_GRADIENT = 1 };
    const double codebook = config->quantizer == BY_GRADIENT ? config->codebook : 0.0;
    return (double)config->n_levels * (config->commitment + codebook);
}

void score_of(const vq_model *model, const vq_evaluation *sums, score *out)
{
    const vq_model_config *config = vq_model_configuration(model);
    const double variance = vq_model_variance(model), unknown = (double)NAN;
    size_t first = 0;
    *out = (score){.images = sums->images, .n_levels = config->n_levels};
    out->mse = sums->numbers > 0 ? sums->squared_error / sums->numbers : unknown;
    out->nmse = variance > 0 ? out->mse / variance : unknown;
    out->psnr = -10.0 * log10(out->mse);
    out->commitment = sums->images > 0 ? sums->commitment / (double)sums->images : unknown;
    out->loss = out->nmse + weight_of_distance(config) * out->commitment;
    for (size_t i = 0; i < config->n_levels; i++) {
        const size_t k = (size_t)config->level[i].k;
        size_t used = 0;
        if (first + k > sums->n_usage) break;
        out->perplexity[i] = vq_perplexity(sums->usage + first, k, &used);
        out->codes_used[i] = (int64_t)used;
        out->codes[i] = (int64_t)k;
        first += k;
    }
}

int arithmetic_check(program *p, bool fast, int64_t precision)
{
    if (fast || precision == 0) return DONE;
    return fail(p, BAD_USAGE, "--precision bf16 gives up exact numbers; it needs --fast");
}

int session_for(program *p, const vq_model *model, const vq_dataset *data, int64_t batch,
                arithmetic_choice how, vq_session **out)
{
    int64_t size[3];
    vq_dataset_size(data, size);
    const vq_session_config config = {.batch = batch,
                                      .height = size[0],
                                      .width = size[1],
                                      .fast = how.fast,
                                      .precision = (int)how.precision};
    return lib(p, vq_session_create(p->ctx, model, &config, out));
}

static int keep_usage(program *p, const vq_evaluation *sums, uint64_t **usage)
{
    void *copy = NULL;
    if (!usage) return DONE;
    TRY(allocate(p, sums->n_usage, sizeof **usage, &copy));
    memcpy(copy, sums->usage, sums->n_usage * sizeof **usage);
    *usage = copy;
    return DONE;
}

static int leave_out(program *p, void *user, const vq_loaded *image)
{
    const evaluated *what = user;
    return skip_image(p, what->skips, what->source, what->data, image->index, image->status,
                      image->sentence);
}

int evaluate(program *p, const vq_model *model, const evaluated *what, score *out, uint64_t **usage)
{
    const int64_t batch = what->batch > what->n && what->n > 0 ? what->n : what->batch;
    vq_evaluation sums = {0};
    vq_session *session = NULL;
    walk w = {0};
    const uint8_t *pixels = NULL;
    int64_t count;
    int code;
    TRY_TO(lib(p, vq_evaluation_create(p->ctx, model, &sums)));
    TRY_TO(session_for(p, model, what->data, batch, what->how, &session));
    walk_gap *gap = what->skips ? leave_out : NULL;
    TRY_TO(
        walk_begin(p, what->data, what->indices, what->n, batch, gap, (void *)(uintptr_t)what, &w));
    w.tells_fit = what->tells_fit;
    for (;;) {
        TRY_TO(walk_next(p, &w, &pixels, &count));
        if (count == 0) break;
        TRY_TO(lib(p, vq_session_evaluate(session, count, pixels, &sums, NULL, NULL)));
    }
    score_of(model, &sums, out);
    TRY_TO(keep_usage(p, &sums, usage));
done:
    walk_end(p, &w);
    vq_session_destroy(session);
    vq_evaluation_clear(p->ctx, &sums);
    return code;
}
