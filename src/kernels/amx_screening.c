/* SPDX-License-Identifier: Apache-2.0
 * kernels/amx_screening.c -- screening (screening.h) with the tiles of AMX, whose products of bf16
 * cost a fraction even of those of AVX-512.
 *
 * Rows of the first factor are the 16 codes of a group, columns of the second are 16 lanes, so the
 * least score of a group is one minimum down the columns of the product. Words are taken in chunks,
 * of 16 or, where a vector has fewer, of as many as it takes: a power of two, so that no row of a
 * tile lies on two lines of cache. A panel of codes is [chunk][code][word of the chunk]. */
#include "kernels/screening.h"

#if defined(__x86_64__)
#include "kernels/amx_tile.h"
#include "kernels/avx512_screening.h"
#include "kernels/x86.h"

#define TARGET VQ_AMX
#define INLINE VQ_AMX static inline __attribute__((always_inline))

enum { LANES = VQ_SCREENING_LANES, CHUNK = VQ_BLOCK };

/* ---- packing -------------------------------------------------------------------- */

static size_t words_of(size_t depth)
{
    const size_t pairs = depth / 2 + depth % 2;
    size_t words = 1;
    if (pairs > CHUNK) return (pairs + CHUNK - 1) / CHUNK * CHUNK;
    while (words < pairs) words *= 2;
    return words;
}

static void pack(size_t depth, size_t width, const float *from, uint32_t *to, float *length,
                 float *gap)
{
    vq_screen_round_avx512(depth, words_of(depth), width, from, to, length, gap);
}

/* Words [count][16] become [16][count], where they are: ones, twos, fours and eights change
 * places. */
INLINE void transpose(size_t count, uint32_t *words)
{
    const __mmask16 mask = (__mmask16)((1u << count) - 1);
    __m512i r[16], t[16];
    VQ_UNROLL(16)
    for (size_t i = 0; i < 16; i++)
        r[i] = i < count ? _mm512_loadu_si512(words + 16 * i) : _mm512_setzero_si512();
    VQ_UNROLL(8)
    for (size_t i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    /* r[4 b + i]: words 4 b to 4 b + 3 of codes i, i + 4, i + 8 and i + 12. */
    VQ_UNROLL(4)
    for (size_t b = 0; b < 16; b += 4) {
        r[b] = _mm512_unpacklo_epi64(t[b], t[b + 2]);
        r[b + 1] = _mm512_unpackhi_epi64(t[b], t[b + 2]);
        r[b + 2] = _mm512_unpacklo_epi64(t[b + 1], t[b + 3]);
        r[b + 3] = _mm512_unpackhi_epi64(t[b + 1], t[b + 3]);
    }
    VQ_UNROLL(4)
    for (size_t i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    VQ_UNROLL(4)
    for (size_t i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
    }
    VQ_UNROLL(16)
    for (size_t i = 0; i < 16; i++)
        _mm512_mask_storeu_ps(words + i * count, mask, _mm512_castsi512_ps(r[i]));
}

TARGET static void pack_codes(size_t depth, const float *from, uint32_t *to, float *length,
                              float *gap)
{
    const size_t words = words_of(depth), width = words < CHUNK ? words : CHUNK;
    vq_screen_round_avx512(depth, words, VQ_CODE_PANEL, from, to, length, gap);
    for (size_t w = 0; w < words; w += width) transpose(width, to + w * VQ_CODE_PANEL);
}

/* ---- scores --------------------------------------------------------------------- */

/* Tiles: of words of codes, of vectors (two chunks, each for lanes 0 to 15 and 16 to 31), of
 * products. */
#define CODES 0
#define X00 1
#define X01 2
#define X10 3
#define X11 4
#define C0 5
#define C1 6

typedef struct products {
    float of[2][VQ_BLOCK][VQ_BLOCK]; /* halves of the lanes, codes, lanes */
} products;

INLINE void least_scores(const products *dot, const float *half, __m512 least[2])
{
    const __m512 infinite = _mm512_set1_ps(__builtin_inff());
    __m512 other[2] = {infinite, infinite};
    least[0] = least[1] = infinite;
    VQ_UNROLL(8)
    for (size_t j = 0; j < VQ_BLOCK; j += 2) {
        const __m512 h0 = _mm512_set1_ps(half[j]), h1 = _mm512_set1_ps(half[j + 1]);
        VQ_UNROLL(2)
        for (size_t v = 0; v < 2; v++) {
            const __m512 s0 = _mm512_sub_ps(h0, _mm512_load_ps(dot->of[v][j]));
            const __m512 s1 = _mm512_sub_ps(h1, _mm512_load_ps(dot->of[v][j + 1]));
            least[v] = _mm512_min_ps(s0, least[v]);
            other[v] = _mm512_min_ps(s1, other[v]);
        }
    }
    least[0] = _mm512_min_ps(other[0], least[0]);
    least[1] = _mm512_min_ps(other[1], least[1]);
}

/* A vector of few words makes tiles narrow: the codes' columns, the rows of the vectors. */
INLINE void begin_tiles(size_t width)
{
    vq_tile_shapes shapes = vq_tiles_whole();
    shapes.row_bytes[CODES] = (uint16_t)(width * sizeof(uint32_t));
    shapes.rows[X00] = shapes.rows[X01] = (uint8_t)width;
    vq_tiles_begin(&shapes);
}

/* Vectors of one or two chunks stay in tiles. */
INLINE void hold_vectors(size_t chunks, const uint32_t *x)
{
    VQ_TILE_LOAD(X00, x, LANES * sizeof *x);
    VQ_TILE_LOAD(X01, x + VQ_BLOCK, LANES * sizeof *x);
    if (chunks < 2) return;
    VQ_TILE_LOAD(X10, x + CHUNK * LANES, LANES * sizeof *x);
    VQ_TILE_LOAD(X11, x + CHUNK * LANES + VQ_BLOCK, LANES * sizeof *x);
}

INLINE void multiply_held(size_t chunks, size_t width, const uint32_t *codes)
{
    VQ_TILE_LOAD(CODES, codes, width * sizeof *codes);
    _tile_dpbf16ps(C0, CODES, X00);
    _tile_dpbf16ps(C1, CODES, X01);
    if (chunks < 2) return;
    VQ_TILE_LOAD(CODES, codes + VQ_BLOCK_WORDS, CHUNK * sizeof *codes);
    _tile_dpbf16ps(C0, CODES, X10);
    _tile_dpbf16ps(C1, CODES, X11);
}

INLINE void multiply_long(size_t chunks, const uint32_t *x, const uint32_t *codes)
{
    for (size_t c = 0; c < chunks; c++, x += CHUNK * LANES, codes += VQ_BLOCK_WORDS) {
        VQ_TILE_LOAD(CODES, codes, CHUNK * sizeof *codes);
        VQ_TILE_LOAD(X00, x, LANES * sizeof *x);
        VQ_TILE_LOAD(X01, x + VQ_BLOCK, LANES * sizeof *x);
        _tile_dpbf16ps(C0, CODES, X00);
        _tile_dpbf16ps(C1, CODES, X01);
    }
}

typedef struct screen_job {
    size_t words;
    const vq_screen_tile *x;
    const uint32_t *codes;
    const float *half;
    const vq_screen_group *groups;
    size_t count;
    float *low;
} screen_job;

INLINE void judge(const screen_job *job, size_t group, const products *dot, __m512 limit[2])
{
    __m512 least[2];
    least_scores(dot, job->half + group * VQ_CODE_PANEL, least);
    vq_screen_bound(job->x, job->groups + group, least, job->low + group * LANES, limit);
}

/* Products of a group are judged while those of the next are made. `held` chunks, a constant, stay
 * in tiles. */
INLINE void walk(const screen_job *job, size_t held, size_t width, __m512 limit[2])
{
    _Alignas(64) products dot[2];
    const uint32_t *codes = job->codes;
    if (held) hold_vectors(held, job->x->pairs);
    for (size_t g = 0; g < job->count; g++, codes += job->words * VQ_CODE_PANEL) {
        _tile_zero(C0);
        _tile_zero(C1);
        if (held) multiply_held(held, width, codes);
        else multiply_long(job->words / CHUNK, job->x->pairs, codes);
        if (g) judge(job, g - 1, dot + (g - 1) % 2, limit);
        VQ_TILE_STORE(C0, dot[g % 2].of[0], 64);
        VQ_TILE_STORE(C1, dot[g % 2].of[1], 64);
    }
    if (job->count) judge(job, job->count - 1, dot + (job->count - 1) % 2, limit);
}

TARGET static void screen(size_t words, const vq_screen_tile *x, const uint32_t *codes,
                          const float *half, const vq_screen_group *groups, size_t count,
                          float *low, float *threshold)
{
    const screen_job job = {words, x, codes, half, groups, count, low};
    const size_t width = words < CHUNK ? words : CHUNK;
    __m512 limit[2] = {_mm512_loadu_ps(threshold), _mm512_loadu_ps(threshold + 16)};
    begin_tiles(width);
    if (words <= CHUNK) walk(&job, 1, width, limit);
    else if (words <= 2 * CHUNK) walk(&job, 2, CHUNK, limit);
    else walk(&job, 0, CHUNK, limit);
    _tile_release();
    _mm512_storeu_ps(threshold, limit[0]);
    _mm512_storeu_ps(threshold + 16, limit[1]);
}

/* At these sizes the search in f32 took 1.0 to 1.3 times as long on cores that do 0.2 TFLOP/s in
 * f32 and 3 in tiles, with normal numbers; just below them 0.8 to 1.0 times. */
static const vq_screen_sizes pays[] = {
    {5, 2048, 512}, {8, 512, 512}, {12, 256, 512}, {16, 512, 64},
    {32, 128, 128}, {32, 512, 32}, {64, 96, 64},   {0},
};

const vq_screening vq_screening_amx = {
    true, pays, words_of, pack, pack_codes, screen, vq_screen_pass_avx512, vq_screen_again_avx512};

#endif
