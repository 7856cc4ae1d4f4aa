/* SPDX-License-Identifier: Apache-2.0
 * tests/emulate/amx.h -- stands in for <immintrin.h> in the kernels for AMX where they are tested
 * on a processor without: avx512.h, and the tile registers.
 *
 * A tile is modelled as Intel's manual defines it (Software Developer's Manual, volume 1, chapter
 * on AMX, and volume 2, TDPBF16PS), for palette 1: up to 16 rows of up to 64 bytes as they were
 * configured, zeros where nothing was loaded. Tiles whose shapes do not fit end the program, as the
 * processor would. Of TDPBF16PS the order and the rounding of all additions are as amx_tile.h says;
 * which of several operands that are not numbers survives is not modelled. Registers belong to a
 * source file as well as to a thread: no kernel hands tiles from one file to another. */
#ifndef VQ_TESTS_EMULATE_AMX_H
#define VQ_TESTS_EMULATE_AMX_H

#include "tests/emulate/avx512.h"

#include <math.h>
#include <stdlib.h>

typedef struct vq_emulate_tile {
    size_t rows, words;
    uint32_t row[16][16];
} vq_emulate_tile;

static _Thread_local vq_emulate_tile vq_emulate_tiles[8];

static inline void vq_emulate_tile_release(void)
{
    memset(vq_emulate_tiles, 0, sizeof vq_emulate_tiles);
}

static inline void vq_emulate_tile_loadconfig(const void *config)
{
    const unsigned char *bytes = config;
    vq_emulate_tile_release();
    if (bytes[0] != 1) abort();
    for (size_t i = 0; i < 8; i++) {
        uint16_t row_bytes;
        memcpy(&row_bytes, bytes + 16 + 2 * i, sizeof row_bytes);
        vq_emulate_tiles[i].rows = bytes[48 + i];
        vq_emulate_tiles[i].words = row_bytes / 4;
        if (bytes[48 + i] > 16 || row_bytes > 64) abort();
    }
}

static inline vq_emulate_tile *vq_emulate_tile_of(int tile)
{
    if (vq_emulate_tiles[tile].rows == 0) abort(); /* not configured */
    return &vq_emulate_tiles[tile];
}

static inline void vq_emulate_tile_zero(int tile)
{
    vq_emulate_tile *t = vq_emulate_tile_of(tile);
    memset(t->row, 0, sizeof t->row);
}

static inline void vq_emulate_tile_loadd(int tile, const void *from, size_t step)
{
    vq_emulate_tile *t = vq_emulate_tile_of(tile);
    memset(t->row, 0, sizeof t->row);
    for (size_t i = 0; i < t->rows; i++)
        memcpy(t->row[i], (const char *)from + i * step, 4 * t->words);
}

static inline void vq_emulate_tile_stored(int tile, void *to, size_t step)
{
    const vq_emulate_tile *t = vq_emulate_tile_of(tile);
    for (size_t i = 0; i < t->rows; i++) memcpy((char *)to + i * step, t->row[i], 4 * t->words);
}

static inline float vq_emulate_number(uint32_t bits)
{
    float number;
    if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u; /* subnormal */
    memcpy(&number, &bits, sizeof number);
    return number;
}

static inline uint32_t vq_emulate_bits(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static inline float vq_emulate_flushed(float number)
{
    return vq_emulate_number(vq_emulate_bits(number));
}

static inline void vq_emulate_tile_dpbf16ps(int to, int left, int right)
{
    vq_emulate_tile *c = vq_emulate_tile_of(to);
    const vq_emulate_tile *a = vq_emulate_tile_of(left), *b = vq_emulate_tile_of(right);
    if (a->rows != c->rows || a->words != b->rows || b->words != c->words) abort();
    for (size_t m = 0; m < c->rows; m++)
        for (size_t n = 0; n < c->words; n++) {
            float low = 0.0f, high = 0.0f;
            for (size_t k = 0; k < a->words; k++) {
                const uint32_t x = a->row[m][k], y = b->row[k][n];
                low = vq_emulate_flushed(
                    fmaf(vq_emulate_number(x << 16), vq_emulate_number(y << 16), low));
                high = vq_emulate_flushed(fmaf(vq_emulate_number(x & 0xffff0000u),
                                               vq_emulate_number(y & 0xffff0000u), high));
            }
            const float both = vq_emulate_flushed(low + high);
            c->row[m][n] =
                vq_emulate_bits(vq_emulate_flushed(vq_emulate_number(c->row[m][n]) + both));
        }
}

#undef _tile_release
#undef _tile_loadconfig
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_release vq_emulate_tile_release
#define _tile_loadconfig vq_emulate_tile_loadconfig
#define _tile_zero vq_emulate_tile_zero
#define _tile_loadd(tile, from, step) vq_emulate_tile_loadd((tile), (from), (size_t)(step))
#define _tile_stored(tile, to, step) vq_emulate_tile_stored((tile), (to), (size_t)(step))
#define _tile_dpbf16ps vq_emulate_tile_dpbf16ps

#endif
