/* SPDX-License-Identifier: Apache-2.0
 * base/platform.c -- the C library's memory, POSIX files, the number of processors. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif
#include "base/context.h"
#include "base/platform.h"

/* aligned_alloc wants a multiple of the alignment. */
static void *platform_alloc(void *user, size_t size)
{
    (void)user;
    if (size > SIZE_MAX - VQ_ALIGNMENT) return NULL;
    const size_t mask = VQ_ALIGNMENT - 1;
    return aligned_alloc(VQ_ALIGNMENT, (size + mask) & ~mask);
}

static void platform_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

vq_allocator vq_platform_allocator(void)
{
    return (vq_allocator){.alloc = platform_alloc, .release = platform_release, .user = NULL};
}

static int platform_open(void *user, const char *path, int flags, int mode)
{
    (void)user;
    return open(path, flags, (mode_t)mode);
}

static long long platform_read(void *user, int fd, void *to, size_t size)
{
    (void)user;
    return (long long)read(fd, to, size);
}

static long long platform_write(void *user, int fd, const void *from, size_t size)
{
    (void)user;
    return (long long)write(fd, from, size);
}

static long long platform_read_at(void *user, int fd, void *to, size_t size, long long offset)
{
    (void)user;
    return (long long)pread(fd, to, size, (off_t)offset);
}

static int platform_sync(void *user, int fd)
{
    (void)user;
    return fsync(fd);
}

static int platform_close(void *user, int fd)
{
    (void)user;
    return close(fd);
}

static int platform_rename(void *user, const char *from, const char *to)
{
    (void)user;
    return rename(from, to);
}

static int platform_remove(void *user, const char *path)
{
    (void)user;
    return unlink(path);
}

void vq_platform_files(vq_file_hooks *files)
{
    if (!files->open) files->open = platform_open;
    if (!files->read) files->read = platform_read;
    if (!files->write) files->write = platform_write;
    if (!files->read_at) files->read_at = platform_read_at;
    if (!files->sync) files->sync = platform_sync;
    if (!files->close) files->close = platform_close;
    if (!files->rename) files->rename = platform_rename;
    if (!files->remove) files->remove = platform_remove;
}

int vq_platform_processors(void)
{
#ifdef __linux__
    /* A container or taskset may allow fewer processors than the machine has. */
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 0)
        return CPU_COUNT(&allowed);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > 1024 ? 1024 : (int)online;
}

void *vq_platform_symbol(const char *library, const char *symbol, char *why, size_t size)
{
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    void *found = loaded ? dlsym(loaded, symbol) : NULL;
    const char *reason = found ? NULL : dlerror();
    (void)snprintf(why, size, "%s", reason ? reason : "");
    return found;
}
