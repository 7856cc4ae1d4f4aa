/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_codebook_files.c -- codebooks written and read back: training goes on with the
 * same bits; codebooks out of models; and every refusal in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/context.h"
#include "base/file.h"
#include "base/random.h"
#include "support/fixture.h"
#include "support/golden.h"
#include <vqvae/codebook.h>
#include <vqvae/tensor.h>
#include <vqvae/train.h>

enum { CODES = 19, DIM = 5, ROWS = 200 };
static const uint64_t SEED = UINT64_MAX - 76; /* what a signed number cannot hold */

static vq_context *ctx;
static fixture_folder folder;
static float rows[ROWS * DIM];

static vq_codebook *trained(int start)
{
    const vq_codebook_config config = {
        .codes = CODES, .dim = DIM, .decay = 0.9, .epsilon = 1e-4, .start = start, .seed = SEED};
    vq_codebook *book;
    must(ctx, vq_codebook_create(ctx, &config, NULL, &book));
    for (int i = 0; i < 3; i++)
        must(ctx, vq_codebook_step(ctx, book, ROWS, rows, &(vq_quantized){0}));
    return book;
}

static void assert_same(const vq_codebook *a, const vq_codebook *b)
{
    assert_memory_equal(vq_codebook_vectors(a), vq_codebook_vectors(b), CODES * DIM * 4);
}

static void test_training_goes_on(void **state)
{
    (void)state;
    const char *path = fixture_path(&folder, "book.safetensors");
    for (int start = 0; start < 3; start++) {
        vq_codebook *book = trained(start), *back;
        must(ctx, vq_codebook_save(ctx, book, path));
        must(ctx, vq_codebook_load(ctx, path, NULL, &back));
        assert_int_equal(vq_codebook_configuration(back)->start, start);
        assert_true(vq_codebook_configuration(back)->decay == 0.9);
        assert_true(vq_codebook_configuration(back)->epsilon == 1e-4);
        assert_true(vq_codebook_configuration(back)->seed == SEED);
        assert_same(book, back);
        must(ctx, vq_codebook_step(ctx, book, ROWS, rows, &(vq_quantized){0}));
        must(ctx, vq_codebook_step(ctx, back, ROWS, rows, &(vq_quantized){0}));
        assert_same(book, back);
        vq_codebook_destroy(ctx, book);
        vq_codebook_destroy(ctx, back);
    }
}

static void test_npy(void **state)
{
    (void)state;
    const char *path = fixture_path(&folder, "book.npy");
    vq_codebook *book = trained(0), *back;
    vq_bytes bytes;
    must(ctx, vq_codebook_save(ctx, book, path));
    must(ctx, vq_codebook_load(ctx, path, NULL, &back));
    assert_same(book, back);
    vq_codebook_destroy(ctx, back);
    must(ctx, vq_file_read(ctx, path, SIZE_MAX, &bytes));
    must(ctx, vq_codebook_load_memory(ctx, bytes.data, bytes.size, NULL, &back));
    assert_same(book, back);
    assert_int_equal(vq_codebook_configuration(back)->codes, CODES);
    vq_codebook_destroy(ctx, back);
    vq_release(ctx, bytes.data);
    vq_codebook_destroy(ctx, book);
}

/* f16 and f64 of numbers that both hold exactly. */
static void test_other_floats(void **state)
{
    (void)state;
    double wide[] = {0.5, -2.0, 65504.0, 0.0};
    uint16_t half[] = {0x3800, 0xc000, 0x7bff, 0x0000};
    const char *path = fixture_path(&folder, "other.npy");
    const vq_array arrays[] = {{.dtype = VQ_F64, .shape = {2, {2, 2}}, .data = wide},
                               {.dtype = VQ_F16, .shape = {2, {2, 2}}, .data = half}};
    for (int i = 0; i < 2; i++) {
        vq_codebook *book;
        must(ctx, vq_npy_save(ctx, path, &arrays[i]));
        must(ctx, vq_codebook_load(ctx, path, NULL, &book));
        for (int k = 0; k < 4; k++) assert_true((double)vq_codebook_vectors(book)[k] == wide[k]);
        vq_codebook_destroy(ctx, book);
    }
}

/* An untrained model, saved. */
static vq_model *save_model(const char *path, const char *json)
{
    vq_model_config config;
    vq_train_config train;
    vq_trainer *trainer;
    vq_model *model;
    const vq_train_data data = {.images = 4, .height = 16, .width = 16, .variance = 0.1};
    vq_model_config_default(&config);
    must(ctx, vq_model_config_read(ctx, json, &config));
    vq_train_config_default(&train);
    train.batch = 2;
    must(ctx, vq_trainer_create(ctx, &config, &train, &data, "portable", NULL, &trainer));
    must(ctx, vq_trainer_model(trainer, &model));
    must(ctx, vq_model_save(ctx, model, path));
    vq_trainer_destroy(trainer);
    return model;
}

static void refuse(const char *path, const char *name, vq_status status, const char *words)
{
    vq_codebook *book;
    assert_int_equal(vq_codebook_load(ctx, path, name, &book), status);
    assert_null(book);
    fixture_error_names(ctx, words);
}

static void check_level(const char *path, const char *name, const char *tensor, int codes, int dim)
{
    vq_codebook *book;
    vq_archive archive;
    must(ctx, vq_safetensors_load(ctx, path, &archive));
    const vq_array *array = vq_archive_find(&archive, tensor);
    must(ctx, vq_codebook_load(ctx, path, name, &book));
    assert_int_equal(vq_codebook_configuration(book)->codes, codes);
    assert_int_equal(vq_codebook_configuration(book)->dim, dim);
    assert_int_equal(vq_codebook_configuration(book)->start, 1);
    assert_true(vq_codebook_configuration(book)->decay == 0.75);
    assert_memory_equal(vq_codebook_vectors(book), array->data, (size_t)(codes * dim) * 4);
    vq_codebook_destroy(ctx, book);
    vq_archive_clear(ctx, &archive);
}

/* Grids of a model are named as its files of codes name them; one alone needs no name. */
static void test_models(void **state)
{
    (void)state;
    static const char two[] =
        "{\"channels\": 1, \"decay\": 0.75, \"ema_start\": \"zero\", \"level\": ["
        "{\"stride\": 2, \"width\": 8, \"blocks\": 0, \"k\": 24, \"d\": 6},"
        "{\"stride\": 2, \"width\": 8, \"blocks\": 0, \"k\": 8, \"d\": 4}]}";
    static const char one[] =
        "{\"channels\": 1, \"decay\": 0.75, \"ema_start\": \"zero\", \"level\": ["
        "{\"stride\": 2, \"width\": 8, \"blocks\": 0, \"k\": 16, \"d\": 3}]}";
    const char *path = fixture_path(&folder, "model.safetensors");
    vq_model *model = save_model(path, two);
    check_level(path, "level.0", "quantizer.0.codebook", 24, 6);
    check_level(path, "level.1", "quantizer.1.codebook", 8, 4);
    refuse(path, NULL, VQ_E_ARG, "has 2 codebooks; name one of level.0 to level.1");
    refuse(path, "level.2", VQ_E_ARG, "has no codebook \"level.2\", but level.0 to level.1");
    vq_model_destroy(ctx, model);
    model = save_model(path, one);
    check_level(path, NULL, "quantizer.0.codebook", 16, 3);
    vq_model_destroy(ctx, model);
}

static void test_refusals(void **state)
{
    (void)state;
    const char *npy = fixture_path(&folder, "bad.npy");
    int32_t whole[] = {1, 2};
    float numbers[] = {1.0f, 0.0f};
    refuse(fixture_path(&folder, "none.npy"), NULL, VQ_E_IO, "none.npy");
    vq_array array = {.dtype = VQ_I32, .shape = {2, {1, 2}}, .data = whole};
    must(ctx, vq_npy_save(ctx, npy, &array));
    refuse(npy, NULL, VQ_E_UNSUPPORTED, "a matrix of floats, not of i32");
    refuse(npy, "level.0", VQ_E_ARG, "without a name such as \"level.0\"");
    array = (vq_array){.dtype = VQ_F32, .shape = {1, {2}}, .data = numbers};
    must(ctx, vq_npy_save(ctx, npy, &array));
    refuse(npy, NULL, VQ_E_SHAPE, "an array of rank 1; a codebook has rank 2");
    array.shape = (vq_shape){2, {0, 2}};
    must(ctx, vq_npy_save(ctx, npy, &array));
    refuse(npy, NULL, VQ_E_ARG, "0 codes, but 1 to");
    array.shape = (vq_shape){2, {1, 2}};
    numbers[1] = 1.0f / numbers[1];
    must(ctx, vq_npy_save(ctx, npy, &array));
    refuse(npy, NULL, VQ_E_NUMERIC, "code 0 holds inf");
    const char *other = fixture_path(&folder, "other.safetensors");
    array.name = (char[]){"weights"};
    must(ctx, vq_safetensors_save(ctx, other, &(vq_archive){.arrays = &array, .n_arrays = 1}));
    refuse(other, NULL, VQ_E_ARG, "has no tensor codebook");
    refuse(other, "level.0", VQ_E_ARG, "is no model");
}

/* A codebook of two codes with these settings and counts; no sums where those are NULL. */
static void save_book(const char *path, const char *settings, float *counts, float *sums)
{
    float codes[] = {1.0f, 2.0f};
    char of_counts[] = "counts", of_sums[] = "sums";
    vq_array arrays[3] = {
        {.name = (char[]){"codebook"}, .dtype = VQ_F32, .shape = {2, {2, 1}}, .data = codes}};
    vq_archive archive = {.arrays = arrays, .n_arrays = 1};
    if (counts)
        arrays[archive.n_arrays++] =
            (vq_array){.name = of_counts, .dtype = VQ_F32, .shape = {1, {2}}, .data = counts};
    if (sums)
        arrays[archive.n_arrays++] =
            (vq_array){.name = of_sums, .dtype = VQ_F32, .shape = {2, {2, 1}}, .data = sums};
    char *key = (char[]){"vqvae.codebook"}, *value = (char *)(uintptr_t)settings;
    if (settings) {
        archive.keys = &key;
        archive.values = &value;
        archive.n_keys = 1;
    }
    must(ctx, vq_safetensors_save(ctx, path, &archive));
}

/* What a file says is taken as it stands or refused, never taken for something near it. */
static void test_settings_refused(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *words;
    } bad[] = {
        {"{\"ema_start\": \"onee\"}",
         "ema_start is \"onee\"; \"one\", \"zero\" or \"debias\" is allowed"},
        {"{\"ema_start\": 1}", "ema_start is 1; "},
        {"{\"decay\": \"0.5\"}", "decay is \"0.5\"; a number from 0 to less than 1 is allowed"},
        {"{\"decay\": 1}", "decay is 1; a number from 0"},
        {"{\"decay\": -0.5}", "decay is -0.5; a number from 0"},
        {"{\"epsilon\": 0}", "epsilon is 0; a number above 0 is allowed"},
        {"{\"epsilon\": null}", "epsilon is null; "},
        {"{\"steps\": \"x\"}", "steps is \"x\"; a whole number from 0 is allowed"},
        {"{\"steps\": -1}", "steps is -1; "},
        {"{\"steps\": 1.5}", "steps is 1.5; "},
        {"{\"seed\": \"77\"}", "seed is \"77\"; a whole number is allowed"},
    };
    const char *path = fixture_path(&folder, "settings.safetensors");
    float counts[] = {3.0f, 1.0f}, sums[] = {3.0f, 2.0f};
    vq_codebook *book;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        save_book(path, bad[i].settings, NULL, NULL);
        refuse(path, NULL, VQ_E_FORMAT, bad[i].words);
    }
    save_book(path, "{\"decay\": 0, \"ema_start\": \"zero\"}", counts, sums);
    must(ctx, vq_codebook_load(ctx, path, NULL, &book));
    assert_true(vq_codebook_configuration(book)->decay == 0.0);
    assert_true(vq_codebook_configuration(book)->start == 1);
    assert_true(vq_codebook_configuration(book)->seed == 0); /* as in files of before */
    vq_codebook_destroy(ctx, book);
    save_book(path, NULL, counts, NULL);
    refuse(path, NULL, VQ_E_FORMAT, "it holds counts alone; counts and sums belong together");
    save_book(path, NULL, NULL, sums);
    refuse(path, NULL, VQ_E_FORMAT, "it holds sums alone");
    counts[1] = -1.0f;
    save_book(path, NULL, counts, sums);
    refuse(path, NULL, VQ_E_FORMAT, "counts has -1 for code 1; 0 is the least");
}

static void test_failures(void **state)
{
    (void)state;
    const char *path = fixture_path(&folder, "faulty.safetensors");
    vq_codebook *book = trained(0);
    must(ctx, vq_codebook_save(ctx, book, path));
    vq_status status = VQ_E_NOMEM;
    for (long fail_at = 1; status != VQ_OK; fail_at++) {
        fixture_faults faults = {.fail_at = fail_at};
        vq_context *faulty = fixture_faulty_context(&faults, NULL);
        vq_codebook *back;
        status = vq_codebook_load(faulty, path, NULL, &back);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        if (status == VQ_OK) status = vq_codebook_save(faulty, back, path);
        vq_codebook_destroy(faulty, back);
        vq_context_destroy(faulty);
        assert_int_equal(faults.live, 0);
    }
    vq_codebook_destroy(ctx, book);
}

static int open_all(void **state)
{
    (void)state;
    vq_random random = vq_random_stream(2, VQ_RANDOM_TEST, 0, 0);
    for (int i = 0; i < ROWS * DIM; i++) rows[i] = vq_random_normal(&random);
    fixture_folder_make(&folder);
    return vq_context_create(NULL, &ctx) == VQ_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training_goes_on), cmocka_unit_test(test_npy),
        cmocka_unit_test(test_other_floats),     cmocka_unit_test(test_models),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_failures),
        cmocka_unit_test(test_settings_refused),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
