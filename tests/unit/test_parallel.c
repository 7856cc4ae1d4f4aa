/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_parallel.c -- pieces cover a range once, on any number of threads; sums do not
 * depend on it; contexts and arenas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs all of the above */

#include "base/parallel.h"
#include "support/fixture.h"

enum { MAX_COUNT = 1000, MAX_PIECES = 8 };

static vq_context *context_of(int threads)
{
    vq_context_config config;
    vq_context *ctx = NULL;
    vq_context_config_default(&config);
    config.threads = threads;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    return ctx;
}

typedef struct pieces {
    unsigned char touched[MAX_COUNT];
    size_t begin[MAX_PIECES], end[MAX_PIECES];
    int calls[MAX_PIECES];
} pieces;

static void note_piece(void *arg, size_t begin, size_t end, int thread)
{
    pieces *p = arg;
    p->begin[thread] = begin;
    p->end[thread] = end;
    p->calls[thread]++;
    for (size_t i = begin; i < end; i++) p->touched[i]++;
}

static void check_pieces(vq_context *ctx, size_t count, size_t grain)
{
    const size_t units = (count + grain - 1) / grain;
    const int threads = vq_context_threads(ctx);
    const int expected = units < (size_t)threads ? (int)units : threads;
    pieces p = {0};
    vq_parallel_for(ctx, count, grain, note_piece, &p);
    for (size_t i = 0; i < count; i++) assert_int_equal(p.touched[i], 1);
    for (int i = 0; i < MAX_PIECES; i++) assert_int_equal(p.calls[i], i < expected);
    for (int i = 0; i < expected; i++) {
        assert_int_equal(p.begin[i], i ? p.end[i - 1] : 0);
        assert_int_equal(p.begin[i] % grain, 0);
        assert_true(p.end[i] > p.begin[i]);
    }
    if (expected) assert_int_equal(p.end[expected - 1], count);
}

static void test_pieces(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 7, 64, 65, 999, 1000};
    static const size_t grains[] = {1, 2, 16, 333, 5000};
    (void)state;
    for (int threads = 1; threads <= MAX_PIECES; threads++) {
        vq_context *ctx = context_of(threads);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            for (size_t j = 0; j < sizeof grains / sizeof *grains; j++)
                check_pieces(ctx, counts[i], grains[j]);
        vq_context_destroy(ctx);
    }
}

/* One job after the other, short and long, so that threads are met awake and asleep. */
static void test_many_jobs(void **state)
{
    (void)state;
    vq_context *ctx = context_of(MAX_PIECES);
    for (size_t round = 0; round < 20000; round++) {
        pieces p = {0};
        const size_t count = 1 + round * 7919 % MAX_COUNT;
        vq_parallel_for(ctx, count, 1 + round % 5, note_piece, &p);
        for (size_t i = 0; i < count; i++)
            if (p.touched[i] != 1) fail_msg("job %zu: number %zu %d times", round, i, p.touched[i]);
        for (size_t i = 0; round % 100 == 0 && i < 50000; i++) __asm__ volatile("");
    }
    vq_context_destroy(ctx);
}

typedef struct outer {
    vq_context *ctx;
    pieces inner[MAX_PIECES];
} outer;

static void run_inner(void *arg, size_t begin, size_t end, int thread)
{
    outer *o = arg;
    (void)begin, (void)end;
    vq_parallel_for(o->ctx, 100, 1, note_piece, &o->inner[thread]);
}

/* A range within a piece of another runs whole, in that piece's thread. */
static void test_range_within_a_range(void **state)
{
    (void)state;
    static outer o;
    o = (outer){.ctx = context_of(4)};
    vq_parallel_for(o.ctx, 4, 1, run_inner, &o);
    for (int t = 0; t < 4; t++)
        for (size_t i = 0; i < 100; i++) assert_int_equal(o.inner[t].touched[i], 1);
    vq_context_destroy(o.ctx);
}

/* Without memory for threads the caller does it all, and they are asked for again later. */
static void test_no_memory_for_threads(void **state)
{
    (void)state;
    fixture_faults memory = {.fail_at = 2};
    vq_context_config config;
    vq_context *ctx = NULL;
    pieces p = {0};
    vq_context_config_default(&config);
    config.allocator = fixture_allocator(&memory);
    config.threads = 3;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    vq_parallel_for(ctx, 100, 1, note_piece, &p);
    for (size_t i = 0; i < 100; i++) assert_int_equal(p.touched[i], 1);
    vq_parallel_for(ctx, 100, 1, note_piece, &p);
    for (size_t i = 0; i < 100; i++) assert_int_equal(p.touched[i], 2);
    vq_context_destroy(ctx);
    assert_int_equal(memory.live, 0);
}

/* 1/i: the order of additions shows in the last bits. */
static double harmonic(const void *arg, size_t begin, size_t end)
{
    double sum = 0.0;
    (void)arg;
    for (size_t i = begin; i < end; i++) sum += 1.0 / (double)(i + 1);
    return sum;
}

static void test_sums(void **state)
{
    static const size_t counts[] = {0, 1, VQ_SUM_CHUNK, VQ_SUM_CHUNK + 1, 100000};
    double partials[32];
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double first = 0.0;
        assert_in_range(vq_sum_chunks_count(counts[i]), 0, 32);
        for (int threads = 1; threads <= 7; threads++) {
            vq_context *ctx = context_of(threads);
            const double sum = vq_sum_chunks(ctx, counts[i], harmonic, NULL, partials);
            if (threads == 1) first = sum;
            assert_memory_equal(&sum, &first, sizeof sum);
            vq_context_destroy(ctx);
        }
        const double whole = harmonic(NULL, 0, counts[i]);
        assert_true(first >= whole * (1 - 1e-12) && first <= whole * (1 + 1e-12));
    }
}

static void test_context_settings(void **state)
{
    vq_context_config config;
    vq_context *ctx = NULL;
    (void)state;
    vq_context_config_default(&config);
    static const int refused[] = {-1, 1025};
    for (size_t i = 0; i < 2; i++) {
        config.threads = refused[i];
        assert_int_equal(vq_context_create(&config, &ctx), VQ_E_ARG);
        assert_null(ctx);
    }
    config.threads = 0;
    config.cpu = "sse9";
    assert_int_equal(vq_context_create(&config, &ctx), VQ_E_ARG);
    config.cpu = "portable";
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    assert_string_equal(vq_context_cpu(ctx), "portable");
    assert_true(vq_context_threads(ctx) >= 1);
    assert_string_equal(vq_context_error(ctx), "");
    vq_context_destroy(ctx);
    vq_context_destroy(NULL);
}

static void test_context_memory(void **state)
{
    fixture_faults memory = {.fail_at = 1};
    vq_context_config config;
    vq_context *ctx = NULL;
    void *block;
    (void)state;
    vq_context_config_default(&config);
    config.allocator = fixture_allocator(&memory);
    assert_int_equal(vq_context_create(&config, &ctx), VQ_E_NOMEM);
    assert_null(ctx);
    ctx = fixture_faulty_context(&memory, NULL);
    assert_int_equal(vq_alloc(ctx, 3, 1000, &block), VQ_E_NOMEM);
    assert_null(block);
    fixture_error_names(ctx, "3000 bytes");
    assert_int_equal(vq_alloc(ctx, SIZE_MAX / 2, 3, &block), VQ_E_NOMEM);
    assert_int_equal(vq_alloc(ctx, 0, 8, &block), VQ_OK);
    assert_int_equal((uintptr_t)block % VQ_ALIGNMENT, 0);
    vq_release(ctx, block);
    vq_release(ctx, NULL);
    config.allocator.release = NULL;
    vq_context *other = NULL;
    assert_int_equal(vq_context_create(&config, &other), VQ_E_ARG);
    vq_context_destroy(ctx);
    assert_int_equal(memory.live, 0);
}

static void test_error_sentences(void **state)
{
    vq_context *ctx = fixture_context();
    (void)state;
    assert_int_equal(vq_fail(ctx, VQ_E_SHAPE, "met %d\n\x1b[31m", 3), VQ_E_SHAPE);
    assert_string_equal(vq_context_error(ctx), "met 3??[31m");
    (void)vq_fail(ctx, VQ_E_SHAPE, "file: %s", ctx->error);
    assert_string_equal(vq_context_error(ctx), "file: met 3??[31m");
    for (int i = 0; i < 2 * VQ_ERROR_SIZE; i++) (void)vq_fail(ctx, VQ_E_ARG, "x%s", ctx->error);
    assert_int_equal(strlen(vq_context_error(ctx)), VQ_ERROR_SIZE - 1);
    assert_string_equal(vq_status_name(VQ_E_NOMEM), "out of memory");
    assert_non_null(vq_status_name((vq_status)99));
    vq_context_destroy(ctx);
}

static void test_arena(void **state)
{
    _Alignas(64) static unsigned char room[256];
    vq_arena measure = {0};
    (void)state;
    assert_null(vq_arena_get(&measure, 3, 5));
    assert_null(vq_arena_get(&measure, 10, 4));
    assert_int_equal(measure.used, 64 + 40);
    assert_false(measure.overflow);
    vq_arena bind = {.base = room, .capacity = measure.used};
    assert_ptr_equal(vq_arena_get(&bind, 3, 5), room);
    assert_ptr_equal(vq_arena_get(&bind, 10, 4), room + 64);
    assert_int_equal(bind.used, measure.used);
    assert_null(vq_arena_get(&bind, 1, 1));
    assert_true(bind.overflow);
    assert_null(vq_arena_get(&measure, SIZE_MAX, 2));
    assert_true(measure.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_context_settings),
        cmocka_unit_test(test_context_memory),
        cmocka_unit_test(test_error_sentences),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_many_jobs),
        cmocka_unit_test(test_range_within_a_range),
        cmocka_unit_test(test_no_memory_for_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
