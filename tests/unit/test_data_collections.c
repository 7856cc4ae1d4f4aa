/* SPDX-License-Identifier: Apache-2.0
 * Two collections that are not part of the project: CIFAR-10 as JPEG, and photographs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/data_files.h"

static char cifar[512], photos[512];

static void moments_of_all(data_place *place, const vq_dataset *dataset, double *variance)
{
    const int64_t count = vq_dataset_count(dataset);
    int64_t *all = malloc((size_t)count * sizeof *all);
    double mean;
    assert_non_null(all);
    for (int64_t i = 0; i < count; i++) all[i] = i;
    const vq_status status =
        vq_dataset_moments(place->ctx, dataset, all, (size_t)count, NULL, &mean, variance);
    if (status != VQ_OK) fail_msg("%s", vq_context_error(place->ctx));
    free(all);
}

static void check_cifar(data_place *place, const char *part, int64_t count, double variance)
{
    char path[600];
    double got;
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    snprintf(path, sizeof path, "%s:%s", cifar, part);
    assert_int_equal(vq_dataset_open(place->ctx, path, &config, &dataset), VQ_OK);
    assert_int_equal(vq_dataset_count(dataset), count);
    assert_string_equal(vq_dataset_class(dataset, 0), "airplane");
    assert_string_equal(vq_dataset_class(dataset, 9), "truck");
    assert_int_equal(vq_dataset_label(dataset, count - 1), 9);
    moments_of_all(place, dataset, &got);
    assert_true(fabs(got - variance) < 5e-7); /* as Pillow's decoder gives it */
    vq_dataset_close(place->ctx, dataset);
}

static void test_cifar(void **state)
{
    check_cifar(*state, "train", 50000, 0.062708);
    check_cifar(*state, "test", 10000, 0.062525);
}

static void test_photos(void **state)
{
    data_place *place = *state;
    double variance;
    int64_t size[3];
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    config.height = config.width = 64;
    assert_int_equal(vq_dataset_open(place->ctx, photos, &config, &dataset), VQ_OK);
    assert_int_equal(vq_dataset_count(dataset), 900);
    vq_dataset_size(dataset, size);
    assert_int_equal(size[2], 3);
    moments_of_all(place, dataset, &variance);
    assert_true(variance > 0.05 && variance < 0.09);
    vq_dataset_close(place->ctx, dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cifar), cmocka_unit_test(test_photos)};
    if (!outside_file("cifar10-jpeg.tar", cifar, sizeof cifar) ||
        !outside_file("photos.tar", photos, sizeof photos))
        return 77;
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
