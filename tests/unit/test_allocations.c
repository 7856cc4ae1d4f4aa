/* SPDX-License-Identifier: Apache-2.0
 * Steps 2 to 20 of a training ask the C library for no memory, in any thread: malloc and its like
 * are interposed and counted. oneDNN makes a map of arguments each time it is called, out of our
 * reach; its steps must ask equally often, so that nothing grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vqvae/vqvae.h>

#include "nn/backend.h"
#include "support/fixture.h"

enum { BATCH = 2, SIZE = 16, STEPS = 20 };

static atomic_long calls;

#if defined(__SANITIZE_ADDRESS__)
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void count(const volatile void *block, size_t size)
{
    (void)block;
    (void)size;
    atomic_fetch_add(&calls, 1);
}

static void ignore(const volatile void *block)
{
    (void)block;
}

static void begin_counting(void)
{
    (void)__sanitizer_install_malloc_and_free_hooks(count, ignore);
}
#else
/* glibc's own names of the functions that these take the place of. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

VQ_API void *malloc(size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __libc_malloc(size);
}

VQ_API void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __libc_calloc(n, size);
}

VQ_API void *realloc(void *block, size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __libc_realloc(block, size);
}

VQ_API void *aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __libc_memalign(alignment, size);
}

VQ_API int posix_memalign(void **block, size_t alignment, size_t size)
{
    atomic_fetch_add(&calls, 1);
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : 12; /* ENOMEM */
}

static void begin_counting(void) {}
#endif

static void ok(vq_context *ctx, vq_status status)
{
    if (status != VQ_OK) fail_msg("%s: %s", vq_status_name(status), vq_context_error(ctx));
}

/* Calls that each of the steps 1 to 20 makes. */
static void count_steps(const char *backend, long *made)
{
    static uint8_t pixels[BATCH * SIZE * SIZE * 3];
    vq_context *ctx = fixture_context();
    vq_model_config model;
    vq_train_config train;
    vq_trainer *trainer;
    const vq_train_data data = {.images = 8, .height = SIZE, .width = SIZE, .variance = 0.05};
    vq_model_config_default(&model);
    ok(ctx, vq_model_config_read(ctx,
                                 "{\"channels\": 3, \"codebook_init\": \"data\", \"level\":"
                                 " [{\"width\": 32, \"k\": 16, \"d\": 16}]}",
                                 &model));
    vq_train_config_default(&train);
    train.batch = BATCH;
    train.average = 0.9;
    train.clip = 1.0;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 % 251);
    ok(ctx, vq_trainer_create(ctx, &model, &train, &data, backend, NULL, &trainer));
    for (int step = 0; step < STEPS; step++) {
        vq_step_metrics metrics;
        const long before = atomic_load(&calls);
        ok(ctx, vq_trainer_step(trainer, pixels, &metrics));
        made[step] = atomic_load(&calls) - before;
    }
    vq_trainer_destroy(trainer);
    vq_context_destroy(ctx);
}

static void portable_steps_ask_for_nothing(void **state)
{
    (void)state;
    long made[STEPS];
    count_steps("portable", made);
    for (int step = 1; step < STEPS; step++) assert_int_equal(made[step], 0);
}

static void onednn_steps_ask_alike(void **state)
{
    (void)state;
#ifndef VQ_HAVE_ONEDNN
    skip(); /* this build has only the portable one */
#endif
    long made[STEPS];
    count_steps("onednn", made);
    for (int step = 2; step < STEPS; step++) assert_int_equal(made[step], made[1]);
    print_message("oneDNN's execution asked %ld times a step\n", made[1]);
}

static void the_counter_counts(void **state)
{
    (void)state;
    const long before = atomic_load(&calls);
    void *volatile block = malloc(100);
    free(block);
    assert_true(atomic_load(&calls) > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(portable_steps_ask_for_nothing),
        cmocka_unit_test(onednn_steps_ask_alike),
    };
    begin_counting();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
