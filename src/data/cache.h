/* SPDX-License-Identifier: Apache-2.0
 * data/cache.h -- decoded pixels kept in memory, shared by threads without locks. */
#ifndef VQ_DATA_CACHE_H
#define VQ_DATA_CACHE_H

#include "base/context.h"

typedef struct vq_cache vq_cache;

/**
 * A cache for the first images of a dataset, as many as fit into `limit` bytes. Memory is
 * taken block by block as images arrive.
 * @param out  NULL where not a single image fits
 */
VQ_MUST_USE vq_status vq_cache_create(vq_context *ctx, size_t n_images, size_t image_bytes,
                                      size_t limit, vq_cache **out);
void vq_cache_destroy(vq_context *ctx, vq_cache *cache);

/** Pixels of an image, valid as long as the cache; NULL where it is not there (yet). */
const uint8_t *vq_cache_find(const vq_cache *cache, size_t index);
/** Keeps a copy where there is room and no other thread was first. Failing to get memory is
 *  no error: the image is decoded again next time. */
void vq_cache_keep(vq_cache *cache, size_t index, const uint8_t *pixels);

#endif
