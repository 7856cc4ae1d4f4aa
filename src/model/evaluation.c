/* SPDX-License-Identifier: Apache-2.0
 * model/evaluation.c -- sums over a set of images, perplexity, and plans told in public words. */
#include <math.h>
#include <string.h>

#include "model/session.h"
#include "model/weights.h"

vq_status vq_evaluation_create(vq_context *ctx, const vq_model *model, vq_evaluation *out)
{
    *out = (vq_evaluation){0};
    for (size_t l = 0; l < model->config.n_levels; l++)
        out->n_usage += (size_t)model->config.level[l].k;
    return VQ_NEW(ctx, out->n_usage, &out->usage);
}

void vq_evaluation_clear(vq_context *ctx, vq_evaluation *evaluation)
{
    vq_release(ctx, evaluation->usage);
    *evaluation = (vq_evaluation){0};
}

double vq_perplexity(const uint64_t *counts, size_t n, size_t *used)
{
    double total = 0.0, entropy = 0.0;
    size_t hit = 0;
    for (size_t i = 0; i < n; i++) {
        total += (double)counts[i];
        hit += counts[i] != 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (!counts[i]) continue;
        const double share = (double)counts[i] / total;
        entropy -= share * log(share);
    }
    if (used) *used = hit;
    return hit ? exp(entropy) : 0.0;
}

vq_plan_line vq_plan_line_at(const vq_plan *plan, int index)
{
    const vq_plan_row row = vq_plan_row_at(plan, index);
    vq_plan_line line = {.node = row.node, .operation = row.op, .bytes = row.bytes};
    memcpy(line.implementation, row.implementation, sizeof line.implementation);
    memcpy(line.flops, row.flops, sizeof line.flops);
    const int rank = row.out.shape.rank < 4 ? row.out.shape.rank : 4;
    for (int i = 0; i < rank; i++) line.shape[i] = row.out.shape.dim[i];
    return line;
}
