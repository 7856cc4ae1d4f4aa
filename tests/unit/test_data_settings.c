/* SPDX-License-Identifier: Apache-2.0
 * The settings of data: defaults, text, JSON, and what help is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/data_files.h"

static void test_defaults(void **state)
{
    vq_data_config config;
    (void)state;
    memset(&config, 0xff, sizeof config);
    vq_data_config_default(&config);
    assert_int_equal(config.height, 0);
    assert_int_equal(config.width, 0);
    assert_int_equal(config.channels, 0);
    assert_int_equal(config.fit, VQ_FIT_CROP);
    assert_int_equal(config.filter, VQ_FILTER_BILINEAR);
    assert_false(config.flip);
    assert_int_equal(config.crop_pad, 0);
    assert_false(config.augment);
    assert_int_equal(config.cache_mb, 1024);
}

static void test_set(void **state)
{
    static const char *const refused[][3] = {
        /* name, value, a word of the sentence */
        {"heigth", "8", "height"},        {"height", "-1", "height"},
        {"channels", "4", "channels"},    {"fit", "squeeze", "crop|pad|stretch|exact"},
        {"filter", "nearest", "lanczos"}, {"flip", "perhaps", "flip"},
        {"augment", "true", "augment"}};
    data_place *place = *state;
    vq_data_config config;
    vq_data_config_default(&config);
    assert_int_equal(vq_data_config_set(place->ctx, &config, "height", "128"), VQ_OK);
    assert_int_equal(vq_data_config_set(place->ctx, &config, "flip", "true"), VQ_OK);
    assert_int_equal(config.height, 128);
    assert_true(config.flip);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(vq_data_config_set(place->ctx, &config, refused[i][0], refused[i][1]),
                         VQ_E_ARG);
        assert_non_null(strstr(vq_context_error(place->ctx), refused[i][2]));
    }
    assert_int_equal(config.height, 128);
}

static void test_json(void **state)
{
    data_place *place = *state;
    vq_data_config config, back;
    char *json = NULL;
    vq_data_config_default(&config);
    assert_int_equal(vq_data_config_read(place->ctx, "{\"width\": 31, \"crop_pad\": 4}", &config),
                     VQ_OK);
    assert_int_equal(config.width, 31);
    assert_int_equal(vq_data_config_write(place->ctx, &config, &json), VQ_OK);
    vq_data_config_default(&back);
    assert_int_equal(vq_data_config_read(place->ctx, json, &back), VQ_OK);
    assert_int_equal(back.width, 31);
    assert_int_equal(back.crop_pad, 4);
    vq_data_free(place->ctx, json);
    assert_int_equal(vq_data_config_read(place->ctx, "{\"width\": \"31\"}", &config), VQ_E_ARG);
}

typedef struct heard {
    char text[1024];
} heard;

static void hear(void *user, const char *name, const char *type, const char *standard,
                 const char *range, const char *help, const char *source)
{
    heard *all = user;
    const size_t used = strlen(all->text);
    assert_true(strlen(help) > 10);
    assert_non_null(source);
    snprintf(all->text + used, sizeof all->text - used, "%s|%s|%s|%s\n", name, type, standard,
             range);
}

static void test_visit(void **state)
{
    heard all = {""};
    (void)state;
    vq_data_settings_visit(hear, &all);
    assert_string_equal(all.text, "height|whole number|0|0..65536\n"
                                  "width|whole number|0|0..65536\n"
                                  "channels|whole number|0|0..3\n"
                                  "fit|choice|crop|crop|pad|stretch|exact\n"
                                  "filter|choice|bilinear|bilinear|bicubic|lanczos|box\n"
                                  "labels|choice|fine|fine|coarse\n"
                                  "flip|yes or no|false|true|false\n"
                                  "crop_pad|whole number|0|0..1024\n"
                                  "cache_mb|whole number|1024|0..1048576\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_visit),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
