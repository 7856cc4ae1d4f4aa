/* SPDX-License-Identifier: Apache-2.0
 * train/collapse.c -- says while there is still time that a codebook is badly used, and what may
 * help: each cause once, since a training that has collapsed stays so for thousands of steps. */
#include <math.h>

#include "quantize/quantize_parts.h"
#include "train/trainer.h"

enum {
    LOOK_EVERY = 100,
    SETTLED = 500, /* steps in which usage says more of the start than of the codebook */
    FEW = 10,      /* few: less than the tenth part */
    DRIFT = 10     /* codes have drifted: so many times longer or shorter than at first */
};

enum { TOLD_FEW = 1, TOLD_UNEVEN = 2, TOLD_DRIFT = 4 };

static void warn_of_use(vq_trainer *t, vq_trained_codebook *book)
{
    const vq_code_usage *u = &book->usage;
    const size_t used = book->codes - vq_usage_dead(u, 0.03);
    const double perplexity = vq_usage_perplexity(u);
    const bool few = used * FEW < book->codes, uneven = perplexity * FEW < (double)used;
    if (few && !(book->told & TOLD_FEW))
        vq_log(
            t->ctx, VQ_LOG_WARNING, "step %lld: %s uses only %zu of its %zu codes: %s",
            (long long)t->step, book->node->name, used, book->codes,
            u->vectors < book->codes / 4
                ? "a batch has far fewer vectors than there are codes; take larger batches or a "
                  "smaller k"
            : t->config.revive > 0.0
                ? "revived codes do not live; try a lower train.lr, a larger model.commitment or "
                  "a smaller k"
                : "try train.revive=0.03, model.codebook_init=kmeans or a smaller k");
    if (uneven && !(book->told & TOLD_UNEVEN))
        vq_log(t->ctx, VQ_LOG_WARNING,
               "step %lld: %s uses %zu codes so unevenly that %.0f would do (perplexity): its "
               "vectors may have collapsed; try a lower train.lr or a smaller model.commitment",
               (long long)t->step, book->node->name, used, perplexity);
    book->told |= (few ? TOLD_FEW : 0u) | (uneven ? TOLD_UNEVEN : 0u);
}

/* Root mean square of the lengths of the codes, each weighed by its use. */
static double norm_in_use(vq_trainer *t, int level)
{
    const vq_trained_codebook *book = &t->codebooks.book[level];
    const float *code = vq_codebook_numbers(t, level);
    double sum = 0.0, total = 0.0;
    for (size_t k = 0; k < book->codes; k++, code += book->dim) {
        sum += (double)book->usage.usage[k] * vq_squared_length(code, book->dim);
        total += (double)book->usage.usage[k];
    }
    return total > 0.0 ? sqrt(sum / total) : 0.0;
}

static void warn_of_drift(vq_trainer *t, int level)
{
    vq_trained_codebook *book = &t->codebooks.book[level];
    const double norm = norm_in_use(t, level);
    if (book->norm == 0.0) book->norm = norm;
    if (book->told & TOLD_DRIFT) return;
    if (norm <= DRIFT * book->norm && norm * DRIFT >= book->norm) return;
    book->told |= TOLD_DRIFT;
    vq_log(t->ctx, VQ_LOG_WARNING,
           "step %lld: the codes of %s were %.3g long and are %.3g now: they drift with their "
           "vectors; try a %s model.commitment or a lower train.lr",
           (long long)t->step, book->node->name, book->norm, norm,
           norm > book->norm ? "larger" : "smaller");
}

void vq_codebooks_warn(vq_trainer *t)
{
    if (t->step < SETTLED || t->step % LOOK_EVERY != 0) return;
    for (int l = 0; l < t->codebooks.n_books; l++) {
        warn_of_use(t, &t->codebooks.book[l]);
        warn_of_drift(t, l);
    }
}
