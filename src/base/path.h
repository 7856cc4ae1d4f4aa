/* SPDX-License-Identifier: Apache-2.0
 * base/path.h -- what lies at a path. */
#ifndef VQ_BASE_PATH_H
#define VQ_BASE_PATH_H

#include <stdbool.h>

bool vq_path_is_folder(const char *path);
bool vq_path_exists(const char *path);

#endif
