/* SPDX-License-Identifier: Apache-2.0
 * fuzz/files.c -- a file system of a few files in memory, in place of the system's calls.
 *
 * /slot/0 and so on are the files, FUZZ_FOLDER the one folder. What is written goes into memory,
 * whatever its name, and is read by nobody but fuzz_written(). */
#define _GNU_SOURCE /* memmem */
#include "fuzz/files.h"
#include "fuzz/system.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512, NAME_SIZE = 32, NAMES_MAX = 16, OPEN_MAX = 8, FIRST_FD = 1 << 20 };
enum { SINK_SIZE = 1 << 20 };

/* What a path leads to: a slot, or one of these. */
enum { NOTHING = -1, FOLDER = -2, WRITTEN = -3 };

static struct {
    const unsigned char *bytes;
    size_t size;
} slots[FUZZ_FILES_MAX];

static struct {
    char name[NAME_SIZE];
    size_t slot;
} names[NAMES_MAX];
static size_t n_names;

typedef struct open_file {
    bool taken;
    int what;
    size_t at;
} open_file;
static open_file open_files[OPEN_MAX];
static int n_open;

const char *fuzz_file(size_t slot, const void *bytes, size_t size)
{
    static const char *const paths[FUZZ_FILES_MAX] = {"/slot/0", "/slot/1", "/slot/2", "/slot/3"};
    FUZZ_CHECK(slot < FUZZ_FILES_MAX);
    slots[slot].bytes = bytes;
    slots[slot].size = size;
    return paths[slot];
}

void fuzz_file_name(size_t slot, const char *name)
{
    FUZZ_CHECK(slot < FUZZ_FILES_MAX && n_names < NAMES_MAX && strlen(name) < NAME_SIZE);
    (void)snprintf(names[n_names].name, NAME_SIZE, "%s", name);
    names[n_names++].slot = slot;
}

void fuzz_path(char *to, size_t size, const char *standard, fuzz_piece asked)
{
    const int length = (int)(asked.size < 32 ? asked.size : 32);
    const bool leads_out = length && memmem(asked.bytes, (size_t)length, "..", 2);
    const bool nothing = !length || leads_out;
    (void)snprintf(to, size, FUZZ_FOLDER "%.*s", nothing ? (int)strlen(standard) : length,
                   nothing ? standard : (const char *)asked.bytes);
}

/* ---- paths ---------------------------------------------------------------------- */

/* Without empty parts and those that are "."; none leads up. */
static bool make_plain(const char *path, char *plain)
{
    size_t n = 0;
    while (*path) {
        path += strspn(path, "/");
        const size_t length = strcspn(path, "/");
        const bool stays = length == 1 && path[0] == '.';
        if (length == 2 && path[0] == '.' && path[1] == '.') return false;
        if (n + length + 2 > PATH_SIZE) return false;
        if (length && !stays) {
            plain[n++] = '/';
            memcpy(plain + n, path, length);
            n += length;
        }
        path += length;
    }
    plain[n] = '\0';
    return true;
}

static int find_plain(const char *plain)
{
    enum { LENGTH = sizeof FUZZ_FOLDER - 1 };
    if (strncmp(plain, "/slot/", 6) == 0 && plain[6] >= '0' && plain[6] < '0' + FUZZ_FILES_MAX &&
        plain[7] == '\0')
        return plain[6] - '0';
    if (strncmp(plain, FUZZ_FOLDER, LENGTH) != 0) return NOTHING;
    if (plain[LENGTH] == '\0') return FOLDER;
    for (size_t i = 0; plain[LENGTH] == '/' && i < n_names; i++)
        if (strcmp(plain + LENGTH + 1, names[i].name) == 0) return (int)names[i].slot;
    return NOTHING;
}

static int find(const char *path)
{
    char plain[PATH_SIZE];
    const size_t length = strlen(path);
    const int what = path[0] == '/' && make_plain(path, plain) ? find_plain(plain) : NOTHING;
    const bool must_be_folder = length > 0 && path[length - 1] == '/';
    errno = what >= 0 && must_be_folder ? ENOTDIR : ENOENT;
    return what >= 0 && must_be_folder ? NOTHING : what;
}

static int describe(int what, struct stat *about)
{
    if (what == NOTHING) return -1;
    *about = (struct stat){.st_mode = what == FOLDER ? S_IFDIR : S_IFREG,
                           .st_ino = (ino_t)(what + 10),
                           .st_size = what >= 0 ? (off_t)slots[what].size : 0};
    return 0;
}

/* ---- open files ----------------------------------------------------------------- */

static struct {
    unsigned char bytes[SINK_SIZE];
    size_t size;
} sink;

fuzz_piece fuzz_written(void)
{
    return (fuzz_piece){sink.bytes, sink.size};
}

int fuzz_files_open(void)
{
    return n_open;
}

static int open_what(int what)
{
    for (int i = 0; i < OPEN_MAX; i++) {
        if (open_files[i].taken) continue;
        open_files[i] = (open_file){.taken = true, .what = what};
        n_open++;
        return FIRST_FD + i;
    }
    errno = EMFILE;
    return -1;
}

/* NULL: the file is not one of ours. */
static open_file *file_of(int fd)
{
    if (fd < FIRST_FD) return NULL;
    FUZZ_CHECK(fd < FIRST_FD + OPEN_MAX && open_files[fd - FIRST_FD].taken);
    return &open_files[fd - FIRST_FD];
}

/* -1 where the file has no bytes to read. */
static ssize_t read_slot(int what, size_t at, void *to, size_t size)
{
    if (what < 0) {
        errno = what == FOLDER ? EISDIR : EBADF;
        return -1;
    }
    const size_t left = at < slots[what].size ? slots[what].size - at : 0;
    const size_t n = size < left ? size : left;
    if (n) memcpy(to, slots[what].bytes + at, n);
    return (ssize_t)n;
}

static void write_sink(size_t at, const void *from, size_t size)
{
    FUZZ_CHECK(size <= SINK_SIZE - at);
    memcpy(sink.bytes + at, from, size);
    if (at + size > sink.size) sink.size = at + size;
}

/* ---- what our code calls -------------------------------------------------------- */

/* The replacement of each call, and the call itself. */
__typeof__(open) __wrap_open, __real_open;
__typeof__(read) __wrap_read, __real_read;
__typeof__(pread) __wrap_pread, __real_pread;
__typeof__(write) __wrap_write, __real_write;
__typeof__(fsync) __wrap_fsync, __real_fsync;
__typeof__(close) __wrap_close, __real_close;
__typeof__(rename) __wrap_rename, __real_rename;
__typeof__(unlink) __wrap_unlink, __real_unlink;
__typeof__(stat) __wrap_stat, __real_stat;
__typeof__(fstat) __wrap_fstat, __real_fstat;
__typeof__(mmap) __wrap_mmap, __real_mmap;
__typeof__(munmap) __wrap_munmap, __real_munmap;
__typeof__(opendir) __wrap_opendir, __real_opendir;
__typeof__(readdir) __wrap_readdir, __real_readdir;
__typeof__(closedir) __wrap_closedir, __real_closedir;

int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    if (!fuzz_inside()) return __real_open(path, flags, mode);
    if (flags & O_CREAT) sink.size = 0;
    if (flags & O_WRONLY) return open_what(WRITTEN);
    if (flags & O_DIRECTORY) return open_what(FOLDER);
    if (fuzz_fails(FUZZ_FILES)) return -1;
    const int what = find(path);
    return what == NOTHING ? -1 : open_what(what);
}

ssize_t __wrap_read(int fd, void *to, size_t size)
{
    open_file *file = file_of(fd);
    if (!file) return __real_read(fd, to, size);
    if (fuzz_fails(FUZZ_FILES)) return -1;
    const ssize_t n = read_slot(file->what, file->at, to, size);
    if (n > 0) file->at += (size_t)n;
    return n;
}

ssize_t __wrap_pread(int fd, void *to, size_t size, off_t at)
{
    open_file *file = file_of(fd);
    if (!file) return __real_pread(fd, to, size, at);
    if (fuzz_fails(FUZZ_FILES)) return -1;
    FUZZ_CHECK(at >= 0);
    return read_slot(file->what, (size_t)at, to, size);
}

ssize_t __wrap_write(int fd, const void *from, size_t size)
{
    open_file *file = file_of(fd);
    if (!file) return __real_write(fd, from, size);
    FUZZ_CHECK(file->what == WRITTEN);
    write_sink(file->at, from, size);
    file->at += size;
    return (ssize_t)size;
}

int __wrap_fsync(int fd)
{
    return file_of(fd) ? 0 : __real_fsync(fd);
}

int __wrap_close(int fd)
{
    open_file *file = file_of(fd);
    if (!file) return __real_close(fd);
    file->taken = false;
    n_open--;
    return 0;
}

int __wrap_rename(const char *from, const char *to)
{
    return fuzz_inside() ? 0 : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    return fuzz_inside() ? 0 : __real_unlink(path);
}

int __wrap_stat(const char *path, struct stat *about)
{
    return fuzz_inside() ? describe(find(path), about) : __real_stat(path, about);
}

int __wrap_fstat(int fd, struct stat *about)
{
    open_file *file = file_of(fd);
    if (!file) return __real_fstat(fd, about);
    return fuzz_fails(FUZZ_SYSTEM) ? -1 : describe(file->what, about);
}

/* A copy of exactly the file's size, so that the sanitizer sees reads beyond it. */
void *__wrap_mmap(void *at, size_t size, int access, int kind, int fd, off_t from)
{
    if (!fuzz_inside()) return __real_mmap(at, size, access, kind, fd, from);
    const open_file *file = file_of(fd);
    FUZZ_CHECK(file && file->what >= 0 && from == 0 && size == slots[file->what].size);
    if (size == 0) errno = EINVAL;
    if (size == 0 || fuzz_fails(FUZZ_SYSTEM)) return MAP_FAILED;
    void *bytes = fuzz_memory_take(size);
    FUZZ_CHECK(bytes);
    return memcpy(bytes, slots[file->what].bytes, size);
}

int __wrap_munmap(void *bytes, size_t size)
{
    if (!fuzz_inside()) return __real_munmap(bytes, size);
    free(bytes);
    return 0;
}

/* One folder at a time is listed: no folder lies in it. */
static size_t listed;

DIR *__wrap_opendir(const char *path)
{
    if (!fuzz_inside()) return __real_opendir(path);
    if (fuzz_fails(FUZZ_SYSTEM) || find(path) != FOLDER) return NULL;
    listed = 0;
    n_open++;
    return (DIR *)(void *)&listed;
}

struct dirent *__wrap_readdir(DIR *folder)
{
    static struct dirent found;
    if (!fuzz_inside()) return __real_readdir(folder);
    FUZZ_CHECK((void *)folder == &listed);
    if (listed == n_names) return NULL;
    (void)snprintf(found.d_name, sizeof found.d_name, "%s", names[listed++].name);
    return &found;
}

int __wrap_closedir(DIR *folder)
{
    if (!fuzz_inside()) return __real_closedir(folder);
    n_open--;
    return 0;
}
