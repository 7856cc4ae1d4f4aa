/* SPDX-License-Identifier: Apache-2.0
 * Models and training states that are wrong in one thing: each is refused with its sentence, and
 * nothing is made, kept or said. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs all of the above */
#include <jansson.h>
#include <vqvae/vqvae.h>

#include "support/fixture.h"
#include "tensor/hash.h"

enum { SIZE = 4, BATCH = 2, SENTENCE = 1200 };

static const vq_train_data data = {.images = 6, .height = SIZE, .width = SIZE, .variance = 0.05};

typedef struct rig {
    vq_context *ctx;
    fixture_faults memory; /* counts blocks that are not released */
    fixture_folder folder;
    char path[600]; /* of the file under test */
    vq_archive sound;
    long said; /* sentences that reached the log */
} rig;

static void ok(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

static void count_sentence(void *user, vq_log_level level, const char *sentence)
{
    (void)level, (void)sentence;
    ((rig *)user)->said++;
}

/* A trainer of the smallest model with every kind of tensor, one step old. */
static vq_trainer *make_trainer(vq_context *ctx)
{
    uint8_t pixels[BATCH * SIZE * SIZE];
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 % 251);
    vq_model_config_default(&model);
    ok(ctx, vq_model_config_read(ctx,
                                 "{\"channels\": 1, \"level\": [{\"stride\": 2, \"width\": 2,"
                                 " \"narrow\": 2, \"blocks\": 0, \"k\": 3, \"d\": 2}]}",
                                 &model));
    vq_train_config_default(&train);
    train.batch = BATCH;
    train.steps = 10;
    train.average = 0.5;
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, "portable", NULL, &trainer));
    ok(ctx, vq_trainer_step(trainer, pixels, NULL));
    return trainer;
}

static int begin(rig *r, const char *name)
{
    vq_context_config config;
    vq_context_config_default(&config);
    config.allocator = fixture_allocator(&r->memory);
    config.threads = 1;
    config.log = count_sentence;
    config.log_user = r;
    assert_int_equal(vq_context_create(&config, &r->ctx), VQ_OK);
    fixture_folder_make(&r->folder);
    snprintf(r->path, sizeof r->path, "%s", fixture_path(&r->folder, name));
    return 0;
}

static int begin_model(void **state)
{
    rig *r = calloc(1, sizeof *r);
    vq_model *model;
    assert_non_null(r);
    *state = r;
    begin(r, "model.safetensors");
    vq_trainer *trainer = make_trainer(r->ctx);
    ok(r->ctx, vq_trainer_model(trainer, &model));
    ok(r->ctx, vq_model_save(r->ctx, model, r->path));
    ok(r->ctx, vq_safetensors_load(r->ctx, r->path, &r->sound));
    vq_model_destroy(r->ctx, model);
    vq_trainer_destroy(trainer);
    return 0;
}

static int begin_state(void **state)
{
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *state = r;
    begin(r, "state.safetensors");
    vq_trainer *trainer = make_trainer(r->ctx);
    ok(r->ctx, vq_trainer_save(trainer, r->path, "{\"best\": 1}"));
    ok(r->ctx, vq_safetensors_load(r->ctx, r->path, &r->sound));
    vq_trainer_destroy(trainer);
    return 0;
}

static int end(void **state)
{
    rig *r = *state;
    vq_archive_clear(r->ctx, &r->sound);
    vq_context_destroy(r->ctx);
    assert_int_equal(r->memory.live, 0);
    fixture_folder_remove(&r->folder);
    free(r);
    return 0;
}

/* ---- one thing changed ------------------------------------------------------------- */

typedef enum change {
    NOTHING,
    SET,    /* a text of the metadata */
    DROP,   /* a text; its value says nothing */
    LOSE,   /* a tensor */
    NAME,   /* a tensor, anew */
    SHAPE,  /* of a tensor: its first two extents change places */
    DTYPE,  /* of a tensor: i32 of the same size */
    NUMBER, /* the first one of a tensor */
    DAMAGE, /* the first one of a tensor, while the hash stays */
} change;

typedef struct change_row {
    change change;
    const char *what, *value;
    vq_status status;
    const char *sentence; /* after the path; "..." stands for hashes */
} change_row;

/* The hashes that the archive should have. */
static char *hash_all(const vq_archive *archive)
{
    json_t *object = json_object();
    for (size_t i = 0; i < archive->n_arrays; i++) {
        char hex[17];
        snprintf(hex, sizeof hex, "%016" PRIx64, vq_array_hash(&archive->arrays[i]));
        json_object_set_new(object, archive->arrays[i].name, json_string(hex));
    }
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    assert_non_null(text);
    return text;
}

static size_t find_key(const vq_archive *archive, const char *key)
{
    size_t i = 0;
    while (i < archive->n_keys && strcmp(archive->keys[i], key) != 0) i++;
    assert_true(i < archive->n_keys);
    return i;
}

static size_t find_tensor(const vq_archive *archive, const char *name)
{
    size_t i = 0;
    while (i < archive->n_arrays && strcmp(archive->arrays[i].name, name) != 0) i++;
    if (i == archive->n_arrays) fail_msg("there is no tensor %s", name);
    return i;
}

/* Changes shallow copies; the archive itself stays sound. */
static void change_tensor(const change_row *row, vq_archive *archive, float *numbers)
{
    const size_t at = find_tensor(archive, row->what);
    vq_array *array = &archive->arrays[at];
    const int64_t first = array->shape.dim[0];
    static char name[64];
    switch (row->change) {
    case LOSE: *array = archive->arrays[--archive->n_arrays]; break;
    case NAME:
        snprintf(name, sizeof name, "%s", row->value);
        array->name = name;
        break;
    case SHAPE:
        array->shape.dim[0] = array->shape.dim[1];
        array->shape.dim[1] = first;
        break;
    case DTYPE: array->dtype = VQ_I32; break;
    case NUMBER:
    case DAMAGE:
        memcpy(numbers, array->data, vq_shape_count(&array->shape) * sizeof *numbers);
        numbers[0] = strtof(row->value, NULL);
        array->data = numbers;
        break;
    case NOTHING:
    case SET:
    case DROP: break;
    }
}

static void write_changed(rig *r, const change_row *row)
{
    enum { MOST = 64 };
    vq_array arrays[MOST];
    char *keys[MOST], *values[MOST];
    float numbers[1024];
    const vq_archive *s = &r->sound;
    vq_archive archive = {arrays, s->n_arrays, keys, values, s->n_keys};
    assert_true(s->n_arrays < MOST && s->n_keys < MOST);
    memcpy(arrays, s->arrays, s->n_arrays * sizeof *arrays);
    memcpy(keys, s->keys, s->n_keys * sizeof *keys);
    memcpy(values, s->values, s->n_keys * sizeof *values);
    static char text[2048];
    if (row->change > DROP) change_tensor(row, &archive, numbers);
    char *hashes = hash_all(&archive);
    if (row->change != DAMAGE) values[find_key(&archive, "vqvae.xxh3")] = hashes;
    if (row->change == SET) {
        snprintf(text, sizeof text, "%s", row->value);
        values[find_key(&archive, row->what)] = text;
    } else if (row->change == DROP) {
        const size_t at = find_key(&archive, row->what);
        keys[at] = keys[--archive.n_keys];
        values[at] = values[archive.n_keys];
    }
    ok(r->ctx, vq_safetensors_save(r->ctx, r->path, &archive));
    free(hashes);
}

static void check_sentence(const rig *r, const change_row *row, vq_status status)
{
    char wanted[SENTENCE];
    snprintf(wanted, sizeof wanted, "%s%s", r->path, row->sentence);
    const char *met = vq_context_error(r->ctx), *dots = strstr(wanted, "...");
    const size_t length = dots ? (size_t)(dots - wanted) : strlen(wanted) + 1;
    if (status != row->status || (status != VQ_OK && strncmp(met, wanted, length) != 0))
        fail_msg("%s %s: %s: %s\nwanted: %s", row->what, row->value, vq_status_name(status), met,
                 wanted);
}

/* ---- models ------------------------------------------------------------------------ */

static const change_row model_rows[] = {
    {NOTHING, "", "", VQ_OK, ""},
    {DROP, "vqvae.version", "", VQ_OK, ""},
    {DROP, "vqvae.config", "", VQ_E_FORMAT,
     " is a safetensors file, but no model of this program: it has no vqvae.config"},
    {SET, "vqvae.config", "{", VQ_E_FORMAT,
     ": model: the JSON text is wrong at line 1, column 1: string or '}' expected near end of "
     "file"},
    {SET, "vqvae.config", "[]", VQ_E_FORMAT, ": model: [] was given; allowed is an object"},
    {SET, "vqvae.config", "{\"channel\": 1}", VQ_E_FORMAT,
     ": model.channel: there is no such setting; the nearest is \"channels\""},
    {SET, "vqvae.config", "{\"channels\": 2}", VQ_E_FORMAT,
     ": model.channels is 2; images have 1 or 3"},
    {SET, "vqvae.config", "{\"channels\": 1, \"channels\": 1}", VQ_E_FORMAT,
     ": model: the JSON text is wrong at line 1, column 26: duplicate object key near "
     "'\"channels\"'"},
    {SET, "vqvae.config", "{\"channels\": 1, \"level\": [{\"k\": 0}]}", VQ_E_FORMAT,
     ": model.level.0.k: 0 is out of range; allowed is 1 to 16777216"},
    {SET, "vqvae.config", "{\"channels\": 1, \"level\": [{\"stride\": 3}]}", VQ_E_FORMAT,
     ": model.level.0.stride is 3; it must be a power of two"},
    {SET, "vqvae.config", "{\"channels\": 1, \"level\": [{\"k\": 16777216, \"d\": 4096}]}",
     VQ_E_SHAPE,
     ": tensor encoder.0.down0.weight is f32 2x1x4x4; the configuration asks for f32 64x1x4x4"},
    {DROP, "vqvae.xxh3", "", VQ_E_FORMAT, " has no vqvae.xxh3 among its metadata"},
    {SET, "vqvae.xxh3", "{", VQ_E_FORMAT,
     ": vqvae.xxh3 is not JSON: string or '}' expected near end of file"},
    {SET, "vqvae.xxh3", "[]", VQ_E_FORMAT, ": vqvae.xxh3 is not a JSON object"},
    {SET, "vqvae.xxh3", "{}", VQ_E_FORMAT, " is damaged: tensor ..."},
    {DROP, "vqvae.variance", "", VQ_OK, ""},
    {SET, "vqvae.variance", "0", VQ_OK, ""},
    {SET, "vqvae.variance", "1e-3", VQ_OK, ""},
    {SET, "vqvae.variance", "-1", VQ_E_FORMAT,
     ": vqvae.variance is \"-1\"; it must be a number of at least 0"},
    {SET, "vqvae.variance", "0,5", VQ_E_FORMAT,
     ": vqvae.variance is \"0,5\"; it must be a number of at least 0"},
    {SET, "vqvae.variance", "0x1p3", VQ_E_FORMAT,
     ": vqvae.variance is \"0x1p3\"; it must be a number of at least 0"},
    {SET, "vqvae.variance", "nan", VQ_E_FORMAT,
     ": vqvae.variance is \"nan\"; it must be a number of at least 0"},
    {SET, "vqvae.variance", "1e999", VQ_E_FORMAT,
     ": vqvae.variance is \"1e999\"; it must be a number of at least 0"},
    {DAMAGE, "decoder.0.conv.weight", "0.5", VQ_E_FORMAT,
     " is damaged: tensor decoder.0.conv.weight has hash ..."},
    {LOSE, "encoder.0.project.bias", "", VQ_E_SHAPE,
     " has no tensor encoder.0.project.bias, which its configuration asks for"},
    {LOSE, "quantizer.0.counts", "", VQ_E_SHAPE,
     " has no tensor quantizer.0.counts, which its configuration asks for"},
    {NAME, "encoder.0.project.bias", "encoder.0.project.offset", VQ_E_SHAPE,
     " has no tensor encoder.0.project.bias, which its configuration asks for"},
    {SHAPE, "quantizer.0.codebook", "", VQ_E_SHAPE,
     ": tensor quantizer.0.codebook is f32 2x3; the configuration asks for f32 3x2"},
    {DTYPE, "quantizer.0.codebook", "", VQ_E_SHAPE,
     ": tensor quantizer.0.codebook is i32 3x2; the configuration asks for f32 3x2"},
    {NUMBER, "decoder.0.conv.weight", "0.5", VQ_OK, ""},
    {NUMBER, "decoder.0.conv.weight", "nan", VQ_E_NUMERIC,
     ": number 0 of tensor decoder.0.conv.weight is not finite"},
    {NUMBER, "quantizer.0.codebook", "-inf", VQ_E_NUMERIC,
     ": number 0 of tensor quantizer.0.codebook is not finite"},
};

static void models_are_checked(void **state)
{
    rig *r = *state;
    for (size_t i = 0; i < sizeof model_rows / sizeof *model_rows; i++) {
        const change_row *row = &model_rows[i];
        vq_model *model;
        write_changed(r, row);
        const long live = r->memory.live;
        const vq_status status = vq_model_load(r->ctx, r->path, &model);
        check_sentence(r, row, status);
        if (status == VQ_OK) vq_model_destroy(r->ctx, model);
        else assert_null(model);
        assert_int_equal(r->memory.live, live);
        assert_int_equal(fixture_folder_count(&r->folder), 1);
    }
}

/* ---- states ------------------------------------------------------------------------ */

static const change_row state_rows[] = {
    {NOTHING, "", "", VQ_OK, ""},
    {DROP, "vqvae.train", "", VQ_E_FORMAT,
     " has no vqvae.train: it is not the state of a training"},
    {SET, "vqvae.train", "{\"batch\": 0}", VQ_E_FORMAT,
     ": train.batch: 0 is out of range; allowed is 1 to 65536"},
    {SET, "vqvae.train", "{\"bach\": 1}", VQ_E_FORMAT,
     ": train.bach: there is no such setting; the nearest is \"batch\""},
    {SET, "vqvae.config", "{\"channels\": 1, \"level\": [{\"stride\": 3}]}", VQ_E_FORMAT,
     ": model.level.0.stride is 3; it must be a power of two"},
    {SET, "vqvae.config", "{\"channels\": 1, \"level\": [{\"k\": 16777216, \"d\": 4096}]}",
     VQ_E_SHAPE,
     ": tensor model.encoder.0.down0.weight is f32 2x1x4x4; the configuration asks for f32 "
     "64x1x4x4"},
    {SET, "vqvae.variance", "0.06", VQ_E_ARG,
     " was trained on images of variance 0.059999999999999998, but it is now "
     "0.050000000000000003: resume with the same data"},
    {DROP, "vqvae.data", "", VQ_E_FORMAT, " has no vqvae.data among its metadata"},
    {SET, "vqvae.data", "{\"images\": 6}", VQ_E_FORMAT,
     ": vqvae.data does not hold the three whole numbers images, height and width"},
    {SET, "vqvae.data", "{\"images\": 7, \"height\": 4, \"width\": 4}", VQ_E_ARG,
     " was trained on 7 images of 4x4, but there are now 6 of 4x4: resume with the same data"},
    {DROP, "vqvae.step", "", VQ_E_FORMAT, " has no vqvae.step: it is not the state of a training"},
    {SET, "vqvae.step", "", VQ_E_FORMAT,
     ": vqvae.step is \"\"; it must be a whole number from 0 to 1000000000000"},
    {SET, "vqvae.step", "-1", VQ_E_FORMAT,
     ": vqvae.step is \"-1\"; it must be a whole number from 0 to 1000000000000"},
    {SET, "vqvae.step", "1.5", VQ_E_FORMAT,
     ": vqvae.step is \"1.5\"; it must be a whole number from 0 to 1000000000000"},
    {SET, "vqvae.step", "9223372036854775807", VQ_E_FORMAT,
     ": vqvae.step is \"9223372036854775807\"; it must be a whole number from 0 to "
     "1000000000000"},
    {SET, "vqvae.started", "yes", VQ_E_FORMAT, ": vqvae.started is \"yes\"; it must be 0 or 1"},
    {DROP, "vqvae.progress", "", VQ_E_FORMAT, " has no vqvae.progress among its metadata"},
    {SET, "vqvae.progress", "[]", VQ_E_FORMAT, ": vqvae.progress is not a JSON object"},
    {SET, "vqvae.progress", "{", VQ_E_FORMAT,
     ": vqvae.progress is not JSON: string or '}' expected near end of file"},
    {DROP, "vqvae.machine", "", VQ_E_FORMAT, " has no vqvae.machine among its metadata"},
    {SET, "vqvae.machine", "{\"backend\": \"abacus\"}", VQ_OK, ""},
    {LOSE, "model.decoder.0.conv.bias", "", VQ_E_SHAPE,
     " has no tensor model.decoder.0.conv.bias, which its configuration asks for"},
    {LOSE, "model.quantizer.0.sums", "", VQ_E_SHAPE,
     " has no tensor model.quantizer.0.sums, which its configuration asks for"},
    {LOSE, "average.decoder.0.conv.bias", "", VQ_E_SHAPE,
     " has no tensor average.decoder.0.conv.bias, which its configuration asks for"},
    {NAME, "moment2.decoder.0.conv.bias", "moment3.decoder.0.conv.bias", VQ_E_SHAPE,
     " has no tensor moment2.decoder.0.conv.bias, which its configuration asks for"},
    {DTYPE, "moment1.decoder.0.conv.bias", "", VQ_E_SHAPE,
     ": tensor moment1.decoder.0.conv.bias is i32 2; the configuration asks for f32 2"},
    {NUMBER, "moment2.decoder.0.conv.bias", "inf", VQ_E_NUMERIC,
     ": number 0 of tensor moment2.decoder.0.conv.bias is not finite"},
    {DAMAGE, "moment1.decoder.0.conv.bias", "0.5", VQ_E_FORMAT,
     " is damaged: tensor moment1.decoder.0.conv.bias has hash ..."},
};

static void states_are_checked(void **state)
{
    rig *r = *state;
    for (size_t i = 0; i < sizeof state_rows / sizeof *state_rows; i++) {
        const change_row *row = &state_rows[i];
        vq_trainer *trainer;
        write_changed(r, row);
        const long live = r->memory.live;
        r->said = 0;
        const vq_status status = vq_trainer_resume(r->ctx, r->path, 0, &data, &trainer);
        check_sentence(r, row, status);
        if (status == VQ_OK) {
            assert_int_equal(vq_trainer_position(trainer), 1);
            assert_string_equal(vq_trainer_progress(trainer), "{\"best\": 1}");
            vq_trainer_destroy(trainer);
        } else {
            assert_null(trainer);
            assert_int_equal(r->said, 0);
        }
        assert_int_equal(r->memory.live, live);
        assert_int_equal(fixture_folder_count(&r->folder), 1);
    }
}

/* Without averages a state has none, and one that is there belongs to something else. */
static void tensors_too_many_are_refused(void **state)
{
    rig *r = *state;
    vq_trainer *trainer;
    const size_t at = find_key(&r->sound, "vqvae.train");
    char *kept = r->sound.values[at], without[] = "{\"average\": 0, \"batch\": 2}";
    r->sound.values[at] = without;
    write_changed(r, &(change_row){0});
    r->sound.values[at] = kept;
    assert_int_equal(vq_trainer_resume(r->ctx, r->path, 0, &data, &trainer), VQ_E_SHAPE);
    fixture_error_names(r->ctx, "has a tensor average.decoder.0.");
}

/* What resuming would refuse is not saved, and what was saved before stays. */
static void progress_is_an_object(void **state)
{
    static const char *const wrong[] = {"", "[]", "{", "{} {}", "null", "{\"a\":1,\"a\":1}"};
    rig *r = *state;
    vq_trainer *trainer = make_trainer(r->ctx), *resumed;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(vq_trainer_save(trainer, r->path, wrong[i]), VQ_E_ARG);
        fixture_error_names(r->ctx, "is not a JSON object");
    }
    ok(r->ctx, vq_trainer_resume(r->ctx, r->path, 0, &data, &resumed));
    assert_string_equal(vq_trainer_progress(resumed), "{\"best\": 1}");
    vq_trainer_destroy(resumed);
    ok(r->ctx, vq_trainer_save(trainer, r->path, NULL));
    ok(r->ctx, vq_trainer_resume(r->ctx, r->path, 0, &data, &resumed));
    assert_string_equal(vq_trainer_progress(resumed), "{}");
    vq_trainer_destroy(resumed);
    vq_trainer_destroy(trainer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(models_are_checked, begin_model, end),
        cmocka_unit_test_setup_teardown(states_are_checked, begin_state, end),
        cmocka_unit_test_setup_teardown(tensors_too_many_are_refused, begin_state, end),
        cmocka_unit_test_setup_teardown(progress_is_an_object, begin_state, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
