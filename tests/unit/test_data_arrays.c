/* SPDX-License-Identifier: Apache-2.0
 * Collections in one file, .npz and CIFAR, as numpy wrote them
 * (tests/reference/golden_collections.py): what they hold, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/data_files.h"
#include "support/golden.h"

static void place_array(data_place *place, const char *name, const vq_array *bytes)
{
    place_file(place, name, bytes->data, (size_t)bytes->shape.dim[0]);
}

static vq_data_config standard(void)
{
    vq_data_config config;
    vq_data_config_default(&config);
    return config;
}

static vq_dataset *open_with(data_place *place, const char *name, const vq_data_config *config)
{
    vq_dataset *dataset = NULL;
    must(place->ctx, vq_dataset_open(place->ctx, place_path(place, name), config, &dataset));
    return dataset;
}

/* What the dataset holds is exactly (N,H,W,C) `pixels` and column `column` of `labels` (NULL:
 * unknown), from image `first` on. */
static void assert_holds(data_place *place, const vq_dataset *dataset, int64_t first,
                         const vq_array *pixels, const vq_array *labels, int64_t column)
{
    const int64_t *dim = pixels->shape.dim, bytes = dim[1] * dim[2] * dim[3];
    int64_t size[3];
    uint8_t *got = malloc((size_t)bytes);
    assert_non_null(got);
    vq_dataset_size(dataset, size);
    assert_memory_equal(size, dim + 1, sizeof size);
    for (int64_t i = 0; i < dim[0]; i++) {
        must(place->ctx, vq_dataset_get(place->ctx, dataset, first + i, (vq_data_key){0}, got));
        assert_memory_equal(got, (const uint8_t *)pixels->data + i * bytes, (size_t)bytes);
        const int64_t columns = labels && labels->shape.rank == 2 ? labels->shape.dim[1] : 1;
        const int64_t due = labels ? ((const int32_t *)labels->data)[i * columns + column] : -1;
        assert_int_equal(vq_dataset_label(dataset, first + i), due);
    }
    free(got);
}

/* The sentence must be exactly that, # being the folder; or begin so, where it ends in a star. */
static void assert_refused(data_place *place, const char *name, const vq_data_config *config,
                           vq_status status, const char *sentence)
{
    vq_dataset *dataset = NULL;
    const vq_status got = vq_dataset_open(place->ctx, place_path(place, name), config, &dataset);
    char due[2048];
    size_t used = 0;
    assert_null(dataset);
    for (const char *at = sentence; *at && used < sizeof due - 300; at++) {
        if (*at == '#') used += (size_t)snprintf(due + used, 300, "%s", place->folder);
        else due[used++] = *at;
    }
    due[used] = '\0';
    const bool whole = due[used - (used > 0)] != '*';
    if (got != status || strncmp(vq_context_error(place->ctx), due, used - !whole) != 0 ||
        (whole && vq_context_error(place->ctx)[used]))
        fail_msg("%s: status %d, \"%s\"\nwhere status %d and \"%s\" were due", name, (int)got,
                 vq_context_error(place->ctx), (int)status, due);
}

/* ---- .npz ---------------------------------------------------------------------- */

static void test_npz(void **state)
{
    data_place *place = *state;
    const vq_data_config config = standard();
    golden file;
    size_t n = 0;
    golden_open(&file, place->ctx, "collections_npz");
    for (size_t i = 0; i < file.archive.n_arrays; i++) {
        const vq_array *bytes = &file.archive.arrays[i];
        const char *end = strstr(bytes->name, ".file");
        char path[128];
        if (!end) continue;
        const int length = (int)(end - bytes->name);
        const char *part = golden_get(&file, "%.*s.part", length, bytes->name)->data;
        place_array(place, "some.npz", bytes);
        snprintf(path, sizeof path, "some.npz%s%s", *part ? ":" : "", part);
        vq_dataset *dataset = open_with(place, path, &config);
        const vq_array *pixels = golden_get(&file, "%.*s.pixels", length, bytes->name);
        assert_int_equal(vq_dataset_count(dataset), pixels->shape.dim[0]);
        assert_holds(place, dataset, 0, pixels,
                     golden_find(&file, "%.*s.labels", length, bytes->name), 0);
        vq_dataset_close(place->ctx, dataset);
        n++;
    }
    assert_int_equal(n, 9);
    golden_close(&file);
}

static void test_npz_refused(void **state)
{
    static const struct {
        const char *name;
        vq_status status;
        const char *sentence;
    } rows[] = {
        {"unknown", VQ_E_FORMAT,
         "#/unknown.npz holds the array \"weights\", which is not read; images are x, "
         "images or arr_0, labels y, labels or arr_1, perhaps with a part as in x_train"},
        {"floats", VQ_E_UNSUPPORTED,
         "#/floats.npz: the array \"x\" holds f32 numbers; images are u8 of shape "
         "(N,H,W,C) or (N,H,W)"},
        {"vectors", VQ_E_UNSUPPORTED,
         "#/vectors.npz: the array \"x\" is an array of rank 2; images are (N,H,W,C) or "
         "(N,H,W)"},
        {"channels", VQ_E_UNSUPPORTED,
         "#/channels.npz: the array \"x\" has 8 channels as its last extent; images have "
         "1 or 3"},
        {"few_labels", VQ_E_FORMAT,
         "#/few_labels.npz: the array \"y\" holds 4 labels but #/few_labels.npz holds 5 "
         "images; there must be one for each, or none at all"},
        {"many_labels", VQ_E_FORMAT,
         "#/many_labels.npz: the array \"y\" holds 6 labels but #/many_labels.npz holds "
         "5 images; there must be one for each, or none at all"},
        {"negative", VQ_E_FORMAT,
         "#/negative.npz: the array \"y\": label 2 is -1; labels are 0 to 1048575"},
        {"large_label", VQ_E_FORMAT,
         "#/large_label.npz: the array \"y\": label 2 is 1048576; labels are 0 to "
         "1048575"},
        {"one_hot", VQ_E_UNSUPPORTED,
         "#/one_hot.npz: the array \"y\" holds i64 numbers in an array of rank 2; labels "
         "are whole numbers of shape (N) or (N,1)"},
        {"float_labels", VQ_E_UNSUPPORTED,
         "#/float_labels.npz: the array \"y\" holds f64 numbers in an array of rank 1; "
         "labels are whole numbers of shape (N) or (N,1)"},
        {"objects", VQ_E_UNSUPPORTED,
         "#/objects.npz: the array \"y\": the .npy file holds Python objects (\"|O\"), "
         "which could run code; save numbers"},
        {"both", VQ_E_FORMAT, "#/both.npz holds both \"x\" and \"images\"; leave one of them out"},
        {"no_images", VQ_E_FORMAT,
         "#/no_images.npz holds no images: none of its arrays is called x, images or "
         "arr_0"},
        {"nothing", VQ_E_FORMAT, "#/nothing.npz is a damaged zip, or one cut short: *"},
        {"text", VQ_E_FORMAT,
         "#/text.npz holds \"readme.txt\", which is no array; an .npz of images holds "
         ".npy files only"},
        {"twice", VQ_E_FORMAT, "#/twice.npz holds both \"x\" and \"x\"; leave one of them out"},
        {"no_npy", VQ_E_FORMAT,
         "#/no_npy.npz: the array \"x\": the file does not begin as a .npy file does"},
        {"empty_array", VQ_E_FORMAT,
         "#/empty_array.npz: the array \"x\": the file does not begin as a .npy file "
         "does"},
        {"zero_images", VQ_E_FORMAT, "#/zero_images.npz holds no images"},
        {"flipped", VQ_E_FORMAT, "#/flipped.npz is a damaged zip, or one cut short: *"},
        {"cut", VQ_E_FORMAT, "#/cut.npz is a damaged zip, or one cut short: *"},
        {"encrypted", VQ_E_UNSUPPORTED,
         "#/encrypted.npz is encrypted; only plain .npz files are read"},
        {"claims_much", VQ_E_FORMAT,
         "#/claims_much.npz: the array \"x\" is said to have 1073741824 bytes, which a "
         "file of 203 cannot hold"},
        {"claims_more", VQ_E_FORMAT, "#/claims_more.npz is a damaged zip, or one cut short: *"},
        {"claims_less", VQ_E_FORMAT, "#/claims_less.npz is a damaged zip, or one cut short: *"},
        {"parts", VQ_E_ARG,
         "#/parts.npz has the parts train, test: say which is meant, for instance "
         "#/parts.npz:test"},
    };
    data_place *place = *state;
    const vq_data_config config = standard();
    golden file;
    golden_open(&file, place->ctx, "collections_refused");
    assert_int_equal(file.archive.n_arrays, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.npz", rows[i].name);
        place_array(place, name, golden_get(&file, "%s", rows[i].name));
        assert_refused(place, name, &config, rows[i].status, rows[i].sentence);
    }
    golden_close(&file);
}

static void test_npz_parts_refused(void **state)
{
    data_place *place = *state;
    const vq_data_config config = standard();
    golden file;
    golden_open(&file, place->ctx, "collections_npz");
    place_array(place, "parts.npz", golden_get(&file, "parts_train.file"));
    place_array(place, "plain.npz", golden_get(&file, "xy.file"));
    assert_refused(place, "parts.npz:valid", &config, VQ_E_ARG,
                   "#/parts.npz has no part called valid; it has: train, test");
    assert_refused(place, "parts.npz:", &config, VQ_E_ARG,
                   "#/parts.npz has no part called ; it has: train, test");
    assert_refused(place, "plain.npz:train", &config, VQ_E_ARG,
                   "#/plain.npz has no part called train; it has: (none)");
    golden_close(&file);
}

/* Cut at any byte, an .npz is refused. */
static void test_npz_cut(void **state)
{
    data_place *place = *state;
    const vq_data_config config = standard();
    vq_dataset *dataset = NULL;
    golden file;
    golden_open(&file, place->ctx, "collections_npz");
    const vq_array *bytes = golden_get(&file, "packed.file");
    for (size_t cut = 4; cut < (size_t)bytes->shape.dim[0]; cut += 3) {
        place_file(place, "cut.npz", bytes->data, cut);
        assert_int_not_equal(
            vq_dataset_open(place->ctx, place_path(place, "cut.npz"), &config, &dataset), VQ_OK);
        assert_null(dataset);
    }
    golden_close(&file);
}

/* ---- CIFAR ------------------------------------------------------------------------ */

enum { IMAGE = 3072, RECORD_10 = 1 + IMAGE, RECORD_100 = 2 + IMAGE };

static void test_cifar_files(void **state)
{
    data_place *place = *state;
    vq_data_config config = standard();
    golden file;
    golden_open(&file, place->ctx, "collections_cifar");
    place_array(place, "ten.bin", golden_get(&file, "cifar10.file"));
    place_array(place, "hundred.bin", golden_get(&file, "cifar100.file"));
    vq_dataset *dataset = open_with(place, "ten.bin", &config);
    assert_int_equal(vq_dataset_count(dataset), 3);
    assert_holds(place, dataset, 0, golden_get(&file, "cifar10.pixels"),
                 golden_get(&file, "cifar10.labels"), 0);
    assert_null(vq_dataset_class(dataset, 0));
    assert_string_equal(vq_dataset_name(dataset, 2), "2");
    vq_dataset_close(place->ctx, dataset);
    for (config.labels = VQ_LABELS_FINE; config.labels <= VQ_LABELS_COARSE; config.labels++) {
        dataset = open_with(place, "hundred.bin", &config);
        assert_holds(place, dataset, 0, golden_get(&file, "cifar100.pixels"),
                     golden_get(&file, "cifar100.labels"), config.labels == VQ_LABELS_FINE);
        vq_dataset_close(place->ctx, dataset);
    }
    golden_close(&file);
}

static void place_numbered(data_place *place, const char *name, const char *word, int n)
{
    char text[4096];
    size_t used = 0;
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %d\r\n", word, i);
    used += (size_t)snprintf(text + used, sizeof text - used, "\n"); /* as the authors' file ends */
    place_file(place, name, text, used);
}

static void test_cifar_folders(void **state)
{
    data_place *place = *state;
    vq_data_config config = standard();
    golden file;
    golden_open(&file, place->ctx, "collections_cifar");
    const vq_array *ten = golden_get(&file, "cifar10.file");
    const vq_array *hundred = golden_get(&file, "cifar100.file");
    place_array(place, "ten/data_batch_2.bin", ten);
    place_file(place, "ten/data_batch_1.bin", (const uint8_t *)ten->data + RECORD_10, RECORD_10);
    place_file(place, "ten/test_batch.bin", ten->data, RECORD_10);
    place_file(place, "ten/readme.html", "text", 4);
    place_numbered(place, "ten/batches.meta.txt", "kind", 10);
    place_array(place, "hundred/train.bin", hundred);
    place_numbered(place, "hundred/fine_label_names.txt", "fine", 100);
    place_numbered(place, "hundred/coarse_label_names.txt", "coarse", 20);

    vq_dataset *dataset = open_with(place, "ten:train", &config);
    assert_int_equal(vq_dataset_count(dataset), 4); /* batch 1 comes first */
    assert_holds(place, dataset, 1, golden_get(&file, "cifar10.pixels"),
                 golden_get(&file, "cifar10.labels"), 0);
    assert_string_equal(vq_dataset_class(dataset, 9), "kind 9");
    assert_null(vq_dataset_class(dataset, 10));
    vq_dataset_close(place->ctx, dataset);
    dataset = open_with(place, "ten:test", &config);
    assert_int_equal(vq_dataset_count(dataset), 1);
    vq_dataset_close(place->ctx, dataset);
    dataset = open_with(place, "hundred", &config); /* its only part */
    assert_string_equal(vq_dataset_class(dataset, 99), "fine 99");
    vq_dataset_close(place->ctx, dataset);
    config.labels = VQ_LABELS_COARSE;
    dataset = open_with(place, "hundred:train", &config);
    assert_string_equal(vq_dataset_class(dataset, 19), "coarse 19");
    vq_dataset_close(place->ctx, dataset);

    assert_refused(place, "ten", &config, VQ_E_ARG,
                   "#/ten has the parts train and test: say which is meant, #/ten:train or "
                   "#/ten:test");
    assert_refused(place, "ten:valid", &config, VQ_E_ARG,
                   "#/ten has no part called valid; it has train and test");
    assert_refused(place, "hundred:test", &config, VQ_E_ARG,
                   "#/hundred has no part called test; it has train");
    place_array(place, "ten/data_batch_3.bin", hundred);
    assert_refused(place, "ten:train", &config, VQ_E_FORMAT,
                   "#/ten/data_batch_1.bin is a CIFAR-10 file but #/ten/data_batch_3.bin a "
                   "CIFAR-100 file");
    golden_close(&file);
}

static void test_cifar_refused(void **state)
{
    data_place *place = *state;
    const vq_data_config config = standard();
    unsigned char bytes[2 * RECORD_100] = {0};
    place_file(place, "cut.bin", bytes, RECORD_10 - 1);
    place_file(place, "long.bin", bytes, RECORD_10 + 7);
    bytes[RECORD_10] = 10;
    place_file(place, "label.bin", bytes, 2 * RECORD_10);
    bytes[RECORD_100] = 20;
    place_file(place, "coarse.bin", bytes, 2 * RECORD_100);
    bytes[RECORD_100] = 0;
    bytes[1] = 100;
    place_file(place, "fine.bin", bytes, RECORD_100);
    place_file(place, "empty.bin", "", 0);
    place_file(place, "named/some.bin", bytes + RECORD_10 + 1, RECORD_10);
    place_numbered(place, "named/batches.meta.txt", "kind", 9);
    assert_refused(place, "cut.bin", &config, VQ_E_FORMAT,
                   "#/cut.bin has 3072 bytes; a CIFAR file has a multiple of 3073 (CIFAR-10) or of "
                   "3074 (CIFAR-100), so it is cut short or no CIFAR file");
    assert_refused(
        place, "long.bin", &config, VQ_E_FORMAT,
        "#/long.bin has 3080 bytes; a CIFAR file has a multiple of 3073 (CIFAR-10) or of "
        "3074 (CIFAR-100), so it is cut short or no CIFAR file");
    assert_refused(place, "label.bin", &config, VQ_E_FORMAT,
                   "#/label.bin: image 1 has a label that CIFAR-10 does not have, so the file is "
                   "damaged or no CIFAR file");
    assert_refused(place, "coarse.bin", &config, VQ_E_FORMAT,
                   "#/coarse.bin: image 1 has a label that CIFAR-100 does not have, so the file is "
                   "damaged or no CIFAR file");
    assert_refused(place, "fine.bin", &config, VQ_E_FORMAT,
                   "#/fine.bin: image 0 has a label that CIFAR-100 does not have, so the file is "
                   "damaged or no CIFAR file");
    assert_refused(place, "empty.bin", &config, VQ_E_FORMAT,
                   "#/empty.bin is empty; it may be a file that was not written to its end");
    assert_refused(place, "named/some.bin", &config, VQ_E_FORMAT,
                   "#/named/batches.meta.txt names 9 classes; there are 10");
    assert_refused(place, "fine.bin:train", &config, VQ_E_ARG,
                   "#/fine.bin has no parts, so :train cannot be chosen; leave it out");
}

/* 3,073 x 3,074 bytes may be either; the labels tell. */
static void test_cifar_of_both_sizes(void **state)
{
    data_place *place = *state;
    const vq_data_config config = standard();
    unsigned char *bytes = calloc(RECORD_10, RECORD_100);
    assert_non_null(bytes);
    for (size_t i = 0; i < RECORD_10; i++) bytes[i * RECORD_100 + 1] = 99;
    place_file(place, "hundred.bin", bytes, (size_t)RECORD_10 * RECORD_100);
    memset(bytes, 0, (size_t)RECORD_10 * RECORD_100);
    for (size_t i = 0; i < RECORD_100; i++) bytes[i * RECORD_10] = 9;
    place_file(place, "ten.bin", bytes, (size_t)RECORD_10 * RECORD_100);
    free(bytes);
    vq_dataset *dataset = open_with(place, "hundred.bin", &config);
    assert_int_equal(vq_dataset_count(dataset), RECORD_10);
    assert_int_equal(vq_dataset_label(dataset, 7), 99);
    vq_dataset_close(place->ctx, dataset);
    dataset = open_with(place, "ten.bin", &config);
    assert_int_equal(vq_dataset_count(dataset), RECORD_100);
    assert_int_equal(vq_dataset_label(dataset, 7), 9);
    vq_dataset_close(place->ctx, dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npz),
        cmocka_unit_test(test_npz_refused),
        cmocka_unit_test(test_npz_parts_refused),
        cmocka_unit_test(test_npz_cut),
        cmocka_unit_test(test_cifar_files),
        cmocka_unit_test(test_cifar_folders),
        cmocka_unit_test(test_cifar_refused),
        cmocka_unit_test(test_cifar_of_both_sizes),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
