/* SPDX-License-Identifier: Apache-2.0
 * Models, from configuration alone: one level and two, with a skip, a concatenation and two
 * quantisers at two resolutions; trained, saved, loaded, encoded and decoded. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vqvae/vqvae.h>

#include "support/fixture.h"
#include "support/golden.h"

enum { BATCH = 4, SIZE = 18, IMAGES = 16, STEPS = 12, PIXELS = SIZE * SIZE * 3 };

/* A bottom grid of stride 2 and a top grid of stride 2 over it. 18 is no multiple of 4, so the
 * images are padded too. */
static const char *const two_levels =
    "{\"channels\": 3, \"codebook_init\": \"data\", \"level\": ["
    "{\"stride\": 2, \"width\": 16, \"narrow\": 8, \"blocks\": 1, \"block_width\": 8, \"k\": 16,"
    " \"d\": 8},"
    "{\"stride\": 2, \"width\": 16, \"blocks\": 1, \"block_width\": 8, \"k\": 8, \"d\": 4}]}";

static void ok(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

/* Pictures with structure: a disc of one colour on another. */
static void draw(uint8_t *pixels, int index)
{
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++)
            for (int c = 0; c < 3; c++) {
                const int dx = x - 4 - index % 9, dy = y - 5 - index % 7;
                const int value = dx * dx + dy * dy < 25 ? 40 + 9 * index + 50 * c : 220 - 30 * c;
                pixels[(y * SIZE + x) * 3 + c] = (uint8_t)value;
            }
}

static vq_trainer *make_trainer(vq_context *ctx, const char *json, const char *backend)
{
    vq_model_config model;
    vq_train_config train;
    const vq_train_data data = {.images = IMAGES, .height = SIZE, .width = SIZE, .variance = 0.06};
    vq_trainer *trainer;
    vq_model_config_default(&model);
    ok(ctx, vq_model_config_read(ctx, json, &model));
    vq_train_config_default(&train);
    train.batch = BATCH;
    train.steps = STEPS;
    train.lr = 3e-3;
    train.seed = 5;
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, backend, NULL, &trainer));
    return trainer;
}

/* Trains on the images in the trainer's order; returns the first and the last loss. */
static void train(vq_context *ctx, vq_trainer *trainer, double *first, double *last)
{
    uint8_t batch[BATCH * PIXELS];
    vq_step_metrics metrics;
    for (int64_t step = 0; step < STEPS; step++) {
        for (int64_t slot = 0; slot < BATCH; slot++) {
            int64_t index;
            uint64_t epoch;
            vq_trainer_order(trainer, step, slot, &index, &epoch);
            assert_in_range(index, 0, IMAGES - 1);
            draw(batch + slot * PIXELS, (int)index);
        }
        ok(ctx, vq_trainer_step(trainer, batch, &metrics));
        assert_int_equal(metrics.step, step + 1);
        if (step == 0) *first = metrics.loss;
        *last = metrics.loss;
    }
}

static vq_session *open_session(vq_context *ctx, const vq_model *model, int64_t batch,
                                const char *backend)
{
    const vq_session_config config = {
        .batch = batch, .height = SIZE, .width = SIZE, .backend = backend};
    vq_session *session;
    ok(ctx, vq_session_create(ctx, model, &config, &session));
    return session;
}

/* decode(encode(x)) is to the bit what the model makes of x, in one batch or one by one. */
static void check_round_trip(vq_context *ctx, const vq_model *model, const char *backend)
{
    const size_t n_codes = vq_model_codes(model, SIZE, SIZE);
    uint8_t images[BATCH * PIXELS], whole[BATCH * PIXELS], decoded[BATCH * PIXELS];
    uint32_t *codes = test_calloc(BATCH * n_codes, sizeof *codes);
    uint32_t *single = test_calloc(n_codes, sizeof *single);
    vq_evaluation evaluation;
    for (int i = 0; i < BATCH; i++) draw(images + i * PIXELS, i);
    ok(ctx, vq_evaluation_create(ctx, model, &evaluation));
    vq_session *session = open_session(ctx, model, BATCH, backend);
    ok(ctx, vq_session_evaluate(session, BATCH, images, &evaluation, whole, codes));
    ok(ctx, vq_session_decode(session, BATCH, codes, decoded));
    assert_memory_equal(whole, decoded, sizeof whole);
    assert_int_equal(evaluation.images, BATCH);
    vq_session *alone = open_session(ctx, model, 1, backend);
    for (int i = 0; i < BATCH; i++) {
        ok(ctx, vq_session_encode(alone, 1, images + i * PIXELS, single));
        assert_memory_equal(single, codes + (size_t)i * n_codes, n_codes * sizeof *single);
        ok(ctx, vq_session_decode(alone, 1, single, decoded));
        assert_memory_equal(decoded, whole + i * PIXELS, PIXELS);
    }
    codes[n_codes - 1] = 1u << 20;
    assert_int_equal(vq_session_decode(session, BATCH, codes, decoded), VQ_E_ARG);
    fixture_error_names(ctx, "1048576");
    vq_session_destroy(session);
    vq_session_destroy(alone);
    vq_evaluation_clear(ctx, &evaluation);
    test_free(codes);
    test_free(single);
}

static void run_model(const char *json, const char *backend)
{
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    double first = 0.0, last = 0.0;
    vq_model *model, *loaded;
    vq_trainer *trainer = make_trainer(ctx, json, backend);
    train(ctx, trainer, &first, &last);
    assert_true(last < 0.7 * first);
    ok(ctx, vq_trainer_model(trainer, &model));
    vq_trainer_destroy(trainer);

    const char *path = fixture_path(&folder, "model.safetensors");
    ok(ctx, vq_model_save(ctx, model, path));
    ok(ctx, vq_model_load(ctx, path, &loaded));
    assert_true(vq_model_hash(model) == vq_model_hash(loaded));
    assert_true(vq_model_variance(loaded) == 0.06);
    check_round_trip(ctx, loaded, backend);
    vq_model_destroy(ctx, model);
    vq_model_destroy(ctx, loaded);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

static void two_level_model_on_portable(void **state)
{
    (void)state;
    run_model(two_levels, "portable");
}

static void two_level_model_on_default_backend(void **state)
{
    (void)state;
    run_model(two_levels, "auto");
}

static void gradient_codebook(void **state)
{
    (void)state;
    run_model("{\"channels\": 3, \"quantizer\": \"gradient\", \"codebook_init\": \"data\","
              " \"level\": [{\"stride\": 4, \"width\": 16, \"blocks\": 1, \"block_width\": 8,"
              " \"k\": 12, \"d\": 5}]}",
              "auto");
}

static void no_stride_at_all(void **state)
{
    (void)state;
    run_model("{\"channels\": 3, \"codebook_init\": \"data\", \"level\": [{\"stride\": 1,"
              " \"width\": 7, \"blocks\": 0, \"k\": 6, \"d\": 3}]}",
              "portable");
}

static void grids_of_two_levels(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    vq_trainer *trainer = make_trainer(ctx, two_levels, "portable");
    vq_model *model;
    vq_grid grids[VQ_MAX_LEVELS];
    ok(ctx, vq_trainer_model(trainer, &model));
    assert_int_equal(vq_model_grids(model, SIZE, SIZE, grids), 2);
    assert_string_equal(grids[1].name, "level.1");
    /* 18 is padded to 20: 10 x 10 and 5 x 5. */
    assert_int_equal(grids[0].height, 10);
    assert_int_equal(grids[1].width, 5);
    assert_int_equal(grids[1].codes, 8);
    assert_int_equal(vq_model_codes(model, SIZE, SIZE), 125);
    vq_model_destroy(ctx, model);
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

/* The names under which readers of a file find its tensors: they never change. */
static void tensor_names_are_frozen(void **state)
{
    static const char *const names[] = {"encoder.0.down0.weight",
                                        "encoder.0.down1.bias",
                                        "encoder.0.conv.weight",
                                        "encoder.0.block0.conv3.weight",
                                        "encoder.0.block1.conv1.bias",
                                        "encoder.0.project.weight",
                                        "quantizer.0.codebook",
                                        "quantizer.0.counts",
                                        "quantizer.0.sums",
                                        "decoder.0.conv.weight",
                                        "decoder.0.block1.conv3.weight",
                                        "decoder.0.up0.weight",
                                        "decoder.0.up1.bias"};
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    vq_archive archive;
    vq_model *model;
    vq_trainer *trainer = make_trainer(ctx, "{\"channels\": 3}", "portable");
    ok(ctx, vq_trainer_model(trainer, &model));
    /* The count of the reference implementation's CIFAR-10 model, codebook aside. */
    assert_int_equal(vq_model_parameters(model), 662723);
    const char *path = fixture_path(&folder, "model.safetensors");
    ok(ctx, vq_model_save(ctx, model, path));
    ok(ctx, vq_safetensors_load(ctx, path, &archive));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!vq_archive_find(&archive, names[i])) fail_msg("no tensor %s", names[i]);
    assert_string_equal(vq_archive_meta(&archive, "format"), "pt");
    vq_archive_clear(ctx, &archive);
    vq_model_destroy(ctx, model);
    vq_trainer_destroy(trainer);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

/* Changes one thing about a saved model and expects it to be refused by name. */
static void damaged_models_are_refused(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    fixture_folder folder;
    fixture_folder_make(&folder);
    vq_archive archive;
    vq_model *model, *loaded = NULL;
    vq_trainer *trainer = make_trainer(ctx, two_levels, "portable");
    ok(ctx, vq_trainer_model(trainer, &model));
    vq_trainer_destroy(trainer);
    const char *path = fixture_path(&folder, "model.safetensors");
    ok(ctx, vq_model_save(ctx, model, path));
    ok(ctx, vq_safetensors_load(ctx, path, &archive));

    float *number = archive.arrays[0].data;
    *number += 1.0f;
    ok(ctx, vq_safetensors_save(ctx, path, &archive));
    assert_int_equal(vq_model_load(ctx, path, &loaded), VQ_E_FORMAT);
    fixture_error_names(ctx, archive.arrays[0].name);
    *number -= 1.0f;

    archive.n_arrays--;
    ok(ctx, vq_safetensors_save(ctx, path, &archive));
    assert_int_equal(vq_model_load(ctx, path, &loaded), VQ_E_SHAPE);
    fixture_error_names(ctx, archive.arrays[archive.n_arrays].name);
    archive.n_arrays++;
    assert_null(loaded);

    vq_archive_clear(ctx, &archive);
    vq_model_destroy(ctx, model);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

/* Sizes that no memory holds are refused before any backend counts them. */
static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    vq_trainer *trainer = make_trainer(ctx, two_levels, "auto");
    vq_model *model;
    vq_session *session = NULL;
    ok(ctx, vq_trainer_model(trainer, &model));
    const vq_session_config config = {.batch = 65536, .height = 65536, .width = 65536};
    assert_int_equal(vq_session_create(ctx, model, &config, &session), VQ_E_SHAPE);
    fixture_error_names(ctx, "smaller batches or images");
    assert_null(session);
    vq_model_destroy(ctx, model);
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

/* Data give grey or colour, so nothing else could ever be trained or read. */
static void images_are_grey_or_colour(void **state)
{
    (void)state;
    vq_context *ctx = fixture_context();
    vq_model_config config;
    vq_model_config_default(&config);
    for (config.channels = 0; config.channels <= 4; config.channels++) {
        vq_trainer *trainer = NULL;
        vq_train_config train;
        const vq_train_data data = {.images = 4, .height = 8, .width = 8, .variance = 0.1};
        vq_train_config_default(&train);
        train.batch = 1;
        const bool fine = config.channels == 1 || config.channels == 3;
        assert_int_equal(vq_trainer_create(ctx, &config, &train, &data, "portable", NULL, &trainer),
                         fine ? VQ_OK : VQ_E_ARG);
        if (!fine) fixture_error_names(ctx, "images have 1 or 3");
        vq_trainer_destroy(trainer);
    }
    vq_context_destroy(ctx);
}

/* The label names every library and instruction set that rounds, and the state keeps the same. */
static void arithmetic_is_told(void **state)
{
    (void)state;
    vq_context *ctx;
    vq_model *model;
    vq_archive archive;
    fixture_folder folder;
    fixture_folder_make(&folder);
    const char *path = fixture_path(&folder, "state.safetensors");
    const vq_context_config bounded = {.cpu = "portable"};
    assert_int_equal(vq_context_create(&bounded, &ctx), VQ_OK);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        const bool portable = *backend == &vq_backend_portable;
        vq_trainer *trainer = make_trainer(ctx, two_levels, (*backend)->name);
        ok(ctx, vq_trainer_model(trainer, &model));
        vq_session *session = open_session(ctx, model, 1, (*backend)->name);
        const char *told = vq_session_arithmetic(session);
        if (portable) assert_string_equal(told, "f32 exact 1");
        else assert_non_null(strstr(told, " + portable")); /* the bound does not reach oneDNN */
        const char *by = told + strlen("f32 ");
        if (!portable) assert_ptr_equal(strstr(told, (*backend)->name), by);
        ok(ctx, vq_trainer_save(trainer, path, NULL));
        ok(ctx, vq_safetensors_load(ctx, path, &archive));
        assert_non_null(strstr(vq_archive_meta(&archive, "vqvae.machine"),
                               portable ? "portable portable" : by));
        vq_archive_clear(ctx, &archive);
        vq_session_destroy(session);
        vq_model_destroy(ctx, model);
        vq_trainer_destroy(trainer);
    }
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

/* A fast session names the algorithms that its plans take, each once; one whose batch is too small
 * for them does not. */
static void fast_arithmetic_is_told(void **state)
{
    static const char wide[] = "{\"channels\": 3, \"level\": [{\"stride\": 2, \"width\": 64, "
                               "\"blocks\": 2, \"block_width\": 64, \"k\": 8, \"d\": 4}]}";
    const vq_context_config bounded = {.cpu = "portable"};
    vq_session_config config = {.batch = 32, .height = SIZE, .width = SIZE, .fast = true};
    vq_context *ctx;
    vq_model *model;
    vq_session *session;
    (void)state;
    assert_int_equal(vq_context_create(&bounded, &ctx), VQ_OK);
    vq_trainer *trainer = make_trainer(ctx, wide, "portable");
    ok(ctx, vq_trainer_model(trainer, &model));
    for (config.batch = 32; config.batch > 0; config.batch -= 31) {
        ok(ctx, vq_session_create(ctx, model, &config, &session));
        assert_string_equal(vq_session_arithmetic(session),
                            config.batch > 1 ? "f32 portable portable, Winograd F(4x4,3x3)"
                                             : "f32 portable portable");
        vq_session_destroy(session);
    }
    vq_model_destroy(ctx, model);
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

static void refuse_session(vq_context *ctx, const vq_model *model, const vq_session_config *config,
                           vq_status status, const char *word)
{
    vq_session *session = NULL;
    assert_int_equal(vq_session_create(ctx, model, config, &session), status);
    fixture_error_names(ctx, word);
    assert_null(session);
}

/* The images of a batch back from their codes by a session; and how far from `other` they are. */
static double decode_near(vq_session *session, const uint32_t *codes, uint8_t *to,
                          const uint8_t *other)
{
    double sum = 0.0;
    assert_int_equal(vq_session_decode(session, BATCH, codes, to), VQ_OK);
    for (size_t i = 0; i < BATCH * PIXELS; i++) sum += abs(to[i] - other[i]);
    return sum / (double)(BATCH * PIXELS);
}

/* bf16 keeps 8 bits: pixels from the same codes move by about a level, and not all stay. */
static void sessions_run_in_bf16(void **state)
{
    vq_context *ctx = fixture_context();
    vq_trainer *trainer = make_trainer(ctx, two_levels, "portable");
    vq_session_config config = {.batch = BATCH, .height = SIZE, .width = SIZE, .precision = 1};
    static uint8_t images[BATCH * PIXELS], exact[BATCH * PIXELS], back[BATCH * PIXELS];
    double first, last;
    vq_model *model;
    vq_session *session;
    (void)state;
    train(ctx, trainer, &first, &last);
    ok(ctx, vq_trainer_model(trainer, &model));
    refuse_session(ctx, model, &config, VQ_E_ARG, "must be a fast one");
    config.fast = true;
    config.precision = 2;
    refuse_session(ctx, model, &config, VQ_E_ARG, "not 2");
    config.precision = 1;
    for (int i = 0; i < BATCH; i++) draw(images + i * PIXELS, i);
    uint32_t *codes = test_calloc(BATCH * vq_model_codes(model, SIZE, SIZE), sizeof *codes);
    session = open_session(ctx, model, BATCH, "portable");
    ok(ctx, vq_session_encode(session, BATCH, images, codes));
    ok(ctx, vq_session_decode(session, BATCH, codes, exact));
    vq_session_destroy(session);
    ok(ctx, vq_session_create(ctx, model, &config, &session));
    assert_ptr_equal(strstr(vq_session_arithmetic(session), "bf16 portable "),
                     vq_session_arithmetic(session));
    const double moved = decode_near(session, codes, back, exact);
    assert_true(moved > 0.0 && moved < 2.0);
    vq_session_destroy(session);
    test_free(codes);
    vq_model_destroy(ctx, model);
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

/* Memory that lends little at a time. */
static void *lend_little(void *user, size_t size)
{
    (void)user;
    return size <= 1 << 20 ? aligned_alloc(64, (size + 63) / 64 * 64) : NULL;
}

static void take_back(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* A configuration may ask for gigabytes: the tensors are looked for before it gets any. */
static void greedy_configurations_get_nothing(void **state)
{
    char config[] = "{\"channels\": 3, \"level\": [{\"k\": 16777216, \"d\": 4096}]}";
    char name[] = "vqvae.config", hashes[] = "vqvae.xxh3", none[] = "{}";
    char *keys[] = {name, hashes}, *values[] = {config, none};
    const vq_archive archive = {.keys = keys, .values = values, .n_keys = 2};
    const vq_context_config little = {.allocator = {.alloc = lend_little, .release = take_back}};
    (void)state;
    vq_context *ctx;
    vq_model *model;
    fixture_folder folder;
    fixture_folder_make(&folder);
    const char *path = fixture_path(&folder, "model.safetensors");
    assert_int_equal(vq_context_create(&little, &ctx), VQ_OK);
    ok(ctx, vq_safetensors_save(ctx, path, &archive));
    assert_int_equal(vq_model_load(ctx, path, &model), VQ_E_SHAPE);
    fixture_error_names(ctx, "encoder.0.down0.weight");
    assert_null(model);
    fixture_folder_remove(&folder);
    vq_context_destroy(ctx);
}

static void perplexity_by_hand(void **state)
{
    (void)state;
    static const uint64_t even[] = {3, 3, 0, 3, 3}, one[] = {0, 9}, none[] = {0, 0};
    size_t used;
    assert_true(fabs(vq_perplexity(even, 5, &used) - 4.0) < 1e-12);
    assert_int_equal(used, 4);
    assert_true(fabs(vq_perplexity(one, 2, &used) - 1.0) < 1e-12);
    assert_true(vq_perplexity(none, 2, &used) == 0.0);
    assert_int_equal(used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_level_model_on_portable),
        cmocka_unit_test(two_level_model_on_default_backend),
        cmocka_unit_test(gradient_codebook),
        cmocka_unit_test(no_stride_at_all),
        cmocka_unit_test(grids_of_two_levels),
        cmocka_unit_test(tensor_names_are_frozen),
        cmocka_unit_test(damaged_models_are_refused),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(images_are_grey_or_colour),
        cmocka_unit_test(arithmetic_is_told),
        cmocka_unit_test(fast_arithmetic_is_told),
        cmocka_unit_test(sessions_run_in_bf16),
        cmocka_unit_test(greedy_configurations_get_nothing),
        cmocka_unit_test(perplexity_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
