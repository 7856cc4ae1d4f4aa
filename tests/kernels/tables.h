/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/tables.h -- what the tests of kernels share: the tables this machine can
 * run, and buffers whose borders are watched. */
#ifndef VQ_TESTS_KERNELS_TABLES_H
#define VQ_TESTS_KERNELS_TABLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs all of the above */

#include "base/cpu.h"
#include "base/random.h"
#include "kernels/kernels.h"

enum { GUARD = 19 }; /* floats before and after; odd, so that what lies between is unaligned */

/** Calls `test` for every table that was built and that the processor can run. */
static inline void for_each_table(void (*test)(const vq_kernels *kernels))
{
    const uint32_t cpu = vq_cpu_detect(VQ_CPU_ALL);
#define VQ_KERNELS(isa, need)                                                                      \
    if (((need) & ~cpu) == 0) test(&vq_kernels_##isa);                                             \
    else print_message("not run: %s, which this processor does not have\n", #isa);
#include "kernels/kernel_list.def"
#undef VQ_KERNELS
}

/** A context of these kernels, whatever the processor would choose. */
static inline vq_context *table_context(const vq_kernels *kernels, int threads)
{
    const vq_context_config config = {.threads = threads};
    vq_context *ctx = NULL;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    ctx->kernels = kernels;
    return ctx;
}

static inline vq_random test_stream(uint32_t item)
{
    return vq_random_stream(20240607, VQ_RANDOM_TEST, 0, item);
}

static inline size_t random_between(vq_random *random, size_t low, size_t high)
{
    return low + (size_t)vq_random_below(random, (uint64_t)(high - low + 1));
}

/** `count` normal numbers between two guards; freed with free_guarded. */
static inline float *guarded(vq_random *random, size_t count)
{
    float *memory = malloc((count + 2 * GUARD) * sizeof *memory);
    assert_non_null(memory);
    memset(memory, 0x5a, (count + 2 * GUARD) * sizeof *memory);
    for (size_t i = 0; i < count; i++) memory[GUARD + i] = vq_random_normal(random);
    return memory + GUARD;
}

/** Another such buffer with the same bytes, guards included. */
static inline float *guarded_copy(const float *of, size_t count)
{
    float *memory = malloc((count + 2 * GUARD) * sizeof *memory);
    assert_non_null(memory);
    memcpy(memory, of - GUARD, (count + 2 * GUARD) * sizeof *memory);
    return memory + GUARD;
}

/** Whether two such buffers have the same bytes, guards included. */
static inline int same_guarded(const float *a, const float *b, size_t count)
{
    return memcmp(a - GUARD, b - GUARD, (count + 2 * GUARD) * sizeof *a) == 0;
}

static inline void free_guarded(float *buffer)
{
    if (buffer) free(buffer - GUARD);
}

/** A workspace of exactly `size` bytes, so that sanitizers and the guard after it see
 *  whoever writes beyond. */
static inline void *workspace_create(size_t size)
{
    unsigned char *memory = aligned_alloc(64, (size + 127) / 64 * 64);
    assert_non_null(memory);
    memset(memory, 0x5a, (size + 127) / 64 * 64);
    return memory;
}

static inline void workspace_destroy(void *workspace, size_t size)
{
    const unsigned char *memory = workspace;
    for (size_t i = size; i < (size + 127) / 64 * 64; i++) assert_int_equal(memory[i], 0x5a);
    free(workspace);
}

#endif
