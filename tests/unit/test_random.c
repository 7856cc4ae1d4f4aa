/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_random.c -- Philox against the known answers of its authors; streams, bounds
 * and permutations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs all of the above */

#include "base/random.h"

/* Random123's kat_vectors, philox4x32 with 10 rounds. */
static void test_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        vq_philox(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

/* The layout of counters decides which numbers a seed gives, for ever. */
static void test_stream_layout(void **state)
{
    const uint64_t seed = UINT64_C(0x299f31d0a4093822), step = UINT64_C(0x00ab456713198a2e);
    const uint32_t key[2] = {0xa4093822, 0x299f31d0};
    (void)state;
    vq_random random = vq_random_stream(seed, VQ_RANDOM_AUGMENT, step, 0x85a308d3);
    for (uint32_t block = 0; block < 3; block++) {
        const uint32_t counter[4] = {block, 0x85a308d3, 0x13198a2e, 0x03ab4567};
        uint32_t out[4];
        vq_philox(counter, key, out);
        for (int i = 0; i < 4; i++) assert_int_equal(vq_random_u32(&random), out[i]);
    }
}

static void test_streams_differ(void **state)
{
    const struct {
        uint64_t seed;
        vq_purpose purpose;
        uint64_t step;
        uint32_t item;
    } rows[] = {{1, VQ_RANDOM_INIT, 0, 0},
                {2, VQ_RANDOM_INIT, 0, 0},
                {UINT64_C(1) << 32, VQ_RANDOM_INIT, 0, 0},
                {1, VQ_RANDOM_ORDER, 0, 0},
                {1, VQ_RANDOM_INIT, 1, 0},
                {1, VQ_RANDOM_INIT, UINT64_C(1) << 40, 0},
                {1, VQ_RANDOM_INIT, 0, 1}};
    enum { ROWS = sizeof rows / sizeof *rows };
    uint32_t first[ROWS][2];
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        vq_random r = vq_random_stream(rows[i].seed, rows[i].purpose, rows[i].step, rows[i].item);
        first[i][0] = vq_random_u32(&r);
        first[i][1] = vq_random_u32(&r);
        for (size_t j = 0; j < i; j++) assert_memory_not_equal(first[i], first[j], sizeof first[i]);
    }
}

static void test_below(void **state)
{
    static const uint64_t bounds[] = {1, 2, 3, 10, 1000, UINT64_C(1) << 33, UINT64_MAX};
    vq_random r = vq_random_stream(7, VQ_RANDOM_TEST, 0, 0);
    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int n = 0; n < 1000; n++) assert_true(vq_random_below(&r, bounds[i]) < bounds[i]);
    /* 6000 throws of a die: each face 1000 times, standard deviation 29. */
    int faces[6] = {0};
    for (int n = 0; n < 6000; n++) faces[vq_random_below(&r, 6)]++;
    for (int f = 0; f < 6; f++) assert_in_range(faces[f], 850, 1150);
}

static void test_uniform_and_normal(void **state)
{
    enum { COUNT = 100000 };
    double sum = 0.0, square = 0.0, uniform = 0.0;
    vq_random r = vq_random_stream(7, VQ_RANDOM_TEST, 0, 1);
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        const float u = vq_random_uniform(&r);
        assert_true(u >= 0.0f && u < 1.0f);
        uniform += (double)u;
        const double z = (double)vq_random_normal(&r);
        assert_true(isfinite(z));
        sum += z;
        square += z * z;
    }
    /* Five standard deviations of each mean. */
    assert_true(fabs(uniform / COUNT - 0.5) < 5 * 0.289 / sqrt(COUNT));
    assert_true(fabs(sum / COUNT) < 5 / sqrt(COUNT));
    assert_true(fabs(square / COUNT - 1.0) < 5 * sqrt(2.0) / sqrt(COUNT));
}

static void check_permutation(uint64_t count)
{
    unsigned char *seen = calloc((size_t)count, 1);
    assert_non_null(seen);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t at = vq_random_permuted(3, VQ_RANDOM_ORDER, 5, count, i);
        assert_true(at < count);
        assert_int_equal(seen[at]++, 0);
    }
    free(seen);
}

static void test_permutation(void **state)
{
    static const uint64_t counts[] = {1, 2, 3, 4, 5, 15, 16, 17, 255, 257, 1000, 4097};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) check_permutation(counts[i]);
}

static void test_permutation_varies(void **state)
{
    enum { COUNT = 1000 };
    int fixed = 0, same_step = 0, same_seed = 0;
    (void)state;
    for (uint64_t i = 0; i < COUNT; i++) {
        const uint64_t at = vq_random_permuted(3, VQ_RANDOM_ORDER, 5, COUNT, i);
        fixed += at == i;
        same_step += at == vq_random_permuted(3, VQ_RANDOM_ORDER, 6, COUNT, i);
        same_seed += at == vq_random_permuted(4, VQ_RANDOM_ORDER, 5, COUNT, i);
    }
    /* One place in a thousand agrees by chance (Poisson, mean 1). */
    assert_in_range(fixed, 0, 10);
    assert_in_range(same_step, 0, 10);
    assert_in_range(same_seed, 0, 10);
    assert_true(vq_random_permuted(1, VQ_RANDOM_ORDER, 0, UINT64_MAX, 12345) < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),      cmocka_unit_test(test_stream_layout),
        cmocka_unit_test(test_streams_differ),     cmocka_unit_test(test_below),
        cmocka_unit_test(test_uniform_and_normal), cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_permutation_varies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
