/* SPDX-License-Identifier: Apache-2.0
 * quantize/codebook_revive.c -- new places for codes that a codebook does not use (after Dhariwal
 * et al. 2020, arXiv:2005.00341). Usage is told by the moving counts, which the codebook has
 * anyway; docs/codebooks.md has the rule that a training of images goes by. */
#include <math.h>

#include "base/random.h"
#include "quantize/codebook.h"
#include "quantize/usage.h"

#ifndef VQ_REAL_DOUBLE

static vq_status check_row(vq_context *ctx, const float *row, size_t dim, uint64_t at)
{
    for (size_t d = 0; d < dim; d++)
        VQ_CHECK(ctx, isfinite(row[d]), VQ_E_NUMERIC,
                 "codebook: vector %llu holds %g, which is not finite", (unsigned long long)at,
                 (double)row[d]);
    return VQ_OK;
}

static double total_of(const vq_codebook *book)
{
    double total = 0.0;
    for (int64_t k = 0; k < book->config.codes; k++) total += (double)book->state.counts[k];
    return total;
}

/* Averages that start at 0 are all too small by the same factor, which a share does not see;
 * vq_ema_place() takes a count without it. */
static double correction(const vq_codebook *book)
{
    if (book->config.start != VQ_EMA_DEBIAS || book->steps == 0) return 1.0;
    return 1.0 - pow(book->config.decay, (double)book->steps);
}

static vq_status place_dead(vq_context *ctx, vq_codebook *book, double share, size_t n,
                            const float *z, int64_t *revived)
{
    const vq_quantize_attrs attrs = vq_codebook_attrs(&book->config);
    const size_t dim = (size_t)book->config.dim;
    const double even = total_of(book) / (double)book->config.codes;
    for (int64_t k = 0; k < book->config.codes && *revived < (int64_t)n; k++) {
        if ((double)book->state.counts[k] >= share * even) continue;
        const uint64_t row = vq_random_permuted(book->config.seed, VQ_RANDOM_REVIVAL,
                                                (uint64_t)book->steps, n, (uint64_t)*revived);
        VQ_TRY(check_row(ctx, z + row * dim, dim, row));
        vq_ema_place(&attrs, &book->state, (size_t)k, z + row * dim,
                     VQ_REVIVED_SHARE * even / correction(book), book->steps);
        ++*revived;
    }
    return VQ_OK;
}

vq_status vq_codebook_revive(vq_context *ctx, vq_codebook *book, double share, size_t n,
                             const float *z, int64_t *revived)
{
    int64_t count = 0;
    VQ_CHECK(ctx, n > 0, VQ_E_SHAPE, "codebook: there are no vectors");
    VQ_CHECK(ctx, share >= 0.0 && share <= 1.0, VQ_E_ARG,
             "codebook: codes below the share %g of the even use were to be revived; 0 to 1 are "
             "allowed",
             share);
    const vq_status status = place_dead(ctx, book, share, n, z, &count);
    if (count > 0) vq_codebook_pack(ctx, book);
    if (revived) *revived = count;
    return status;
}

#endif
