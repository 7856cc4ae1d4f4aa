/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_winograd.c -- Winograd's transforms: together they are a correlation and the
 * gradient of its weights, which plain sums in double give; each is the portable one to the bit. */
#include "kernels/winograd.h"
#include "tables.h"
#include <math.h>

enum { TILE = VQ_WINOGRAD_TILE, PANEL = VQ_WINOGRAD_PANEL, POINTS_MAX = 36, CHANNELS_MAX = 48 };

/* A patch of n x n places, a tile of 4 x 4 and r x r weights, channel by channel. */
typedef struct problem {
    size_t r, n, channels, padded;
    float *patch, *tile, *taps; /* [place][channels]; taps [tap][padded] */
} problem;

static problem problem_of(vq_random *random, size_t r, size_t channels)
{
    problem p = {.r = r, .n = r + 3, .channels = channels};
    p.padded = (channels + PANEL - 1) / PANEL * PANEL;
    p.patch = guarded(random, p.n * p.n * channels);
    p.tile = guarded(random, TILE * TILE * channels);
    p.taps = guarded(random, r * r * p.padded);
    return p;
}

static void problem_free(problem *p)
{
    free_guarded(p->patch);
    free_guarded(p->tile);
    free_guarded(p->taps);
}

static float relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

/* Transformed source, point by point: planes are apart by more than they need. It is written in
 * groups of one panel or of two, of which the last may be half, and then put together. */
static float *transform(const vq_winograd_kernels *k, const problem *p, int image, bool with_relu,
                        vq_random *random)
{
    const size_t side = image ? p->n : TILE, points = p->n * p->n, plane = p->padded + 5;
    const size_t group = image ? PANEL : 2 * PANEL, apart = group + 3, step = points * apart + 7;
    const size_t size = (p->padded + group - 1) / group * step;
    float *to = guarded(random, points * plane), *groups = guarded(random, size);
    float *before = guarded_copy(groups, size);
    vq_winograd_source s = {.channels = p->channels,
                            .relu = with_relu,
                            .to = groups,
                            .plane = apart,
                            .group = group,
                            .group_step = step};
    for (size_t i = 0; i < side * side; i++)
        s.at[i] = (image ? p->patch : p->tile) + i * p->channels;
    (image ? k->image : k->map)(&s);
    for (size_t i = 0; i < points; i++)
        for (size_t c = 0; c < p->padded; c++) {
            const size_t at = i * apart + c / group * step + c % group;
            to[i * plane + c] = groups[at];
            groups[at] = before[at];
        }
    assert_true(same_guarded(groups, before, size));
    free_guarded(groups);
    free_guarded(before);
    return to;
}

static float *transform_weights(const vq_winograd_kernels *k, const problem *p, vq_random *random)
{
    const size_t plane = p->padded + 5;
    float *to = guarded(random, p->n * p->n * plane), taps[9 * PANEL];
    for (size_t c = 0; c < p->padded; c += PANEL) {
        for (size_t t = 0; t < p->r * p->r; t++)
            memcpy(taps + t * PANEL, p->taps + t * p->padded + c, PANEL * sizeof(float));
        k->weights(taps, to + c, plane);
    }
    return to;
}

static void multiply(const problem *p, float *a, const float *b)
{
    const size_t plane = p->padded + 5;
    for (size_t i = 0; i < p->n * p->n; i++)
        for (size_t c = 0; c < p->padded; c++) a[i * plane + c] *= b[i * plane + c];
}

/* A gap of some roundings of the largest sums, here of at most 16 products. */
static void check_close(const char *what, const vq_kernels *t, const problem *p, float got,
                        double expected, double sum)
{
    if (!(fabs((double)got - expected) <= 1e-5 * (sum + 1.0)))
        fail_msg("%s: %s, %zu taps, %zu channels: %g, not %g", t->name, what, p->r, p->channels,
                 (double)got, expected);
}

/* Ways to end a result. */
enum { ADD = 1, MASK = 2, RESIDUAL = 4, RELU = 8, WAYS = 16 };

static void check_result(const vq_kernels *t, const problem *p, float *m, int ways,
                         vq_random *random)
{
    const size_t r = p->r, n = p->n, channels = p->channels, size = TILE * TILE * channels;
    float *bias = guarded(random, p->padded), *to = guarded(random, size);
    float *mask = guarded(random, size), *residual = guarded(random, size);
    float *before = guarded_copy(to, size);
    vq_winograd_result result = {.from = m,
                                 .plane = p->padded + 5,
                                 .channels = channels,
                                 .bias = bias,
                                 .mask = ways & MASK ? mask : NULL,
                                 .residual = ways & RESIDUAL ? residual : NULL,
                                 .to = to,
                                 .add = (ways & ADD) != 0,
                                 .relu = (ways & RELU) != 0};
    for (size_t k = 0; k < TILE * TILE; k++)
        result.at[k] = k % 5 == 3 ? VQ_WINOGRAD_NONE : k * channels;
    t->winograd[r - 2].result(&result);
    for (size_t at = 0; at < size; at++) {
        const size_t k = at / channels, c = at % channels;
        double y = (double)(ways & ADD ? before[at] : bias[c]), sum = 0.0;
        for (size_t a = 0; a < r; a++)
            for (size_t b = 0; b < r; b++) {
                const size_t place = (k / TILE + a) * n + k % TILE + b;
                const double product = (double)p->patch[place * channels + c] *
                                       (double)p->taps[(a * r + b) * p->padded + c];
                y += product;
                sum += fabs(product);
            }
        if (ways & MASK && !(mask[at] > 0.0f)) y = 0.0;
        if (ways & RESIDUAL) y += (double)residual[at];
        if (ways & RELU && y < 0.0) y = 0.0;
        if (k % 5 == 3) assert_true(to[at] == before[at]);
        else check_close("result", t, p, to[at], y, sum);
    }
    memcpy(before, to, size * sizeof *to);
    assert_true(same_guarded(to, before, size));
    free_guarded(bias);
    free_guarded(to);
    free_guarded(mask);
    free_guarded(residual);
    free_guarded(before);
}

static void check_taps(const vq_kernels *t, const problem *p, const float *u)
{
    const size_t r = p->r, plane = p->padded + 5;
    for (size_t first = 0; first < p->padded; first += PANEL) {
        float taps[9 * PANEL];
        t->winograd[r - 2].taps(u + first, plane, taps);
        for (size_t c = first; c < p->channels && c < first + PANEL; c++)
            for (size_t tap = 0; tap < r * r; tap++) {
                double expected = 0.0, sum = 0.0;
                for (size_t k = 0; k < TILE * TILE; k++) {
                    const size_t place = (k / TILE + tap / r) * p->n + k % TILE + tap % r;
                    const double product = (double)p->patch[place * p->channels + c] *
                                           (double)p->tile[k * p->channels + c];
                    expected += product;
                    sum += fabs(product);
                }
                check_close("taps", t, p, taps[tap * PANEL + c - first], expected, sum);
            }
    }
}

static void check_meaning(const vq_kernels *t, size_t r, size_t channels, vq_random *random)
{
    const vq_winograd_kernels *k = &t->winograd[r - 2];
    problem p = problem_of(random, r, channels);
    float *weights = transform_weights(k, &p, random), *map = transform(k, &p, 0, false, random);
    for (int ways = 0; ways < WAYS; ways++) {
        float *image = transform(k, &p, 1, false, random);
        multiply(&p, image, weights);
        check_result(t, &p, image, ways, random);
        free_guarded(image);
    }
    float *image = transform(k, &p, 1, false, random);
    multiply(&p, image, map);
    check_taps(t, &p, image);
    free_guarded(weights);
    free_guarded(map);
    free_guarded(image);
    problem_free(&p);
}

static void meaning_of(const vq_kernels *t)
{
    static const size_t channels[] = {1, 3, 8, 15, 16, 17, 40, 48};
    vq_random random = test_stream(21);
    for (size_t r = 2; r <= 3; r++)
        for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
            check_meaning(t, r, channels[i], &random);
}

static void test_meaning(void **state)
{
    (void)state;
    for_each_table(meaning_of);
}

/* The same transforms by this table and by the portable one, guards and all. */
static void check_bits(const vq_kernels *t, size_t r, size_t channels, bool with_relu)
{
    vq_random numbers = test_stream(22);
    problem p = problem_of(&numbers, r, channels);
    const size_t size = p.n * p.n * (p.padded + 5);
    for (int image = 0; image < 2; image++) {
        vq_random fill = test_stream(23), again = fill;
        float *got = transform(&t->winograd[r - 2], &p, image, with_relu, &fill);
        float *expected =
            transform(&vq_kernels_portable.winograd[r - 2], &p, image, with_relu, &again);
        if (!same_guarded(got, expected, size))
            fail_msg("%s: %s, %zu taps, %zu channels", t->name, image ? "image" : "map", r,
                     channels);
        for (size_t c = channels; c < p.padded; c++) assert_true(got[c] == 0.0f);
        free_guarded(got);
        free_guarded(expected);
    }
    vq_random fill = test_stream(24), again = fill;
    float *got = transform_weights(&t->winograd[r - 2], &p, &fill);
    float *expected = transform_weights(&vq_kernels_portable.winograd[r - 2], &p, &again);
    float taps[9 * PANEL] = {0}, expected_taps[9 * PANEL] = {0};
    assert_true(same_guarded(got, expected, size));
    t->winograd[r - 2].taps(got, p.padded + 5, taps);
    vq_kernels_portable.winograd[r - 2].taps(got, p.padded + 5, expected_taps);
    assert_memory_equal(taps, expected_taps, sizeof taps);
    free_guarded(got);
    free_guarded(expected);
    problem_free(&p);
}

static void bits_of(const vq_kernels *t)
{
    for (size_t r = 2; r <= 3; r++)
        for (size_t channels = 1; channels <= CHANNELS_MAX; channels++)
            check_bits(t, r, channels, channels % 2 == 0);
}

static void test_bits(void **state)
{
    (void)state;
    for_each_table(bits_of);
}

/* Negative numbers read through a relu are zeros. */
static void relu_of(const vq_kernels *t)
{
    vq_random random = test_stream(25);
    for (size_t r = 2; r <= 3; r++) {
        problem p = problem_of(&random, r, 19);
        const size_t size = p.n * p.n * (p.padded + 5);
        for (int image = 0; image < 2; image++) {
            vq_random fill = random, again = fill;
            float *got = transform(&t->winograd[r - 2], &p, image, true, &fill);
            float *numbers = image ? p.patch : p.tile;
            for (size_t i = 0; i < (image ? p.n * p.n : TILE * TILE) * p.channels; i++)
                numbers[i] = relu(numbers[i]);
            float *expected = transform(&t->winograd[r - 2], &p, image, false, &again);
            assert_true(same_guarded(got, expected, size));
            free_guarded(got);
            free_guarded(expected);
        }
        problem_free(&p);
    }
}

static void test_relu(void **state)
{
    (void)state;
    for_each_table(relu_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_relu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
