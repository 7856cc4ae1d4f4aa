/* SPDX-License-Identifier: Apache-2.0
 * tests/support/fixture.c -- contexts, temporary folders and faults for tests. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* needs all of the above */
#include <jansson.h>

#include "fixture.h"

enum { PATHS = 4, PATH_SIZE = 1024, ALIGNMENT = 64 };

vq_context *fixture_context(void)
{
    vq_context *ctx = NULL;
    assert_int_equal(vq_context_create(NULL, &ctx), VQ_OK);
    return ctx;
}

void fixture_folder_make(fixture_folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/vqvae-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder->path));
}

/* Calls unlink on each file where `removing`; returns how many there are. */
static size_t visit(const char *path, bool removing)
{
    size_t count = 0;
    DIR *files = opendir(path);
    assert_non_null(files);
    for (const struct dirent *file = readdir(files); file; file = readdir(files)) {
        char name[PATH_SIZE];
        if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0) continue;
        snprintf(name, sizeof name, "%s/%s", path, file->d_name);
        if (removing) assert_int_equal(unlink(name), 0);
        count++;
    }
    closedir(files);
    return count;
}

void fixture_folder_remove(const fixture_folder *folder)
{
    visit(folder->path, true);
    assert_int_equal(rmdir(folder->path), 0);
}

size_t fixture_folder_count(const fixture_folder *folder)
{
    return visit(folder->path, false);
}

size_t fixture_descriptors(void)
{
    enum { MOST = 1024 };
    size_t count = 0;
    for (int fd = 0; fd < MOST; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

const char *fixture_path(const fixture_folder *folder, const char *name)
{
    static char paths[PATHS][PATH_SIZE];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, PATH_SIZE, "%s/%s", folder->path, name);
    return path;
}

void fixture_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

bool fixture_holds(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    char *found = malloc(size + 2);
    assert_non_null(found);
    const size_t got = fread(found, 1, size + 1, file);
    const bool same = got == size && memcmp(found, bytes, size) == 0;
    free(found);
    fclose(file);
    return same;
}

static bool fails(fixture_faults *faults)
{
    return ++faults->calls == faults->fail_at;
}

static void *faulty_alloc(void *user, size_t size)
{
    fixture_faults *faults = user;
    if (fails(faults)) return NULL;
    faults->live++;
    return aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static void faulty_release(void *user, void *memory)
{
    ((fixture_faults *)user)->live--;
    free(memory);
}

vq_allocator fixture_allocator(fixture_faults *faults)
{
    return (vq_allocator){faulty_alloc, faulty_release, faults};
}

static fixture_faults *json_faults;

static void *json_alloc(size_t size)
{
    if (json_faults && fails(json_faults)) return NULL;
    void *memory = malloc(size);
    if (memory && json_faults) json_faults->live++;
    return memory;
}

static void json_release(void *memory)
{
    if (memory && json_faults) json_faults->live--;
    free(memory);
}

void fixture_json_memory(fixture_faults *faults)
{
    json_faults = faults;
    if (faults) json_set_alloc_funcs(json_alloc, json_release);
    else json_set_alloc_funcs(malloc, free);
}

/* Whether this operation fails; `*size` (NULL: it moves no bytes) is what it may move. */
static bool file_fails(const char *operation, fixture_faults *faults, size_t *size)
{
    faults->interrupted = faults->interrupt && !faults->interrupted;
    errno = EINTR;
    if (faults->interrupted) return true;
    faults->calls++;
    const bool now = faults->calls == faults->fail_at;
    const bool later = faults->fail_at > 0 && faults->calls > faults->fail_at;
    if (size && faults->most && faults->most < *size) *size = faults->most;
    if (now) faults->met = operation;
    if (now && faults->fault == FIXTURE_INTERRUPT) return true;
    if (now && faults->fault == FIXTURE_SHORT && size) *size = (*size + 1) / 2;
    if (now && faults->fault == FIXTURE_SHORT) return false;
    errno = faults->code;
    return now || (later && faults->fault == FIXTURE_FAIL_ON);
}

static int faulty_open(void *user, const char *path, int flags, int mode)
{
    return file_fails("open", user, NULL) ? -1 : open(path, flags, (mode_t)mode);
}

static long long faulty_read(void *user, int fd, void *to, size_t size)
{
    return file_fails("read", user, &size) ? -1 : read(fd, to, size);
}

static long long faulty_read_at(void *user, int fd, void *to, size_t size, long long offset)
{
    return file_fails("read", user, &size) ? -1 : pread(fd, to, size, (off_t)offset);
}

/* A disk that is nearly full takes what it can first. */
static long long faulty_write(void *user, int fd, const void *from, size_t size)
{
    fixture_faults *faults = user;
    if (file_fails("write", faults, &size)) return -1;
    errno = ENOSPC;
    if (faults->disk && faults->room == 0) return -1;
    if (faults->disk && faults->room < size) size = faults->room;
    const ssize_t put = write(fd, from, size);
    if (faults->disk && put > 0) faults->room -= (size_t)put;
    return put;
}

/* No test lasts until a power cut, and syncing takes longer than all else here. */
static int faulty_sync(void *user, int fd)
{
    (void)fd;
    return file_fails("sync", user, NULL) ? -1 : 0;
}

static int faulty_close(void *user, int fd)
{
    const bool failed = file_fails("close", user, NULL); /* the number is free again in any case */
    const int code = errno, result = close(fd);
    errno = code;
    return failed ? -1 : result;
}

static int faulty_rename(void *user, const char *from, const char *to)
{
    return file_fails("rename", user, NULL) ? -1 : rename(from, to);
}

static int faulty_remove(void *user, const char *path)
{
    return file_fails("remove", user, NULL) ? -1 : unlink(path);
}

vq_file_hooks fixture_files(fixture_faults *faults)
{
    return (vq_file_hooks){
        .open = faulty_open,
        .read = faulty_read,
        .read_at = faulty_read_at,
        .write = faulty_write,
        .sync = faulty_sync,
        .close = faulty_close,
        .rename = faulty_rename,
        .remove = faulty_remove,
        .user = faults,
    };
}

vq_context *fixture_faulty_context(fixture_faults *memory, fixture_faults *files)
{
    vq_context_config config;
    vq_context *ctx = NULL;
    const long fail_at = memory ? memory->fail_at : 0;
    vq_context_config_default(&config);
    if (memory) config.allocator = fixture_allocator(memory);
    if (files) config.files = fixture_files(files);
    if (memory) memory->fail_at = 0;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    if (memory) {
        memory->fail_at = fail_at;
        memory->calls = 0;
    }
    return ctx;
}

void fixture_error_names(const vq_context *ctx, const char *words)
{
    if (!strstr(vq_context_error(ctx), words))
        fail_msg("the sentence \"%s\" lacks \"%s\"", vq_context_error(ctx), words);
}
