/* SPDX-License-Identifier: Apache-2.0
 * Sources that are refused, each with its exact sentence; and files that vanish or shrink once
 * they are open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <vqvae/tensor.h>

#include "support/data_files.h"

static void place_array(data_place *place, const char *name, vq_dtype dtype, vq_shape shape)
{
    static uint8_t zeros[4096];
    char none[] = "";
    const vq_array array = {.name = none, .dtype = dtype, .shape = shape, .data = zeros};
    assert_int_equal(vq_npy_save(place->ctx, place_path(place, name), &array), VQ_OK);
}

static void place_trees(data_place *place)
{
    place_file(place, "empty/.keep", "", 0);
    place_file(place, "others/readme.txt", "text", 4);
    place_file(place, "others/.hidden.png", "text", 4);
    place_image(place, "halves/train/a/0.png", 0, 4, 4, 1);
    place_image(place, "halves/test/a/0.png", 0, 4, 4, 1);
    place_image(place, "valid/train/0.png", 0, 4, 4, 1);
    place_image(place, "valid/val/0.png", 0, 4, 4, 1);
    place_file(place, "broken/0.png", "no image", 8);
    place_file(place, "broken/1.png", "", 0);
    place_file(place, "single.png", "\x89PNG\r\n\x1a\nrubbish", 15);
    place_file(place, "gif/0.png", "GIF89a..........", 16);
    place_file(place, "text", "just text", 9);
    place_file(place, "nothing", "", 0);
}

static void place_tars(data_place *place)
{
    static const char *const twice[] = {"a/0.png", "a/0.png"}, *const texts[] = {"a.txt", "b.txt"};
    static const char *const halves[] = {"train/0.png", "test/1.png"};
    place_tar(place, "twice.tar", twice, 2, false);
    place_tar(place, "texts.tar", texts, 2, false);
    place_tar(place, "halves.tar", halves, 2, false);
}

static void place_arrays(data_place *place)
{
    const uint32_t extents[] = {30, 3, 4}, few[] = {29}, flat[] = {30, 0, 4}, two[] = {5, 2, 3, 2};
    const uint32_t huge[] = {0xffffffff, 0xffffffff, 9}, wide[] = {30, 1};
    unsigned char shorts[8 + 16] = {0, 0, 0x0b, 1, 0, 0, 0, 8};
    place_idx(place, "short.idx", 3, extents, 359);
    place_idx(place, "long.idx", 3, extents, 361);
    place_idx(place, "short.idx.gz", 3, extents, 359);
    place_idx(place, "long.idx.gz", 3, extents, 361);
    place_idx(place, "huge.idx", 3, huge, 100);
    place_idx(place, "flat.idx", 3, flat, 0);
    place_idx(place, "two.idx", 4, two, 60);
    place_idx(place, "rank.idx", 1, few, 29);
    place_idx(place, "few-images-idx3-ubyte", 3, extents, 360);
    place_idx(place, "few-labels-idx1-ubyte", 1, few, 29);
    place_idx(place, "wide-images-idx3-ubyte", 3, extents, 360);
    place_idx(place, "wide-labels-idx1-ubyte", 2, wide, 30);
    place_idx(place, "idx/train-images-idx3-ubyte", 3, extents, 360);
    place_idx(place, "idx/t10k-images-idx3-ubyte", 3, extents, 360);
    place_file(place, "shorts.idx", shorts, sizeof shorts);
    place_file(place, "head.idx", "\0\0\x08\x03\0\0\0\1", 8);
    place_array(place, "float.npy", VQ_F32, (vq_shape){4, {2, 6, 5, 3}});
    place_array(place, "vectors.npy", VQ_U8, (vq_shape){2, {6, 5}});
    place_array(place, "planes.npy", VQ_U8, (vq_shape){4, {2, 3, 6, 5}});
    place_array(place, "none.npy", VQ_U8, (vq_shape){3, {0, 6, 5}});
    place_array(place, "flat.npy", VQ_U8, (vq_shape){3, {2, 6, 0}});
}

/* "#" in a sentence is the folder. */
static void with_folder(const data_place *place, const char *sentence, char *to, size_t size)
{
    size_t used = 0;
    for (; *sentence && used + sizeof place->folder < size; sentence++)
        if (*sentence == '#') used += (size_t)snprintf(to + used, size - used, "%s", place->folder);
        else to[used++] = *sentence;
    to[used] = '\0';
}

static const struct {
    const char *name;
    vq_status status;
    const char *sentence;
} rows[] = {
    {"nowhere", VQ_E_IO, "#/nowhere: no such file or folder"},
    {"nowhere:train", VQ_E_IO, "#/nowhere: no such file or folder"},
    {"empty", VQ_E_FORMAT,
     "#/empty holds no images: no file in it ends in .png, .jpg, .jpeg or .webp"},
    {"others", VQ_E_FORMAT,
     "#/others holds no images: no file in it ends in .png, .jpg, .jpeg or .webp"},
    {"halves", VQ_E_ARG,
     "#/halves has the parts train and test: say which is meant, #/halves:train or "
     "#/halves:test"},
    {"halves:valid", VQ_E_ARG,
     "#/halves has no part called valid; its top folders are: test, train"},
    {"halves:", VQ_E_ARG, "#/halves has no part called ; its top folders are: test, train"},
    {"valid", VQ_E_ARG,
     "#/valid has the parts train and val: say which is meant, #/valid:train or "
     "#/valid:val"},
    {"broken", VQ_E_FORMAT,
     "#/broken: image 0.png: neither PNG, JPEG nor WebP, whatever its name: it "
     "begins with the byte 0x6e"},
    {"single.png", VQ_E_FORMAT, "#/single.png: PNG: the data end before the image"},
    {"single.png:train", VQ_E_ARG,
     "#/single.png has no parts, so :train cannot be chosen; leave it out"},
    {"gif", VQ_E_UNSUPPORTED,
     "#/gif: image 0.png: this is a GIF image; PNG, JPEG and WebP are read, so "
     "convert it"},
    {"text", VQ_E_FORMAT,
     "#/text is neither a .tar of images, an IDX file, an .npy or .npz, a CIFAR "
     ".bin, a list of images in a .txt nor a PNG, JPEG or WebP image"},
    {"nothing", VQ_E_FORMAT,
     "#/nothing is empty; it may be a file that was not written to its end"},
    {"twice.tar", VQ_E_FORMAT, "#/twice.tar holds two images called a/0.png; names must differ"},
    {"texts.tar", VQ_E_FORMAT,
     "#/texts.tar holds no images: no file in it ends in .png, .jpg, .jpeg or .webp"},
    {"halves.tar", VQ_E_ARG,
     "#/halves.tar has the parts train and test: say which is meant, "
     "#/halves.tar:train or #/halves.tar:test"},
    {"halves.tar:valid", VQ_E_ARG,
     "#/halves.tar has no part called valid; its top folders are: test, train"},
    {"short.idx", VQ_E_FORMAT,
     "#/short.idx has 375 bytes; its IDX header promises 376, so the file is cut "
     "short"},
    {"long.idx", VQ_E_FORMAT,
     "#/long.idx has 377 bytes; its IDX header promises 376, so the file is too long"},
    {"short.idx.gz", VQ_E_FORMAT,
     "#/short.idx.gz: unpacked, it is shorter than the 376 bytes its IDX header "
     "promises"},
    {"long.idx.gz", VQ_E_FORMAT,
     "#/long.idx.gz: unpacked, it is longer than the 376 bytes its IDX header "
     "promises"},
    {"huge.idx", VQ_E_FORMAT, "#/huge.idx: the extents in the IDX header are too large"},
    {"flat.idx", VQ_E_FORMAT,
     "#/flat.idx: images 0 high, 4 wide and of 1 channels; at least one pixel, and 1 "
     "or 3 channels are allowed"},
    {"two.idx", VQ_E_FORMAT,
     "#/two.idx: images 2 high, 3 wide and of 2 channels; at least one pixel, and 1 "
     "or 3 channels are allowed"},
    {"rank.idx", VQ_E_FORMAT,
     "#/rank.idx is an IDX file of rank 1, perhaps of labels; images have rank 3 or "
     "4"},
    {"few-images-idx3-ubyte", VQ_E_FORMAT,
     "#/few-labels-idx1-ubyte holds 29 labels but #/few-images-idx3-ubyte holds 30 "
     "images; there must be one for each, or none at all"},
    {"wide-images-idx3-ubyte", VQ_E_FORMAT,
     "#/wide-labels-idx1-ubyte is an IDX file of rank 2; labels have rank 1"},
    {"idx", VQ_E_ARG,
     "#/idx has the parts t10k, train: say which is meant, for instance #/idx:train"},
    {"idx:valid", VQ_E_ARG, "#/idx has no part called valid; it has t10k, train"},
    {"shorts.idx", VQ_E_UNSUPPORTED, "#/shorts.idx: IDX type 0x0b is not read; 0x08, bytes, is"},
    {"head.idx", VQ_E_FORMAT, "#/head.idx ends within its IDX header"},
    {"short.idx:train", VQ_E_ARG,
     "#/short.idx has no parts, so :train cannot be chosen; leave it out"},
    {"float.npy", VQ_E_UNSUPPORTED,
     "#/float.npy holds f32 numbers; images are u8 of shape (N,H,W,C) or (N,H,W)"},
    {"vectors.npy", VQ_E_UNSUPPORTED,
     "#/vectors.npy is an array of rank 2; images are (N,H,W,C) or (N,H,W)"},
    {"planes.npy", VQ_E_UNSUPPORTED,
     "#/planes.npy has 5 channels as its last extent; images have 1 or 3"},
    {"none.npy", VQ_E_FORMAT, "#/none.npy holds no images"},
    {"flat.npy", VQ_E_FORMAT, "#/flat.npy holds images 6 high and 0 wide"},
};

static void test_sentences(void **state)
{
    data_place *place = *state;
    vq_data_config config;
    vq_data_config_default(&config);
    place_trees(place);
    place_tars(place);
    place_arrays(place);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char due[1024];
        vq_dataset *dataset = NULL;
        const vq_status status =
            vq_dataset_open(place->ctx, place_path(place, rows[i].name), &config, &dataset);
        assert_null(dataset);
        with_folder(place, rows[i].sentence, due, sizeof due);
        if (status != rows[i].status || strcmp(vq_context_error(place->ctx), due) != 0)
            fail_msg("%s: status %d, \"%s\"", rows[i].name, (int)status,
                     vq_context_error(place->ctx));
    }
}

/* ---- what is there at first ------------------------------------------------------- */

static void assert_lost(data_place *place, const vq_dataset *dataset, vq_status status,
                        const char *sentence)
{
    uint8_t pixels[6 * 5 * 3];
    char due[1024];
    with_folder(place, sentence, due, sizeof due);
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, pixels), status);
    assert_string_equal(vq_context_error(place->ctx), due);
    /* The others are as they were. */
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 0, (vq_data_key){0}, pixels), VQ_OK);
}

static vq_dataset *open_plain(data_place *place, const char *name)
{
    vq_data_config config;
    vq_dataset *dataset = NULL;
    vq_data_config_default(&config);
    if (vq_dataset_open(place->ctx, place_path(place, name), &config, &dataset) != VQ_OK)
        fail_msg("%s", vq_context_error(place->ctx));
    return dataset;
}

static void test_vanishing(void **state)
{
    static const char *const two[] = {"0.png", "1.png"};
    data_place *place = *state;
    place_image(place, "going/0.png", 0, 6, 5, 3);
    place_image(place, "going/1.png", 1, 6, 5, 3);
    vq_dataset *dataset = open_plain(place, "going");
    assert_int_equal(remove(place_path(place, "going/1.png")), 0);
    assert_lost(place, dataset, VQ_E_IO,
                "#/going/1.png: could not be opened: No such file or directory");
    place_image(place, "going/1.png", 1, 6, 5, 3);
    assert_int_equal(truncate(place_path(place, "going/1.png"), 60), 0);
    assert_lost(place, dataset, VQ_E_FORMAT,
                "#/going: image 1.png: PNG: the data end before the image");
    vq_dataset_close(place->ctx, dataset);

    place_tar(place, "going.tar", two, 2, false);
    dataset = open_plain(place, "going.tar");
    assert_int_equal(truncate(place_path(place, "going.tar"), 1540), 0);
    uint8_t pixels[6 * 5 * 3];
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 1, (vq_data_key){0}, pixels), VQ_E_FORMAT);
    assert_non_null(
        strstr(vq_context_error(place->ctx), "going.tar: the file ends at byte 1540, "));
    assert_non_null(strstr(vq_context_error(place->ctx), "; image 1.png was there when it was"));
    assert_int_equal(vq_dataset_get(place->ctx, dataset, 0, (vq_data_key){0}, pixels), VQ_OK);
    vq_dataset_close(place->ctx, dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_vanishing),
    };
    return cmocka_run_group_tests(tests, data_place_setup, data_place_teardown);
}
