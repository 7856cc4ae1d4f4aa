/* SPDX-License-Identifier: Apache-2.0
 * cli/files.c -- paths and files. */
#include "files.h"
#include "file_set.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vqvae/data.h>

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

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int path_stem(program *p, const char *path, char to[PATH_ROOM])
{
    const char *name = path_name(path);
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
    if (!whole)
        return fail(p, BAD_INPUT, "%s: %s", place,
                    errno == ENOENT ? "no such file or folder" : strerror(errno));
    const int code = path_format(p, to, "%s%s", whole, part ? part : "");
    free(whole);
    return code;
}

/* The folder in which the path's last part lies. */
int path_parent(program *p, const char *path, char to[PATH_ROOM])
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

/* Whether both paths lead to one file or folder that exists. */
static bool path_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int output_check_inputs(program *p, const char *path, char *const *inputs, int n)
{
    file_set read = {0};
    int code = DONE;
    for (int i = 0; i < n; i++) TRY_TO(file_set_add_input(p, &read, inputs[i]));
    file_set_order(&read);
    TRY_TO(file_set_refuse(p, &read, path));
done:
    file_set_clear(&read);
    return code;
}

int output_check_ending(program *p, const char *option, const char *path, const char *extension)
{
    if (path_has_extension(path, extension)) return DONE;
    return fail(p, BAD_USAGE, "%s %s must end in %s", option, path, extension);
}

/* Files that do not exist yet are one where name and folder are. */
int output_check_apart(program *p, const char *option, const char *path, const char *other_option,
                       const char *other)
{
    char folder[PATH_ROOM], other_folder[PATH_ROOM];
    TRY(path_parent(p, path, folder));
    TRY(path_parent(p, other, other_folder));
    const bool named_alike = strcmp(path_name(path), path_name(other)) == 0;
    if (path_same(path, other) || (named_alike && path_same(folder, other_folder)))
        return fail(p, BAD_USAGE, "%s %s and %s %s are one file; give each its own", option, path,
                    other_option, other);
    return DONE;
}

int output_check_folder(program *p, const char *path, const char *allowed)
{
    static const char *const files[] = {".npz", ".tar", ".safetensors"};
    bool is_file = vq_image_named(path);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        is_file = is_file || path_has_extension(path, files[i]);
    if (!is_file) return DONE;
    return fail(p, BAD_USAGE, "-o %s: it may be %s, but no %s", path, allowed, strrchr(path, '.'));
}

int folder_make(program *p, const char *path)
{
    char upto[PATH_ROOM];
    const size_t n = strlen(path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0) continue;
        TRY(path_format(p, upto, "%.*s", (int)i, path));
        if (mkdir(upto, 0777) == 0) continue;
        const int reason = errno; /* of mkdir, before anything is looked at */
        if (path_is_folder(upto)) continue;
        const bool full = reason == ENOSPC || reason == EDQUOT || reason == EROFS || reason == EIO;
        return fail(p, full ? MACHINE_FAILED : BAD_INPUT, "cannot make the folder %s: %s", upto,
                    reason == EEXIST ? "a file of that name is in the way" : strerror(reason));
    }
    return DONE;
}

static int open_to_read(const char *path)
{
    int fd;
    do fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static ssize_t read_some(int fd, char *to, size_t size)
{
    ssize_t n;
    do n = read(fd, to, size);
    while (n < 0 && errno == EINTR);
    return n;
}

int file_read(program *p, const char *path, text *out)
{
    char buffer[1 << 15];
    ssize_t n;
    const int fd = open_to_read(path);
    if (fd < 0) return fail(p, BAD_INPUT, "%s: %s", path, strerror(errno));
    while ((n = read_some(fd, buffer, sizeof buffer)) > 0) text_bytes(out, buffer, (size_t)n);
    (void)close(fd);
    if (n < 0) return fail(p, BAD_INPUT, "%s: cannot be read to its end", path);
    if (!out->data) text_bytes(out, "", 0);
    return text_check(p, out);
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

static int write_failed(program *p, const output *out)
{
    return fail(p, MACHINE_FAILED, "cannot write %s: %s", out->path, strerror(errno));
}

int output_begin(program *p, const char *path, output *out)
{
    out->file = NULL;
    TRY(path_format(p, out->path, "%s", path));
    TRY(path_format(p, out->temporary, "%s.%ld-0.tmp", path, (long)getpid()));
    out->file = fopen(out->temporary, "wbe");
    return out->file ? DONE : write_failed(p, out);
}

int output_print(program *p, output *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vfprintf(out->file, format, arguments);
    va_end(arguments);
    return n >= 0 ? DONE : write_failed(p, out);
}

int output_write(program *p, output *out, const void *bytes, size_t size)
{
    if (size == 0) return DONE; /* of nothing there may be no address */
    return fwrite(bytes, 1, size, out->file) == size ? DONE : write_failed(p, out);
}

int output_patch(program *p, output *out, const void *bytes, size_t size)
{
    if (fflush(out->file) != 0 || fseeko(out->file, 0, SEEK_SET) != 0) return write_failed(p, out);
    return output_write(p, out, bytes, size);
}

int output_commit(program *p, output *out)
{
    bool good = fflush(out->file) == 0 && fsync(fileno(out->file)) == 0;
    const int reason = errno;
    if (fclose(out->file) != 0 && good) good = false;
    else errno = reason;
    out->file = NULL;
    if (good && rename(out->temporary, out->path) == 0) {
        sync_parent(p, out->path);
        return DONE;
    }
    const int code = write_failed(p, out);
    (void)unlink(out->temporary);
    return code;
}

void output_abandon(output *out)
{
    if (!out->file) return;
    (void)fclose(out->file);
    (void)unlink(out->temporary);
    out->file = NULL;
}

int file_replace(program *p, const char *path, const void *bytes, size_t size)
{
    output out = {0};
    int code;
    TRY_TO(output_begin(p, path, &out));
    TRY_TO(output_write(p, &out, bytes, size));
    TRY_TO(output_commit(p, &out));
done:
    output_abandon(&out);
    return code;
}
