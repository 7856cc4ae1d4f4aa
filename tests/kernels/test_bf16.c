/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_bf16.c -- rounding to bf16, and products of bf16: bit for bit against two
 * fmaf() for a pair, as AVX-512's instruction is documented to do, and for tiles against what
 * theirs is; and all within a bound of sums in double.
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

/* As near to the number below as to the one above. */
static float halfway(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return float_of((bits & 0xffff0000u) | 0x8000u);
}

/* Every length up to two registers and a half, of numbers of all sizes that are not subnormal. */
static void rounding_of(const vq_kernels *t)
{
    enum { MOST = 83 };
    vq_random random = test_stream(30);
    for (size_t count = 0; count <= MOST; count++)
        for (int relu = 0; relu < 2; relu++) {
            const size_t words = count / 2 + count % 2;
            float *from = guarded(&random, count), *to = guarded(&random, words);
            for (size_t i = 0; i < count; i++) {
                from[i] = ldexpf(from[i], (int)(i % 60) - 30);
                if (i % 3 == 0) from[i] = halfway(from[i]);
            }
            if (count > 2) from[1] = NAN;
            t->bf16->round(from, count, relu, (vq_pair *)to);
            for (size_t i = 0; i < words; i++) {
                float pair[2] = {from[2 * i], 2 * i + 1 < count ? from[2 * i + 1] : 0.0f};
                for (int j = 0; j < 2; j++)
                    if (relu && pair[j] < 0.0f) pair[j] = 0.0f;
                assert_int_equal(((vq_pair *)to)[i], vq_pair_of(pair[0], pair[1]));
            }
            free_guarded(from);
            free_guarded(to);
        }
}

static void test_rounding_of_rows(void **state)
{
    (void)state;
    for_each_table(rounding_of);
}

static void check_pair_rows(const vq_kernels *t, vq_random *random, size_t rows, int which)
{
    const size_t step = random_between(random, 0, 40), size = VQ_BLOCK + rows * step;
    float *low = guarded(random, size), *high = guarded(random, size);
    float *to = guarded(random, rows * VQ_BLOCK);
    const vq_pair_rows r = {.low = which & 1 ? low : NULL,
                            .high = which & 2 ? high : NULL,
                            .step = step,
                            .rows = rows,
                            .relu = which & 4,
                            .to = (vq_pair *)to};
    t->bf16->pair_rows(&r);
    for (size_t i = 0; i < rows * VQ_BLOCK; i++) {
        const size_t at = i / VQ_BLOCK * step + i % VQ_BLOCK;
        const float a = r.low ? low[at] : 0.0f, b = r.high ? high[at] : 0.0f;
        assert_int_equal(r.to[i],
                         vq_pair_of(r.relu && a < 0.0f ? 0.0f : a, r.relu && b < 0.0f ? 0.0f : b));
    }
    free_guarded(low);
    free_guarded(high);
    free_guarded(to);
}

static void pair_rows_of(const vq_kernels *t)
{
    vq_random random = test_stream(33);
    for (size_t rows = 0; rows < 5; rows++)
        for (int which = 0; which < 8; which++) check_pair_rows(t, &random, rows, which);
}

static void test_pair_rows(void **state)
{
    (void)state;
    for_each_table(pair_rows_of);
}

/* ---- chains ---------------------------------------------------------------------- */

/* A number as the table must make it, as it would be without rounding, and the sum of what was
 * added. Tiles take a block of words at a time. */
typedef struct number {
    float chain, low, high;
    double exact, size;
    size_t pairs;
    bool tiles;
} number;

static number begin(const vq_kernels *t, float start)
{
    return (number){.chain = start,
                    .exact = (double)start,
                    .size = fabs((double)start),
                    .tiles = strcmp(t->name, "amx") == 0};
}

static void end_block(number *n)
{
    n->chain += n->low + n->high;
    n->low = n->high = 0.0f;
}

static void add_pair(number *n, float x, float y)
{
    uint32_t a, b;
    memcpy(&a, &x, sizeof a);
    memcpy(&b, &y, sizeof b);
    const float xs[2] = {vq_pair_high(a), vq_pair_low(a)};
    const float ys[2] = {vq_pair_high(b), vq_pair_low(b)};
    for (int i = 0; i < 2; i++) {
        if (!n->tiles) n->chain = fmaf(xs[i], ys[i], n->chain);
        else if (i == 0) n->high = fmaf(xs[i], ys[i], n->high);
        else n->low = fmaf(xs[i], ys[i], n->low);
        n->exact += (double)xs[i] * (double)ys[i];
        n->size += fabs((double)xs[i] * (double)ys[i]);
    }
    n->pairs++;
    if (n->tiles && n->pairs % VQ_BLOCK == 0) end_block(n);
}

static void check(const vq_kernels *t, number *n, float got, const char *what)
{
    /* Of tiles each number is besides rounded in low + high and in their sum with the chain. */
    const double roundings = 2.0 * (double)(n->pairs + n->pairs / VQ_BLOCK + 1) * 0x1p-24;
    /* `exact` itself is a sum in double. */
    const double bound = roundings / (1.0 - roundings) * n->size + n->size * 0x1p-45 +
                         3.0 * (double)n->pairs * 0x1p-126;
    if (n->tiles && n->pairs % VQ_BLOCK) end_block(n);
    if (!(got == n->chain))
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
                              size_t places, size_t channels, bool add)
{
    size_t in_at[40], out_at[40];
    const size_t depth = taps * run, panels = vq_panels_size(channels, 1);
    const size_t tap_step = run + random_between(random, 0, 5);
    for (size_t i = 0; i < places; i++) {
        in_at[i] = i * random_between(random, 0, 4);
        out_at[i] = i * (channels + 2);
    }
    const size_t in_size = places * 4 + taps * tap_step + 1;
    const size_t size = places * (channels + 2);
    const size_t padded = vq_round_up(depth, VQ_BLOCK);
    float *in = guarded_pairs(random, in_size), *weights = guarded_pairs(random, panels * padded);
    float *gathered = guarded(random, vq_gathered_size(depth));
    for (size_t i = 0; i < panels * padded; i++)
        if (i / VQ_BLOCK % padded >= depth) weights[i] = 0.0f;
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
    c.add = add;
    t->bf16->correlate(&c, (vq_pair *)gathered);
    for (size_t i = 0; i < places; i++)
        for (size_t o = 0; o < channels; o++) {
            number n = begin(t, add ? before[out_at[i] + o] : bias[o]);
            for (size_t p = 0; p < depth; p++)
                add_pair(&n, in[in_at[i] + p / run * tap_step + p % run],
                         weights[(o / VQ_PANEL * padded + p) * VQ_PANEL + o % VQ_PANEL]);
            check(t, &n, out[out_at[i] + o], "a correlation");
            out[out_at[i] + o] = before[out_at[i] + o];
        }
    assert_true(same_guarded(out, before, size)); /* nothing else was written */
    float *const all[] = {in, weights, gathered, bias, out, before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static void correlations_of(const vq_kernels *t)
{
    static const size_t places[] = {1, 16, 39}, channels[] = {3, 16, 40, 64, 100};
    static const size_t chains[][2] = {{0, 3}, {1, 1}, {1, 33}, {3, 12}, {2, 7}, {3, 140}};
    vq_random random = test_stream(31);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++)
        for (size_t o = 0; o < sizeof channels / sizeof *channels; o++)
            for (size_t d = 0; d < sizeof chains / sizeof *chains; d++)
                check_correlation(t, &random, chains[d][0], chains[d][1], places[p], channels[o],
                                  (p + o + d) % 2);
}

static void test_correlate(void **state)
{
    (void)state;
    for_each_table(correlations_of);
}

/* Mask, residual and relu, where the chains are of whole numbers and so exact. */
static void ends_of(const vq_kernels *t)
{
    enum { CHANNELS = 19, SIZE = VQ_PLACES * CHANNELS };
    vq_pair gathered[VQ_BLOCKS_TALL * VQ_BLOCK_WORDS];
    float in[VQ_PLACES], weights[2 * VQ_BLOCK_WORDS] = {0}, mask[SIZE], more[SIZE], out[SIZE];
    size_t in_at[VQ_PLACES], out_at[VQ_PLACES];
    for (size_t i = 0; i < VQ_PLACES; i++) {
        const uint32_t pair = vq_pair_of((float)i - 3.0f, 2.0f);
        memcpy(&in[i], &pair, sizeof pair);
        in_at[i] = i;
        out_at[i] = i * CHANNELS;
    }
    for (size_t j = 0; j < CHANNELS; j++) {
        const uint32_t pair = vq_pair_of((float)j, -1.0f);
        memcpy(&weights[j / VQ_PANEL * VQ_BLOCK_WORDS + j % VQ_PANEL], &pair, sizeof pair);
    }
    for (size_t i = 0; i < SIZE; i++) {
        mask[i] = (float)(i % 3) - 1.0f;
        more[i] = (float)(i % 7);
    }
    vq_correlation c = {.taps = 1, .run = 1, .places = VQ_PLACES, .channels = CHANNELS, .in = in};
    c.in_at = in_at;
    c.weights = weights;
    c.line = c.depth = 1;
    c.out = out;
    c.out_at = out_at;
    c.mask = mask;
    c.residual = more;
    c.relu = true;
    t->bf16->correlate(&c, gathered);
    for (size_t i = 0; i < SIZE; i++) {
        const float x = ((float)(i / CHANNELS) - 3.0f) * (float)(i % CHANNELS) - 2.0f;
        const float sum = (mask[i] > 0.0f ? x : 0.0f) + more[i];
        assert_true(out[i] == (sum < 0.0f ? 0.0f : sum));
    }
}

static void test_ends(void **state)
{
    (void)state;
    for_each_table(ends_of);
}

/* ---- products -------------------------------------------------------------------- */

static void check_product(const vq_kernels *t, vq_random *random, size_t tall, size_t deep,
                          size_t wide, bool alike)
{
    const size_t words = deep * VQ_BLOCK, rows = tall * VQ_BLOCK, columns = wide * VQ_BLOCK;
    vq_bf16_product m = {.tall = tall, .deep = deep, .wide = wide};
    m.b_step = words * VQ_BLOCK + random_between(random, 0, 9);
    m.sum_step = columns + random_between(random, 0, 3);
    m.start_step = alike ? 0 : m.sum_step;
    const size_t size = rows * m.sum_step;
    float *a = guarded_pairs(random, rows * words), *b = guarded_pairs(random, wide * m.b_step);
    float *sum = guarded(random, size), *before = guarded_copy(sum, size);
    float *start = guarded(random, columns);
    m.a = (const vq_pair *)a;
    m.b = (const vq_pair *)b;
    m.sum = sum;
    m.start = alike ? start : sum;
    t->bf16->multiply(&m);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            number n = begin(t, alike ? start[j] : before[i * m.sum_step + j]);
            for (size_t p = 0; p < words; p++)
                add_pair(&n,
                         a[(i / VQ_BLOCK * deep + p / VQ_BLOCK) * VQ_BLOCK_WORDS +
                           i % VQ_BLOCK * VQ_BLOCK + p % VQ_BLOCK],
                         b[j / VQ_BLOCK * m.b_step + p * VQ_BLOCK + j % VQ_BLOCK]);
            check(t, &n, sum[i * m.sum_step + j], "a product");
            sum[i * m.sum_step + j] = before[i * m.sum_step + j];
        }
    assert_true(same_guarded(sum, before, size));
    float *const all[] = {a, b, sum, before, start};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

/* Rows begin where the sums are, or all alike; up to three parts of a row of blocks. */
static void products_of(const vq_kernels *t)
{
    static const size_t deep[] = {0, 1, 2, 3, 12, 13, 25};
    vq_random random = test_stream(32);
    for (size_t tall = 1; tall <= VQ_BLOCKS_TALL; tall++)
        for (size_t d = 0; d < sizeof deep / sizeof *deep; d++)
            for (size_t wide = 1; wide <= 5; wide++)
                check_product(t, &random, tall, deep[d], wide, (d + wide) % 2);
}

static void test_product(void **state)
{
    (void)state;
    for_each_table(products_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),  cmocka_unit_test(test_rounding_of_rows),
        cmocka_unit_test(test_pair_rows), cmocka_unit_test(test_product),
        cmocka_unit_test(test_correlate), cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
