/* SPDX-License-Identifier: Apache-2.0
 * data/source.c -- what a path is, told by looking at it. */
#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "data/gzip.h"

enum { PEEK = 4096, HEADER = 512 };

typedef vq_status open_plain(vq_context *ctx, vq_source *source);

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

static vq_status open_file(vq_context *ctx, const char *part, vq_source *source)
{
    unsigned char header[HEADER];
    size_t size = 0;
    VQ_TRY(peek(ctx, source->path, header, &size));
    if (vq_tar_is(header, size)) return vq_tar_open(ctx, part, source);
    open_plain *opener = NULL;
    if (vq_idx_is(header, size)) opener = vq_idx_open;
    if (vq_npy_is(header, size)) opener = vq_npy_open;
    if (vq_image_is(header, size)) opener = vq_single_open;
    VQ_CHECK(
        ctx, opener, VQ_E_FORMAT,
        "%s is neither a .tar of images, an IDX file, an .npy array nor a PNG, JPEG or WebP image",
        source->path);
    VQ_CHECK(ctx, !part, VQ_E_ARG, "%s has no parts, so :%s cannot be chosen", source->path, part);
    return opener(ctx, source);
}

static vq_status open_kind(vq_context *ctx, vq_path_kind kind, const char *part, vq_source *source)
{
    bool is_idx = false;
    if (kind == VQ_PATH_FILE) return open_file(ctx, part, source);
    VQ_TRY(vq_idx_folder_is(ctx, source->path, &is_idx));
    return is_idx ? vq_idx_folder_open(ctx, part, source) : vq_tree_open(ctx, part, source);
}

vq_status vq_source_open(vq_context *ctx, const char *path, vq_source *out)
{
    char *part = NULL; /* within out->path */
    *out = (vq_source){.fd = -1};
    VQ_TRY(vq_strdup(ctx, path, &out->path));
    vq_path_kind kind = vq_path_look(out->path);
    char *colon = strrchr(out->path, ':');
    if (kind == VQ_PATH_NONE && colon) {
        *colon = '\0';
        part = colon + 1;
        kind = vq_path_look(out->path);
    }
    vq_status status = kind == VQ_PATH_NONE
                           ? vq_fail(ctx, VQ_E_IO, "%s: no such file or folder", out->path)
                           : open_kind(ctx, kind, part, out);
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
    *source = (vq_source){.fd = -1};
}
