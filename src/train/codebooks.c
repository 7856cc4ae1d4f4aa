/* SPDX-License-Identifier: Apache-2.0
 * train/codebooks.c -- usage of codes, and new places for dead ones. */
#include "train/codebooks.h"

#include <stdio.h>
#include <string.h>

#include "quantize/quantize_parts.h"
#include "train/trainer.h"

enum { MOST_SHARE = 8 }; /* at most this part of the codes is revived at a time */

#define DEAD_SHARE 0.03 /* what counts as dead where nothing is revived */

static vq_status find_quantizer(vq_trainer *t, int level, vq_trained_codebook *book)
{
    const vq_level_config *c = &t->model.level[level];
    char name[VQ_NAME_SIZE];
    (void)snprintf(name, sizeof name, "quantizer.%d", level);
    for (int i = 0; i < t->graph->n_nodes; i++)
        if (strcmp(t->graph->nodes[i].name, name) == 0) book->node = &t->graph->nodes[i];
    VQ_CHECK(t->ctx, book->node, VQ_E_INTERNAL, "the graph has no node %s", name);
    book->latent = book->node->in[0];
    book->codes = book->usage.codes = (size_t)c->k;
    book->dim = (size_t)c->d;
    VQ_TRY(VQ_NEW(t->ctx, book->codes, &book->usage.usage));
    return VQ_NEW(t->ctx, book->codes, &book->usage.age);
}

static size_t most_revivals(const vq_trained_codebook *book)
{
    return book->codes / MOST_SHARE + 1;
}

vq_status vq_codebooks_prepare(vq_trainer *t)
{
    vq_codebooks *all = &t->codebooks;
    size_t most = 0;
    for (all->n_books = 0; all->n_books < (int)t->model.n_levels; all->n_books++) {
        vq_trained_codebook *book = &all->book[all->n_books];
        VQ_TRY(find_quantizer(t, all->n_books, book));
        if (most_revivals(book) > most) most = most_revivals(book);
    }
    return VQ_NEW(t->ctx, most, &all->revivals);
}

void vq_codebooks_begin(vq_trainer *t)
{
    for (int l = 0; l < t->codebooks.n_books; l++) {
        vq_trained_codebook *book = &t->codebooks.book[l];
        vq_desc latent;
        (void)vq_plan_data(t->plan, book->latent, &latent);
        book->usage.vectors = vq_shape_count(&latent.shape) / book->dim;
        vq_usage_begin(&book->usage);
    }
}

void vq_codebooks_release(vq_trainer *t)
{
    for (int l = 0; l < VQ_MAX_LEVELS; l++) {
        vq_release(t->ctx, t->codebooks.book[l].usage.usage);
        vq_release(t->ctx, t->codebooks.book[l].usage.age);
    }
    vq_release(t->ctx, t->codebooks.revivals);
}

float *vq_codebook_numbers(vq_trainer *t, int level)
{
    const vq_node *node = t->codebooks.book[level].node;
    const vq_param *param = &t->graph->params[node->param[VQ_CODEBOOK]];
    return (param->kind == VQ_PARAM_STATE ? t->state : t->moments.parameters) + param->at;
}

const float *vq_codebook_counts(const vq_trainer *t, int level)
{
    const float *sums = (const float *)vq_plan_reduction(t->plan, NULL) + t->graph->trained_count;
    return sums + t->codebooks.book[level].node->sums_at;
}

/* A codebook by gradient forgets what the optimiser knew of the code's old place. */
static void move_trained(vq_trainer *t, const vq_param *param, size_t k, const float *vector,
                         size_t dim)
{
    const size_t at = param->at + k * dim;
    memcpy(t->moments.parameters + at, vector, dim * sizeof *vector);
    if (t->average) memcpy(t->average + at, vector, dim * sizeof *vector);
    memset(t->moments.first + at, 0, dim * sizeof *vector);
    memset(t->moments.second + at, 0, dim * sizeof *vector);
}

void vq_codebook_place(vq_trainer *t, int level, size_t k, const float *vector, double count)
{
    vq_trained_codebook *book = &t->codebooks.book[level];
    const vq_param *param = &t->graph->params[book->node->param[VQ_CODEBOOK]];
    if (param->kind == VQ_PARAM_STATE) {
        const vq_ema_state state = vq_ema_state_of(t->graph, book->node, t->state);
        vq_ema_place(book->node->attrs, &state, k, vector, count, t->step);
    } else {
        move_trained(t, param, k, vector, book->dim);
    }
    book->usage.usage[k] = (float)count;
    book->usage.age[k] = 0;
}

/* After the update: places that are set before it would be overwritten. */
static void revive(vq_trainer *t, int level)
{
    vq_trained_codebook *book = &t->codebooks.book[level];
    const float *vectors = vq_plan_data(t->plan, book->latent, NULL);
    const vq_revival *revivals = t->codebooks.revivals;
    const double count = VQ_REVIVED_SHARE * vq_usage_even_share(&book->usage);
    const size_t n = vq_usage_revive(&book->usage, t->config.revive, t->config.seed, t->step,
                                     (uint32_t)level, most_revivals(book), t->codebooks.revivals);
    for (size_t i = 0; i < n; i++)
        vq_codebook_place(t, level, revivals[i].code, vectors + revivals[i].row * book->dim, count);
    t->codebooks.revived += (int64_t)n;
}

/* Workers that reduce see different vectors. */
bool vq_codebooks_tended(const vq_trainer *t)
{
    return !t->reduce && (double)t->step <= t->config.revive_until * (double)t->config.steps;
}

void vq_codebooks_follow(vq_trainer *t)
{
    const vq_train_config *c = &t->config;
    const bool revives =
        c->revive > 0.0 && t->step % c->revive_every == 0 && vq_codebooks_tended(t);
    for (int l = 0; l < t->codebooks.n_books; l++) {
        vq_usage_follow(&t->codebooks.book[l].usage, vq_codebook_counts(t, l));
        if (revives) revive(t, l);
    }
    vq_codebooks_warn(t);
}

int64_t vq_codebooks_dead(const vq_trainer *t)
{
    const double share = t->config.revive > 0.0 ? t->config.revive : DEAD_SHARE;
    size_t dead = 0;
    for (int l = 0; l < t->codebooks.n_books; l++)
        dead += vq_usage_dead(&t->codebooks.book[l].usage, share);
    return (int64_t)dead;
}
