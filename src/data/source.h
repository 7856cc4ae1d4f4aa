/* SPDX-License-Identifier: Apache-2.0
 * data/source.h -- where images are kept: a tree, a tar, or an array in memory. */
#ifndef VQ_DATA_SOURCE_H
#define VQ_DATA_SOURCE_H

#include "base/file.h"
#include "base/folder.h"
#include "data/entries.h"
#include "data/image.h"

typedef struct vq_source vq_source;

/** Gives the encoded bytes of one entry; the caller releases them. Thread-safe. */
typedef vq_status vq_source_read(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                                 vq_bytes *out);

/** Images are either pixels at hand (`pixels`) or encoded (`read`). */
struct vq_source {
    char *path; /* without the part */
    vq_entries entries;
    vq_source_read *read;
    int fd;                /* of a tar; -1: none */
    void *memory;          /* owned; holds `pixels` */
    const uint8_t *pixels; /* all images, one after the other, or NULL */
    int64_t size[3];       /* height, width, channels of `pixels` */
};

/**
 * Opens what the path names. "PATH:part" is taken apart where PATH:part itself does not exist.
 * @param out  zero on failure; closed by vq_source_close()
 */
VQ_MUST_USE vq_status vq_source_open(vq_context *ctx, const char *path, vq_source *out);
void vq_source_close(vq_context *ctx, vq_source *source);

/** The kinds. Each fills a source whose path is set; vq_source_open() closes it on failure. */
VQ_MUST_USE vq_status vq_tree_open(vq_context *ctx, const char *part, vq_source *source);
VQ_MUST_USE vq_status vq_tar_open(vq_context *ctx, const char *part, vq_source *source);
VQ_MUST_USE vq_status vq_idx_open(vq_context *ctx, vq_source *source);
VQ_MUST_USE vq_status vq_npy_open(vq_context *ctx, vq_source *source);
VQ_MUST_USE vq_status vq_single_open(vq_context *ctx, vq_source *source);

/** Whether a folder holds IDX files of images; then vq_idx_folder_open() is to open it. */
VQ_MUST_USE vq_status vq_idx_folder_is(vq_context *ctx, const char *path, bool *is);
VQ_MUST_USE vq_status vq_idx_folder_open(vq_context *ctx, const char *part, vq_source *source);

/** Whether the beginning of a file, unpacked if it was packed, is that of the format. */
bool vq_idx_is(const unsigned char *bytes, size_t size);
bool vq_tar_is(const unsigned char *bytes, size_t size);
bool vq_npy_is(const unsigned char *bytes, size_t size);

#endif
