/* SPDX-License-Identifier: Apache-2.0
 * fuzz/memory.c -- the C library's memory for all code of ours, by the linker's --wrap.
 *
 * While a target runs, each block follows the one before, with a poisoned gap between, and no place
 * is used twice; then all begins anew. So the sanitizer sees what it sees in its own allocator, and
 * what outlives a target is known at once, but a block costs a tenth. FUZZ_MALLOC in the
 * environment brings the sanitizer's allocator back, which tells where a block came from. */
#include "fuzz/system.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define FUZZ_POISONS 1
#endif
#elif defined __SANITIZE_ADDRESS__
#define FUZZ_POISONS 1
#endif
#ifdef FUZZ_POISONS
#include <sanitizer/asan_interface.h>
#define SEES_POISON __attribute__((no_sanitize("address")))
#else
#define SEES_POISON
#endif

enum { GAP = 32, FILLED = 4096 };
#define ARENA_SIZE ((size_t)1 << 25)

typedef enum block_state { TAKEN = 0x7a6b, GIVEN = 0x6f5e } block_state;

/* Stands right before each block, within the gap. */
typedef struct block {
    size_t size;
    block_state state;
} block;

/* One byte of `shadow` tells the sanitizer about 8 of the arena: 0, all may be used; 1 to 7, so
 * many of them; more, none. Its own functions for that take longer than all else of a block. */
static struct {
    unsigned char *bytes; /* mapped, so that the search for leaks finds no stale pointer in it */
    unsigned char *shadow;
    size_t used;
    long live;
    bool off;
} arena;

enum { PER_SHADOW = 8, NONE = 0xf7 /* "poisoned by user" in the sanitizer's reports */ };

SEES_POISON static void poison(size_t at, size_t size)
{
    unsigned char *shadow = arena.shadow + at / PER_SHADOW;
    for (size_t i = 0; arena.shadow && i < (size + PER_SHADOW - 1) / PER_SHADOW; i++)
        shadow[i] = NONE;
}

SEES_POISON static void allow(size_t at, size_t size)
{
    unsigned char *shadow = arena.shadow + at / PER_SHADOW;
    if (!arena.shadow) return;
    for (size_t i = 0; i < size / PER_SHADOW; i++) shadow[i] = 0;
    if (size % PER_SHADOW) shadow[size / PER_SHADOW] = (unsigned char)(size % PER_SHADOW);
}

static void *take_heap(size_t size);

static void open_arena(void)
{
    const int access = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_ANONYMOUS;
    arena.off = getenv("FUZZ_MALLOC") != NULL;
    arena.bytes = mmap(NULL, ARENA_SIZE, access, kind, -1, 0);
    FUZZ_CHECK(arena.bytes != MAP_FAILED);
#ifdef FUZZ_POISONS
    size_t scale, offset;
    __asan_get_shadow_mapping(&scale, &offset);
    FUZZ_CHECK(scale == 3);
    arena.shadow = (unsigned char *)(((uintptr_t)arena.bytes >> scale) + offset);
#endif
    poison(0, ARENA_SIZE);
    json_set_alloc_funcs(take_heap, free); /* which never fail: it would not notice */
}

SEES_POISON static void *take(size_t size, size_t alignment)
{
    const size_t at = (arena.used + GAP + alignment - 1) & ~(alignment - 1);
    if (at > ARENA_SIZE || size > ARENA_SIZE - at) {
        errno = ENOMEM;
        return NULL;
    }
    unsigned char *bytes = arena.bytes + at;
    *(block *)(void *)(bytes - sizeof(block)) = (block){size, TAKEN};
    arena.used = at + size;
    arena.live++;
    allow(at, size);
    for (size_t i = 0; i < size && i < FILLED; i++) bytes[i] = 0xbe;
    return bytes;
}

static bool is_in_arena(const void *bytes)
{
    return arena.bytes && (size_t)((const unsigned char *)bytes - arena.bytes) < ARENA_SIZE;
}

SEES_POISON static block *block_of(void *bytes)
{
    block *b = (block *)bytes - 1;
    FUZZ_CHECK(b->state == TAKEN); /* neither given back twice nor inside another */
    return b;
}

SEES_POISON static void give(void *bytes)
{
    block *b = block_of(bytes);
    b->state = GIVEN;
    arena.live--;
    poison((size_t)((unsigned char *)bytes - arena.bytes), b->size);
}

SEES_POISON static size_t size_of(void *bytes)
{
    return block_of(bytes)->size;
}

void fuzz_memory_begin(void)
{
    if (!arena.bytes) open_arena();
    arena.used = 0;
}

void fuzz_memory_end(void)
{
    FUZZ_CHECK(arena.live == 0);
}

/* ---- what our code calls ------------------------------------------------------- */

/* The replacement of each call, and the call itself. */
__typeof__(malloc) __wrap_malloc, __real_malloc;
__typeof__(calloc) __wrap_calloc, __real_calloc;
__typeof__(realloc) __wrap_realloc, __real_realloc;
__typeof__(free) __wrap_free, __real_free;

static bool uses_arena(void)
{
    return fuzz_inside() && !arena.off;
}

static bool fails(void)
{
    return fuzz_inside() && fuzz_fails(FUZZ_HEAP);
}

static void *take_heap(size_t size)
{
    return uses_arena() ? take(size, sizeof(block)) : __real_malloc(size);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : take_heap(size);
}

/* Of exactly this size, where aligned_alloc() wants a multiple of the alignment. */
void *fuzz_memory_take(size_t size)
{
    const size_t whole = (size + VQ_ALIGNMENT - 1) & ~(size_t)(VQ_ALIGNMENT - 1);
    return uses_arena() ? take(size, VQ_ALIGNMENT) : aligned_alloc(VQ_ALIGNMENT, whole);
}

void *__wrap_calloc(size_t n, size_t size)
{
    size_t bytes;
    if (fails()) return NULL;
    if (!uses_arena()) return __real_calloc(n, size);
    void *zeroed = __builtin_mul_overflow(n, size, &bytes) ? NULL : take(bytes, sizeof(block));
    return zeroed ? memset(zeroed, 0, bytes) : NULL;
}

void *__wrap_realloc(void *bytes, size_t size)
{
    if (fails()) return NULL;
    if (bytes ? !is_in_arena(bytes) : !uses_arena()) return __real_realloc(bytes, size);
    void *moved = take(size, sizeof(block));
    if (!moved || !bytes) return moved;
    const size_t before = size_of(bytes);
    memcpy(moved, bytes, before < size ? before : size);
    give(bytes);
    return moved;
}

void __wrap_free(void *bytes)
{
    if (is_in_arena(bytes)) give(bytes);
    else __real_free(bytes);
}
