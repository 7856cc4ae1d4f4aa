/* SPDX-License-Identifier: Apache-2.0
 * kernels/rows_x86.c -- searches of vectors that lie row after row, for x86-64 with AVX2: what is
 * done in whole numbers is no faster in wider registers. */
#include "kernels/kernels.h"

#if defined(__x86_64__)
#include "kernels/x86.h"
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* Six vectors by the codes of a panel, which lie in the lanes. */
enum { TEAM = 6 };

INLINE void multiply_team(size_t pairs, const uint32_t *const x[TEAM], const uint32_t *codes,
                          const int32_t *start, __m256i sum[TEAM][2])
{
    VQ_UNROLL(6)
    for (size_t i = 0; i < TEAM; i++) {
        sum[i][0] = _mm256_loadu_si256((const __m256i *)start);
        sum[i][1] = _mm256_loadu_si256((const __m256i *)(start + 8));
    }
    for (size_t p = 0; p < pairs; p++, codes += VQ_CODE_PANEL) {
        const __m256i code0 = _mm256_loadu_si256((const __m256i *)codes);
        const __m256i code1 = _mm256_loadu_si256((const __m256i *)(codes + 8));
        VQ_UNROLL(6)
        for (size_t i = 0; i < TEAM; i++) {
            const __m256i pair = _mm256_set1_epi32((int)x[i][p]);
            sum[i][0] = _mm256_add_epi32(sum[i][0], _mm256_madd_epi16(pair, code0));
            sum[i][1] = _mm256_add_epi32(sum[i][1], _mm256_madd_epi16(pair, code1));
        }
    }
}

INLINE __m256i most_of_pairs(__m256i a, __m256i b)
{
    return _mm256_max_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}

INLINE __m256i most_of_fours(__m256i a, __m256i b)
{
    return _mm256_max_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

/* The largest of the lanes of each register: six of them, and two that are left open. */
INLINE __m256i most_of_team(const __m256i m[TEAM])
{
    const __m256i four = most_of_fours(most_of_pairs(m[0], m[1]), most_of_pairs(m[2], m[3]));
    const __m256i pair = most_of_pairs(m[4], m[5]), two = most_of_fours(pair, pair);
    return _mm256_max_epi32(_mm256_permute2x128_si256(four, two, 0x20),
                            _mm256_permute2x128_si256(four, two, 0x31));
}

TARGET static void screen_team(size_t pairs, const uint32_t *const x[TEAM], const uint32_t *codes,
                               const int32_t *start, size_t panels, int32_t most[8])
{
    __m256i m[TEAM];
    VQ_UNROLL(6)
    for (size_t i = 0; i < TEAM; i++) m[i] = _mm256_set1_epi32(INT32_MIN);
    for (size_t panel = 0; panel < panels; panel++) {
        __m256i sum[TEAM][2];
        multiply_team(pairs, x, codes + panel * VQ_CODE_PANEL * pairs,
                      start + panel * VQ_CODE_PANEL, sum);
        VQ_UNROLL(6)
        for (size_t i = 0; i < TEAM; i++)
            m[i] = _mm256_max_epi32(m[i], _mm256_max_epi32(sum[i][0], sum[i][1]));
    }
    _mm256_storeu_si256((__m256i *)most, most_of_team(m));
}

/* The last team is filled up with copies of its last vector. */
TARGET void vq_screen_rows_x86(const vq_row_screen *s, const uint32_t *codes, const int32_t *start,
                               size_t panels)
{
    for (size_t i = 0; i < s->count; i += TEAM) {
        const size_t left = s->count - i, count = left < TEAM ? left : TEAM;
        const uint32_t *x[TEAM];
        int32_t most[8];
        for (size_t j = 0; j < TEAM; j++)
            x[j] = s->x + s->rows[i + (j < count ? j : count - 1)] * (s->pairs + 1);
        screen_team(s->pairs, x, codes, start, panels, most);
        for (size_t j = 0; j < count; j++) s->least[i + j] = (int32_t)x[j][s->pairs] - most[j];
    }
}

/* The places of the bits that are set in four of them. */
static const struct {
    uint32_t at[4], count;
} set_bits[16] = {
    {{0}, 0},    {{0}, 1},       {{1}, 1},       {{0, 1}, 2},       {{2}, 1},    {{0, 2}, 2},
    {{1, 2}, 2}, {{0, 1, 2}, 3}, {{3}, 1},       {{0, 3}, 2},       {{1, 3}, 2}, {{0, 1, 3}, 3},
    {{2, 3}, 2}, {{0, 2, 3}, 3}, {{1, 2, 3}, 3}, {{0, 1, 2, 3}, 4},
};

TARGET size_t vq_list_rows_x86(const vq_reach *s, const float *lower, float moved, uint32_t group,
                               uint32_t *rows)
{
    const __m256 more = _mm256_set1_ps(1.0f + 0x1p-20f), by = _mm256_set1_ps(moved);
    const __m256i here = _mm256_set1_epi32((int)group);
    size_t found = 0, i = 0;
    for (; i + 8 <= s->count; i += 8) {
        const __m256 limit = _mm256_mul_ps(_mm256_add_ps(_mm256_loadu_ps(s->reach + i), by), more);
        const __m256i own = _mm256_loadu_si256((const __m256i *)(s->own + i));
        const __m256 within = _mm256_cmp_ps(_mm256_loadu_ps(lower + i), limit, _CMP_NGT_UQ);
        const __m256 searched = _mm256_castsi256_ps(_mm256_cmpeq_epi32(own, here));
        unsigned bits = (unsigned)_mm256_movemask_ps(_mm256_andnot_ps(searched, within));
        VQ_UNROLL(2)
        for (size_t j = 0; j < 2; j++, bits >>= 4) {
            const __m128i at = _mm_loadu_si128((const __m128i *)set_bits[bits & 15u].at);
            _mm_storeu_si128((__m128i *)(rows + found),
                             _mm_add_epi32(at, _mm_set1_epi32((int)(i + 4 * j))));
            found += set_bits[bits & 15u].count;
        }
    }
    const vq_reach rest = {s->count - i, s->reach + i, s->own + i};
    const size_t more_found =
        vq_kernels_portable.list_rows(&rest, lower + i, moved, group, rows + found);
    for (size_t j = 0; j < more_found; j++) rows[found + j] += (uint32_t)i;
    return found + more_found;
}

#endif
