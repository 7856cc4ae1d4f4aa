/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_findings.c -- made-up figures, and what is to be found in them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <vqvae/diagnose.h>

/* A healthy codebook of 512 codes of 64 numbers over 1,000 images of 64 vectors. */
static const vq_codebook_figures healthy = {
    .codes = 512,
    .dim = 64,
    .images = 1000,
    .vectors = 64000,
    .used = 500,
    .perplexity = 300.0,
    .top_share = 0.02,
    .crowded_out = 12,
    .moving_total = 2048.0,
    .vector_norm = {0.5, 2.0, 6.0},
    .chosen_norm = {0.6, 1.95, 5.0},
    .used_norm = {0.6, 1.9, 5.0},
    .unused_norm = {1.0, 1.5, 2.0},
    .distance = {0.05, 0.5, 2.0},
    .unused_distance = {0.2, 0.3, 0.5},
    .spread = 2.1,
    .error = 0.06,
    .lag = 0.03,
    .line = 0.3,
    .variance = {0.01, 0.07, 0.2},
};

static vq_model_config config;
static vq_training_record record;
static vq_codebook_figures figures;
static vq_finding findings[VQ_FINDINGS_MAX];
static size_t n_findings;

/* Before each test: all is well. */
static int begin(void **state)
{
    (void)state;
    vq_model_config_default(&config);
    record = (vq_training_record){.batch = 32, .lr = 3e-4, .revive = 0.03};
    figures = healthy;
    return 0;
}

/* The causes found, in order, are these words. */
static void expect(const char *causes)
{
    char met[256] = "";
    n_findings = vq_diagnosis_findings(&config, 0, &figures, &record, findings);
    for (size_t i = 0; i < n_findings; i++) {
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
    if (!strstr(findings[0].measured, words))
        fail_msg("\"%s\" is not in: %s", words, findings[0].measured);
}

/* The settings of the first finding, and that the tables take them. */
static void expect_settings(const char *first, const char *second)
{
    assert_string_equal(findings[0].settings[0], first);
    assert_string_equal(findings[0].settings[1], second);
}

static void leave_unused(int64_t *class_of_them, int64_t used)
{
    figures.used = used;
    figures.perplexity = 0.6 * (double)used;
    figures.crowded_out = 0;
    *class_of_them = figures.codes - used;
}

static void test_healthy(void **state)
{
    (void)state;
    expect("");
    leave_unused(&figures.at_origin, 410); /* four fifths */
    expect("");
    figures.used = 409;
    expect("origin");
    assert_int_equal(vq_diagnosis_findings(&config, 0, &healthy, NULL, findings), 0);
}

static void test_origin(void **state)
{
    (void)state;
    config.ema_start = 2;
    leave_unused(&figures.at_origin, 30);
    expect("origin");
    expect_words("482 of 512 codes (94 %) lie at the origin");
    assert_string_equal(findings[0].settings[0], "model.ema_start=one");
}

static void test_reach(void **state)
{
    (void)state;
    config.codebook_init = 1;
    leave_unused(&figures.out_of_reach, 12);
    figures.unused_norm = (vq_spread){6.0, 8.0, 11.0};
    figures.unused_distance = (vq_spread){5.0, 7.5, 9.0};
    expect("reach");
    expect_words("500 of 512 codes (98 %) are out of reach: unused codes are 8 long and 7.5 from");
    config.ema_start = 1;
    expect("reach");
    assert_string_equal(findings[0].settings[0], "model.ema_start=one");
    assert_non_null(strstr(findings[0].change, "ema_start=zero"));
    figures.lag = 0.9; /* a short training */
    expect("reach drift");
    figures.vector_norm = (vq_spread){20.0, 90.0, 400.0}; /* one whose vectors ran away */
    expect("drift");
    figures.forgotten = 500; /* these codes tell nothing of where they started */
    expect("reach drift");
    figures.forgotten = 0;
    figures.vector_norm = healthy.vector_norm;
    figures.lag = 0.1;
    config.quantizer = 1; /* there ema_start says nothing */
    expect("reach");
    assert_null(strstr(findings[0].change, "ema_start"));
}

static void test_duplicates(void **state)
{
    (void)state;
    leave_unused(&figures.duplicates, 100);
    expect("duplicates");
    expect_words("412 of 512 codes (80 %) all but repeat");
}

static void test_batch(void **state)
{
    (void)state;
    figures.codes = 8192;
    leave_unused(&figures.crowded_out, 100);
    figures.vectors = 640000;
    record.batch = 32; /* 2,048 vectors: 640 of an image by these figures */
    figures.images = 10000;
    expect("batch crowded");
    expect_words("a training step has 2048 vectors for 8192 codes, 0.25 for each");
    expect_settings("train.batch=128", "");
    record.batch = 1;
    expect("batch crowded");
    expect_settings("model.level.0.k=64", ""); /* 128 times the batch is no advice */
    record.batch = 0;                          /* of a file alone */
    expect("crowded");
    figures.forgotten = 10; /* moving counts have settled, at 2,048 in all */
    expect("batch crowded");
    expect_settings("model.level.0.k=2048", "");
}

static void test_data(void **state)
{
    (void)state;
    leave_unused(&figures.crowded_out, 100);
    figures.images = 10;
    figures.vectors = 640;
    expect("data crowded");
    expect_words("these 10 images give 640 vectors for 512 codes, 1.2 for each");
    expect_settings("model.level.0.k=64", "");
    figures.vectors = 5120; /* ten for each code */
    expect("crowded");
    expect_settings("model.level.0.k=128", "");
}

/* The advice is fewer codes than there are. */
static void test_crowded(void **state)
{
    (void)state;
    leave_unused(&figures.crowded_out, 332);
    expect("crowded");
    expect_settings("model.level.0.k=256", "");
    leave_unused(&figures.crowded_out, 200);
    expect("crowded");
    expect_settings("model.level.0.k=256", "");
    figures.codes = 400;
    leave_unused(&figures.crowded_out, 300);
    expect("crowded");
    expect_settings("model.level.0.k=256", "");
}

static void test_drift(void **state)
{
    (void)state;
    figures.lag = 0.39;
    expect("");
    figures.lag = 0.71;
    expect("drift");
    expect_words("71 % of the squared distance");
    expect_settings("train.lr=0.0001", "train.schedule=cosine");
    figures.lag = 0.09;
    figures.chosen_norm.median = 1.3;
    expect("");
    figures.lag = 0.1;
    expect("drift");
    expect_words("they are 2 long, the codes that they chose 1.3, unused codes 1.5");
    figures.used = figures.codes;
    figures.chosen_norm.median = 3.1;
    expect("drift");
    expect_words("the codes that they chose 3.1 (medians)");
    record.schedule = 1; /* which is so already */
    expect("drift");
    expect_settings("train.lr=0.0001", "");
    record.schedule = 0;
    record.lr = 0.0;
    expect("drift");
    expect_settings("train.schedule=cosine", "");
    config.commitment = 0.01;
    expect("drift");
    expect_settings("model.commitment=0.25", "");
    config.commitment = 0.25;
    config.quantizer = 1;
    expect("drift");
    expect_settings("train.codebook_lr=10", "");
}

static void test_encoder(void **state)
{
    (void)state;
    leave_unused(&figures.out_of_reach, 1);
    figures.lag = 1.0;
    figures.spread = 1e-4;
    figures.line = (double)NAN;
    figures.error = (double)NAN;
    figures.perplexity = 1.0;
    expect("point"); /* which explains the rest */
    expect_settings("train.lr=3e-05", "train.warmup=200");
    record.warmup = 200;
    expect("point");
    expect_settings("train.lr=3e-05", "");
    config.commitment = 50.0;
    expect("point");
    expect_settings("model.commitment=0.25", "");

    figures = healthy;
    config.commitment = 0.25;
    leave_unused(&figures.crowded_out, 40);
    figures.line = 0.9995;
    expect("line crowded");
    figures.dim = 1; /* where a line is all there is */
    expect("crowded");
}

static void test_commitment(void **state)
{
    (void)state;
    config.commitment = 100.0;
    expect(""); /* it does no harm */
    figures.perplexity = 60.0;
    expect("commitment");
    expect_words("the commitment weighs 100");
    expect_settings("model.commitment=0.25", "");
}

static void test_uneven(void **state)
{
    (void)state;
    figures.perplexity = 12.0;
    figures.top_share = 0.8;
    expect("uneven");
    expect_words("500 codes are used, but as unevenly as 12 would be: one takes 80 %");
}

/* 512 codes and 64,000 vectors: the even share is 125. */
static void test_threshold(void **state)
{
    (void)state;
    static uint64_t counts[512];
    for (size_t k = 0; k < 512; k++) counts[k] = k < 103 ? 62 : 125;
    figures.counts = counts;
    expect("");
    record.revive = 0.5; /* 62.5 vectors */
    expect("threshold");
    expect_words("below 0.5 of the even share n/K, and 103 of 500 used codes get less");
    expect_settings("train.revive=0.1", ""); /* with four vectors in a step for each code */
    record.batch = 15;
    expect("threshold");
    expect_settings("train.revive=0.03", ""); /* with fewer than two */
    record.revive = 0.49;
    expect("");
    for (size_t k = 0; k < 2; k++) counts[k] = 0; /* not used: revived for good reason */
    record.revive = 0.5;
    expect("");
    leave_unused(&figures.out_of_reach, 100);
    record.revive = 0.0;
    expect("reach threshold");
    assert_string_equal(findings[1].settings[0], "train.revive=0.03");
    record.batch = 32;
    expect("reach threshold");
    assert_string_equal(findings[1].settings[0], "train.revive=0.1");
    assert_non_null(strstr(findings[1].measured, "next to never, and 412 of 512 are not used"));
    record.lr = 0.0; /* nothing is known */
    expect("reach");
}

/* What is advised is less than what is set, and few used codes get less than it. */
static void test_lower_threshold(void **state)
{
    static const struct {
        double revive;
        uint64_t count; /* of every third code */
        const char *better;
    } rows[] = {
        {0.5, 10, "train.revive=0.03"}, {0.1, 10, "train.revive=0.03"},
        {0.1, 3, "train.revive=0.01"},  {0.03, 3, "train.revive=0.01"},
        {0.1, 1, "train.revive=0.01"},  {0.02, 2, "train.revive=0.01"},
    };
    static uint64_t counts[512];
    (void)state;
    figures.counts = counts;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (size_t k = 0; k < 512; k++) counts[k] = k % 3 ? 180 : rows[r].count;
        record.revive = rows[r].revive;
        expect("threshold");
        expect_settings(rows[r].better, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_healthy, begin),
        cmocka_unit_test_setup(test_origin, begin),
        cmocka_unit_test_setup(test_reach, begin),
        cmocka_unit_test_setup(test_duplicates, begin),
        cmocka_unit_test_setup(test_batch, begin),
        cmocka_unit_test_setup(test_data, begin),
        cmocka_unit_test_setup(test_crowded, begin),
        cmocka_unit_test_setup(test_drift, begin),
        cmocka_unit_test_setup(test_encoder, begin),
        cmocka_unit_test_setup(test_commitment, begin),
        cmocka_unit_test_setup(test_threshold, begin),
        cmocka_unit_test_setup(test_lower_threshold, begin),
        cmocka_unit_test_setup(test_uneven, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
