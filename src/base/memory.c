/* SPDX-License-Identifier: Apache-2.0
 * base/memory.c -- memory through the context's allocator, and arenas. */
#include "base/context.h"
#include <string.h>

bool vq_mul_size(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

bool vq_add_size(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

vq_status vq_alloc_raw(vq_context *ctx, size_t count, size_t size, void **out)
{
    *out = NULL;
    size_t bytes;
    if (!vq_mul_size(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return vq_fail(ctx, VQ_E_NOMEM, "%zu elements of %zu bytes are more than memory can hold",
                       count, size);
    if (bytes == 0) bytes = 1; /* hooks are never asked for nothing */
    *out = ctx->allocator.alloc(ctx->allocator.user, bytes);
    VQ_CHECK(ctx, *out, VQ_E_NOMEM, "no memory for %zu bytes", bytes);
    return VQ_OK;
}

vq_status vq_alloc(vq_context *ctx, size_t count, size_t size, void **out)
{
    VQ_TRY(vq_alloc_raw(ctx, count, size, out));
    memset(*out, 0, count * size);
    return VQ_OK;
}

void vq_release(vq_context *ctx, void *memory)
{
    if (memory) ctx->allocator.release(ctx->allocator.user, memory);
}

vq_status vq_scratch(vq_context *ctx, size_t size, void **out)
{
    if (size > ctx->scratch_size || !ctx->scratch) {
        vq_release(ctx, ctx->scratch);
        ctx->scratch_size = 0;
        VQ_TRY(vq_alloc(ctx, size, 1, &ctx->scratch));
        ctx->scratch_size = size;
    }
    *out = ctx->scratch;
    return VQ_OK;
}

vq_status vq_strdup(vq_context *ctx, const char *text, char **out)
{
    const size_t size = strlen(text) + 1;
    VQ_TRY(VQ_NEW(ctx, size, out));
    memcpy(*out, text, size);
    return VQ_OK;
}

void *vq_arena_get(vq_arena *arena, size_t count, size_t size)
{
    const size_t mask = VQ_ALIGNMENT - 1;
    size_t bytes, at, end;
    if (!vq_mul_size(count, size, &bytes) || !vq_add_size(arena->used, mask, &at)) {
        arena->overflow = true;
        return NULL;
    }
    at &= ~mask;
    if (!vq_add_size(at, bytes, &end) || end > SIZE_MAX / 2 ||
        (arena->base && end > arena->capacity)) {
        arena->overflow = true;
        return NULL;
    }
    arena->used = end;
    return arena->base && !arena->overflow ? arena->base + at : NULL;
}

vq_status vq_arena_check(vq_context *ctx, const vq_arena *arena, const char *whose)
{
    if (!arena->overflow && (arena->base || !arena->used)) return VQ_OK;
    return vq_fail(ctx, VQ_E_INTERNAL, "%s: the %zu bytes that were measured are too few", whose,
                   arena->capacity);
}
