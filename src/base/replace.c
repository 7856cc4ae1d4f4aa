/* SPDX-License-Identifier: Apache-2.0
 * base/replace.c -- files replaced whole: written beside their place, synced, renamed. */
#define _POSIX_C_SOURCE 200809L
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h> /* getpid */

enum { SUFFIX = 48, ATTEMPTS = 1000, PIECE = 1 << 30 };

/* Renaming over a device or a pipe would take it away from everybody else. */
static vq_status check_target(vq_context *ctx, const char *path)
{
    struct stat info;
    VQ_CHECK(ctx, *path, VQ_E_ARG, "the name of the file to write is empty");
    VQ_CHECK(ctx, stat(path, &info) != 0 || S_ISREG(info.st_mode), VQ_E_IO,
             "%s: exists and is not a regular file, so it cannot be replaced", path);
    return VQ_OK;
}

static void finish(vq_replacement *r, bool remove_temporary)
{
    if (r->fd >= 0) r->ctx->files.close(r->ctx->files.user, r->fd);
    /* Where that fails, the file stays behind; the first failure is the one to tell. */
    if (remove_temporary) (void)r->ctx->files.remove(r->ctx->files.user, r->temporary);
    vq_release(r->ctx, r->temporary);
    vq_release(r->ctx, r->path);
    *r = (vq_replacement){.fd = -1};
}

/* O_EXCL makes the name unique among threads and against files left by a killed process. */
static vq_status create_temporary(vq_replacement *r, size_t size)
{
    for (int attempt = 0; attempt < ATTEMPTS && r->fd < 0; attempt++) {
        snprintf(r->temporary, size, "%s.%ld-%d.tmp", r->path, (long)getpid(), attempt);
        r->fd = vq_file_descriptor(r->ctx, r->temporary, O_WRONLY | O_CREAT | O_EXCL);
        if (r->fd < 0 && errno != EEXIST) break;
    }
    return r->fd < 0 ? vq_file_failed(r->ctx, r->path, "be created") : VQ_OK;
}

vq_status vq_replace_begin(vq_context *ctx, const char *path, vq_replacement *r)
{
    vq_status status = VQ_OK;
    const size_t size = strlen(path) + SUFFIX;
    *r = (vq_replacement){.fd = -1}; /* without a context there is nothing to abandon */
    VQ_TRY(check_target(ctx, path));
    r->ctx = ctx;
    VQ_TRY_TO(vq_strdup(ctx, path, &r->path));
    VQ_TRY_TO(VQ_NEW(ctx, size, &r->temporary));
    VQ_TRY_TO(create_temporary(r, size));
done:
    if (status != VQ_OK) finish(r, false); /* no temporary file was made */
    return status;
}

static vq_status write_all(const vq_replacement *r, int fd, const void *from, size_t size)
{
    vq_context *ctx = r->ctx;
    const unsigned char *next = from;
    while (size > 0) {
        const size_t piece = size < PIECE ? size : PIECE;
        const long long put = ctx->files.write(ctx->files.user, fd, next, piece);
        if (put < 0 && errno == EINTR) continue;
        if (put == 0) errno = ENOSPC; /* nothing taken and no reason given */
        if (put <= 0) return vq_file_failed(ctx, r->path, "be written");
        next += put;
        size -= (size_t)put;
    }
    return VQ_OK;
}

vq_status vq_replace_write(vq_replacement *r, const void *from, size_t size)
{
    return write_all(r, r->fd, from, size);
}

/* A second descriptor stands at the beginning, where the first one was. */
vq_status vq_replace_patch(vq_replacement *r, const void *from, size_t size)
{
    vq_context *ctx = r->ctx;
    const int fd = vq_file_descriptor(ctx, r->temporary, O_WRONLY);
    if (fd < 0) return vq_file_failed(ctx, r->path, "be opened again");
    const vq_status status = write_all(r, fd, from, size);
    const int closed = ctx->files.close(ctx->files.user, fd);
    if (status != VQ_OK || closed == 0 || errno == EINTR) return status;
    return vq_file_failed(ctx, r->path, "be closed");
}

static int sync_file(vq_context *ctx, int fd)
{
    int result;
    do {
        result = ctx->files.sync(ctx->files.user, fd);
    } while (result < 0 && errno == EINTR);
    return result;
}

/* The rename itself is on disk only once the folder is. Some file systems cannot sync a folder
 * (EINVAL) and need not. Cuts the temporary file's name, whose room is there and whose file is
 * not any more, so that nothing can fail for want of memory once the file is replaced. */
static vq_status sync_folder(vq_replacement *r)
{
    vq_context *ctx = r->ctx;
    char *slash = strrchr(r->temporary, '/');
    if (slash) slash[slash == r->temporary] = '\0'; /* the root keeps its slash */
    const int fd = vq_file_descriptor(ctx, slash ? r->temporary : ".", O_RDONLY | O_DIRECTORY);
    if (fd < 0) return vq_file_failed(ctx, r->path, "have its folder opened");
    vq_status status = VQ_OK;
    if (sync_file(ctx, fd) != 0 && errno != EINVAL)
        status = vq_file_failed(ctx, r->path, "have its folder synced");
    ctx->files.close(ctx->files.user, fd);
    return status;
}

static int rename_file(vq_context *ctx, const char *from, const char *to)
{
    int result;
    do {
        result = ctx->files.rename(ctx->files.user, from, to);
    } while (result < 0 && errno == EINTR);
    return result;
}

/* Every failure up to the rename leaves the temporary file for the caller to remove. */
static vq_status put_in_place(vq_replacement *r)
{
    vq_context *ctx = r->ctx;
    if (sync_file(ctx, r->fd) != 0) return vq_file_failed(ctx, r->path, "be synced");
    const int fd = r->fd;
    r->fd = -1; /* whatever close says, the number is no longer ours */
    if (ctx->files.close(ctx->files.user, fd) != 0 && errno != EINTR)
        return vq_file_failed(ctx, r->path, "be closed");
    if (rename_file(ctx, r->temporary, r->path) != 0)
        return vq_file_failed(ctx, r->path, "be replaced");
    return VQ_OK;
}

vq_status vq_replace_commit(vq_replacement *r)
{
    vq_status status = put_in_place(r);
    const bool renamed = status == VQ_OK;
    if (renamed) status = sync_folder(r);
    finish(r, !renamed);
    return status;
}

void vq_replace_abandon(vq_replacement *r)
{
    if (r->ctx) finish(r, true);
}

vq_status vq_file_replace(vq_context *ctx, const char *path, const void *from, size_t size)
{
    vq_replacement r;
    VQ_TRY(vq_replace_begin(ctx, path, &r));
    const vq_status status = vq_replace_write(&r, from, size);
    if (status == VQ_OK) return vq_replace_commit(&r);
    vq_replace_abandon(&r);
    return status;
}
