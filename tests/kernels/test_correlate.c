/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_correlate.c -- correlations and outer
 * products, bit for bit against one chain of fmaf() for each number. */
#include "kernels/correlate_f64.h"
#include "tables.h"
#include <math.h>

/* ---- correlations of any size ---------------------------------------------------- */

/* Offsets of places: ascending, none overlapping, in whatever steps. */
static void random_places(vq_random *random, size_t places, size_t step, size_t *at)
{
    size_t next = random_between(random, 0, 3);
    for (size_t i = 0; i < places; i++, next += step + random_between(random, 0, 3)) at[i] = next;
}

static float finished(const vq_correlation *c, float x, size_t at)
{
    if (c->mask) x = c->mask[at] > 0.0f ? x : 0.0f;
    if (c->residual) x += c->residual[at];
    return c->relu && x < 0.0f ? 0.0f : x;
}

/* The definition that every kernel must meet. */
static void chain(const vq_correlation *c)
{
    for (size_t i = 0; i < c->places; i++)
        for (size_t o = 0; o < c->channels; o++) {
            const size_t at = c->out_at[i] + o;
            const float *w = c->weights + o / VQ_PANEL * VQ_PANEL * c->depth + o % VQ_PANEL;
            float sum = c->add ? c->out[at] : c->bias ? c->bias[o] : 0.0f;
            for (size_t t = 0; t < c->taps; t++)
                for (size_t q = 0; q < c->run; q++)
                    sum = fmaf(c->in[c->in_at[i] + t * c->tap_step + q],
                               w[(t * c->line + q) * VQ_PANEL], sum);
            c->out[at] = finished(c, sum, at);
        }
}

/* What the sides of a correlation are made of; bits of `ways` say which parts there are. */
enum { ADD = 1, BIAS = 2, RESIDUAL = 4, MASK = 8, RELU = 16, IN_PLACE = 32, WAYS = 64 };

static void check_correlation(const vq_kernels *t, vq_random *random, vq_correlation c, int ways)
{
    size_t in_at[80], out_at[80];
    const bool part = vq_random_below(random, 2); /* of a larger kernel */
    const size_t row = part ? random_between(random, 0, 2) : 0;
    const size_t column = part ? random_between(random, 0, 9) : 0;
    c.line = column + c.run + (part ? random_between(random, 0, 9) : 0);
    c.depth = (row + c.taps + (part ? random_between(random, 0, 2) : 0)) * c.line;
    assert_true(c.places <= 80);
    c.tap_step = c.run + random_between(random, 0, 5);
    random_places(random, c.places, random_between(random, 0, 4), in_at);
    random_places(random, c.places, c.channels, out_at);
    const size_t in_size = in_at[c.places - 1] + c.taps * c.tap_step + 1;
    const size_t size = out_at[c.places - 1] + c.channels, panels = vq_panels_size(c.channels, 1);
    float *in = guarded(random, in_size), *weights = guarded(random, panels * c.depth);
    float *bias = guarded(random, panels), *residual = guarded(random, size);
    float *mask = guarded(random, size), *out = guarded(random, size);
    for (size_t i = 0; i < size; i += 5) mask[i] = i % 2 ? 0.0f : -0.0f;
    float *expected = guarded_copy(out, size);
    c.in = in;
    c.in_at = in_at;
    c.out_at = out_at;
    c.weights = weights + (row * c.line + column) * VQ_PANEL;
    c.add = (ways & ADD) != 0;
    c.bias = ways & BIAS ? bias : NULL;
    c.mask = ways & MASK ? mask : NULL;
    c.relu = (ways & RELU) != 0;
    for (int mine = 0; mine < 2; mine++) {
        c.out = mine ? out : expected;
        c.residual = ways & RESIDUAL ? residual : NULL;
        if (ways & RESIDUAL && ways & IN_PLACE) c.residual = c.out;
        if (mine) vq_correlate(t, &c);
        else chain(&c);
    }
    if (!same_guarded(out, expected, size))
        fail_msg("%s: %zu taps of %zu, %zu places, %zu channels, ways %d", t->name, c.taps, c.run,
                 c.places, c.channels, ways);
    float *const all[] = {in, weights, bias, residual, mask, out, expected};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static void correlations_of(const vq_kernels *t)
{
    static const size_t places[] = {1, 5, 6, 7, 12, 20},
                        channels[] = {1, 3, 16, 17, 40, 64, 100, 128};
    static const size_t chains[][2] = {{0, 3}, {1, 1}, {1, 33}, {3, 12}, {2, 7}};
    vq_random random = test_stream(1);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++)
        for (size_t o = 0; o < sizeof channels / sizeof *channels; o++)
            for (size_t d = 0; d < sizeof chains / sizeof *chains; d++)
                check_correlation(t, &random,
                                  (vq_correlation){.taps = chains[d][0],
                                                   .run = chains[d][1],
                                                   .places = places[p],
                                                   .channels = channels[o]},
                                  (int)vq_random_below(&random, WAYS));
    for (int ways = 0; ways < WAYS; ways++)
        for (size_t o = 24; o < 80; o += 29)
            check_correlation(t, &random,
                              (vq_correlation){.taps = 2, .run = 5, .places = 15, .channels = o},
                              ways);
}

static void test_correlate(void **state)
{
    (void)state;
    for_each_table(correlations_of);
}

/* Numbers that are not numbers stay so through relu, as does -0, and a mask that is one hides. */
static void not_numbers_of(const vq_kernels *t)
{
    float in[VQ_PLACES], weights[VQ_PANEL], bias[VQ_PANEL], mask[VQ_PLACES * VQ_PANEL],
        out[VQ_PLACES * VQ_PANEL];
    size_t in_at[VQ_PLACES], out_at[VQ_PLACES];
    for (size_t i = 0; i < VQ_PLACES; i++) {
        in[i] = i == 2 ? NAN : i == 3 ? -0.0f : -1.0f;
        in_at[i] = i;
        out_at[i] = i * VQ_PANEL;
    }
    for (size_t j = 0; j < VQ_PANEL; j++) weights[j] = 1.0f;
    for (size_t j = 0; j < VQ_PANEL; j++) bias[j] = -0.0f;
    for (size_t i = 0; i < VQ_PLACES * VQ_PANEL; i++) mask[i] = i % 2 ? NAN : 1.0f;
    vq_correlation c = {.taps = 1, .run = 1, .places = VQ_PLACES, .channels = VQ_PANEL, .in = in};
    c.in_at = in_at;
    c.out_at = out_at;
    c.weights = weights;
    c.line = c.depth = 1;
    c.out = out;
    c.relu = true;
    c.bias = bias;
    vq_correlate(t, &c);
    for (size_t i = 0; i < VQ_PLACES * VQ_PANEL; i++)
        if (i / VQ_PANEL == 2) assert_true(isnan(out[i]));
        else assert_true(out[i] == 0.0f && !signbit(out[i]) == (i / VQ_PANEL != 3));
    c.mask = mask;
    c.relu = false;
    vq_correlate(t, &c);
    for (size_t i = 0; i < VQ_PLACES * VQ_PANEL; i++)
        if (i % 2) assert_true(out[i] == 0.0f);
        else if (i / VQ_PANEL == 2) assert_true(isnan(out[i]));
        else assert_true(out[i] == (i / VQ_PANEL == 3 ? 0.0f : -1.0f));
}

static void test_not_numbers(void **state)
{
    (void)state;
    for_each_table(not_numbers_of);
}

/* ---- outer products ---------------------------------------------------------------- */

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
    float *a = guarded(random, a_size), *b = guarded(random, b_size);
    float *c = guarded(random, size), *expected = guarded_copy(c, size);
    tile.a = a;
    tile.b = b;
    tile.c = c;
    for (size_t i = 0; i < VQ_PLACES; i++)
        for (size_t j = 0; j < columns; j++)
            for (size_t p = 0; p < count[0] * count[1] * count[2]; p++) {
                const size_t x = p % count[2], y = p / count[2] % count[1];
                const size_t n = p / count[2] / count[1];
                float *sum = &expected[i * tile.c_step + j];
                *sum =
                    fmaf(a[n * tile.a_step[0] + y * tile.a_step[1] + x * tile.a_step[2] + i],
                         b[n * tile.b_step[0] + y * tile.b_step[1] + x * tile.b_step[2] + j], *sum);
            }
    t->outer(&tile);
    if (!same_guarded(c, expected, size))
        fail_msg("%s: outer products over %zu x %zu x %zu places, %zu panels", t->name, count[0],
                 count[1], count[2], panels);
    free_guarded(a);
    free_guarded(b);
    free_guarded(c);
    free_guarded(expected);
}

static void outers_of(const vq_kernels *t)
{
    static const size_t counts[][3] = {{0, 3, 2},  {1, 1, 1}, {2, 3, 5},
                                       {1, 1, 40}, {3, 8, 8}, {7, 1, 2}};
    vq_random random = test_stream(2);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t panels = 1; panels <= VQ_PANELS_MAX; panels++)
            check_outer(t, &random, counts[i], panels);
}

static void test_outer(void **state)
{
    (void)state;
    for_each_table(outers_of);
}

/* ---- in double ------------------------------------------------------------------------ */

enum { PLACES = 7, CHANNELS = 21, DEPTH = 6 };

/* Small whole numbers, so that every sum is exact in both precisions. */
static void small_numbers(vq_random *random, size_t count, float *single, double *wide)
{
    for (size_t i = 0; i < count; i++) {
        single[i] = (float)vq_random_below(random, 9) - 4.0f;
        wide[i] = (double)single[i];
    }
}

static void test_double(void **state)
{
    enum { PADDED = 2 * VQ_PANEL, SIZE = PLACES * CHANNELS };
    float in[PLACES * DEPTH], weights[PADDED * DEPTH], bias[PADDED], more[SIZE], out[SIZE];
    double in_d[PLACES * DEPTH], weights_d[PADDED * DEPTH], bias_d[PADDED], more_d[SIZE],
        out_d[SIZE];
    size_t in_at[PLACES], out_at[PLACES];
    vq_random random = test_stream(3);
    (void)state;
    small_numbers(&random, PLACES * DEPTH, in, in_d);
    small_numbers(&random, PADDED * DEPTH, weights, weights_d);
    small_numbers(&random, PADDED, bias, bias_d);
    small_numbers(&random, SIZE, more, more_d);
    small_numbers(&random, SIZE, out, out_d);
    for (size_t i = 0; i < PLACES; i++) {
        in_at[i] = (PLACES - 1 - i) * DEPTH;
        out_at[i] = i * CHANNELS;
    }
    for (int ways = 0; ways < WAYS; ways++) {
        const vq_correlation c = {2,
                                  3,
                                  3,
                                  3,
                                  6,
                                  PLACES,
                                  CHANNELS,
                                  in,
                                  in_at,
                                  weights,
                                  out,
                                  out_at,
                                  ways & BIAS ? bias : NULL,
                                  (ways & ADD) != 0,
                                  ways & MASK ? more : NULL,
                                  ways & RESIDUAL ? more : NULL,
                                  (ways & RELU) != 0};
        const vq_correlation_double d = {2,
                                         3,
                                         3,
                                         3,
                                         6,
                                         PLACES,
                                         CHANNELS,
                                         in_d,
                                         in_at,
                                         weights_d,
                                         out_d,
                                         out_at,
                                         ways & BIAS ? bias_d : NULL,
                                         (ways & ADD) != 0,
                                         ways & MASK ? more_d : NULL,
                                         ways & RESIDUAL ? more_d : NULL,
                                         (ways & RELU) != 0};
        small_numbers(&random, SIZE, out, out_d);
        chain(&c);
        vq_correlate_f64(&d);
        for (size_t i = 0; i < SIZE; i++) assert_true((double)out[i] == out_d[i]);
    }
}

static void test_outer_double(void **state)
{
    enum { ACROSS = 2 * VQ_PANEL, SIZE = VQ_PLACES * ACROSS };
    float a[8 * VQ_PLACES], b[8 * ACROSS], c[SIZE];
    double a_d[8 * VQ_PLACES], b_d[8 * ACROSS], c_d[SIZE];
    vq_random random = test_stream(4);
    (void)state;
    small_numbers(&random, 8 * VQ_PLACES, a, a_d);
    small_numbers(&random, 8 * ACROSS, b, b_d);
    small_numbers(&random, SIZE, c, c_d);
    const vq_outer_tile t = {{2, 2, 2},
                             {4 * VQ_PLACES, 2 * VQ_PLACES, VQ_PLACES},
                             {4 * ACROSS, 2 * ACROSS, ACROSS},
                             a,
                             b,
                             c,
                             ACROSS,
                             2};
    const vq_outer_double d = {{2, 2, 2},
                               {4 * VQ_PLACES, 2 * VQ_PLACES, VQ_PLACES},
                               {4 * ACROSS, 2 * ACROSS, ACROSS},
                               a_d,
                               b_d,
                               c_d,
                               ACROSS,
                               2};
    vq_kernels_portable.outer(&t);
    vq_outer_f64(&d);
    for (size_t i = 0; i < SIZE; i++) assert_true((double)c[i] == c_d[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_correlate),    cmocka_unit_test(test_not_numbers),
        cmocka_unit_test(test_outer),        cmocka_unit_test(test_double),
        cmocka_unit_test(test_outer_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
