/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_bf16.c -- rounding to bf16, and products of bf16: bit for bit against two
 * fmaf() for a pair, but for the processor's own instruction, whose rounding is its own affair.
 *
 * Products of two bf16 are exact in f32, so a chain of p pairs from s rounds 2p times and is off by
 * at most g(2p) (|s| + sum |x y|), g(n) = n u / (1 - n u), u = 2^-24, in whatever order a pair is
 * added (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2). That
 * instruction besides makes zeros of what is below 2^-126: 3p numbers at most. */
#include "kernels/bf16.h"
#include "tables.h"
#include <math.h>

/* ---- rounding -------------------------------------------------------------------- */

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Of the numbers of bf16 on either side of x the nearer, of two alike the one with an even last
 * bit, for x not negative. What lies beyond the last one counts as if there were one more. */
static uint32_t nearest(uint32_t bits)
{
    const uint32_t below = bits >> 16, above = below + 1;
    const double x = (double)float_of(bits), low = (double)float_of(below << 16);
    const double high = above == 0x7f80u ? 0x1p128 : (double)float_of(above << 16);
    if (x - low < high - x) return below;
    if (x - low > high - x) return above;
    return below % 2 ? above : below;
}

static void test_rounding(void **state)
{
    static const uint32_t rests[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1234};
    (void)state;
    for (uint32_t upper = 0; upper < 0x7f80u; upper++)
        for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
            const uint32_t bits = upper << 16 | rests[i], expected = nearest(bits);
            assert_int_equal(vq_bf16_round(float_of(bits)), expected);
            assert_int_equal(vq_bf16_round(-float_of(bits)), expected | 0x8000u);
        }
    assert_int_equal(vq_bf16_round(INFINITY), 0x7f80);
    assert_int_equal(vq_bf16_round(-INFINITY), 0xff80);
    for (uint32_t bits = 0x7f800001u; bits < 0x7fffffffu; bits += 0xfff1u) {
        assert_true(isnan(vq_pair_low(vq_bf16_round(float_of(bits)))));
        assert_true(isnan(vq_pair_high(vq_pair_of(0.0f, -float_of(bits)))));
    }
    assert_true(vq_pair_low(vq_pair_of(1.5f, -3.0f)) == 1.5f);
    assert_true(vq_pair_high(vq_pair_of(1.5f, -3.0f)) == -3.0f);
}

/* ---- chains ---------------------------------------------------------------------- */

/* A number as it must be, as it would be without rounding, and the sum of what was added. */
typedef struct number {
    float chain;
    double exact, size;
    size_t pairs;
} number;

static number begin(float start)
{
    return (number){start, (double)start, fabs((double)start), 0};
}

static void add_pair(number *n, float x, float y)
{
    uint32_t a, b;
    memcpy(&a, &x, sizeof a);
    memcpy(&b, &y, sizeof b);
    const float xs[2] = {vq_pair_high(a), vq_pair_low(a)};
    const float ys[2] = {vq_pair_high(b), vq_pair_low(b)};
    for (int i = 0; i < 2; i++) {
        n->chain = fmaf(xs[i], ys[i], n->chain);
        n->exact += (double)xs[i] * (double)ys[i];
        n->size += fabs((double)xs[i] * (double)ys[i]);
    }
    n->pairs++;
}

/* Whether the products of a table are those of an instruction. */
static bool own_rounding(const vq_kernels *t)
{
    return strcmp(t->name, "avx512bf16") == 0;
}

static void check(const vq_kernels *t, const number *n, float got, const char *what)
{
    const double roundings = 2.0 * (double)n->pairs * 0x1p-24;
    /* `exact` itself is a sum in double. */
    const double bound = roundings / (1.0 - roundings) * n->size + n->size * 0x1p-45 +
                         3.0 * (double)n->pairs * 0x1p-126;
    if (!own_rounding(t) && memcmp(&got, &n->chain, sizeof got) != 0)
        fail_msg("%s: %s of %zu pairs is %.9g, not %.9g", t->name, what, n->pairs, (double)got,
                 (double)n->chain);
    if (!(fabs((double)got - n->exact) <= bound))
        fail_msg("%s: %s of %zu pairs is %.9g, but %.12g exactly, and may be off by %.3g", t->name,
                 what, n->pairs, (double)got, n->exact, bound);
}

static float *guarded_pairs(vq_random *random, size_t count)
{
    float *pairs = guarded(random, count);
    for (size_t i = 0; i < count; i++) {
        const uint32_t pair = vq_pair_of(pairs[i], vq_random_normal(random));
        memcpy(&pairs[i], &pair, sizeof pair);
    }
    return pairs;
}

/* ---- correlations ---------------------------------------------------------------- */

static void check_correlation(const vq_kernels *t, vq_random *random, size_t taps, size_t run,
                              size_t places, size_t channels)
{
    size_t in_at[20], out_at[20];
    const size_t depth = taps * run, panels = vq_panels_size(channels, 1);
    const size_t tap_step = run + random_between(random, 0, 5);
    for (size_t i = 0; i < places; i++) {
        in_at[i] = i * random_between(random, 0, 4);
        out_at[i] = i * (channels + 2);
    }
    const size_t in_size = places * 4 + taps * tap_step + 1;
    const size_t size = places * (channels + 2);
    float *in = guarded_pairs(random, in_size), *weights = guarded_pairs(random, panels * depth);
    float *bias = guarded(random, panels), *out = guarded(random, size);
    float *before = guarded_copy(out, size);
    vq_correlation c = {.taps = taps, .run = run, .tap_step = tap_step, .places = places};
    c.line = run;
    c.depth = depth;
    c.channels = channels;
    c.in = in;
    c.in_at = in_at;
    c.weights = weights;
    c.out = out;
    c.out_at = out_at;
    c.bias = bias;
    c.bf16 = true;
    vq_correlate(t, &c);
    for (size_t i = 0; i < places; i++)
        for (size_t o = 0; o < channels; o++) {
            number n = begin(bias[o]);
            for (size_t p = 0; p < depth; p++)
                add_pair(&n, in[in_at[i] + p / run * tap_step + p % run],
                         weights[(o / VQ_PANEL * depth + p) * VQ_PANEL + o % VQ_PANEL]);
            check(t, &n, out[out_at[i] + o], "a correlation");
            out[out_at[i] + o] = before[out_at[i] + o];
        }
    assert_true(same_guarded(out, before, size)); /* nothing else was written */
    float *const all[] = {in, weights, bias, out, before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static void correlations_of(const vq_kernels *t)
{
    static const size_t places[] = {1, 6, 15}, channels[] = {3, 16, 40, 64, 100};
    static const size_t chains[][2] = {{0, 3}, {1, 1}, {1, 33}, {3, 12}, {2, 7}};
    vq_random random = test_stream(31);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++)
        for (size_t o = 0; o < sizeof channels / sizeof *channels; o++)
            for (size_t d = 0; d < sizeof chains / sizeof *chains; d++)
                check_correlation(t, &random, chains[d][0], chains[d][1], places[p], channels[o]);
}

static void test_correlate(void **state)
{
    (void)state;
    for_each_table(correlations_of);
}

/* Mask, residual and relu, where the chains are of whole numbers and so exact. */
static void ends_of(const vq_kernels *t)
{
    enum { SIZE = VQ_PLACES * VQ_PANEL };
    float in[VQ_PLACES], weights[VQ_PANEL], mask[SIZE], more[SIZE], out[SIZE];
    size_t in_at[VQ_PLACES], out_at[VQ_PLACES];
    for (size_t i = 0; i < VQ_PLACES; i++) {
        const uint32_t pair = vq_pair_of((float)i - 3.0f, 2.0f);
        memcpy(&in[i], &pair, sizeof pair);
        in_at[i] = i;
        out_at[i] = i * VQ_PANEL;
    }
    for (size_t j = 0; j < VQ_PANEL; j++) {
        const uint32_t pair = vq_pair_of((float)j, -1.0f);
        memcpy(&weights[j], &pair, sizeof pair);
    }
    for (size_t i = 0; i < SIZE; i++) {
        mask[i] = (float)(i % 3) - 1.0f;
        more[i] = (float)(i % 7);
    }
    vq_correlation c = {.taps = 1, .run = 1, .places = VQ_PLACES, .channels = VQ_PANEL, .in = in};
    c.in_at = in_at;
    c.weights = weights;
    c.line = c.depth = 1;
    c.out = out;
    c.out_at = out_at;
    c.mask = mask;
    c.residual = more;
    c.relu = true;
    c.bf16 = true;
    vq_correlate(t, &c);
    for (size_t i = 0; i < SIZE; i++) {
        const float x = ((float)(i / VQ_PANEL) - 3.0f) * (float)(i % VQ_PANEL) - 2.0f;
        const float sum = (mask[i] > 0.0f ? x : 0.0f) + more[i];
        assert_true(out[i] == (sum < 0.0f ? 0.0f : sum));
    }
}

static void test_ends(void **state)
{
    (void)state;
    for_each_table(ends_of);
}

/* ---- outer products -------------------------------------------------------------- */

static void check_outer(const vq_kernels *t, vq_random *random, const size_t count[3],
                        size_t panels)
{
    vq_outer_tile tile = {.count = {count[0], count[1], count[2]}, .panels = panels};
    const size_t columns = panels * VQ_PANEL;
    size_t a_size = VQ_PLACES, b_size = columns;
    for (int i = 2; i >= 0; i--) {
        tile.a_step[i] = random_between(random, 0, 9);
        tile.b_step[i] = random_between(random, 0, 20);
        a_size += tile.a_step[i] * count[i];
        b_size += tile.b_step[i] * count[i];
    }
    tile.c_step = columns + random_between(random, 0, 3);
    const size_t size = (VQ_PLACES - 1) * tile.c_step + columns;
    float *a = guarded_pairs(random, a_size), *b = guarded_pairs(random, b_size);
    float *c = guarded(random, size), *before = guarded_copy(c, size);
    tile.a = a;
    tile.b = b;
    tile.c = c;
    t->outer_bf16(&tile);
    for (size_t i = 0; i < VQ_PLACES; i++)
        for (size_t j = 0; j < columns; j++) {
            const size_t at = i * tile.c_step + j;
            number n = begin(before[at]);
            for (size_t p = 0; p < count[0] * count[1] * count[2]; p++) {
                const size_t x = p % count[2], y = p / count[2] % count[1];
                const size_t k = p / count[2] / count[1];
                add_pair(&n, a[k * tile.a_step[0] + y * tile.a_step[1] + x * tile.a_step[2] + i],
                         b[k * tile.b_step[0] + y * tile.b_step[1] + x * tile.b_step[2] + j]);
            }
            check(t, &n, c[at], "a sum of outer products");
            c[at] = before[at];
        }
    assert_true(same_guarded(c, before, size));
    free_guarded(a);
    free_guarded(b);
    free_guarded(c);
    free_guarded(before);
}

static void outers_of(const vq_kernels *t)
{
    static const size_t counts[][3] = {{0, 3, 2}, {1, 1, 1}, {2, 3, 5}, {1, 1, 40}, {3, 8, 8}};
    vq_random random = test_stream(32);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t panels = 1; panels <= VQ_PANELS_MAX; panels++)
            check_outer(t, &random, counts[i], panels);
}

static void test_outer(void **state)
{
    (void)state;
    for_each_table(outers_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_correlate),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_outer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
