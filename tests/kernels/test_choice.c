/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_choice.c -- which table runs on which processor. */
#include "tables.h"

static void test_bounds(void **state)
{
    (void)state;
    assert_string_equal(vq_kernels_for(0)->name, "portable");
#if defined(__x86_64__)
    assert_string_equal(vq_kernels_for(VQ_CPU_AVX2)->name, "avx2");
    assert_string_equal(vq_kernels_for(VQ_CPU_AVX2 | VQ_CPU_AVX512)->name, "avx512");
#endif
#if defined(__aarch64__)
    assert_string_equal(vq_kernels_for(vq_cpu_detect(VQ_CPU_ALL))->name, "neon");
#endif
}

/* The names of tables are those that users give as bounds. */
static void table_of_its_name(const vq_kernels *kernels)
{
    int known = 0;
    const uint32_t cpu = vq_cpu_bound(kernels->name, &known);
    assert_true(known);
    assert_ptr_equal(vq_kernels_for(cpu), kernels);
    assert_in_range(kernels->correlate_panels, 1, VQ_PANELS_MAX);
}

static void test_names(void **state)
{
    (void)state;
    for_each_table(table_of_its_name);
}

static void test_context(void **state)
{
    vq_context ctx = {.threads = 1, .cpu = vq_cpu_detect(VQ_CPU_ALL)};
    (void)state;
    assert_ptr_equal(vq_kernels_of(&ctx), vq_kernels_for(vq_cpu_detect(VQ_CPU_ALL)));
    ctx.kernels = &vq_kernels_portable;
    assert_ptr_equal(vq_kernels_of(&ctx), &vq_kernels_portable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
