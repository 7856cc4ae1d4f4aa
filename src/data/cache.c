/* SPDX-License-Identifier: Apache-2.0
 * data/cache.c -- one slot for each of the first images, in blocks taken when first needed.
 *
 * A slot goes from EMPTY over FILLING (one thread won the right to write) to READY, after
 * which its pixels never change: readers need no lock. Which images are kept depends on
 * their index alone, and for images drawn at random any choice is as good as another. */
#include "data/cache.h"

#include <stdatomic.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 20 };
enum { EMPTY, FILLING, READY };

typedef struct cache_block {
    _Atomic(uint8_t *) pixels; /* NULL until first needed */
} cache_block;

typedef struct cache_slot {
    atomic_uchar state;
} cache_slot;

struct vq_cache {
    vq_allocator allocator; /* blocks are taken by whichever context comes first */
    size_t n_images, image_bytes, images_per_block, n_blocks;
    cache_block *blocks;
    cache_slot *slots; /* one an image */
};

vq_status vq_cache_create(vq_context *ctx, size_t n_images, size_t image_bytes, size_t limit,
                          vq_cache **out)
{
    vq_status status = VQ_OK;
    vq_cache *cache = NULL;
    *out = NULL;
    if (n_images > limit / image_bytes) n_images = limit / image_bytes;
    if (n_images == 0) return VQ_OK;
    VQ_TRY_TO(VQ_NEW(ctx, 1, &cache));
    cache->allocator = ctx->allocator;
    cache->n_images = n_images;
    cache->image_bytes = image_bytes;
    cache->images_per_block = image_bytes < BLOCK_BYTES ? BLOCK_BYTES / image_bytes : 1;
    cache->n_blocks = (n_images + cache->images_per_block - 1) / cache->images_per_block;
    VQ_TRY_TO(VQ_NEW(ctx, cache->n_blocks, &cache->blocks));
    VQ_TRY_TO(VQ_NEW(ctx, n_images, &cache->slots));
    for (size_t i = 0; i < cache->n_blocks; i++) atomic_init(&cache->blocks[i].pixels, NULL);
    for (size_t i = 0; i < n_images; i++) atomic_init(&cache->slots[i].state, EMPTY);
    *out = cache;
    cache = NULL;
done:
    vq_cache_destroy(ctx, cache);
    return status;
}

void vq_cache_destroy(vq_context *ctx, vq_cache *cache)
{
    if (!cache) return;
    for (size_t i = 0; cache->blocks && i < cache->n_blocks; i++) {
        uint8_t *block = atomic_load(&cache->blocks[i].pixels);
        if (block) cache->allocator.release(cache->allocator.user, block);
    }
    vq_release(ctx, cache->blocks);
    vq_release(ctx, cache->slots);
    vq_release(ctx, cache);
}

static size_t place_in_block(const vq_cache *cache, size_t index)
{
    return index % cache->images_per_block * cache->image_bytes;
}

const uint8_t *vq_cache_find(const vq_cache *cache, size_t index)
{
    if (!cache || index >= cache->n_images) return NULL;
    const cache_slot *slot = &cache->slots[index];
    if (atomic_load_explicit(&slot->state, memory_order_acquire) != READY) return NULL;
    const cache_block *owner = &cache->blocks[index / cache->images_per_block];
    const uint8_t *block = atomic_load_explicit(&owner->pixels, memory_order_acquire);
    return block + place_in_block(cache, index);
}

/* The block, made by this thread or by one that was faster; NULL without memory. */
static uint8_t *get_block(const vq_cache *cache, cache_block *owner)
{
    const vq_allocator *allocator = &cache->allocator;
    uint8_t *block = atomic_load_explicit(&owner->pixels, memory_order_acquire);
    if (block) return block;
    uint8_t *fresh =
        allocator->alloc(allocator->user, cache->images_per_block * cache->image_bytes);
    if (!fresh) return NULL;
    if (atomic_compare_exchange_strong(&owner->pixels, &block, fresh)) return fresh;
    allocator->release(allocator->user, fresh);
    return block;
}

void vq_cache_keep(vq_cache *cache, size_t index, const uint8_t *pixels)
{
    unsigned char expected = EMPTY;
    if (!cache || index >= cache->n_images) return;
    uint8_t *block = get_block(cache, &cache->blocks[index / cache->images_per_block]);
    if (!block) return;
    cache_slot *slot = &cache->slots[index];
    if (!atomic_compare_exchange_strong(&slot->state, &expected, FILLING)) return;
    memcpy(block + place_in_block(cache, index), pixels, cache->image_bytes);
    atomic_store_explicit(&slot->state, READY, memory_order_release);
}
