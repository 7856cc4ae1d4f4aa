/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_im2col.c -- im2col, col2im and the library's convolution. */
#include "walk/walk_test.h"

#include "examples/walk/9_im2col.c"
#undef main

static void draw(numbers *n, uint32_t seed)
{
    *n = (numbers){0};
    fill(seed, SIDE * SIDE, n->x);
    fill(seed + 1, TAPS, n->kernel);
    fill(seed + 2, PLACES, n->dy);
    convolve(n);
}

static void test_library(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 30; seed += 3) {
        numbers n;
        draw(&n, seed);
        assert_true(from_library(&n) < 1e-5);
    }
}

/* <im2col x, c> = <x, col2im c>. */
static void test_adjoint(void **state)
{
    (void)state;
    double c[PLACES * TAPS], image[SIDE * SIDE], left = 0.0, right = 0.0;
    numbers n;
    draw(&n, 40);
    fill(50, PLACES * TAPS, c);
    col2im(c, image);
    for (int i = 0; i < PLACES * TAPS; i++) left += n.columns[i] * c[i];
    for (int i = 0; i < SIDE * SIDE; i++) right += n.x[i] * image[i];
    assert_true(fabs(left - right) < 1e-12);
}

/* The gradient of sum(y * dy) along each number of image and kernel. */
static void test_gradients(void **state)
{
    (void)state;
    numbers n;
    draw(&n, 60);
    for (int i = 0; i < SIDE * SIDE + TAPS; i++) {
        numbers nudged = n;
        double *at = i < SIDE * SIDE ? &nudged.x[i] : &nudged.kernel[i - SIDE * SIDE];
        double slope = 0.0;
        *at += 1e-3; /* y is linear in it */
        convolve(&nudged);
        for (int p = 0; p < PLACES; p++) slope += (nudged.y[p] - n.y[p]) * n.dy[p] / 1e-3;
        assert_true(fabs(slope - (i < SIDE * SIDE ? n.dx[i] : n.d_kernel[i - SIDE * SIDE])) < 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
