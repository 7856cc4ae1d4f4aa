/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_adam.c -- Adam's update: the same bits from every table, and the
 * numbers of the formula in double. */
#include "tables.h"
#include <math.h>

static vq_adam_step random_step(vq_random *random)
{
    const double step = (double)random_between(random, 1, 1000);
    const double b1 = (double)0.9f, b2 = (double)0.999f;
    return (vq_adam_step){
        .rate = (float)(3e-4 / (1.0 - pow(b1, step))),
        .decay1 = 0.9f,
        .decay2 = 0.999f,
        .correction2 = (float)(1.0 / sqrt(1.0 - pow(b2, step))),
        .epsilon = 1e-8f,
        .weight_decay = vq_random_below(random, 2) ? 1.0f : 0.999f,
        .l2 = vq_random_below(random, 2) ? 0.0f : 0.01f,
        .scale = vq_random_below(random, 2) ? 1.0f : 0.3f,
        .follow = 0.1f,
    };
}

enum { PARAMETER, GRADIENT, MOMENT1, MOMENT2, AVERAGE, ARRAYS };

static void random_arrays(vq_random *random, size_t count, float *arrays[ARRAYS])
{
    for (int i = 0; i < ARRAYS; i++) arrays[i] = guarded(random, count);
    for (size_t i = 0; i < count; i++) {
        arrays[MOMENT2][i] *= arrays[MOMENT2][i];
        if (i % 7 == 3) arrays[GRADIENT][i] = arrays[MOMENT1][i] = arrays[MOMENT2][i] = 0.0f;
        if (i % 7 == 5) { /* decays to what is subnormal, in the first step or the third */
            arrays[GRADIENT][i] = 0.0f;
            arrays[MOMENT1][i] = copysignf(i % 2 ? 1.2e-38f : 1.5e-38f, arrays[MOMENT1][i]);
        }
    }
}

static void move(const vq_kernels *t, size_t count, const vq_adam_step *step,
                 float *const arrays[ARRAYS], bool averaged)
{
    t->adam(count, step, arrays[PARAMETER], arrays[GRADIENT], arrays[MOMENT1], arrays[MOMENT2],
            averaged ? arrays[AVERAGE] : NULL);
}

static void check_same(const vq_kernels *t, vq_random *random, size_t count, bool averaged)
{
    const vq_adam_step step = random_step(random);
    float *got[ARRAYS], *expected[ARRAYS];
    random_arrays(random, count, got);
    for (int i = 0; i < ARRAYS; i++) expected[i] = guarded_copy(got[i], count);
    for (int repeat = 0; repeat < 3; repeat++) {
        move(t, count, &step, got, averaged);
        move(&vq_kernels_portable, count, &step, expected, averaged);
    }
    for (int i = 0; i < ARRAYS; i++) {
        if (!same_guarded(got[i], expected[i], count))
            fail_msg("%s: adam of %zu numbers, array %d", t->name, count, i);
        free_guarded(got[i]);
        free_guarded(expected[i]);
    }
}

static void same_as_portable(const vq_kernels *t)
{
    vq_random random = test_stream(20);
    for (size_t count = 0; count < 70; count++) check_same(t, &random, count, count % 3 > 0);
}

static void test_same(void **state)
{
    (void)state;
    for_each_table(same_as_portable);
}

static void assert_near(float got, double expected)
{
    if (!(fabs((double)got - expected) <= 1e-6 * (fabs(expected) + 1.0)))
        fail_msg("adam gives %.9g, the formula %.9g", (double)got, expected);
}

/* Kingma and Ba 2014, arXiv:1412.6980, algorithm 1; Loshchilov and Hutter 2017,
 * arXiv:1711.05101, for the decay of weights. */
static void test_formula(void **state)
{
    enum { COUNT = 50 };
    vq_random random = test_stream(21);
    (void)state;
    for (int repeat = 0; repeat < 20; repeat++) {
        const vq_adam_step s = random_step(&random);
        const double b1 = (double)s.decay1, b2 = (double)s.decay2;
        float *now[ARRAYS], *before[ARRAYS];
        random_arrays(&random, COUNT, now);
        for (int i = 0; i < ARRAYS; i++) before[i] = guarded_copy(now[i], COUNT);
        move(&vq_kernels_portable, COUNT, &s, now, true);
        for (size_t i = 0; i < COUNT; i++) {
            const double w = (double)before[PARAMETER][i];
            const double g = (double)s.scale * (double)before[GRADIENT][i] + (double)s.l2 * w;
            const double m = b1 * (double)before[MOMENT1][i] + (1.0 - b1) * g;
            const double v = b2 * (double)before[MOMENT2][i] + (1.0 - b2) * g * g;
            const double root = sqrt(v) * (double)s.correction2 + (double)s.epsilon;
            assert_near(now[MOMENT1][i], m);
            assert_near(now[MOMENT2][i], v);
            const double moved = (double)s.weight_decay * w - (double)s.rate * m / root;
            const double average = (double)before[AVERAGE][i];
            assert_near(now[PARAMETER][i], moved);
            assert_near(now[AVERAGE][i], average + (double)s.follow * (moved - average));
        }
        for (int i = 0; i < ARRAYS; i++) {
            free_guarded(now[i]);
            free_guarded(before[i]);
        }
    }
}

/* A first moment that no gradient feeds ends as 0, not as the least number there is. */
static void decays_of(const vq_kernels *t)
{
    enum { COUNT = 37, STEPS = 2000 };
    float parameter[COUNT], gradient[COUNT] = {0}, first[COUNT], second[COUNT];
    const vq_adam_step step = {.rate = 1e-3f,
                               .decay1 = 0.9f,
                               .decay2 = 0.999f,
                               .correction2 = 1.0f,
                               .epsilon = 1e-8f,
                               .weight_decay = 1.0f,
                               .scale = 1.0f};
    for (size_t i = 0; i < COUNT; i++) {
        parameter[i] = second[i] = 1.0f;
        first[i] = i % 2 ? 0.5f : -0.5f;
    }
    for (int repeat = 0; repeat < STEPS; repeat++) {
        t->adam(COUNT, &step, parameter, gradient, first, second, NULL);
        for (size_t i = 0; i < COUNT; i++) assert_true(first[i] == 0.0f || isnormal(first[i]));
    }
    for (size_t i = 0; i < COUNT; i++) assert_true(first[i] == 0.0f);
}

static void test_decays(void **state)
{
    (void)state;
    for_each_table(decays_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_decays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
