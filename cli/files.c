/* SPDX-License-Identifier: Apache-2.0
 * cli/files.c -- paths and files. */
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

bool path_exists(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0;
}

bool path_is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

bool path_has_extension(const char *path, const char *extension)
{
    const size_t n = strlen(path), m = strlen(extension);
    return n > m && strcasecmp(path + n - m, extension) == 0;
}

int path_format(program *p, char to[PATH_ROOM], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(to, PATH_ROOM, format, arguments);
    va_end(arguments);
    if (n >= 0 && n < PATH_ROOM) return DONE;
    return fail(p, BAD_INPUT, "the path %.64s... is longer than %d bytes", to, PATH_ROOM - 1);
}

int path_stem(program *p, const char *path, char to[PATH_ROOM])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    return path_format(p, to, "%.*s", (int)length, name);
}

int path_absolute(program *p, const char *path, char to[PATH_ROOM])
{
    char place[PATH_ROOM];
    const char *part = path_exists(path) ? NULL : strrchr(path, ':');
    TRY(path_format(p, place, "%.*s", part ? (int)(part - path) : (int)strlen(path), path));
    char *whole = realpath(place, NULL);
    if (!whole) return fail(p, BAD_INPUT, "%s: %s", place, strerror(errno));
    const int code = path_format(p, to, "%s%s", whole, part ? part : "");
    free(whole);
    return code;
}

/* The folder in which the path's last part lies. */
static int path_parent(program *p, const char *path, char to[PATH_ROOM])
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    while (n > 0 && path[n - 1] != '/') n--;
    while (n > 1 && path[n - 1] == '/') n--;
    return path_format(p, to, "%.*s", n ? (int)n : 1, n ? path : ".");
}

int output_check(program *p, const char *path, bool force)
{
    char parent[PATH_ROOM];
    if (path_exists(path) && !force)
        return fail(p, BAD_INPUT, "%s exists; --force overwrites it", path);
    TRY(path_parent(p, path, parent));
    if (path_is_folder(parent)) return DONE;
    return fail(p, BAD_INPUT, "%s: there is no folder %s", path, parent);
}

int folder_make(program *p, const char *path)
{
    char upto[PATH_ROOM];
    const size_t n = strlen(path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0) continue;
        TRY(path_format(p, upto, "%.*s", (int)i, path));
        if (mkdir(upto, 0777) == 0 || path_is_folder(upto)) continue;
        const int code = errno == ENOSPC || errno == EROFS ? MACHINE_FAILED : BAD_INPUT;
        return fail(p, code, "cannot make the folder %s: %s", upto,
                    errno == EEXIST ? "a file of that name is in the way" : strerror(errno));
    }
    return DONE;
}

int file_read(program *p, const char *path, text *out)
{
    char buffer[1 << 15];
    FILE *file = fopen(path, "rb");
    if (!file) return fail(p, BAD_INPUT, "%s: %s", path, strerror(errno));
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) text_bytes(out, buffer, n);
    const bool bad = ferror(file) != 0;
    (void)fclose(file);
    if (bad) return fail(p, BAD_INPUT, "%s: cannot be read to its end", path);
    if (!out->data) text_bytes(out, "", 0);
    return text_check(p, out);
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/* A rename is only safe from a power cut once its folder is synced. */
static void sync_parent(program *p, const char *path)
{
    char parent[PATH_ROOM];
    if (path_parent(p, path, parent) != DONE) return;
    const int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd); /* file systems that cannot sync folders say so; nothing more can be done */
    (void)close(fd);
}

int file_replace(program *p, const char *path, const void *bytes, size_t size)
{
    char temporary[PATH_ROOM];
    TRY(path_format(p, temporary, "%s.%ld-0.tmp", path, (long)getpid()));
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool good = fd >= 0 && write_all(fd, bytes, size) && fsync(fd) == 0;
    const int reason = errno;
    if (fd >= 0 && close(fd) != 0) good = false;
    if (good && rename(temporary, path) == 0) {
        sync_parent(p, path);
        return DONE;
    }
    if (fd >= 0) (void)unlink(temporary);
    return fail(p, MACHINE_FAILED, "cannot write %s: %s", path, strerror(good ? errno : reason));
}
