/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_row_kernels.c -- the kernels that search vectors lying row after row, against
 * their definitions in plain loops. */
#include "tables.h"
#include <math.h>

enum { ROWS = 40, KINDS = 3 };

/* Small whole numbers make ties; some numbers are none at all. */
static float *numbers(vq_random *random, size_t count, int kind)
{
    float *buffer = guarded(random, count);
    for (size_t i = 0; i < count && kind > 0; i++) {
        const uint64_t choice = vq_random_below(random, 60);
        buffer[i] = (float)(choice % 5) - 2.0f;
        if (kind == 2 && choice == 7) buffer[i] = NAN;
        if (kind == 2 && choice == 8) buffer[i] = -INFINITY;
    }
    return buffer;
}

/* `count` rows, all different, in no order. */
static void draw_rows(vq_random *random, uint32_t rows[ROWS])
{
    for (uint32_t i = 0; i < ROWS; i++) {
        const size_t other = (size_t)vq_random_below(random, i + 1);
        rows[i] = rows[other];
        rows[other] = i;
    }
}

/* ---- search_rows ------------------------------------------------------------------------ */

static float score_of(size_t depth, const float *x, const float *code, float half)
{
    float dot = 0.0f;
    for (size_t p = 0; p < depth; p++) dot = fmaf(x[p], code[p * VQ_CODE_PANEL], dot);
    return isnan(half - dot) ? INFINITY : half - dot;
}

static void check_search(const vq_kernels *t, vq_random *random, size_t depth, size_t count,
                         int kind)
{
    const int32_t first = 16 * (int32_t)vq_random_below(random, 5);
    float *x = numbers(random, ROWS * depth, kind);
    float *codes = numbers(random, VQ_CODE_PANEL * depth, kind);
    float *half = numbers(random, VQ_CODE_PANEL, kind), *best = numbers(random, ROWS, 1);
    float *expected = guarded_copy(best, ROWS);
    int32_t at[ROWS], expected_at[ROWS];
    uint32_t rows[ROWS];
    draw_rows(random, rows);
    for (size_t i = 0; i < ROWS; i++) at[i] = expected_at[i] = (int32_t)(i % 3) * 32;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < VQ_CODE_PANEL; j++) {
            const uint32_t row = rows[i];
            const float score = score_of(depth, x + row * depth, codes + j, half[j]);
            const int32_t code = first + (int32_t)j;
            if (score < expected[row] || (score <= expected[row] && code < expected_at[row])) {
                expected[row] = score;
                expected_at[row] = code;
            }
        }
    const vq_row_search s = {depth, x, rows, count, best, at};
    t->search_rows(&s, codes, half, first);
    for (size_t i = 0; i < ROWS; i++) {
        if (!(best[i] == expected[i]) || at[i] != expected_at[i])
            fail_msg("%s: depth %zu, %zu rows, kind %d: row %zu has code %d at %g, not %d at %g",
                     t->name, depth, count, kind, i, at[i], (double)best[i], expected_at[i],
                     (double)expected[i]);
        best[i] = expected[i]; /* zeros may differ in their sign */
    }
    if (!same_guarded(best, expected, ROWS)) fail_msg("%s: rows beyond the end", t->name);
    float *const all[] = {x, codes, half, best, expected};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static const size_t depths[] = {1, 2, 3, 8, 15, 16, 17, 64, 67};
static const size_t counts[] = {0, 1, 2, 5, 6, 7, 11, 12, 13, 25, ROWS};

static void searches_of(const vq_kernels *t)
{
    vq_random random = test_stream(70);
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int kind = 0; kind < KINDS; kind++)
                check_search(t, &random, depths[d], counts[c], kind);
}

static void test_search(void **state)
{
    (void)state;
    for_each_table(searches_of);
}

/* ---- screen_rows ------------------------------------------------------------------------- */

/* Half a squared length that leaves room for the sums. */
static uint32_t draw_half(vq_random *random)
{
    return (uint32_t)vq_random_below(random, 260000000);
}

/* Two whole numbers up to 22900 / sqrt(2 * pairs), so that no sum is too large. */
static uint32_t draw_pair(vq_random *random, size_t pairs)
{
    const int32_t most = (int32_t)(22900.0 / sqrt(2.0 * (double)pairs));
    const uint64_t range = 2 * (uint64_t)most + 1;
    const uint32_t low = (uint32_t)((int32_t)vq_random_below(random, range) - most);
    const uint32_t high = (uint32_t)((int32_t)vq_random_below(random, range) - most);
    return (low & 0xffffu) | high << 16;
}

static int64_t half_of(uint32_t pair, int high)
{
    const uint32_t bits = high ? pair >> 16 : pair & 0xffffu;
    return bits < 0x8000u ? (int64_t)bits : (int64_t)bits - 0x10000;
}

static int32_t least_of(const uint32_t *x, size_t pairs, const uint32_t *codes,
                        const int32_t *start, size_t panels)
{
    int64_t most = INT64_MIN;
    for (size_t j = 0; j < panels * VQ_CODE_PANEL; j++) {
        const uint32_t *code =
            codes + j / VQ_CODE_PANEL * VQ_CODE_PANEL * pairs + j % VQ_CODE_PANEL;
        int64_t sum = start[j];
        for (size_t p = 0; p < pairs; p++)
            sum += half_of(x[p], 0) * half_of(code[p * VQ_CODE_PANEL], 0) +
                   half_of(x[p], 1) * half_of(code[p * VQ_CODE_PANEL], 1);
        most = sum > most ? sum : most;
    }
    return (int32_t)((int64_t)x[pairs] - most);
}

static void check_screen(const vq_kernels *t, vq_random *random, size_t pairs, size_t panels,
                         size_t count)
{
    const size_t words = pairs + 1;
    uint32_t *x = (uint32_t *)guarded(random, ROWS * words), rows[ROWS];
    uint32_t *codes = (uint32_t *)guarded(random, panels * VQ_CODE_PANEL * pairs);
    int32_t *start = (int32_t *)guarded(random, panels * VQ_CODE_PANEL);
    int32_t least[ROWS + 1];
    for (size_t i = 0; i < ROWS * words; i++)
        x[i] = i % words == pairs ? draw_half(random) : draw_pair(random, pairs);
    for (size_t i = 0; i < panels * VQ_CODE_PANEL * pairs; i++) codes[i] = draw_pair(random, pairs);
    for (size_t j = 0; j < panels * VQ_CODE_PANEL; j++)
        start[j] = -(int32_t)vq_random_below(random, 200000000);
    draw_rows(random, rows);
    least[count] = 12345;
    const vq_row_screen s = {pairs, x, rows, count, least};
    t->screen_rows(&s, codes, start, panels);
    for (size_t i = 0; i < count; i++)
        if (least[i] != least_of(x + rows[i] * words, pairs, codes, start, panels))
            fail_msg("%s: %zu pairs, %zu panels, %zu rows: number %zu", t->name, pairs, panels,
                     count, i);
    assert_int_equal(least[count], 12345);
    free_guarded((float *)x);
    free_guarded((float *)codes);
    free_guarded((float *)start);
}

static void screens_of(const vq_kernels *t)
{
    vq_random random = test_stream(71);
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            check_screen(t, &random, depths[d], 1 + c % 3, counts[c]);
}

static void test_screen(void **state)
{
    (void)state;
    for_each_table(screens_of);
}

/* ---- list_rows ----------------------------------------------------------------------------- */

static void check_list(const vq_kernels *t, vq_random *random, size_t count)
{
    float *lower = guarded(random, count), *reach = guarded(random, count);
    uint32_t own[ROWS], rows[ROWS + 8], expected[ROWS];
    const float moved = (float)vq_random_below(random, 3);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        reach[i] = (float)vq_random_below(random, 4);
        lower[i] =
            (reach[i] + moved) * (1.0f + 0x1p-20f) + (float)vq_random_below(random, 3) - 1.0f;
        if (vq_random_below(random, 9) == 0) reach[i] = NAN;
        if (vq_random_below(random, 9) == 0) lower[i] = -INFINITY;
        own[i] = (uint32_t)vq_random_below(random, 3);
        const int beyond = lower[i] > (reach[i] + moved) * (1.0f + 0x1p-20f);
        if (!beyond && own[i] != 1) expected[found++] = (uint32_t)i;
    }
    const vq_reach s = {count, reach, own};
    assert_int_equal(t->list_rows(&s, lower, moved, 1, rows), found);
    assert_memory_equal(rows, expected, found * sizeof *rows);
    free_guarded(lower);
    free_guarded(reach);
}

static void lists_of(const vq_kernels *t)
{
    vq_random random = test_stream(72);
    for (size_t count = 0; count <= ROWS; count++)
        for (int i = 0; i < 10; i++) check_list(t, &random, count);
}

static void test_list(void **state)
{
    (void)state;
    for_each_table(lists_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_screen),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
