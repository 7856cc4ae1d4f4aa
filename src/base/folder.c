/* SPDX-License-Identifier: Apache-2.0
 * base/folder.c -- looking at paths and listing folders, as POSIX has it. */
#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

vq_path_kind vq_path_identify(const char *path, vq_path_id *id)
{
    struct stat info;
    *id = (vq_path_id){0};
    if (stat(path, &info) != 0) return VQ_PATH_NONE;
    *id = (vq_path_id){(uint64_t)info.st_dev, (uint64_t)info.st_ino};
    if (S_ISDIR(info.st_mode)) return VQ_PATH_FOLDER;
    return S_ISREG(info.st_mode) ? VQ_PATH_FILE : VQ_PATH_OTHER;
}

vq_path_kind vq_path_look(const char *path)
{
    vq_path_id unused;
    return vq_path_identify(path, &unused);
}

vq_status vq_path_check_file(vq_context *ctx, const char *path, const char *due)
{
    VQ_CHECK(ctx, vq_path_look(path) != VQ_PATH_OTHER, VQ_E_FORMAT,
             "%s is no file, but a pipe or a device; %s", path, due);
    return VQ_OK;
}

bool vq_path_id_same(vq_path_id a, vq_path_id b)
{
    return a.device == b.device && a.inode == b.inode;
}

bool vq_path_same(const char *a, const char *b)
{
    vq_path_id x, y;
    const bool both =
        vq_path_identify(a, &x) != VQ_PATH_NONE && vq_path_identify(b, &y) != VQ_PATH_NONE;
    return both && vq_path_id_same(x, y);
}

vq_status vq_path_join(vq_context *ctx, const char *folder, const char *name, char **out)
{
    const size_t length = strlen(folder), size = length + strlen(name) + 2;
    const char *between = length == 0 || folder[length - 1] == '/' ? "" : "/";
    VQ_TRY(VQ_NEW(ctx, size, out));
    snprintf(*out, size, "%s%s%s", folder, between, name);
    return VQ_OK;
}

vq_status vq_folder_walk(vq_context *ctx, const char *path, vq_folder_visit *visit, void *user)
{
    vq_status status = VQ_OK;
    const struct dirent *found = NULL;
    DIR *folder = opendir(path);
    if (!folder) return vq_file_failed(ctx, path, "be opened");
    errno = 0;
    while (status == VQ_OK && (found = readdir(folder))) {
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
            status = visit(ctx, user, found->d_name);
        errno = 0; /* readdir tells its own failure from the end only by errno */
    }
    if (status == VQ_OK && errno) status = vq_file_failed(ctx, path, "be listed");
    closedir(folder);
    return status;
}
