/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_paths.c -- which term of the loss reaches which part of a model. */
#include "walk/walk_test.h"

#include "examples/walk/5_paths.c"
#undef main

static void test_paths(void **state)
{
    double norms[TERMS][PARTS];
    /* The reconstruction reaches the encoder by the straight-through path alone. */
    static const bool reaches[TERMS][PARTS] = {{true, false, true},
                                               {false, true, false},
                                               {true, false, false}};
    (void)state;
    measure(norms);
    for (int t = 0; t < TERMS; t++)
        for (int p = 0; p < PARTS; p++)
            assert_true(reaches[t][p] ? norms[t][p] > 1e-4 : norms[t][p] == 0.0);
}

/* Measuring changes nothing, and a term that is not there is named. */
static void test_measuring(void **state)
{
    double norm[2] = {-1.0, -2.0};
    uint8_t pixels[IMAGES * SIDE * SIDE];
    vq_step_metrics m[2];
    (void)state;
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++) pixels[i] = (uint8_t)(i * i % 251);
    for (int measured = 0; measured < 2; measured++) {
        vq_context *ctx = open_library();
        vq_trainer *trainer = make_trainer(ctx);
        if (measured)
            must(ctx, vq_trainer_gradient_norm(trainer, pixels, "mse", "decoder.", &norm[0]));
        for (int step = 0; step < 2; step++)
            must(ctx, vq_trainer_step(trainer, pixels, &m[measured]));
        assert_int_equal(vq_trainer_gradient_norm(trainer, pixels, "rain", "", &norm[1]), VQ_E_ARG);
        assert_non_null(strstr(vq_context_error(ctx), "no term rain"));
        vq_trainer_destroy(trainer);
        vq_context_destroy(ctx);
    }
    assert_true(norm[0] > 0.0 && norm[1] == -2.0);
    assert_memory_equal(&m[0], &m[1], sizeof m[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_measuring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
