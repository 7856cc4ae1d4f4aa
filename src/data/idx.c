/* SPDX-License-Identifier: Apache-2.0
 * data/idx.c -- IDX files, as MNIST came in: two zero bytes, the type, the rank, the extents
 * as big-endian u32, then the numbers. Images have rank 3 (N,H,W) or 4 (N,H,W,C). */
#include <stdio.h>
#include <string.h>

#include "base/input.h"
#include "data/classes.h"
#include "data/gzip.h"
#include "data/source.h"

enum { TYPE_U8 = 8, RANK_MAX = 4, HEADER_MAX = 4 + 4 * RANK_MAX };

typedef struct idx_array {
    unsigned char *memory; /* owned: the whole file, unpacked */
    const uint8_t *values;
    size_t rank, n_values;
    int64_t dim[RANK_MAX];
} idx_array;

bool vq_idx_is(const unsigned char *bytes, size_t size)
{
    return size >= 8 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14 &&
           bytes[3] >= 1 && bytes[3] <= 8;
}

static int64_t read_extent(const unsigned char *at)
{
    return (int64_t)at[0] << 24 | (int64_t)at[1] << 16 | (int64_t)at[2] << 8 | at[3];
}

/* Reads the header; *size is what the whole file must have. */
static vq_status parse_header(vq_context *ctx, const char *path, const unsigned char *bytes,
                              size_t available, idx_array *out, size_t *size)
{
    VQ_CHECK(ctx, vq_idx_is(bytes, available), VQ_E_FORMAT, "%s is no IDX file", path);
    VQ_CHECK(ctx, bytes[2] == TYPE_U8, VQ_E_UNSUPPORTED,
             "%s: IDX type 0x%02x is not read; 0x08, bytes, is", path, bytes[2]);
    VQ_CHECK(ctx, bytes[3] <= RANK_MAX, VQ_E_UNSUPPORTED, "%s: IDX rank %d; at most %d is read",
             path, bytes[3], RANK_MAX);
    out->rank = bytes[3];
    const size_t header = 4 + 4 * out->rank;
    VQ_CHECK(ctx, available >= header, VQ_E_FORMAT, "%s ends within its IDX header", path);
    out->n_values = 1;
    bool fits = true;
    for (size_t i = 0; i < out->rank; i++) {
        out->dim[i] = read_extent(bytes + 4 + 4 * i);
        fits = fits && vq_mul_size(out->n_values, (size_t)out->dim[i], &out->n_values);
    }
    VQ_CHECK(ctx, fits && out->n_values <= VQ_SOURCE_BYTES_MAX - header, VQ_E_FORMAT,
             "%s: the extents in the IDX header are too large", path);
    *size = header + out->n_values;
    return VQ_OK;
}

static vq_status unpack(vq_context *ctx, const char *path, vq_bytes packed, idx_array *out)
{
    unsigned char header[HEADER_MAX];
    vq_gzip_end end;
    size_t got = 0, size = 0;
    VQ_TRY(vq_gzip_unpack(ctx, packed.data, packed.size, header, sizeof header, &got, &end));
    VQ_TRY(parse_header(ctx, path, header, got, out, &size));
    VQ_CHECK(ctx, size / VQ_DEFLATE_RATIO_MAX <= packed.size, VQ_E_FORMAT,
             "%s: unpacked, it is shorter than the %zu bytes its IDX header promises", path, size);
    VQ_TRY(VQ_NEW(ctx, size, &out->memory));
    VQ_TRY(vq_gzip_unpack(ctx, packed.data, packed.size, out->memory, size, &got, &end));
    VQ_CHECK(
        ctx, end != VQ_GZIP_CUT, VQ_E_FORMAT,
        "%s: the packed data end too soon, after %zu of the %zu bytes its IDX header promises: "
        "the file is cut short",
        path, got, size);
    VQ_CHECK(ctx, end == VQ_GZIP_COMPLETE && got == size, VQ_E_FORMAT,
             "%s: unpacked, it is %s than the %zu bytes its IDX header promises", path,
             end == VQ_GZIP_FULL ? "longer" : "shorter", size);
    out->values = out->memory + (size - out->n_values);
    return VQ_OK;
}

static vq_status take_plain(vq_context *ctx, const vq_input *input, const unsigned char *header,
                            size_t available, idx_array *out)
{
    size_t size = 0;
    VQ_TRY(parse_header(ctx, input->path, header, available, out, &size));
    VQ_CHECK(ctx, input->size == size, VQ_E_FORMAT,
             "%s has %ju bytes; its IDX header promises %zu, so the file is %s", input->path,
             (uintmax_t)input->size, size, input->size < size ? "cut short" : "too long");
    VQ_TRY(VQ_NEW(ctx, size, &out->memory));
    out->values = out->memory + (size - out->n_values);
    return vq_input_take(input, 0, out->memory, size);
}

static vq_status take_packed(vq_context *ctx, const vq_input *input, idx_array *out)
{
    vq_bytes packed = {.size = (size_t)input->size};
    VQ_CHECK(ctx, input->size <= VQ_SOURCE_BYTES_MAX, VQ_E_FORMAT,
             "%s: the file is larger than %zu bytes, the most allowed here", input->path,
             VQ_SOURCE_BYTES_MAX);
    VQ_TRY(VQ_NEW(ctx, packed.size, &packed.data));
    vq_status status = vq_input_take(input, 0, packed.data, packed.size);
    if (status == VQ_OK) status = unpack(ctx, input->path, packed, out);
    vq_release(ctx, packed.data);
    return status;
}

/* The header is judged before memory is taken for what it announces. */
static vq_status load(vq_context *ctx, const char *path, idx_array *out)
{
    vq_input input;
    unsigned char header[HEADER_MAX];
    vq_status status = VQ_OK;
    *out = (idx_array){0};
    VQ_TRY(vq_input_open(ctx, path, &input));
    const size_t n = input.size < sizeof header ? (size_t)input.size : sizeof header;
    VQ_TRY_TO(vq_input_take(&input, 0, header, n));
    VQ_TRY_TO(vq_gzip_is(header, n) ? take_packed(ctx, &input, out)
                                    : take_plain(ctx, &input, header, n, out));
done:
    vq_input_close(&input);
    if (status != VQ_OK) {
        vq_release(ctx, out->memory);
        out->memory = NULL;
    }
    return status;
}

/* ---- labels ------------------------------------------------------------------ */

/* Replaces the last `from` in the text by `to`; false where there is none. */
static bool replace_last(char *text, size_t room, const char *from, const char *to)
{
    char *found = NULL;
    for (char *at = text; (at = strstr(at, from)) != NULL; at++) found = at;
    if (!found || strlen(text) + strlen(to) >= room + strlen(from)) return false;
    memmove(found + strlen(to), found + strlen(from), strlen(found + strlen(from)) + 1);
    memcpy(found, to, strlen(to));
    return true;
}

/* train-images-idx3-ubyte.gz has train-labels-idx1-ubyte.gz beside it, packed or not. */
static bool find_labels(const char *images, char *to, size_t room)
{
    if (strlen(images) + 4 > room) return false;
    memcpy(to, images, strlen(images) + 1);
    if (!replace_last(to, room, "images", "labels")) return false;
    if (!replace_last(to, room, "idx3", "idx1")) replace_last(to, room, "idx4", "idx1");
    if (vq_path_look(to) == VQ_PATH_FILE) return true;
    const size_t length = strlen(to);
    if (length > 3 && strcmp(to + length - 3, ".gz") == 0) to[length - 3] = '\0';
    else memcpy(to + length, ".gz", 4);
    return vq_path_look(to) == VQ_PATH_FILE;
}

static vq_status set_labels(vq_context *ctx, const char *path, vq_source *source)
{
    vq_status status = VQ_OK;
    idx_array labels;
    VQ_TRY_TO(load(ctx, path, &labels));
    if (labels.rank != 1)
        VQ_TRY_TO(vq_fail(ctx, VQ_E_FORMAT, "%s is an IDX file of rank %zu; labels have rank 1",
                          path, labels.rank));
    VQ_TRY_TO(vq_labels_check(ctx, source->path, source->entries.count, path, labels.n_values));
    for (size_t i = 0; i < labels.n_values; i++) source->entries.items[i].label = labels.values[i];
done:
    vq_release(ctx, labels.memory);
    return status;
}

/* ---- opening ----------------------------------------------------------------- */

static vq_status take_images(vq_context *ctx, const char *path, vq_source *source)
{
    idx_array images;
    const vq_status status = load(ctx, path, &images);
    source->memory = images.memory;
    VQ_TRY(status);
    VQ_CHECK(ctx, images.rank >= 3, VQ_E_FORMAT,
             "%s is an IDX file of rank %zu, perhaps of labels; images have rank 3 or 4", path,
             images.rank);
    const int64_t channels = images.rank == 4 ? images.dim[3] : 1;
    VQ_CHECK(ctx, images.dim[1] > 0 && images.dim[2] > 0 && (channels == 1 || channels == 3),
             VQ_E_FORMAT,
             "%s: images %lld high, %lld wide and of %lld channels; at least one pixel, and 1 or 3 "
             "channels are allowed",
             path, (long long)images.dim[1], (long long)images.dim[2], (long long)channels);
    source->pixels = images.values;
    source->size[0] = images.dim[1];
    source->size[1] = images.dim[2];
    source->size[2] = channels;
    return vq_entries_number(ctx, &source->entries, (size_t)images.dim[0]);
}

static vq_status open_file(vq_context *ctx, const char *path, vq_source *source)
{
    vq_status status = VQ_OK;
    const size_t room = strlen(path) + 16;
    char *labels = NULL;
    VQ_TRY_TO(take_images(ctx, path, source));
    VQ_TRY_TO(VQ_NEW(ctx, room, &labels));
    if (find_labels(path, labels, room)) VQ_TRY_TO(set_labels(ctx, labels, source));
done:
    vq_release(ctx, labels);
    return status;
}

vq_status vq_idx_open(vq_context *ctx, vq_source *source)
{
    return open_file(ctx, source->path, source);
}

/* ---- folders of IDX files ---------------------------------------------------- */

typedef struct halves {
    const char *wanted; /* NULL: any */
    char *file;         /* its file of images; owned */
    size_t n_halves;
    char names[VQ_ERROR_SIZE / 2]; /* "t10k, train" */
} halves;

/* Length of "train" in "train-images-idx3-ubyte" or "train-images.idx3-ubyte"; else 0. */
static size_t half_length(const char *name)
{
    const char *found = strstr(name, "-images");
    if (!found || found == name) return 0;
    const char *rest = found + strlen("-images");
    if (*rest != '-' && *rest != '.') return 0;
    if (strncmp(rest + 1, "idx3-ubyte", 10) != 0 && strncmp(rest + 1, "idx4-ubyte", 10) != 0)
        return 0;
    return rest[11] == '\0' || strcmp(rest + 11, ".gz") == 0 ? (size_t)(found - name) : 0;
}

static vq_status visit_half(vq_context *ctx, void *user, const char *name)
{
    halves *h = user;
    const size_t length = half_length(name), used = strlen(h->names);
    if (length == 0) return VQ_OK;
    h->n_halves++;
    snprintf(h->names + used, sizeof h->names - used, "%s%.*s", used ? ", " : "", (int)length,
             name);
    const bool wanted =
        !h->wanted || (strlen(h->wanted) == length && strncmp(name, h->wanted, length) == 0);
    /* Packed and unpacked may lie side by side: either does, and the shorter name is taken. */
    if (!wanted || (h->file && strlen(h->file) <= strlen(name))) return VQ_OK;
    vq_release(ctx, h->file);
    return vq_strdup(ctx, name, &h->file);
}

vq_status vq_idx_folder_is(vq_context *ctx, const char *path, bool *is)
{
    halves h = {0};
    const vq_status status = vq_folder_walk(ctx, path, visit_half, &h);
    vq_release(ctx, h.file);
    *is = h.n_halves > 0;
    return status;
}

vq_status vq_idx_folder_open(vq_context *ctx, vq_source *source)
{
    const char *part = source->part;
    vq_status status = VQ_OK;
    halves h = {.wanted = part};
    char *path = NULL;
    VQ_TRY_TO(vq_folder_walk(ctx, source->path, visit_half, &h));
    if (!part && h.n_halves > 1)
        VQ_TRY_TO(vq_fail(ctx, VQ_E_ARG,
                          "%s has the parts %s: say which is meant, for instance %s:train",
                          source->path, h.names, source->path));
    if (!h.file)
        VQ_TRY_TO(vq_fail(ctx, VQ_E_ARG, "%s has no part called %s; it has %s", source->path, part,
                          h.names));
    VQ_TRY_TO(vq_path_join(ctx, source->path, h.file, &path));
    VQ_TRY_TO(open_file(ctx, path, source));
done:
    vq_release(ctx, path);
    vq_release(ctx, h.file);
    return status;
}
