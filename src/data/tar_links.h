/* SPDX-License-Identifier: Apache-2.0
 * data/tar_links.h -- entries of a tar that stand for others: hard links, as tar writes them where
 * a file has two names, and symbolic ones. */
#ifndef VQ_DATA_TAR_LINKS_H
#define VQ_DATA_TAR_LINKS_H

#include "data/entries.h"

/** The name that a symbolic link `name` to `path` stands for, without "." and ".."; what leads out
 *  of the tar stays as it is. Lives as long as the list. */
VQ_MUST_USE vq_status vq_tar_link(vq_context *ctx, vq_entries *list, const char *name,
                                  const char *path, const char **out);
/** Gives links the bytes of what they stand for, in a sorted list. A link to nothing in the list,
 *  or in a circle, keeps its `link`. */
VQ_MUST_USE vq_status vq_tar_follow(vq_context *ctx, vq_entries *list);

#endif
