/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_history.c -- made-up metrics of trainings, and what is to be found in them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <vqvae/diagnose.h>

enum { LINES = 100, EVERY = 50, STEPS = LINES * EVERY };

/* A codebook that is well used at the end, whatever came before. */
static const vq_codebook_figures well = {
    .codes = 512,
    .dim = 64,
    .images = 1000,
    .vectors = 64000,
    .used = 500,
    .perplexity = 300.0,
    .vector_norm = {0.5, 2.0, 6.0},
    .chosen_norm = {0.6, 1.95, 5.0},
    .unused_norm = {1.0, 1.5, 2.0},
    .spread = 2.1,
    .line = 0.3,
    .lag = 0.03,
};

static vq_model_config config;
static vq_training_record record;
static vq_training_point points[LINES];
static vq_codebook_figures figures;
static vq_finding findings[VQ_FINDINGS_MAX];

/* A training that went well: the loss falls, codes come into use, norms come to rest, and codes are
 * revived at first. Every third batch is an odd one. */
static int begin(void **state)
{
    (void)state;
    vq_model_config_default(&config);
    for (int i = 0; i < LINES; i++) {
        const double share = (i + 1.0) / LINES, odd = i % 3 == 1 ? 1.4 : 1.0;
        points[i] = (vq_training_point){.step = (int64_t)(i + 1) * EVERY,
                                        .loss = odd * 0.1 * (1.0 + exp(-8.0 * share)),
                                        .perplexity = 300.0 * (1.0 - exp(-20.0 * share)) / odd,
                                        .code_norm = 2.0 * (1.0 - exp(-8.0 * share)),
                                        .revived = i < 10 ? 60 * i : 600,
                                        .dead_codes = 5};
    }
    record = (vq_training_record){.batch = 32,
                                  .lr = 3e-4,
                                  .revive = 0.03,
                                  .revived_until = 0.8 * STEPS,
                                  .points = points,
                                  .n_points = LINES};
    figures = well;
    return 0;
}

static void expect(const char *causes)
{
    char met[256] = "";
    const size_t n = vq_diagnosis_findings(&config, 0, &figures, &record, findings);
    for (size_t i = 0; i < n; i++) {
        const size_t used = strlen(met);
        (void)snprintf(met + used, sizeof met - used, "%s%s", i ? " " : "", findings[i].cause);
        assert_true(strlen(findings[i].measured) > 20 && strlen(findings[i].change) > 20);
        assert_true(strlen(findings[i].measured) + 1 < sizeof findings[i].measured);
        assert_true(strlen(findings[i].change) + 1 < sizeof findings[i].change);
    }
    assert_string_equal(met, causes);
}

static void expect_words(const char *words)
{
    if (!strstr(findings[0].measured, words) && !strstr(findings[0].change, words))
        fail_msg("\"%s\" is in neither: %s -- %s", words, findings[0].measured, findings[0].change);
}

static void test_well(void **state)
{
    (void)state;
    expect("");
}

static void test_loss(void **state)
{
    (void)state;
    for (int i = 80; i < LINES; i++) points[i].loss *= 1.45;
    expect("");
    for (int i = 80; i < LINES; i++) points[i].loss *= 1.1;
    expect("loss");
    expect_words("the loss fell to 0.1");
    expect_words("around step 3");
    assert_string_equal(findings[0].settings[0], "train.lr=0.0001");
    assert_string_equal(findings[0].settings[1], "train.clip=1");
    /* One line of the last five is an accident. */
    begin(NULL);
    points[LINES - 1].loss = 100.0;
    expect("");
}

static void test_lost(void **state)
{
    (void)state;
    for (int i = 40; i < LINES; i++) points[i].perplexity *= 0.55;
    expect("");
    for (int i = 40; i < LINES; i++) points[i].perplexity *= 0.8;
    expect("lost");
    expect_words("the perplexity of a batch was 300 around step");
    expect_words("from step 2050 on");
    expect_words("the start was good");
    assert_string_equal(findings[0].settings[0], "train.lr=0.0001");
    /* What never was in use was not lost. */
    begin(NULL);
    for (int i = 0; i < LINES; i++) points[i].perplexity = 3.0;
    expect("");
    /* Such commitments are findings of their own. */
    begin(NULL);
    for (int i = 40; i < LINES; i++) points[i].perplexity = 3.0;
    config.commitment = 0.0;
    expect("");
}

static void test_lost_after_revival(void **state)
{
    (void)state;
    for (int i = 85; i < LINES; i++) points[i].perplexity *= 0.4;
    expect("lost");
    expect_words("after step 4000, when revival had ended");
    assert_string_equal(findings[0].settings[0], "train.revive_until=1");
    record.revive = 0.0;
    expect("lost");
    expect_words("the start was good");
    /* Revival does not mend what takes the loss along. */
    record.revive = 0.03;
    for (int i = 85; i < LINES; i++) points[i].loss *= 3.0;
    expect("lost loss");
    expect_words("the start was good");
}

static void test_norms(void **state)
{
    (void)state;
    for (int i = 0; i < LINES; i++) points[i].code_norm = pow(100.0, (double)i / LINES);
    expect("norms");
    expect_words("the codes grow and do not come to rest");
    assert_string_equal(findings[0].settings[1], "train.schedule=cosine");
    for (int i = 0; i < LINES; i++) points[i].code_norm = pow(100.0, -(double)i / LINES);
    config.commitment = 10.0;
    expect("norms");
    expect_words("the codes shrink");
    assert_string_equal(findings[0].settings[0], "model.commitment=0.25");
    /* Growth that has ended is youth. */
    begin(NULL);
    for (int i = 0; i < LINES; i++) points[i].code_norm = i < 70 ? 0.1 * i : 7.0;
    expect("");
}

static void test_revival(void **state)
{
    (void)state;
    /* 512 codes in steps 2000 to 4000 is once each; earlier ones do not count. */
    for (int i = 0; i < LINES; i++) points[i].revived = 5000 + (i < 79 ? i : 79) * 512 / 40;
    for (int i = 0; i < LINES; i++) points[i].dead_codes = 50;
    expect("");
    points[LINES - 1].dead_codes = 52;
    expect("revival");
    expect_words("512 times from step 2000 to 4000, 1 for each code, and 52 are dead at the end");
    assert_string_equal(findings[0].settings[0], "model.level.0.k=256");
    record.revive = 0.2;
    expect("revival");
    assert_string_equal(findings[0].settings[0], "train.revive=0.03");
    figures.codes = 4096; /* 2,048 vectors a step */
    figures.used = 4000;
    for (int i = 0; i < LINES; i++) points[i].revived *= 10;
    points[LINES - 1].dead_codes = 500;
    figures.perplexity = 3000.0;
    expect("revival");
    assert_string_equal(findings[0].settings[0], "train.batch=64");
    record.revive = 0.0;
    expect("");
}

static void test_young(void **state)
{
    (void)state;
    for (int i = 0; i < LINES; i++) points[i].perplexity = 2.0 * i;
    expect(""); /* used well enough */
    figures.used = 200;
    figures.perplexity = 150.0;
    expect("young");
    expect_words("three quarters of the 5000 steps");
    assert_string_equal(findings[0].settings[0], "train.steps=10000");
}

static void test_unknown(void **state)
{
    (void)state;
    for (int i = 0; i < LINES; i++) points[i].loss = i < 50 ? 0.1 : 10.0;
    record.n_points = 19;
    expect("");
    record.n_points = LINES;
    expect("loss");
    /* Other levels have other metrics. */
    assert_int_equal(vq_diagnosis_findings(&config, 1, &figures, &record, findings), 0);
    /* Figures that lines lack are no findings. */
    for (int i = 0; i < LINES; i++)
        points[i] = (vq_training_point){.step = points[i].step,
                                        .loss = (double)NAN,
                                        .perplexity = (double)NAN,
                                        .code_norm = (double)NAN,
                                        .revived = -1,
                                        .dead_codes = -1};
    expect("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_well, begin),
        cmocka_unit_test_setup(test_loss, begin),
        cmocka_unit_test_setup(test_lost, begin),
        cmocka_unit_test_setup(test_lost_after_revival, begin),
        cmocka_unit_test_setup(test_norms, begin),
        cmocka_unit_test_setup(test_revival, begin),
        cmocka_unit_test_setup(test_young, begin),
        cmocka_unit_test_setup(test_unknown, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
