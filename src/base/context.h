/* SPDX-License-Identifier: Apache-2.0
 * base/context.h -- the inside of vq_context: errors, memory, threads, log. */
#ifndef VQ_BASE_CONTEXT_H
#define VQ_BASE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vqvae/context.h>

struct vq_kernels;
struct vq_pieces;
struct vq_pool;

enum { VQ_ERROR_SIZE = 1024, VQ_ALIGNMENT = 64 };

struct vq_context {
    vq_allocator allocator;
    vq_file_hooks files;
    vq_log_fn log;
    void *log_user;
    int threads;
    struct vq_pool *pool; /* made by the first range that is worth it */
    bool parallel;        /* a range is running */
    /* Runs all pieces in place of the pool; set by a backend that has threads of its own. */
    void (*run_pieces)(const struct vq_pieces *job);
    uint32_t cpu;                     /* VQ_CPU_ bits that kernels may use */
    const struct vq_kernels *kernels; /* filled by vq_kernels_for() on first use */
    void *scratch;                    /* of vq_scratch() */
    size_t scratch_size;
    char error[VQ_ERROR_SIZE];
};

/* ---- errors ---------------------------------------------------------------- */

/** Records the sentence and returns `status`, so that callers can `return vq_fail(...)`. */
vq_status vq_fail(vq_context *ctx, vq_status status, const char *format, ...) VQ_PRINTF(3, 4);

/** Passes one sentence to the log callback, if there is one. */
void vq_log(vq_context *ctx, vq_log_level level, const char *format, ...) VQ_PRINTF(3, 4);

#define VQ_TRY(call)                                                                               \
    do {                                                                                           \
        const vq_status try_status_ = (call);                                                      \
        if (try_status_ != VQ_OK) return try_status_;                                              \
    } while (0)

/* For functions that own something: `vq_status status` and the label `done` must exist. */
#define VQ_TRY_TO(call)                                                                            \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != VQ_OK) goto done;                                                            \
    } while (0)

#define VQ_CHECK(ctx, condition, code, ...)                                                        \
    do {                                                                                           \
        if (!(condition)) return vq_fail((ctx), (code), __VA_ARGS__);                              \
    } while (0)

/* ---- memory ---------------------------------------------------------------- */

/** Sets *product to a*b; false where that overflows size_t. */
bool vq_mul_size(size_t a, size_t b, size_t *product);
bool vq_add_size(size_t a, size_t b, size_t *sum);

/** Zeroed memory for count*size bytes, aligned to 64. 0 bytes give a valid pointer.
 *  On failure *out is NULL and the error sentence says how much was asked for. */
VQ_MUST_USE vq_status vq_alloc(vq_context *ctx, size_t count, size_t size, void **out);
/** vq_alloc() without the zeros, for memory that the threads which fill it should touch first. */
VQ_MUST_USE vq_status vq_alloc_raw(vq_context *ctx, size_t count, size_t size, void **out);
void vq_release(vq_context *ctx, void *memory);

/** Memory for `size` bytes, aligned to 64, that holds anything and that the context keeps: calls
 *  that come often work in it without asking the allocator. Valid until the next call. */
VQ_MUST_USE vq_status vq_scratch(vq_context *ctx, size_t size, void **out);

#define VQ_NEW(ctx, count, pointer)                                                                \
    vq_alloc((ctx), (size_t)(count), sizeof **(pointer), (void **)(pointer))

/** Copy of a text in the context's memory. */
VQ_MUST_USE vq_status vq_strdup(vq_context *ctx, const char *text, char **out);

/* ---- arena: planning measures with base == NULL, then the same calls bind ---- */

typedef struct vq_arena {
    unsigned char *base;
    size_t used, capacity;
    bool overflow;
} vq_arena;

/** Next block of count*size bytes at a multiple of 64. NULL while measuring, and where the arena
 *  holds no such block. */
void *vq_arena_get(vq_arena *arena, size_t count, size_t size);

/** Memory of a known size, at a multiple of 64. */
typedef struct vq_room {
    void *at;
    size_t size;
} vq_room;

/** What is left of it behind `size` bytes, a multiple of 64. */
static inline vq_room vq_room_behind(vq_room room, size_t size)
{
    if (size >= room.size) return (vq_room){0};
    return (vq_room){(unsigned char *)room.at + size, room.size - size};
}

static inline vq_arena vq_arena_in(vq_room room)
{
    return (vq_arena){.base = (unsigned char *)room.at, .capacity = room.size};
}

/** Whether all blocks were there; else whoever measured `whose` memory took it for less.
 *  @return VQ_OK; VQ_E_INTERNAL */
VQ_MUST_USE vq_status vq_arena_check(vq_context *ctx, const vq_arena *arena, const char *whose);

#endif
