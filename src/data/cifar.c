/* SPDX-License-Identifier: Apache-2.0
 * data/cifar.c -- CIFAR-10 and CIFAR-100 as their authors give them away (Krizhevsky 2009): records
 * of one label or of two, coarse and fine, then 32 x 32 bytes each of red, green and blue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "data/classes.h"
#include "data/source.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, IMAGE = 3 * PLANE, NAMES_BYTES_MAX = 1 << 16 };

typedef struct cifar_kind {
    const char *name;
    size_t n_labels;   /* bytes before the pixels */
    int classes[2];    /* of each label */
    const char *names; /* file of the names of the last label's classes */
} cifar_kind;

static const cifar_kind ten = {"CIFAR-10", 1, {10, 0}, "batches.meta.txt"};
static const cifar_kind hundred = {"CIFAR-100", 2, {20, 100}, "fine_label_names.txt"};
static const char coarse_names[] = "coarse_label_names.txt";

/* The first record whose label is none of the kind's; n where there is none. */
static size_t first_stranger(const cifar_kind *kind, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++, bytes += kind->n_labels + IMAGE)
        for (size_t l = 0; l < kind->n_labels; l++)
            if (bytes[l] >= kind->classes[l]) return i;
    return n;
}

static bool divides(const cifar_kind *kind, size_t size, size_t *n)
{
    *n = size / (kind->n_labels + IMAGE);
    return size > 0 && size % (kind->n_labels + IMAGE) == 0;
}

/* Judged before memory is taken for the file. */
static vq_status check_size(vq_context *ctx, const char *path, uint64_t size)
{
    size_t n = 0;
    VQ_CHECK(ctx, size <= VQ_SOURCE_BYTES_MAX, VQ_E_FORMAT,
             "%s: the file is larger than %zu bytes, the most allowed here", path,
             VQ_SOURCE_BYTES_MAX);
    VQ_CHECK(ctx, divides(&ten, (size_t)size, &n) || divides(&hundred, (size_t)size, &n),
             VQ_E_FORMAT,
             "%s has %ju bytes; a CIFAR file has a multiple of %d (CIFAR-10) or of %d (CIFAR-100), "
             "so it is cut short or no CIFAR file",
             path, (uintmax_t)size, 1 + IMAGE, 2 + IMAGE);
    return VQ_OK;
}

/* The size tells the kind; where both fit, the labels do. */
static vq_status find_kind(vq_context *ctx, const char *path, const vq_bytes *file,
                           const cifar_kind **out)
{
    size_t n = 0;
    *out = NULL;
    if (divides(&hundred, file->size, &n) && first_stranger(&hundred, file->data, n) == n)
        *out = &hundred;
    if (divides(&ten, file->size, &n) && (!*out || first_stranger(&ten, file->data, n) == n))
        *out = &ten;
    if (!*out && divides(&hundred, file->size, &n)) *out = &hundred;
    divides(*out, file->size, &n);
    const size_t bad = first_stranger(*out, file->data, n);
    VQ_CHECK(ctx, bad == n, VQ_E_FORMAT,
             "%s: image %zu has a label that %s does not have, so the file is damaged or no CIFAR "
             "file",
             path, bad, (*out)->name);
    return VQ_OK;
}

/* Planes one after the other become three values a pixel. */
static void interleave(const unsigned char *planes, uint8_t *to)
{
    for (size_t i = 0; i < PLANE; i++)
        for (size_t c = 0; c < 3; c++) *to++ = planes[c * PLANE + i];
}

/* ---- names of classes -------------------------------------------------------- */

/* Where the file of names lies beside the path, its lines are the classes. */
static vq_status read_names(vq_context *ctx, const char *path, const char *name, int classes,
                            vq_entries *entries)
{
    vq_status status = VQ_OK;
    vq_bytes text = {0};
    char *beside = NULL;
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0, room = folder + strlen(name) + 1;
    VQ_TRY_TO(VQ_NEW(ctx, room, &beside));
    snprintf(beside, room, "%.*s%s", (int)folder, path, name);
    if (vq_path_look(beside) != VQ_PATH_FILE) goto done;
    VQ_TRY_TO(vq_file_read(ctx, beside, NAMES_BYTES_MAX - 1, &text));
    if (text.size && memchr(text.data, '\0', text.size))
        VQ_TRY_TO(vq_fail(ctx, VQ_E_FORMAT,
                          "%s holds a byte that is 0; names of classes are text, one a line",
                          beside));
    char line[64];
    for (size_t at = 0; at < text.size;) {
        size_t length = 0;
        for (; at < text.size && text.data[at] != '\n'; at++)
            if (text.data[at] != '\r' && length < sizeof line - 1)
                line[length++] = (char)text.data[at];
        at++;
        line[length] = '\0';
        if (length) VQ_TRY_TO(vq_entries_add_class(ctx, entries, line));
    }
    if (entries->n_classes != (size_t)classes)
        VQ_TRY_TO(vq_fail(ctx, VQ_E_FORMAT, "%s names %zu classes; there are %d", beside,
                          entries->n_classes, classes));
done:
    vq_release(ctx, text.data);
    vq_release(ctx, beside);
    return status;
}

/* ---- opening ----------------------------------------------------------------- */

typedef struct cifar_file {
    char *path;
    vq_bytes bytes;
    const cifar_kind *kind;
    size_t n_images;
} cifar_file;

static vq_status read_file(vq_context *ctx, cifar_file *file)
{
    vq_input input;
    vq_status status = VQ_OK;
    VQ_TRY(vq_input_open(ctx, file->path, &input));
    VQ_TRY_TO(check_size(ctx, file->path, input.size));
    file->bytes.size = (size_t)input.size;
    VQ_TRY_TO(VQ_NEW(ctx, file->bytes.size, &file->bytes.data));
    VQ_TRY_TO(vq_input_take(&input, 0, file->bytes.data, file->bytes.size));
done:
    vq_input_close(&input);
    VQ_TRY(status);
    VQ_TRY(find_kind(ctx, file->path, &file->bytes, &file->kind));
    divides(file->kind, file->bytes.size, &file->n_images);
    return VQ_OK;
}

/* The files' images, one file after the other, into one array. */
static vq_status take_files(vq_context *ctx, cifar_file *files, size_t n_files, vq_source *source)
{
    vq_entries *entries = &source->entries;
    const cifar_kind *kind = files[0].kind;
    const bool coarse = source->coarse_labels && kind->n_labels == 2;
    const size_t which = coarse ? 0 : kind->n_labels - 1;
    size_t total = 0, at = 0;
    for (size_t f = 0; f < n_files; f++) {
        VQ_CHECK(ctx, files[f].kind == kind, VQ_E_FORMAT, "%s is a %s file but %s a %s file",
                 files[0].path, kind->name, files[f].path, files[f].kind->name);
        total += files[f].n_images;
    }
    VQ_TRY(vq_entries_number(ctx, entries, total));
    uint8_t *pixels = NULL;
    VQ_TRY(vq_alloc(ctx, total, IMAGE, (void **)&pixels));
    source->memory = pixels;
    source->pixels = pixels;
    source->size[0] = source->size[1] = SIDE;
    source->size[2] = 3;
    for (size_t f = 0; f < n_files; f++) {
        const unsigned char *record = files[f].bytes.data;
        for (size_t i = 0; i < files[f].n_images; i++, at++, record += kind->n_labels + IMAGE) {
            entries->items[at].label = record[which];
            interleave(record + kind->n_labels, pixels + at * IMAGE);
        }
    }
    return read_names(ctx, files[0].path, coarse ? coarse_names : kind->names, kind->classes[which],
                      entries);
}

vq_status vq_cifar_open(vq_context *ctx, vq_source *source)
{
    cifar_file file = {.path = source->path};
    vq_status status = read_file(ctx, &file);
    if (status == VQ_OK) status = take_files(ctx, &file, 1, source);
    vq_release(ctx, file.bytes.data);
    return status;
}

/* ---- folders of CIFAR files ------------------------------------------------------ */

enum { FILES_MAX = 64 };

typedef struct cifar_folder {
    const char *wanted; /* the part; NULL: any */
    cifar_file files[FILES_MAX];
    size_t n_files;
    bool has_train, has_test;
} cifar_folder;

/* "train" for data_batch_N.bin and train.bin, "test" for test_batch.bin and test.bin, or NULL. */
static const char *part_of(const char *name)
{
    static const char batch[] = "data_batch_";
    if (strcmp(name, "train.bin") == 0) return "train";
    if (strcmp(name, "test.bin") == 0 || strcmp(name, "test_batch.bin") == 0) return "test";
    if (strncmp(name, batch, strlen(batch)) != 0) return NULL;
    const char *number = name + strlen(batch);
    const size_t digits = strspn(number, "0123456789");
    return digits && strcmp(number + digits, ".bin") == 0 ? "train" : NULL;
}

static vq_status visit_name(vq_context *ctx, void *user, const char *name)
{
    cifar_folder *folder = user;
    const char *part = part_of(name);
    if (!part) return VQ_OK;
    if (strcmp(part, "train") == 0) folder->has_train = true;
    else folder->has_test = true;
    if ((folder->wanted && strcmp(folder->wanted, part) != 0) || folder->n_files == FILES_MAX)
        return VQ_OK;
    return vq_strdup(ctx, name, &folder->files[folder->n_files++].path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const cifar_file *)a)->path, ((const cifar_file *)b)->path);
}

static void release_files(vq_context *ctx, cifar_folder *folder)
{
    for (size_t i = 0; i < folder->n_files; i++) {
        vq_release(ctx, folder->files[i].path);
        vq_release(ctx, folder->files[i].bytes.data);
    }
}

vq_status vq_cifar_folder_is(vq_context *ctx, const char *path, bool *is)
{
    cifar_folder folder = {.wanted = ""};
    const vq_status status = vq_folder_walk(ctx, path, visit_name, &folder);
    *is = folder.has_train || folder.has_test;
    return status;
}

static vq_status read_folder(vq_context *ctx, const vq_source *source, cifar_folder *folder)
{
    VQ_TRY(vq_folder_walk(ctx, source->path, visit_name, folder));
    VQ_CHECK(ctx, source->part || !folder->has_train || !folder->has_test, VQ_E_ARG,
             "%s has the parts train and test: say which is meant, %s:train or %s:test",
             source->path, source->path, source->path);
    VQ_CHECK(ctx, folder->n_files, VQ_E_ARG, "%s has no part called %s; it has %s", source->path,
             source->part,
             !folder->has_test    ? "train"
             : !folder->has_train ? "test"
                                  : "train and test");
    qsort(folder->files, folder->n_files, sizeof *folder->files, by_path);
    for (size_t i = 0; i < folder->n_files; i++) {
        char *name = folder->files[i].path;
        const vq_status status = vq_path_join(ctx, source->path, name, &folder->files[i].path);
        vq_release(ctx, name);
        VQ_TRY(status);
        VQ_TRY(read_file(ctx, &folder->files[i]));
    }
    return VQ_OK;
}

vq_status vq_cifar_folder_open(vq_context *ctx, vq_source *source)
{
    cifar_folder folder = {.wanted = source->part};
    vq_status status = read_folder(ctx, source, &folder);
    if (status == VQ_OK) status = take_files(ctx, folder.files, folder.n_files, source);
    release_files(ctx, &folder);
    return status;
}
