/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_exact.c -- the bits of exact sessions: the numbers that encoders and decoders
 * leave have the hashes below on every processor, instruction set and compiler, with any threads
 * and batch. Fast sessions are compared with them.
 *
 * Weights are uniform numbers from counters and pixels come from a sequence of whole numbers, so
 * that no function of the C library has a part in them. Where an order of addition is changed on
 * purpose, VQ_EXACT_ORDER rises and the hashes are taken over from what the test prints. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vqvae/vqvae.h>

#include "model/session.h"
#include "support/fixture.h"
#include "tensor/hash.h"

typedef struct shape {
    const char *model; /* its configuration */
    int64_t height, width;
    uint64_t latents, pixels; /* XXH3 */
} shape;

static const shape shapes[] = {
    /* Preset cifar10. */
    {"{\"channels\": 3, \"level\": [{\"stride\": 4, \"width\": 128, \"narrow\": 64, \"blocks\": 2,"
     " \"block_width\": 32, \"k\": 512, \"d\": 64}]}",
     32, 32, 0x24b448ed78de3dd1, 0x713409e1911bc18c},
    /* Odd numbers of channels everywhere, and a size that the stride does not divide. */
    {"{\"channels\": 1, \"level\": [{\"stride\": 2, \"width\": 21, \"narrow\": 7, \"blocks\": 1,"
     " \"block_width\": 5, \"k\": 37, \"d\": 3}]}",
     13, 9, 0x38dcc60b69700e7d, 0x2697fbd9da3bc2b0},
    /* Two grids, joined by a skip. */
    {"{\"channels\": 3, \"level\": [{\"stride\": 2, \"width\": 16, \"narrow\": 8, \"blocks\": 1,"
     " \"block_width\": 8, \"k\": 16, \"d\": 8}, {\"stride\": 2, \"width\": 24, \"blocks\": 1,"
     " \"block_width\": 8, \"k\": 8, \"d\": 4}]}",
     18, 22, 0xa5af611198584a6b, 0xc926e54fef99246a},
};

enum { IMAGES = 5, MAX_BYTES = 32 * 32 * 3 };

static void ok(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static vq_model *make_model(vq_context *ctx, const shape *s)
{
    vq_model_config config;
    vq_train_config train;
    const vq_train_data data = {
        .images = IMAGES, .height = s->height, .width = s->width, .variance = 0.0625};
    vq_trainer *trainer;
    vq_model *model;
    vq_model_config_default(&config);
    ok(ctx, vq_model_config_read(ctx, s->model, &config));
    vq_train_config_default(&train);
    train.batch = 1;
    ok(ctx, vq_trainer_create(ctx, &config, &train, &data, "portable", NULL, &trainer));
    ok(ctx, vq_trainer_model(trainer, &model));
    vq_trainer_destroy(trainer);
    return model;
}

static void fill(uint8_t *pixels, size_t count)
{
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        pixels[i] = (uint8_t)(state >> 56);
    }
}

static uint64_t hash_of(vq_dtype dtype, size_t count, void *data)
{
    const vq_array array = {.dtype = dtype,
                            .shape = {.rank = 1, .dim = {(int64_t)count}},
                            .data = data};
    return vq_array_hash(&array);
}

/* Runs all images in batches of one size. An untrained codebook takes few of its codes, so it is
 * the latents and, decoded from all codes in turn, the numbers before rounding that count. */
static void run(vq_context *ctx, const vq_model *model, const shape *s, int64_t batch,
                uint64_t hashes[2])
{
    const vq_session_config config = {.batch = batch, .height = s->height, .width = s->width};
    const size_t bytes = (size_t)(s->height * s->width * vq_model_configuration(model)->channels);
    const size_t per_image = vq_model_codes(model, s->height, s->width);
    uint8_t *pixels = test_calloc(IMAGES, MAX_BYTES), *back = test_calloc(IMAGES, MAX_BYTES);
    uint32_t *codes = test_calloc(IMAGES * per_image, sizeof *codes);
    uint64_t parts[2][IMAGES * VQ_MAX_LEVELS] = {{0}};
    vq_session *session;
    fill(pixels, IMAGES * bytes);
    ok(ctx, vq_session_create(ctx, model, &config, &session));
    assert_string_equal(vq_session_arithmetic(session), "f32 exact 1");
    for (int64_t at = 0, n; at < IMAGES; at += n) {
        n = IMAGES - at < batch ? IMAGES - at : batch;
        ok(ctx, vq_session_encode(session, n, pixels + (size_t)at * bytes, codes));
        for (int64_t i = 0; i < n; i++)
            for (size_t l = 0; l < session->n_levels; l++) {
                const vq_level *level = &session->level[l];
                const size_t count = level->positions * level->dim;
                float *latent = test_calloc(count, sizeof *latent);
                memcpy(latent, level->latent + (size_t)i * count, count * sizeof *latent);
                parts[0][(size_t)(at + i) * VQ_MAX_LEVELS + l] = hash_of(VQ_F32, count, latent);
                test_free(latent);
            }
        for (size_t i = 0, l = 0; i < (size_t)n * per_image; i++) {
            const size_t position = i % per_image;
            l = session->n_levels > 1 && position >= session->level[0].positions;
            codes[i] =
                (uint32_t)(((size_t)at * per_image + i) % (size_t)session->level[l].grid.codes);
        }
        ok(ctx, vq_session_decode(session, n, codes, back + (size_t)at * bytes));
        const size_t inner = (size_t)(session->inner[0] * session->inner[1] * session->channels);
        for (int64_t i = 0; i < n; i++)
            parts[1][(size_t)(at + i) * VQ_MAX_LEVELS] =
                hash_of(VQ_F32, inner, session->reconstruction + (size_t)i * inner);
    }
    for (int part = 0; part < 2; part++)
        hashes[part] = hash_of(VQ_U64, sizeof parts[part] / sizeof parts[part][0], parts[part]);
    vq_session_destroy(session);
    test_free(pixels);
    test_free(back);
    test_free(codes);
}

static void bits_are_those_of_every_machine(void **state)
{
    static const char *const cpus[] = {"portable", "avx2", "avx512", "avx512bf16", "amx", "neon"};
    static const struct {
        int threads;
        int64_t batch;
    } ways[] = {{1, 5}, {2, 1}, {3, 3}, {8, 2}};
    bool same = true;
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t c = 0; c < sizeof cpus / sizeof *cpus; c++)
            for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
                const vq_context_config config = {.cpu = cpus[c], .threads = ways[w].threads};
                uint64_t hashes[2];
                vq_context *ctx;
                assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
                vq_model *model = make_model(ctx, &shapes[i]);
                run(ctx, model, &shapes[i], ways[w].batch, hashes);
                if (hashes[0] != shapes[i].latents || hashes[1] != shapes[i].pixels) {
                    print_message("shape %zu, %s, %d threads, batch %lld: 0x%016llx, 0x%016llx\n",
                                  i, cpus[c], ways[w].threads, (long long)ways[w].batch,
                                  (unsigned long long)hashes[0], (unsigned long long)hashes[1]);
                    same = false;
                }
                vq_model_destroy(ctx, model);
                vq_context_destroy(ctx);
            }
    }
    assert_true(same);
}

enum { ENOUGH = 8 }; /* images for Winograd's convolutions in the small middle layers */

/* What one session leaves for all images: latents, and numbers before rounding of some codes. */
static size_t run_whole(vq_context *ctx, const vq_model *model, bool fast, float **out)
{
    const vq_session_config config = {
        .batch = ENOUGH, .height = shapes[0].height, .width = shapes[0].width, .fast = fast};
    const size_t per_image = vq_model_codes(model, config.height, config.width);
    uint8_t *pixels = test_calloc(ENOUGH, MAX_BYTES);
    uint32_t *codes = test_calloc(ENOUGH * per_image, sizeof *codes);
    vq_session *session;
    fill(pixels, ENOUGH * MAX_BYTES);
    ok(ctx, vq_session_create(ctx, model, &config, &session));
    ok(ctx, vq_session_encode(session, ENOUGH, pixels, codes));
    const size_t latents = ENOUGH * session->level[0].positions * session->level[0].dim;
    *out = test_calloc(latents + ENOUGH * MAX_BYTES, sizeof **out);
    memcpy(*out, session->level[0].latent, latents * sizeof **out);
    for (size_t i = 0; i < ENOUGH * per_image; i++) codes[i] = (uint32_t)(i % 512);
    ok(ctx, vq_session_decode(session, ENOUGH, codes, pixels));
    memcpy(*out + latents, session->reconstruction, (size_t)ENOUGH * MAX_BYTES * sizeof **out);
    vq_session_destroy(session);
    test_free(pixels);
    test_free(codes);
    return latents + ENOUGH * MAX_BYTES;
}

/* Both ways round otherwise, and no more than that: the numbers here are about 0.1. */
static void fast_sessions_are_near(void **state)
{
    float *exact, *fast, furthest = 0.0f;
    vq_context *ctx;
    (void)state;
    assert_int_equal(vq_context_create(NULL, &ctx), VQ_OK);
    vq_model *model = make_model(ctx, &shapes[0]);
    const size_t count = run_whole(ctx, model, false, &exact);
    assert_int_equal(run_whole(ctx, model, true, &fast), count);
    for (size_t i = 0; i < count; i++) {
        assert_true(isfinite(fast[i]));
        furthest = fmaxf(furthest, fabsf(exact[i] - fast[i]));
    }
    assert_true(furthest > 0.0f && furthest < 1e-6f);
    test_free(exact);
    test_free(fast);
    vq_model_destroy(ctx, model);
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bits_are_those_of_every_machine),
                                       cmocka_unit_test(fast_sessions_are_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
