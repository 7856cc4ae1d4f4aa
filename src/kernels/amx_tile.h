/* SPDX-License-Identifier: Apache-2.0
 * kernels/amx_tile.h -- the tile registers of AMX: eight of 16 rows of 64 bytes.
 *
 * TDPBF16PS adds to a tile of f32 the product of a tile of 16 rows of 16 words of bf16 and one of
 * 16 words by 16 columns. Of every number c it makes two chains from 0 over the words, one of the
 * products of their low halves and one of those of the high halves, by fused multiply-adds that
 * round to nearest and take and leave subnormal numbers as zeros; c becomes c + (low + high), two
 * additions (Intel, Software Developer's Manual, TDPBF16PS). */
#ifndef VQ_KERNELS_AMX_TILE_H
#define VQ_KERNELS_AMX_TILE_H

#include "kernels/bf16.h"
#include <immintrin.h>
#include <stdint.h>

#define VQ_AMX                                                                                     \
    __attribute__((                                                                                \
        target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")))

/* Compilers may know neither that loading a tile reads memory nor that storing one writes it. */
#define VQ_MEMORY __asm__ volatile("" ::: "memory")
/* `tile` is a literal number; `step` counts bytes from row to row. */
#define VQ_TILE_LOAD(tile, from, step)                                                             \
    do {                                                                                           \
        VQ_MEMORY;                                                                                 \
        _tile_loadd(tile, from, step);                                                             \
    } while (0)
#define VQ_TILE_STORE(tile, to, step)                                                              \
    do {                                                                                           \
        _tile_stored(tile, to, step);                                                              \
        VQ_MEMORY;                                                                                 \
    } while (0)

/** What _tile_loadconfig() takes. */
typedef struct vq_tile_shapes {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} vq_tile_shapes;

enum { VQ_TILES = 8 };

/** Every tile of 16 rows of 64 bytes. */
static inline vq_tile_shapes vq_tiles_whole(void)
{
    vq_tile_shapes shapes = {.palette = 1};
    for (int i = 0; i < VQ_TILES; i++) {
        shapes.row_bytes[i] = 64;
        shapes.rows[i] = VQ_BLOCK;
    }
    return shapes;
}

/** Gives tiles their shapes, for this thread, until _tile_release(): about 50 ns for both. */
VQ_AMX static inline void vq_tiles_begin(const vq_tile_shapes *shapes)
{
    VQ_MEMORY; /* all of the shapes is read */
    _tile_loadconfig(shapes);
}

#endif
