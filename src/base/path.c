/* SPDX-License-Identifier: Apache-2.0
 * base/path.c -- questions to the file system. */
#include "base/path.h"

#include <sys/stat.h>

bool vq_path_is_folder(const char *path)
{
    struct stat entry;
    return stat(path, &entry) == 0 && S_ISDIR(entry.st_mode);
}

bool vq_path_exists(const char *path)
{
    struct stat entry;
    return stat(path, &entry) == 0;
}
