/* SPDX-License-Identifier: Apache-2.0
 * Faults on purpose: every allocation and every file operation of loading, training, saving,
 * encoding and decoding fails once. Each time the status is the right one, nothing leaks, no half
 * file is left, and the file that was there is whole and can be loaded. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* needs all of the above */
#include <vqvae/vqvae.h>

#include "nn/backend.h"
#include "support/fixture.h"
#include "support/golden.h"

enum { SIZE = 6, BATCH = 2, IMAGES = 5, PIXELS = SIZE * SIZE, CODES_MAX = 64, NAME = 600 };

static const vq_train_data data = {
    .images = IMAGES, .height = SIZE, .width = SIZE, .variance = 0.05};
static const vq_session_config session_shape = {.batch = BATCH, .height = SIZE, .width = SIZE};

/* What the works share: made soundly once, then only read, but for the file `out`. */
typedef struct place {
    fixture_folder folder;
    char model_file[NAME], state_file[NAME], codes_file[NAME], book_file[NAME];
    char out[NAME];  /* where works save; an old file of the same kind is there before each */
    vq_context *ctx; /* sound */
    vq_model *model;
    const char *backend;
    bool json_sound; /* jansson gets all the memory that it wants */
    uint8_t pixels[BATCH * PIXELS];
    uint32_t codes[BATCH * CODES_MAX];
} place;

typedef struct work {
    const char *name;
    vq_status (*run)(vq_context *ctx, const place *p);
    size_t old;  /* offset in a place of the name of the file that is in `out` before; 0: none */
    int unheard; /* files closed whose bytes are safe or were only read */
} work;

static void ok(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

/* ---- works ------------------------------------------------------------------------- */

static vq_status load_model(vq_context *ctx, const place *p)
{
    vq_model *model;
    const vq_status status = vq_model_load(ctx, p->model_file, &model);
    vq_model_destroy(ctx, model);
    return status;
}

static vq_status save_model(vq_context *ctx, const place *p)
{
    return vq_model_save(ctx, p->model, p->out);
}

static vq_status run_trainer(vq_context *ctx, const place *p, vq_trainer *trainer,
                             const char *progress)
{
    vq_model *model = NULL;
    vq_status status = vq_trainer_step(trainer, p->pixels, NULL);
    if (status == VQ_OK) status = vq_trainer_step(trainer, p->pixels, NULL);
    if (status == VQ_OK) status = vq_trainer_save(trainer, p->out, progress);
    if (status == VQ_OK) status = vq_trainer_model(trainer, &model);
    vq_model_destroy(ctx, model);
    vq_trainer_destroy(trainer);
    return status;
}

static vq_status create_trainer(vq_context *ctx, const place *p, vq_trainer **out)
{
    vq_model_config model = *vq_model_configuration(p->model);
    vq_train_config train;
    vq_train_config_default(&train);
    train.batch = BATCH;
    train.average = 0.9;
    train.clip = 1.0;
    return vq_trainer_create(ctx, &model, &train, &data, p->backend, NULL, out);
}

static vq_status train(vq_context *ctx, const place *p)
{
    vq_trainer *trainer;
    const vq_status status = create_trainer(ctx, p, &trainer);
    return status == VQ_OK ? run_trainer(ctx, p, trainer, NULL) : status;
}

static vq_status resume(vq_context *ctx, const place *p)
{
    vq_trainer *trainer;
    const vq_status status = vq_trainer_resume(ctx, p->state_file, 0, &data, &trainer);
    return status == VQ_OK ? run_trainer(ctx, p, trainer, "{\"best\": [1, 2]}") : status;
}

static vq_status encode(vq_context *ctx, const place *p)
{
    vq_session_config config = session_shape;
    vq_session *session;
    uint32_t codes[BATCH * CODES_MAX];
    config.backend = p->backend;
    vq_status status = vq_session_create(ctx, p->model, &config, &session);
    if (status == VQ_OK) status = vq_session_encode(session, BATCH, p->pixels, codes);
    vq_session_destroy(session);
    return status;
}

static vq_status decode(vq_context *ctx, const place *p)
{
    vq_session_config config = session_shape;
    vq_session *session;
    uint8_t pixels[BATCH * PIXELS];
    config.backend = p->backend;
    vq_status status = vq_session_create(ctx, p->model, &config, &session);
    if (status == VQ_OK) status = vq_session_decode(session, BATCH, p->codes, pixels);
    vq_session_destroy(session);
    return status;
}

static vq_status evaluate(vq_context *ctx, const place *p)
{
    vq_session_config config = session_shape;
    vq_session *session = NULL;
    vq_evaluation sums = {0};
    config.backend = p->backend;
    vq_status status = vq_evaluation_create(ctx, p->model, &sums);
    if (status == VQ_OK) status = vq_session_create(ctx, p->model, &config, &session);
    if (status == VQ_OK) status = vq_session_evaluate(session, BATCH, p->pixels, &sums, NULL, NULL);
    vq_session_destroy(session);
    vq_evaluation_clear(ctx, &sums);
    return status;
}

/* Codes as the program keeps them: read, and written again. */
static vq_status copy_codes(vq_context *ctx, const place *p)
{
    vq_array array;
    vq_status status = vq_npy_load(ctx, p->codes_file, &array);
    if (status == VQ_OK) status = vq_npy_save(ctx, p->out, &array);
    vq_array_clear(ctx, &array);
    return status;
}

static vq_status same_batch(void *user, int64_t step, const uint8_t **pixels)
{
    (void)step;
    *pixels = ((const place *)user)->pixels;
    return VQ_OK;
}

static vq_status start_by_kmeans(vq_context *ctx, const place *p)
{
    enum { BY_KMEANS = 3 };
    vq_model_config model = *vq_model_configuration(p->model);
    vq_train_config train;
    vq_trainer *trainer;
    place copy = *p; /* the callback's user is not const */
    vq_train_config_default(&train);
    train.batch = BATCH;
    model.codebook_init = BY_KMEANS;
    VQ_TRY(vq_trainer_create(ctx, &model, &train, &data, p->backend, NULL, &trainer));
    vq_status status = vq_trainer_fit(trainer, same_batch, &copy);
    if (status == VQ_OK) status = vq_trainer_step(trainer, p->pixels, NULL);
    vq_trainer_destroy(trainer);
    return status;
}

/* Nearly all codes are used less than that, so that every step moves some. */
static vq_status revive(vq_context *ctx, const place *p)
{
    enum { STEPS = 3 };
    vq_model_config model = *vq_model_configuration(p->model);
    vq_train_config train;
    vq_trainer *trainer;
    vq_step_metrics m = {0};
    vq_train_config_default(&train);
    train.batch = BATCH;
    train.steps = 100;
    train.revive = 0.99;
    train.revive_every = 1;
    VQ_TRY(vq_trainer_create(ctx, &model, &train, &data, p->backend, NULL, &trainer));
    vq_status status = VQ_OK;
    for (int i = 0; i < STEPS && status == VQ_OK; i++)
        status = vq_trainer_step(trainer, p->pixels, &m);
    vq_trainer_destroy(trainer);
    assert_true(status != VQ_OK || m.revived > 0);
    return status;
}

/* By k-means on the pixels as vectors of two. */
static vq_status fit_codebook(vq_context *ctx, const place *p)
{
    enum { VECTORS = BATCH * PIXELS / 2 };
    float vectors[2 * VECTORS];
    vq_codebook_fit_config config;
    vq_codebook *book;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) vectors[i] = p->pixels[i];
    vq_codebook_fit_config_default(&config);
    config.codes = 5;
    config.dim = 2;
    VQ_TRY(vq_codebook_fit(ctx, &config, VECTORS, vectors, NULL, &book));
    const vq_status status = vq_codebook_save(ctx, book, p->out);
    vq_codebook_destroy(ctx, book);
    return status;
}

static vq_status load_codebook(vq_context *ctx, const place *p)
{
    vq_codebook *book;
    VQ_TRY(vq_codebook_load(ctx, p->book_file, NULL, &book));
    vq_codebook_destroy(ctx, book);
    return VQ_OK;
}

#define OLD(file) offsetof(place, file)
static const work works[] = {
    {"loading a model", load_model, 0, 1},
    {"saving a model", save_model, OLD(model_file), 1},
    {"training from the start", train, OLD(state_file), 1},
    {"resuming", resume, OLD(state_file), 2},
    {"encoding", encode, 0, 0},
    {"decoding", decode, 0, 0},
    {"evaluating", evaluate, 0, 0},
    {"copying codes", copy_codes, OLD(codes_file), 2},
    {"starting codebooks by k-means", start_by_kmeans, 0, 0},
    {"reviving codes", revive, 0, 0},
    {"fitting a codebook", fit_codebook, OLD(book_file), 1},
    {"loading a codebook", load_codebook, 0, 1},
};
enum { WORKS = sizeof works / sizeof *works };

/* ---- the place --------------------------------------------------------------------- */

static vq_context *new_context(fixture_faults *memory, fixture_faults *files)
{
    vq_context_config config;
    vq_context *ctx;
    vq_context_config_default(&config);
    if (memory) config.allocator = fixture_allocator(memory);
    if (files) config.files = fixture_files(files);
    config.threads = 1; /* the calls come in one order */
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    return ctx;
}

static void make_files(place *p)
{
    vq_trainer *trainer;
    ok(p->ctx, create_trainer(p->ctx, p, &trainer));
    ok(p->ctx, vq_trainer_step(trainer, p->pixels, NULL));
    ok(p->ctx, vq_trainer_save(trainer, p->state_file, "{}"));
    vq_model_destroy(p->ctx, p->model);
    ok(p->ctx, vq_trainer_model(trainer, &p->model));
    ok(p->ctx, vq_model_save(p->ctx, p->model, p->model_file));
    vq_trainer_destroy(trainer);
    char name[] = "";
    const vq_array codes = {name, VQ_U32, {2, {BATCH, CODES_MAX}}, p->codes};
    ok(p->ctx, vq_npy_save(p->ctx, p->codes_file, &codes));
    memcpy(p->out, p->book_file, NAME);
    ok(p->ctx, fit_codebook(p->ctx, p));
}

static vq_model *first_model(place *p)
{
    vq_model_config config;
    vq_train_config train;
    vq_trainer *trainer;
    vq_model *model;
    vq_model_config_default(&config);
    ok(p->ctx, vq_model_config_read(p->ctx,
                                    "{\"channels\": 1, \"codebook_init\": \"data\", \"level\": ["
                                    "{\"stride\": 2, \"width\": 4, \"narrow\": 2, \"blocks\": 1,"
                                    " \"block_width\": 2, \"k\": 4, \"d\": 2},"
                                    "{\"stride\": 2, \"width\": 4, \"blocks\": 0, \"k\": 3,"
                                    " \"d\": 2}]}",
                                    &config));
    vq_train_config_default(&train);
    train.batch = BATCH;
    ok(p->ctx, vq_trainer_create(p->ctx, &config, &train, &data, p->backend, NULL, &trainer));
    ok(p->ctx, vq_trainer_model(trainer, &model));
    vq_trainer_destroy(trainer);
    return model;
}

static place *open_place(const char *backend)
{
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    fixture_folder_make(&p->folder);
    snprintf(p->model_file, NAME, "%s", fixture_path(&p->folder, "model"));
    snprintf(p->state_file, NAME, "%s", fixture_path(&p->folder, "state"));
    snprintf(p->codes_file, NAME, "%s", fixture_path(&p->folder, "codes"));
    snprintf(p->book_file, NAME, "%s", fixture_path(&p->folder, "book"));
    p->ctx = new_context(NULL, NULL);
    p->backend = backend;
    for (size_t i = 0; i < sizeof p->pixels; i++) p->pixels[i] = (uint8_t)(i * 37 % 251);
    p->model = first_model(p);
    assert_true(vq_model_codes(p->model, SIZE, SIZE) <= CODES_MAX);
    make_files(p);
    snprintf(p->out, NAME, "%s", fixture_path(&p->folder, "out"));
    return p;
}

static void close_place(place *p)
{
    vq_model_destroy(p->ctx, p->model);
    vq_context_destroy(p->ctx);
    fixture_folder_remove(&p->folder);
    free(p);
}

/* ---- one run of a work ------------------------------------------------------------- */

typedef struct outcome {
    vq_status status;
    char sentence[1024];
    bool replaced; /* `out` is no longer the old file */
} outcome;

typedef struct bytes {
    unsigned char data[1 << 16];
    size_t size;
} bytes;

static void read_file(const char *path, bytes *out)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    out->size = fread(out->data, 1, sizeof out->data, file);
    assert_true(out->size < sizeof out->data);
    (void)fclose(file);
}

/* What is in `out` can be used as the old file could. */
static void check_usable(const place *p, const work *w)
{
    place now = *p;
    if (w->old == OLD(model_file)) {
        memcpy(now.model_file, p->out, NAME);
        ok(p->ctx, load_model(p->ctx, &now));
    } else if (w->old == OLD(book_file)) {
        memcpy(now.book_file, p->out, NAME);
        ok(p->ctx, load_codebook(p->ctx, &now));
    } else if (w->old == OLD(codes_file)) {
        vq_array array;
        ok(p->ctx, vq_npy_load(p->ctx, p->out, &array));
        vq_array_clear(p->ctx, &array);
    } else {
        vq_trainer *trainer;
        ok(p->ctx, vq_trainer_resume(p->ctx, p->out, 0, &data, &trainer));
        vq_trainer_destroy(trainer);
    }
}

/* A disk that fails for good keeps temporary files, but nothing else. */
static void remove_leftovers(const place *p)
{
    char name[NAME + 32];
    for (int attempt = 0; attempt < 2; attempt++) {
        snprintf(name, sizeof name, "%s.%ld-%d.tmp", p->out, (long)getpid(), attempt);
        (void)unlink(name);
    }
}

static outcome run_work(place *p, const work *w, fixture_faults *memory, fixture_faults *files)
{
    static bytes old;
    outcome o = {0};
    if (w->old) {
        read_file((const char *)p + w->old, &old);
        fixture_write(p->out, old.data, old.size);
    }
    const size_t count = fixture_folder_count(&p->folder);
    const size_t descriptors = fixture_descriptors();
    const long wanted = memory->fail_at;
    memory->fail_at = 0;
    vq_context *ctx = new_context(memory, files);
    memory->calls = 0;
    memory->fail_at = wanted;
    fixture_json_memory(p->json_sound ? NULL : memory);
    o.status = w->run(ctx, p);
    fixture_json_memory(NULL);
    memory->fail_at = 0;
    snprintf(o.sentence, sizeof o.sentence, "%s", vq_context_error(ctx));
    vq_context_destroy(ctx);
    if (memory->live != 0) fail_msg("%s: %ld blocks leak", w->name, memory->live);
    assert_int_equal(fixture_descriptors(), descriptors);
    if (files->fault == FIXTURE_FAIL_ON) remove_leftovers(p);
    assert_int_equal(fixture_folder_count(&p->folder), count);
    if (w->old) {
        o.replaced = !fixture_holds(p->out, old.data, old.size);
        if (o.replaced) check_usable(p, w);
    }
    return o;
}

/* The calls of a run without faults, which must go well. */
static outcome count_calls(place *p, const work *w, long *allocations, long *operations)
{
    fixture_faults memory = {0}, files = {0};
    const outcome o = run_work(p, w, &memory, &files);
    if (o.status != VQ_OK) fail_msg("%s: %s", w->name, o.sentence);
    *allocations = memory.calls;
    *operations = files.calls;
    return o;
}

/* ---- memory ------------------------------------------------------------------------ */

static long fail_allocations(place *p, const work *w)
{
    long allocations, operations;
    count_calls(p, w, &allocations, &operations);
    for (long at = 1; at <= allocations; at++) {
        fixture_faults memory = {.fail_at = at}, files = {0};
        const outcome o = run_work(p, w, &memory, &files);
        if (o.status != VQ_E_NOMEM)
            fail_msg("%s, allocation %ld of %ld: %s: %s", w->name, at, allocations,
                     vq_status_name(o.status), o.sentence);
        assert_non_null(strstr(o.sentence, "no memory"));
        assert_int_equal(memory.calls >= at, 1);
    }
    return allocations;
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        place *p = open_place((*backend)->name);
        p->json_sound = *backend != &vq_backend_portable; /* once is enough */
        for (size_t i = 0; i < WORKS; i++) {
            const long allocations = fail_allocations(p, &works[i]);
            print_message("%s, %s: %ld allocations\n", (*backend)->name, works[i].name,
                          allocations);
            assert_true(allocations >= 3);
        }
        close_place(p);
    }
}

/* ---- files ------------------------------------------------------------------------- */

/* Runs the work with a fault in its operation number `at`; returns whether that failed unheard, as
 * only the closing of what was read or synced may. */
static bool fail_operation(place *p, const work *w, long at)
{
    fixture_faults memory = {0}, files = {.fail_at = at, .code = EIO};
    const outcome o = run_work(p, w, &memory, &files);
    if (o.status == VQ_OK && strcmp(files.met, "close") == 0) return true;
    if (o.status != VQ_E_IO || !strstr(o.sentence, ": could not ") ||
        !strstr(o.sentence, "Input/output error") ||
        strncmp(o.sentence, p->folder.path, strlen(p->folder.path)) != 0)
        fail_msg("%s, %s as operation %ld: %s: %s", w->name, files.met, at,
                 vq_status_name(o.status), o.sentence);
    /* Once the file is in its place, only the sync of the folder is left to fail. */
    assert_true(!o.replaced || strstr(o.sentence, "have its folder"));
    return false;
}

/* A disk that breaks for good: not even the temporary file can be removed. */
static void fail_from(place *p, const work *w, long at)
{
    fixture_faults memory = {0}, files = {.fail_at = at, .fault = FIXTURE_FAIL_ON, .code = EIO};
    const outcome o = run_work(p, w, &memory, &files);
    if (o.status != VQ_E_IO && strcmp(files.met, "close") != 0)
        fail_msg("%s, all from %s as operation %ld: %s: %s", w->name, files.met, at,
                 vq_status_name(o.status), o.sentence);
    assert_true(!o.replaced || o.status == VQ_OK || strstr(o.sentence, "have its folder"));
}

/* What the system is free to do at any time changes nothing. */
static void disturb_operation(place *p, const work *w, long at, fixture_fault fault, bool replaced)
{
    fixture_faults memory = {0}, files = {.fail_at = at, .fault = fault};
    const outcome o = run_work(p, w, &memory, &files);
    if (o.status != VQ_OK)
        fail_msg("%s, %s as operation %ld, %s: %s", w->name, files.met, at,
                 fault == FIXTURE_SHORT ? "cut short" : "interrupted", o.sentence);
    assert_int_equal(o.replaced, replaced);
}

static void every_file_operation_fails_once(void **state)
{
    (void)state;
    place *p = open_place("portable");
    for (size_t i = 0; i < WORKS; i++) {
        const work *w = &works[i];
        long allocations, operations;
        int unheard = 0;
        const outcome sound = count_calls(p, w, &allocations, &operations);
        for (long at = 1; at <= operations; at++) {
            unheard += fail_operation(p, w, at);
            fail_from(p, w, at);
            disturb_operation(p, w, at, FIXTURE_INTERRUPT, sound.replaced);
            disturb_operation(p, w, at, FIXTURE_SHORT, sound.replaced);
        }
        print_message("%s: %ld operations\n", w->name, operations);
        assert_int_equal(unheard, w->unheard);
        assert_true(operations == 0 || operations >= 4);
    }
    close_place(p);
}

/* ---- full disks -------------------------------------------------------------------- */

/* Whatever is left on the disk, the old file stays until the new one fits. */
static void full_disks_keep_the_old_file(void **state)
{
    enum { STEPS = 40 };
    (void)state;
    place *p = open_place("portable");
    for (size_t i = 0; i < WORKS; i++) {
        const work *w = &works[i];
        static bytes saved;
        if (w->old == 0) continue;
        const outcome sound = run_work(p, w, &(fixture_faults){0}, &(fixture_faults){0});
        assert_int_equal(sound.status, VQ_OK);
        read_file(p->out, &saved);
        for (size_t step = 0; step <= STEPS; step++) {
            fixture_faults memory = {0}, files = {.disk = true};
            files.room = step < STEPS ? saved.size * step / STEPS : saved.size - 1;
            const outcome o = run_work(p, w, &memory, &files);
            assert_int_equal(o.status, VQ_E_IO);
            assert_non_null(strstr(o.sentence, "could not be written: No space left on device"));
            assert_false(o.replaced);
        }
        fixture_faults memory = {0}, files = {.disk = true, .room = saved.size};
        const outcome o = run_work(p, w, &memory, &files);
        assert_int_equal(o.status, VQ_OK);
    }
    close_place(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(every_file_operation_fails_once),
        cmocka_unit_test(full_disks_keep_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
