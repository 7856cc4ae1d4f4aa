/* SPDX-License-Identifier: Apache-2.0
 * tests/cross/cmocka.h -- the part of cmocka's interface that tests/kernels uses, for processors
 * whose cmocka is not installed here. The first failure ends the program. */
#ifndef VQ_TESTS_CROSS_CMOCKA_H
#define VQ_TESTS_CROSS_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
};

#define cmocka_unit_test(function) ((struct CMUnitTest){#function, function})
#define print_message(...) ((void)printf(__VA_ARGS__))
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        fflush(stdout);                                                                            \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fprintf(stderr, "\n");                                                                     \
        exit(1);                                                                                   \
    } while (0)
#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) fail_msg("not true: %s", #condition);                                    \
    } while (0)
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_string_equal(a, b) assert_true(strcmp((a), (b)) == 0)
#define assert_memory_equal(a, b, size) assert_true(memcmp((a), (b), (size)) == 0)
/* As cmocka's: in the widest unsigned type, to which a negative number is a large one. */
#define assert_in_range(value, low, high)                                                          \
    assert_true((unsigned long long)(value) >= (unsigned long long)(low) &&                        \
                (unsigned long long)(value) <= (unsigned long long)(high))

#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    run_group_tests((tests), sizeof(tests) / sizeof *(tests))

static inline int run_group_tests(const struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *state = NULL;
        printf("[ RUN      ] %s\n", tests[i].name);
        tests[i].test(&state);
        printf("[       OK ] %s\n", tests[i].name);
    }
    return 0;
}

#endif
