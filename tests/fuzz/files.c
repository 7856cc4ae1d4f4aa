/* SPDX-License-Identifier: Apache-2.0
 * fuzz/files.c -- anonymous files of Linux, reached by their paths in /proc; writing to memory. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATH_SIZE = 256, NAMES_MAX = 16 };

static struct {
    int fd;
    size_t size;
    char path[PATH_SIZE];
} slots[FUZZ_FILES_MAX];

static char folder[PATH_SIZE], names[NAMES_MAX][PATH_SIZE];
static size_t n_names;

static void open_slot(size_t slot)
{
    FUZZ_CHECK(slot < FUZZ_FILES_MAX);
    if (*slots[slot].path) return;
    slots[slot].fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(slots[slot].fd >= 0);
    snprintf(slots[slot].path, PATH_SIZE, "/proc/self/fd/%d", slots[slot].fd);
}

const char *fuzz_file(size_t slot, const void *bytes, size_t size)
{
    open_slot(slot);
    if (size) FUZZ_CHECK(pwrite(slots[slot].fd, bytes, size, 0) == (ssize_t)size);
    if (size < slots[slot].size) FUZZ_CHECK(ftruncate(slots[slot].fd, (off_t)size) == 0);
    slots[slot].size = size;
    return slots[slot].path;
}

static void remove_folder(void)
{
    for (size_t i = 0; i < n_names; i++) (void)unlink(names[i]);
    (void)rmdir(folder);
}

const char *fuzz_file_name(size_t slot, const char *name)
{
    const char *root = getenv("TMPDIR");
    open_slot(slot);
    if (!*folder) {
        snprintf(folder, sizeof folder, "%.200s/vqvae-fuzz-XXXXXX", root ? root : "/tmp");
        FUZZ_CHECK(mkdtemp(folder));
        FUZZ_CHECK(atexit(remove_folder) == 0);
    }
    FUZZ_CHECK(n_names < NAMES_MAX);
    const int n = snprintf(names[n_names], PATH_SIZE, "%s/%s", folder, name);
    FUZZ_CHECK(n > 0 && n < PATH_SIZE);
    FUZZ_CHECK(symlink(slots[slot].path, names[n_names++]) == 0);
    return folder;
}

void fuzz_path(char *to, size_t size, const char *within, const char *standard, fuzz_piece asked)
{
    const int length = (int)(asked.size < 32 ? asked.size : 32);
    const bool leads_out = length && memmem(asked.bytes, (size_t)length, "..", 2);
    const bool nothing = !length || leads_out;
    (void)snprintf(to, size, "%s%.*s", within, nothing ? (int)strlen(standard) : length,
                   nothing ? standard : (const char *)asked.bytes);
}

static vq_file_hooks outside;

static int open_inside(void *user, const char *path, int flags, int mode)
{
    const bool inside = (*folder && strncmp(path, folder, strlen(folder)) == 0) ||
                        strncmp(path, "/proc/self/fd/", 14) == 0;
    if (inside && !strstr(path, "..")) return outside.open(user, path, flags, mode);
    errno = ENOENT;
    return -1;
}

void fuzz_stay_in_memory(vq_context *ctx)
{
    if (ctx->files.open == open_inside) return;
    outside = ctx->files;
    ctx->files.open = open_inside;
}

/* ---- writing to memory ------------------------------------------------------- */

static struct {
    vq_file_hooks system;
    int fd; /* of the file being written, a number that nobody else has; -1: none */
    unsigned char *bytes;
    size_t size, room;
} sink = {.fd = -1};

static int sink_open(void *user, const char *path, int flags, int mode)
{
    (void)user;
    if (!(flags & (O_WRONLY | O_DIRECTORY)))
        return sink.system.open(sink.system.user, path, flags, mode);
    if (flags & O_WRONLY) sink.size = 0;
    sink.fd = dup(STDERR_FILENO);
    return sink.fd;
}

static long long sink_write(void *user, int fd, const void *from, size_t size)
{
    (void)user;
    FUZZ_CHECK(fd == sink.fd);
    if (size > sink.room - sink.size) {
        sink.room = 2 * (sink.size + size);
        sink.bytes = realloc(sink.bytes, sink.room);
        FUZZ_CHECK(sink.bytes);
    }
    memcpy(sink.bytes + sink.size, from, size);
    sink.size += size;
    return (long long)size;
}

static int sink_sync(void *user, int fd)
{
    (void)user, (void)fd;
    return 0;
}

static int sink_rename(void *user, const char *from, const char *to)
{
    (void)user, (void)from, (void)to;
    return 0;
}

void fuzz_keep_written(vq_context *ctx)
{
    if (ctx->files.open == sink_open) return;
    sink.system = ctx->files;
    ctx->files.open = sink_open;
    ctx->files.write = sink_write;
    ctx->files.sync = sink_sync;
    ctx->files.rename = sink_rename;
}

fuzz_piece fuzz_written(void)
{
    return (fuzz_piece){sink.bytes, sink.size};
}
