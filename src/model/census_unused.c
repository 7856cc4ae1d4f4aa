/* SPDX-License-Identifier: Apache-2.0
 * model/census_unused.c -- why codes that no vector chose are not chosen. */
#include <math.h>
#include <string.h>

#include "kernels/nearest.h"
#include "model/census.h"

/* Of the median distance of a vector to its code, and of a used code to the nearest other one. */
static const double same_share = 0.1;

/* The unused codes, and what the searches say of each. */
typedef struct unused_codes {
    size_t n;
    size_t *code;        /* which it is in the codebook */
    float *vector;       /* n x D */
    int32_t *nearest;    /* vector of the sample */
    int32_t *neighbours; /* n x top: codes, itself among them */
    size_t top;
    double *distance; /* to the nearest vector */
    double apart;     /* what tells codes from copies */
} unused_codes;

static vq_status gather_unused(vq_context *ctx, const vq_census *c, unused_codes *u)
{
    VQ_TRY(VQ_NEW(ctx, u->n, &u->code));
    VQ_TRY(VQ_NEW(ctx, u->n * c->dim, &u->vector));
    VQ_TRY(VQ_NEW(ctx, u->n, &u->nearest));
    VQ_TRY(VQ_NEW(ctx, u->n * u->top, &u->neighbours));
    VQ_TRY(VQ_NEW(ctx, u->n, &u->distance));
    for (size_t k = 0, i = 0; k < c->n_codes; k++) {
        if (c->counts[k]) continue;
        u->code[i] = k;
        memcpy(u->vector + i * c->dim, c->codebook + k * c->dim, c->dim * sizeof(float));
        i++;
    }
    return VQ_OK;
}

static void release_unused(vq_context *ctx, unused_codes *u)
{
    vq_release(ctx, u->code);
    vq_release(ctx, u->vector);
    vq_release(ctx, u->nearest);
    vq_release(ctx, u->neighbours);
    vq_release(ctx, u->distance);
}

/* The `top` rows of `among` (n_among x D) that are nearest to each of n vectors. */
static vq_status search(vq_context *ctx, const vq_census *c, size_t n, const float *vectors,
                        const float *among, size_t n_among, size_t top, int32_t *found)
{
    vq_code_index index;
    unsigned char *memory = NULL, *workspace = NULL;
    vq_status status;
    const size_t bytes = vq_code_index_plan(ctx, c->dim, n_among, n, &index);
    VQ_TRY_TO(VQ_NEW(ctx, bytes, &memory));
    VQ_TRY_TO(VQ_NEW(ctx, vq_nearest_top_workspace(ctx, &index, n, top), &workspace));
    vq_code_index_build(ctx, among, memory, &index);
    (void)vq_nearest_top(ctx, &index, n, vectors, top, found, workspace);
done:
    vq_release(ctx, memory);
    vq_release(ctx, workspace);
    return status;
}

/* How far a used code is from the nearest other one that is used (median): vectors may be far from
 * all codes, so that their distance does not tell which codes are one. Infinite where fewer than
 * two are used. */
static vq_status distance_among_used(vq_context *ctx, const vq_census *c, size_t used, double *out)
{
    float *vector = NULL;
    int32_t *pair = NULL;
    double *gap = NULL;
    vq_status status = VQ_OK;
    *out = HUGE_VAL;
    if (used < 2) return VQ_OK;
    VQ_TRY_TO(VQ_NEW(ctx, used * c->dim, &vector));
    VQ_TRY_TO(VQ_NEW(ctx, 2 * used, &pair));
    VQ_TRY_TO(VQ_NEW(ctx, used, &gap));
    for (size_t k = 0, i = 0; k < c->n_codes; k++)
        if (c->counts[k])
            memcpy(vector + i++ * c->dim, c->codebook + k * c->dim, c->dim * sizeof *vector);
    VQ_TRY_TO(search(ctx, c, used, vector, vector, used, 2, pair));
    for (size_t i = 0; i < used; i++) {
        const int32_t other = pair[2 * i] == (int32_t)i ? pair[2 * i + 1] : pair[2 * i];
        gap[i] = other < 0 ? HUGE_VAL
                           : sqrt(vq_squared_distance(vector + i * c->dim,
                                                      vector + (size_t)other * c->dim, c->dim));
    }
    *out = vq_spread_of(gap, used).median;
done:
    vq_release(ctx, vector);
    vq_release(ctx, pair);
    vq_release(ctx, gap);
    return status;
}

/* The nearest code that is not code i itself; -1 where there is none. */
static int32_t neighbour(const unused_codes *u, size_t i)
{
    const int32_t *found = u->neighbours + i * u->top;
    if ((size_t)found[0] != u->code[i]) return found[0];
    return u->top > 1 ? found[1] : -1;
}

/* A moving count below epsilon: the smoothing and not the data decides how long the code is. */
static bool is_forgotten(const vq_census *c, size_t code)
{
    return c->moving && (double)c->moving[code] < c->epsilon;
}

static bool is_copy(const vq_census *c, const unused_codes *u, size_t i)
{
    const int32_t other = neighbour(u, i);
    if (other < 0) return false;
    const double squared =
        vq_squared_distance(u->vector + i * c->dim, c->codebook + (size_t)other * c->dim, c->dim);
    return sqrt(squared) <= same_share * u->apart;
}

static bool is_far(const vq_census *c, const unused_codes *u, size_t i, const double *mean)
{
    const float *z = c->sample + (size_t)u->nearest[i] * c->dim;
    double from_mean = 0.0;
    for (size_t d = 0; d < c->dim; d++)
        from_mean += ((double)z[d] - mean[d]) * ((double)z[d] - mean[d]);
    return u->distance[i] > sqrt(from_mean);
}

static void sort_codes(const vq_census *c, const unused_codes *u, const double *mean,
                       vq_codebook_figures *f)
{
    for (size_t i = 0; i < u->n; i++) {
        const bool forgotten = is_forgotten(c, u->code[i]);
        const double norm = sqrt(vq_squared_length(u->vector + i * c->dim, c->dim));
        f->forgotten += forgotten;
        if (forgotten && norm < f->vector_norm.least) f->at_origin++;
        else if (is_copy(c, u, i)) f->duplicates++;
        else if (is_far(c, u, i, mean)) f->out_of_reach++;
        else f->crowded_out++;
    }
}

vq_status vq_census_sort_unused(vq_context *ctx, const vq_census *c, const double *mean,
                                vq_codebook_figures *f)
{
    unused_codes u = {.n = c->n_codes - (size_t)f->used, .top = c->n_codes > 1 ? 2 : 1};
    vq_status status;
    f->unused_distance = vq_spread_of(NULL, 0);
    if (u.n == 0) return VQ_OK;
    VQ_TRY_TO(gather_unused(ctx, c, &u));
    VQ_TRY_TO(search(ctx, c, u.n, u.vector, c->sample, c->sampled, 1, u.nearest));
    VQ_TRY_TO(search(ctx, c, u.n, u.vector, c->codebook, c->n_codes, u.top, u.neighbours));
    for (size_t i = 0; i < u.n; i++) {
        if (u.nearest[i] < 0) u.nearest[i] = 0; /* so far that its distances are infinite in f32 */
        u.distance[i] =
            sqrt(vq_squared_distance(u.vector + i * c->dim,
                                     c->sample + (size_t)u.nearest[i] * c->dim, c->dim));
    }
    VQ_TRY_TO(distance_among_used(ctx, c, (size_t)f->used, &u.apart));
    u.apart = fmin(u.apart, f->distance.median);
    sort_codes(c, &u, mean, f);
    f->unused_distance = vq_spread_of(u.distance, u.n);
done:
    release_unused(ctx, &u);
    return status;
}
