/* SPDX-License-Identifier: Apache-2.0
 * data/source.c -- what a path is, told by looking at it. */
#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "data/gzip.h"

enum { PEEK = 4096, HEADER = 512 };

/* Reads the first bytes of a file, unpacked if it is packed. */
static vq_status peek(vq_context *ctx, const char *path, unsigned char *header, size_t *size)
{
    const vq_file_hooks *files = &ctx->files;
    unsigned char packed[PEEK];
    size_t got = 0;
    long long n = 1;
    const int fd = vq_file_descriptor(ctx, path, O_RDONLY);
    if (fd < 0) return vq_file_failed(ctx, path, "be opened");
    while (got < sizeof packed && n > 0) {
        n = files->read(files->user, fd, packed + got, sizeof packed - got);
        if (n > 0) got += (size_t)n;
        if (n < 0 && errno == EINTR) n = 1;
    }
    const vq_status status = n < 0 ? vq_file_failed(ctx, path, "be read") : VQ_OK;
    files->close(files->user, fd);
    VQ_TRY(status);
    if (vq_gzip_is(packed, got)) {
        vq_gzip_end end;
        return vq_gzip_unpack(ctx, packed, got, header, HEADER, size, &end);
    }
    *size = got < HEADER ? got : HEADER;
    memcpy(header, packed, *size);
    return VQ_OK;
}

static bool is_picture(const unsigned char *bytes, size_t size)
{
    return vq_image_is(bytes, size);
}

/* Told by how they begin, in this order. */
static const struct {
    bool (*is)(const unsigned char *bytes, size_t size);
    vq_source_opener *opener;
    bool has_parts;
} kinds[] = {
    {vq_tar_is, vq_tar_open, true},      {vq_npz_is, vq_npz_open, true},
    {vq_idx_is, vq_idx_open, false},     {vq_npy_is, vq_npy_open, false},
    {is_picture, vq_single_open, false},
};

/* Told by their names, as anything might stand in them. */
static const struct {
    const char *ending;
    vq_source_opener *opener;
} named_kinds[] = {{".bin", vq_cifar_open}, {".txt", vq_list_open}};

static bool ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), n = strlen(ending);
    return length > n && strcasecmp(path + length - n, ending) == 0;
}

static vq_source_opener *find_opener(const char *path, const unsigned char *header, size_t size,
                                     bool *has_parts)
{
    *has_parts = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].is(header, size)) continue;
        *has_parts = kinds[i].has_parts;
        return kinds[i].opener;
    }
    for (size_t i = 0; i < sizeof named_kinds / sizeof *named_kinds; i++)
        if (ends_in(path, named_kinds[i].ending)) return named_kinds[i].opener;
    return NULL;
}

static vq_status open_file(vq_context *ctx, vq_source *source)
{
    unsigned char header[HEADER];
    size_t size = 0;
    bool has_parts;
    VQ_TRY(peek(ctx, source->path, header, &size));
    VQ_CHECK(ctx, size > 0, VQ_E_FORMAT,
             "%s is empty; it may be a file that was not written to "
             "its end",
             source->path);
    vq_source_opener *opener = find_opener(source->path, header, size, &has_parts);
    const char *foreign = vq_image_foreign(header, size);
    VQ_CHECK(ctx, opener || !foreign, VQ_E_UNSUPPORTED,
             "%s is a %s image; PNG, JPEG and WebP are read, so convert it", source->path, foreign);
    VQ_CHECK(ctx, opener, VQ_E_FORMAT,
             "%s is neither a .tar of images, an IDX file, an .npy or .npz, a CIFAR .bin, a list "
             "of images in a .txt nor a PNG, JPEG or WebP image",
             source->path);
    VQ_CHECK(ctx, has_parts || !source->part, VQ_E_ARG,
             "%s has no parts, so :%s cannot be chosen; leave it out", source->path, source->part);
    return opener(ctx, source);
}

static vq_status open_folder(vq_context *ctx, vq_source *source)
{
    bool is_idx = false, is_cifar = false;
    VQ_TRY(vq_idx_folder_is(ctx, source->path, &is_idx));
    if (is_idx) return vq_idx_folder_open(ctx, source);
    VQ_TRY(vq_cifar_folder_is(ctx, source->path, &is_cifar));
    return is_cifar ? vq_cifar_folder_open(ctx, source) : vq_tree_open(ctx, source);
}

static vq_status open_kind(vq_context *ctx, vq_path_kind kind, vq_source *source)
{
    switch (kind) {
    case VQ_PATH_FILE: return open_file(ctx, source);
    case VQ_PATH_FOLDER: return open_folder(ctx, source);
    case VQ_PATH_OTHER:
        return vq_fail(ctx, VQ_E_FORMAT, "%s is no file and no folder, but a pipe or a device",
                       source->path);
    case VQ_PATH_NONE: break;
    }
    return vq_fail(ctx, VQ_E_IO, "%s: no such file or folder", source->path);
}

/* Cuts the part off where the whole path leads nowhere. */
static vq_path_kind take_apart(vq_source *source)
{
    const vq_path_kind kind = vq_path_look(source->path);
    char *colon = strrchr(source->path, ':');
    if (kind != VQ_PATH_NONE || !colon) return kind;
    *colon = '\0';
    source->part = colon + 1;
    return vq_path_look(source->path);
}

vq_status vq_source_open(vq_context *ctx, const char *path, const vq_data_config *config,
                         vq_source *out)
{
    *out = (vq_source){.fd = -1, .coarse_labels = config->labels == VQ_LABELS_COARSE};
    vq_status status = vq_strdup(ctx, path, &out->given);
    if (status == VQ_OK) status = vq_strdup(ctx, path, &out->path);
    if (status == VQ_OK) status = open_kind(ctx, take_apart(out), out);
    if (status == VQ_OK && out->entries.count == 0)
        status = vq_fail(ctx, VQ_E_FORMAT, "%s holds no images", out->path);
    if (status != VQ_OK) vq_source_close(ctx, out);
    return status;
}

void vq_source_close(vq_context *ctx, vq_source *source)
{
    if (source->fd >= 0) ctx->files.close(ctx->files.user, source->fd);
    vq_entries_clear(ctx, &source->entries);
    vq_release(ctx, source->memory);
    vq_release(ctx, source->path);
    vq_release(ctx, source->given);
    *source = (vq_source){.fd = -1};
}

vq_status vq_source_read_located(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                                 vq_bytes *out)
{
    char *path = NULL;
    VQ_TRY(source->locate(ctx, source, entry, &path));
    const vq_status status = vq_file_read(ctx, path, VQ_IMAGE_BYTES_MAX, out);
    vq_release(ctx, path);
    return status;
}
