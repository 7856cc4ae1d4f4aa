/* SPDX-License-Identifier: Apache-2.0
 * tests/walk/test_quantize.c -- twenty training steps against vq-vae-2-pytorch, by the program and
 * by the library; and what starting counts from 0 does to codes that nothing chooses. */
#include "walk/walk_test.h"

#include "examples/walk/7_quantize.c"
#undef main

enum { SHOWN = 64 }; /* rows of each step that the file keeps */

static double x[N * DIM], quantize[N * DIM];
static float input[N * DIM], vectors[N_EMBED * DIM];
static uint32_t ind[N];

static void test_program(void **state)
{
    quantizer q = {0};
    golden file;
    (void)state;
    walk_open(&file, "walk_quantize");
    fill_signed(17, N_EMBED * DIM, q.embed);
    memcpy(q.embed_avg, q.embed, sizeof q.embed);
    for (uint32_t step = 0; step < STEPS; step++) {
        fill_signed(1001 * (step + 1), N * DIM, x);
        const double diff = forward(&q, x, quantize, ind);
        walk_compare(&file, "diff", step, 1, &diff);
        walk_compare_codes(&file, "ind", step * SHOWN, SHOWN, ind);
        walk_compare(&file, "quantize", step * SHOWN * DIM, SHOWN * DIM, quantize);
        walk_compare(&file, "embed", step * N_EMBED * DIM, N_EMBED * DIM, q.embed);
    }
    walk_close(&file);
}

/* The library adds in float: about 100 roundings of sums of a thousand numbers below 1. */
static void test_library(void **state)
{
    double diff, codes[N_EMBED * DIM];
    golden file;
    (void)state;
    walk_open(&file, "walk_quantize");
    file.atol = 1e-4;
    fill_signed(17, N_EMBED * DIM, x);
    to_floats(N_EMBED * DIM, x, vectors);
    vq_codebook *book = make_codebook(file.ctx, N_EMBED, DIM, 1, vectors);
    for (uint32_t step = 0; step < STEPS; step++) {
        float q[N * DIM];
        fill_signed(1001 * (step + 1), N * DIM, x);
        to_floats(N * DIM, x, input);
        must(file.ctx,
             vq_codebook_step(file.ctx, book, N, input,
                              &(vq_quantized){.vectors = q, .indices = ind, .mse = &diff}));
        walk_compare(&file, "diff", step, 1, &diff);
        walk_compare_codes(&file, "ind", step * SHOWN, SHOWN, ind);
        to_doubles(SHOWN * DIM, q, quantize);
        walk_compare(&file, "quantize", step * SHOWN * DIM, SHOWN * DIM, quantize);
        to_doubles(N_EMBED * DIM, vq_codebook_vectors(book), codes);
        walk_compare(&file, "embed", step * N_EMBED * DIM, N_EMBED * DIM, codes);
    }
    vq_codebook_destroy(file.ctx, book);
    walk_close(&file);
}

/* A code that nothing chooses: decay / eps = 99,000 times its length where counts start from 0
 * (times the smoothing's (N + K eps) / N), its own length where they start from 1. */
static void test_unused_code(void **state)
{
    (void)state;
    vq_context *ctx = open_library();
    const float table[2] = {1.0f, 3.0f}, near_first[2] = {0.9f, 1.1f};
    for (int start = 0; start < 2; start++) {
        vq_codebook *book = make_codebook(ctx, 2, 1, start, table);
        must(ctx, vq_codebook_step(ctx, book, 2, near_first, &(vq_quantized){0}));
        const double grown = (double)vq_codebook_vectors(book)[1] / 3.0;
        /* The chosen one starts at 1 and is chosen by two vectors of mean 1. */
        const double chosen = (double)vq_codebook_vectors(book)[0];
        assert_true(fabs(chosen - (start == 0 ? 1.0 : 99.0 / 2.0 + 1.0)) < 0.1);
        if (start == 0) assert_true(fabs(grown - 1.0) < 1e-4);
        else assert_true(fabs(grown / 99000.0 - 1.0) < 2e-3);
        vq_codebook_destroy(ctx, book);
    }
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_unused_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
