/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_settings.c -- configurations from tables: defaults, JSON both ways, single
 * settings, and a row for each thing that is refused. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs all of the above */

#include "base/settings.h"
#include "support/fixture.h"

typedef struct part {
    int64_t k;
    double share;
} part;

enum { PARTS = 3, LIST_SIZE = 256 };

typedef struct sample {
    int64_t steps;
    double lr, scale;
    bool flip;
    int schedule;
    part parts[PARTS];
    size_t n_parts;
} sample;

static const vq_field part_fields[] = {
    {.name = "k",
     .type = VQ_FIELD_INT,
     .at = offsetof(part, k),
     .low = 2,
     .high = 65536,
     .standard = 512,
     .help = "codes"},
    {.name = "share",
     .type = VQ_FIELD_REAL,
     .at = offsetof(part, share),
     .low = 0,
     .high = 1,
     .standard = 0.5,
     .help = "share"},
};
static const vq_table part_table = {"level", part_fields, 2, sizeof(part)};

static const vq_field fields[] = {
    {.name = "steps",
     .type = VQ_FIELD_INT,
     .at = offsetof(sample, steps),
     .low = 1,
     .high = 1e9,
     .standard = 1000,
     .help = "steps"},
    {.name = "lr",
     .type = VQ_FIELD_REAL,
     .at = offsetof(sample, lr),
     .low = 0,
     .high = 1,
     .standard = 3e-4,
     .help = "rate"},
    {.name = "scale",
     .type = VQ_FIELD_REAL,
     .at = offsetof(sample, scale),
     .low = 0,
     .high = (double)INFINITY,
     .standard = 1,
     .help = "scale"},
    {.name = "flip",
     .type = VQ_FIELD_BOOL,
     .at = offsetof(sample, flip),
     .standard = 1,
     .help = "mirror"},
    {.name = "schedule",
     .type = VQ_FIELD_CHOICE,
     .at = offsetof(sample, schedule),
     .standard = 1,
     .choices = "constant|cosine|step",
     .help = "schedule"},
    {.name = "level",
     .type = VQ_FIELD_GROUP,
     .at = offsetof(sample, parts),
     .group = &part_table,
     .count_at = offsetof(sample, n_parts),
     .count_max = PARTS,
     .help = "grids"},
};
static const vq_table table = {"train", fields, sizeof fields / sizeof *fields, sizeof(sample)};

static const char standard_json[] =
    "{\"steps\": 1000, \"lr\": 0.0003, \"scale\": 1.0, \"flip\": true, \"schedule\": \"cosine\", "
    "\"level\": [{\"k\": 512, \"share\": 0.5}]}";

static int setup(void **state)
{
    *state = fixture_context();
    return 0;
}

static int teardown(void **state)
{
    vq_context_destroy(*state);
    return 0;
}

static bool same_real(double a, double b)
{
    return !(a < b) && !(a > b);
}

static void assert_same(const sample *a, const sample *b)
{
    assert_int_equal(a->steps, b->steps);
    assert_true(same_real(a->lr, b->lr));
    assert_true(same_real(a->scale, b->scale));
    assert_int_equal(a->flip, b->flip);
    assert_int_equal(a->schedule, b->schedule);
    assert_int_equal(a->n_parts, b->n_parts);
    for (size_t i = 0; i < a->n_parts; i++) {
        assert_int_equal(a->parts[i].k, b->parts[i].k);
        assert_true(same_real(a->parts[i].share, b->parts[i].share));
    }
}

static void test_defaults(void **state)
{
    sample s;
    (void)state;
    memset(&s, 0xff, sizeof s);
    vq_settings_default(&table, &s);
    const sample expected = {1000, 3e-4, 1.0, true, 1, {{512, 0.5}}, 1};
    assert_same(&s, &expected);
    assert_int_equal(s.parts[1].k, 0);
    assert_int_equal(vq_settings_check(*state, &table, &s), VQ_OK);
}

static void test_write_and_read(void **state)
{
    sample s, back;
    char *json;
    vq_settings_default(&table, &s);
    assert_int_equal(vq_settings_write(*state, &table, &s, &json), VQ_OK);
    assert_string_equal(json, standard_json);
    vq_release(*state, json);
    const double numbers[] = {0.1, 1.0 / 3.0, 5e-324, 1e-7, 0.30000000000000004, 1.0, 0.0};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        s = (sample){1 << 29, numbers[i], 1e300 * numbers[i],
                     false,   2,          {{2, 1.0}, {65536, numbers[i]}},
                     2};
        assert_int_equal(vq_settings_write(*state, &table, &s, &json), VQ_OK);
        vq_settings_default(&table, &back);
        assert_int_equal(vq_settings_read(*state, &table, json, &back), VQ_OK);
        assert_same(&back, &s);
        vq_release(*state, json);
    }
    s.lr = (double)NAN;
    assert_int_equal(vq_settings_write(*state, &table, &s, &json), VQ_E_ARG);
    assert_null(json);
}

static void test_read_keeps(void **state)
{
    sample s;
    vq_settings_default(&table, &s);
    s.steps = 7;
    s.parts[0].share = 0.25;
    const char *json = " {\"lr\": 1, \"level\": [{\"k\": 8}, {}, {\"share\": 0}]}\n";
    assert_int_equal(vq_settings_read(*state, &table, json, &s), VQ_OK);
    const sample expected = {7, 1.0, 1.0, true, 1, {{8, 0.25}, {512, 0.5}, {512, 0.0}}, 3};
    assert_same(&s, &expected);
    assert_int_equal(vq_settings_read(*state, &table, "{\"level\": [{}]}", &s), VQ_OK);
    assert_int_equal(s.n_parts, 1);
    assert_int_equal(s.parts[0].k, 8);
}

static void test_read_refused(void **state)
{
    static const struct {
        const char *json, *words;
    } rows[] = {
        {"", "train: the JSON text is wrong at line"},
        {"[1]", "train: [1] was given; allowed is an object"},
        {"{\"lr\": 0.1,}", "the JSON text is wrong"},
        {"{\"lr\": 0.1} x", "the JSON text is wrong"},
        {"{\"lr\": 0.1, \"lr\": 0.1}", "duplicate object key near '\"lr\"'"},
        {"{\"lrr\": 0.1}", "train.lrr: there is no such setting; the nearest is \"lr\""},
        {"{\"k\": 2}", "the nearest is \"level.N.k\""},
        {"{\"shedule\": \"cosine\"}", "the nearest is \"schedule\""},
        {"{\"steps\": 1.0}", "train.steps: 1.0 was given; allowed is a whole number"},
        {"{\"steps\": \"5\"}", "train.steps: \"5\" was given"},
        {"{\"steps\": 0}", "train.steps: 0 is out of range; allowed is 1 to 1000000000"},
        {"{\"steps\": 99999999999999999999}", "too big integer"},
        {"{\"lr\": true}", "train.lr: true was given; allowed is a number"},
        {"{\"lr\": -0.5}", "train.lr: -0.5 is out of range; allowed is 0 to 1"},
        {"{\"lr\": NaN}", "the JSON text is wrong"},
        {"{\"lr\": null}", "train.lr: null was given"},
        {"{\"scale\": -1}", "train.scale: -1 is out of range; allowed is 0 or more"},
        {"{\"flip\": 1}", "train.flip: 1 was given; allowed is true or false"},
        {"{\"schedule\": 1}", "train.schedule: 1 was given; allowed is constant|cosine|step"},
        {"{\"schedule\": \"cos\"}", "train.schedule: \"cos\" was given"},
        {"{\"schedule\": \"\"}", "train.schedule: \"\" was given"},
        {"{\"schedule\": \"constant|cosine\"}", "train.schedule: \"constant|cosine\" was given"},
        {"{\"level\": {}}", "train.level: {} was given; allowed is a list of objects"},
        {"{\"level\": []}", "train.level: 0 elements were given; allowed is 1 to 3"},
        {"{\"level\": [{},{},{},{}]}", "train.level: 4 elements were given"},
        {"{\"level\": [3]}", "train.level.0: 3 was given; allowed is an object"},
        {"{\"level\": [{}, {\"k\": 1}]}", "train.level.1.k: 1 is out of range"},
        {"{\"level\": [{\"kk\": 4}]}", "train.level.0.kk: there is no such setting; the nearest"},
    };
    sample s, before;
    vq_settings_default(&table, &s);
    vq_settings_default(&table, &before);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (vq_settings_read(*state, &table, rows[i].json, &s) != VQ_E_ARG)
            fail_msg("%s was not refused", rows[i].json);
        fixture_error_names(*state, rows[i].words);
        assert_same(&s, &before);
    }
}

static void test_set(void **state)
{
    static const char *const rows[][2] = {
        {"steps", "64"},     {"lr", "1e-4"},         {"scale", "2"},
        {"flip", "false"},   {"schedule", "step"},   {"level.0.k", "16"},
        {"level.1.k", "64"}, {"level.2.share", "1"}, {"level.1.share", "0"},
    };
    sample s;
    vq_settings_default(&table, &s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(vq_settings_set(*state, &table, rows[i][0], rows[i][1], &s), VQ_OK);
    const sample expected = {64, 1e-4, 2.0, false, 2, {{16, 0.5}, {64, 0.0}, {512, 1.0}}, 3};
    assert_same(&s, &expected);
    assert_int_equal(vq_settings_set(*state, &table, "level", "[{\"k\": 4}]", &s), VQ_OK);
    assert_int_equal(s.n_parts, 1);
    assert_int_equal(s.parts[0].k, 4);
}

static void test_set_refused(void **state)
{
    static const char *const rows[][3] = {
        {"", "1", "train.: there is no such setting"},
        {"lrr", "1", "train.lrr: there is no such setting; the nearest is \"lr\""},
        {"steps", "ten", "train.steps: \"ten\" was given; allowed is a whole number"},
        {"steps", "", "train.steps: \"\" was given"},
        {"steps", "1 2", "train.steps: \"1 2\" was given"},
        {"steps", "0", "train.steps: 0 is out of range"},
        {"lr", "0,5", "train.lr: \"0,5\" was given"},
        {"lr", "inf", "train.lr: \"inf\" was given"},
        {"flip", "yes", "train.flip: \"yes\" was given; allowed is true or false"},
        {"schedule", "1", "train.schedule: \"1\" was given"},
        {"schedule", "\xff", "train.schedule: the value is not UTF-8"},
        {"steps.0", "1", "train.steps: it has no parts"},
        {"level.0", "1", "an element is named by its number and a setting, such as level.0.k"},
        {"level.k", "1", "train.level.k: an element is named by its number"},
        {"level.-1.k", "4", "an element is named by its number"},
        {"level.2.k", "4", "train.level.2: the next element to add is number 1"},
        {"level.3.k", "4", "train.level.3: there is room for elements 0 to 2"},
        {"level.99999999999999999999.k", "4", "an element is named by its number"},
        {"level.1.k", "1", "train.level.1.k: 1 is out of range"},
        {"level.1.kk", "4", "train.level.1.kk: there is no such setting; the nearest is \"k\""},
    };
    sample s, before;
    vq_settings_default(&table, &s);
    vq_settings_default(&table, &before);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (vq_settings_set(*state, &table, rows[i][0], rows[i][1], &s) != VQ_E_ARG)
            fail_msg("%s=%s was not refused", rows[i][0], rows[i][1]);
        fixture_error_names(*state, rows[i][2]);
        assert_same(&s, &before);
    }
}

static void test_check(void **state)
{
    sample s;
    vq_settings_default(&table, &s);
    s.schedule = 3;
    assert_int_equal(vq_settings_check(*state, &table, &s), VQ_E_ARG);
    fixture_error_names(*state, "train.schedule: choice number 3 does not exist");
    s.schedule = -1;
    assert_int_equal(vq_settings_check(*state, &table, &s), VQ_E_ARG);
    s.schedule = 0;
    s.scale = (double)INFINITY;
    assert_int_equal(vq_settings_check(*state, &table, &s), VQ_E_ARG);
    s.scale = 0;
    s.n_parts = 4;
    assert_int_equal(vq_settings_check(*state, &table, &s), VQ_E_ARG);
    fixture_error_names(*state, "train.level: there are 4 elements; allowed is 1 to 3");
    s.n_parts = 2;
    assert_int_equal(vq_settings_check(*state, &table, &s), VQ_E_ARG);
    fixture_error_names(*state, "train.level.1.k: 0 is out of range; allowed is 2 to 65536");
}

static void collect(void *user, const char *prefix, const vq_field *field)
{
    char *list = user;
    const size_t length = strlen(list);
    snprintf(list + length, LIST_SIZE - length, "%s%s ", prefix, field->name);
}

static void test_walk_and_choice(void **state)
{
    char list[LIST_SIZE] = "", name[8];
    (void)state;
    vq_settings_walk(&table, collect, list);
    assert_string_equal(list, "steps lr scale flip schedule level level.N.k level.N.share ");
    assert_string_equal(vq_settings_choice(&fields[4], 0, name, sizeof name), "constan");
    assert_string_equal(vq_settings_choice(&fields[4], 2, name, sizeof name), "step");
    assert_string_equal(vq_settings_choice(&fields[4], 3, name, sizeof name), "");
}

/* Where the system writes 0,5 a configuration still says 0.5. */
static void test_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    size_t i = 0;
    while (i < 4 && !setlocale(LC_NUMERIC, names[i])) i++;
    sample s;
    char *json;
    vq_settings_default(&table, &s);
    assert_int_equal(vq_settings_write(*state, &table, &s, &json), VQ_OK);
    assert_string_equal(json, standard_json);
    vq_release(*state, json);
    assert_int_equal(vq_settings_set(*state, &table, "lr", "0.5", &s), VQ_OK);
    assert_true(same_real(s.lr, 0.5));
    setlocale(LC_NUMERIC, "C");
}

static void test_every_allocation_fails(void **state)
{
    vq_status status = VQ_E_NOMEM;
    (void)state;
    for (long at = 1; status != VQ_OK; at++) {
        fixture_faults memory = {.fail_at = at};
        vq_context *ctx = fixture_faulty_context(&memory, NULL);
        char *json = NULL;
        sample s;
        vq_settings_default(&table, &s);
        status = vq_settings_read(ctx, &table, "{\"steps\": 5}", &s);
        if (status == VQ_OK) status = vq_settings_set(ctx, &table, "lr", "0.5", &s);
        if (status == VQ_OK) status = vq_settings_write(ctx, &table, &s, &json);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        assert_true(status == VQ_OK || json == NULL);
        vq_release(ctx, json);
        vq_context_destroy(ctx);
        assert_int_equal(memory.live, 0);
        assert_in_range(at, 1, 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_read_keeps), cmocka_unit_test(test_read_refused),
        cmocka_unit_test(test_set),        cmocka_unit_test(test_set_refused),
        cmocka_unit_test(test_check),      cmocka_unit_test(test_walk_and_choice),
        cmocka_unit_test(test_locale),     cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
