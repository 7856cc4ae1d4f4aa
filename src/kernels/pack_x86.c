/* SPDX-License-Identifier: Apache-2.0
 * kernels/pack_x86.c -- packing for x86-64 with AVX2: the two ways in which a matrix can
 * lie contiguously. Everything else, and the ends, are left to the specification. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
#include "kernels/x86.h"
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))

/* Rows of an 8 x 8 block become columns: pairs, then fours, then halves. */
TARGET static inline void transpose8(__m256 r[8])
{
    __m256 t[8];
    VQ_UNROLL(4)
    for (size_t i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    __m256 f[8];
    VQ_UNROLL(2)
    for (size_t i = 0; i < 2; i++) {
        f[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        f[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        f[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        f[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    VQ_UNROLL(4)
    for (size_t i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(f[i], f[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(f[i], f[i + 4], 0x31);
    }
}

/* Asks for memory that will be read soon; it may lie beyond the matrix, where asking does no
 * harm but a pointer would. */
static inline void ask_for(const float *from, size_t ahead)
{
    _mm_prefetch((const char *)((uintptr_t)from + ahead * sizeof *from), _MM_HINT_T0);
}

/* Eight numbers of each of eight lines from place p, missing lines as zeros. */
TARGET static inline void load_block(const vq_panel *s, size_t lane, size_t p, __m256 r[8])
{
    const __m256 shift = s->shift ? _mm256_loadu_ps(s->shift + p) : _mm256_setzero_ps();
    VQ_UNROLL(8)
    for (size_t i = 0; i < 8; i++) {
        r[i] = _mm256_setzero_ps();
        if (lane + i < s->lanes)
            r[i] = _mm256_sub_ps(_mm256_loadu_ps(s->from + (lane + i) * s->lane_step + p), shift);
    }
}

/* Returns how many places of every line it packed. A panel narrower than 8 is written with
 * stores that reach into the next places, which are written after; the last places are
 * therefore left to the caller. */
TARGET static size_t pack_across(const vq_panel *s, size_t width, float *to)
{
    const size_t kept = width < 8 ? (8 - 1) / width : 0;
    size_t p = 0;
    if (width > 8 && width % 8) return 0;
    for (; p + 8 + kept <= s->depth; p += 8)
        for (size_t lane = 0; lane < width; lane += 8) {
            __m256 r[8];
            load_block(s, lane, p, r);
            if (p % 16 == 0) /* once a line of cache, of the panel that comes next */
                for (size_t i = lane; i < lane + 8; i++)
                    ask_for(s->from + p, (i + width) * s->lane_step);
            transpose8(r);
            VQ_UNROLL(8)
            for (size_t i = 0; i < 8; i++) _mm256_storeu_ps(to + (p + i) * width + lane, r[i]);
        }
    return p;
}

/* Whole panels whose lines lie side by side: a copy for each place. */
TARGET static void pack_along(const vq_panel *s, size_t width, float *to)
{
    for (size_t p = 0; p < s->depth; p++, to += width) {
        const float *from = s->from + p * s->depth_step;
        const float shift = s->shift ? s->shift[p] : 0.0f;
        for (size_t i = 0; i < width; i += 16) ask_for(from + i, 16 * s->depth_step);
        size_t i = 0;
        for (; i + 8 <= width; i += 8)
            _mm256_storeu_ps(to + i,
                             _mm256_sub_ps(_mm256_loadu_ps(from + i), _mm256_set1_ps(shift)));
        for (; i < width; i++) to[i] = from[i] - shift;
    }
}

void vq_pack_x86(const vq_panel *panel, size_t width, float *to)
{
    vq_panel rest = *panel;
    size_t done = 0;
    if (panel->lane_step == 1 && panel->lanes == width) {
        pack_along(panel, width, to);
        return;
    }
    if (panel->depth_step == 1) done = pack_across(panel, width, to);
    rest.from += done * panel->depth_step;
    rest.depth -= done;
    if (rest.shift) rest.shift += done;
    if (rest.depth) vq_kernels_portable.pack(&rest, width, to + done * width);
}

#endif
