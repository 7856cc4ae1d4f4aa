/* SPDX-License-Identifier: Apache-2.0
 * base/file.c -- reading files, through the context's hooks. */
#define _POSIX_C_SOURCE 200809L
#include "base/file.h"
#include "base/platform.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { WORDS = 128, FIRST_SIZE = 65536 };

vq_status vq_file_failed(vq_context *ctx, const char *path, const char *action)
{
    char words[WORDS];
    const int code = errno;
    return vq_fail(ctx, VQ_E_IO, "%s: could not %s: %s", path, action,
                   vq_platform_error(code, words, sizeof words));
}

int vq_file_descriptor(vq_context *ctx, const char *path, int flags)
{
    int fd;
    do {
        fd = ctx->files.open(ctx->files.user, path, flags | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* One read that signals do not interrupt. */
static long long read_some(vq_context *ctx, int fd, void *to, size_t size)
{
    long long got;
    do {
        got = ctx->files.read(ctx->files.user, fd, to, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

static vq_status grow(vq_context *ctx, vq_bytes *bytes, size_t *capacity, size_t wanted)
{
    unsigned char *larger;
    VQ_TRY(VQ_NEW(ctx, wanted, &larger));
    if (bytes->size) memcpy(larger, bytes->data, bytes->size);
    vq_release(ctx, bytes->data);
    bytes->data = larger;
    *capacity = wanted;
    return VQ_OK;
}

bool vq_file_size(int fd, uint64_t *size)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0) return false;
    *size = (uint64_t)info.st_size;
    return true;
}

/* Room for the size that the system tells, and one byte more to see the end. What tells none is
 * read in growing pieces. */
static size_t first_size(int fd, size_t limit)
{
    uint64_t told;
    const size_t size =
        vq_file_size(fd, &told) && told < SIZE_MAX / 4 ? (size_t)told + 1 : FIRST_SIZE;
    return limit < SIZE_MAX / 4 && size > limit + 1 ? limit + 1 : size;
}

static vq_status read_pieces(vq_context *ctx, const char *path, int fd, size_t limit, vq_bytes *out)
{
    size_t capacity = 0, wanted = first_size(fd, limit);
    for (;;) {
        if (out->size == capacity) VQ_TRY(grow(ctx, out, &capacity, wanted));
        const long long got = read_some(ctx, fd, out->data + out->size, capacity - out->size);
        if (got < 0) return vq_file_failed(ctx, path, "be read");
        if (got == 0) return VQ_OK;
        out->size += (size_t)got;
        VQ_CHECK(ctx, out->size <= limit, VQ_E_FORMAT,
                 "%s: the file is larger than %zu bytes, the most allowed here", path, limit);
        VQ_CHECK(ctx, capacity <= SIZE_MAX / 4, VQ_E_NOMEM, "%s: no memory for the file", path);
        wanted = 2 * capacity;
    }
}

vq_status vq_file_read_all(vq_context *ctx, const char *path, int fd, size_t limit, vq_bytes *out)
{
    *out = (vq_bytes){0};
    const vq_status status = read_pieces(ctx, path, fd, limit, out);
    if (status != VQ_OK) {
        vq_release(ctx, out->data);
        *out = (vq_bytes){0};
    }
    return status;
}

vq_status vq_file_read(vq_context *ctx, const char *path, size_t limit, vq_bytes *out)
{
    *out = (vq_bytes){0};
    const int fd = vq_file_descriptor(ctx, path, O_RDONLY);
    if (fd < 0) return vq_file_failed(ctx, path, "be opened");
    const vq_status status = vq_file_read_all(ctx, path, fd, limit, out);
    ctx->files.close(ctx->files.user, fd);
    return status;
}

vq_status vq_file_read_at(vq_context *ctx, const char *path, int fd, uint64_t offset, void *to,
                          size_t size)
{
    VQ_CHECK(ctx, offset <= INT64_MAX - size, VQ_E_FORMAT, "%s: no file reaches byte %ju", path,
             (uintmax_t)offset);
    unsigned char *next = to;
    size_t left = size;
    while (left > 0) {
        const uint64_t at = offset + (size - left);
        const long long got = ctx->files.read_at(ctx->files.user, fd, next, left, (long long)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return vq_file_failed(ctx, path, "be read");
        VQ_CHECK(ctx, got > 0, VQ_E_FORMAT, "%s: the file ends at byte %ju, %zu bytes too early",
                 path, (uintmax_t)at, left);
        next += got;
        left -= (size_t)got;
    }
    return VQ_OK;
}
