/* SPDX-License-Identifier: Apache-2.0
 * Fashion-MNIST as Debian's package dataset-fashion-mnist installs it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/data_files.h"

static const char folder[] = "/usr/share/datasets/fashion-mnist";

static void check_half(data_place *place, const char *half, int64_t count, int64_t first_label,
                       double mean, double variance)
{
    char path[256];
    int64_t size[3], per_class[10] = {0};
    double got_mean, got_variance;
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    snprintf(path, sizeof path, "%s:%s", folder, half);
    assert_int_equal(vq_dataset_open(place->ctx, path, &config, &dataset), VQ_OK);
    assert_int_equal(vq_dataset_count(dataset), count);
    vq_dataset_size(dataset, size);
    assert_int_equal(size[0], 28);
    assert_int_equal(size[1], 28);
    assert_int_equal(size[2], 1);
    assert_int_equal(vq_dataset_label(dataset, 0), first_label);
    int64_t *all = malloc((size_t)count * sizeof *all);
    assert_non_null(all);
    for (int64_t i = 0; i < count; i++) {
        all[i] = i;
        assert_in_range(vq_dataset_label(dataset, i), 0, 9);
        per_class[vq_dataset_label(dataset, i)]++;
    }
    for (int c = 0; c < 10; c++) assert_int_equal(per_class[c], count / 10);
    assert_int_equal(vq_dataset_moments(place->ctx, dataset, all, (size_t)count, NULL, &got_mean,
                                        &got_variance),
                     VQ_OK);
    assert_true(fabs(got_mean - mean) < 5e-5);
    assert_true(fabs(got_variance - variance) < 5e-6);
    free(all);
    vq_dataset_close(place->ctx, dataset);
}

static void test_halves(void **state)
{
    /* The mean .2860 and deviation .3530 that are usually quoted for the training half; the
     * rest by numpy in double. */
    check_half(*state, "train", 60000, 9, 0.28604, 0.124626);
    check_half(*state, "t10k", 10000, 9, 0.28685, 0.124217);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_halves)};
    if (access(folder, R_OK) != 0) {
        print_message("skipped: install the package dataset-fashion-mnist\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
