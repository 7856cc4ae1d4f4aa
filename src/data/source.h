/* SPDX-License-Identifier: Apache-2.0
 * data/source.h -- where images are kept: a tree, a list, a tar, or an array in memory. */
#ifndef VQ_DATA_SOURCE_H
#define VQ_DATA_SOURCE_H

#include "base/file.h"
#include "base/folder.h"
#include "data/entries.h"
#include "data/image.h"
#include <vqvae/tensor.h>

typedef struct vq_source vq_source;

/** Gives the encoded bytes of one entry; the caller releases them. Failures name the file, and the
 *  entry where the file holds others. Thread-safe. */
typedef vq_status vq_source_read(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                                 vq_bytes *out);

/** The path of an entry that is a file by itself, in the context's memory. */
typedef vq_status vq_source_locate(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                                   char **out);

/** Images are either pixels at hand (`pixels`) or encoded (`read`). */
struct vq_source {
    char *given;        /* owned; as it was asked for */
    char *path;         /* owned; without the part */
    const char *part;   /* NULL: none was named */
    bool coarse_labels; /* of CIFAR-100 */
    vq_entries entries;
    vq_source_read *read;
    vq_source_locate *locate; /* NULL: entries are no files by themselves */
    bool is_image;            /* the path is that of the only image */
    int fd;                   /* of a tar; -1: none */
    void *memory;             /* owned; holds `pixels` */
    const uint8_t *pixels;    /* all images, one after the other, or NULL */
    int64_t size[3];          /* height, width, channels of `pixels` */
};

/**
 * Opens what the path names. "PATH:part" is taken apart where PATH:part itself does not exist.
 * @param out  zero on failure; closed by vq_source_close()
 */
VQ_MUST_USE vq_status vq_source_open(vq_context *ctx, const char *path,
                                     const vq_data_config *config, vq_source *out);
void vq_source_close(vq_context *ctx, vq_source *source);

/** Reads the file that `locate` names. */
vq_source_read vq_source_read_located;

/* Whole files in memory. */
#define VQ_SOURCE_BYTES_MAX ((size_t)1 << 38)

/** The kinds. Each fills a source whose path and part are set; vq_source_open() closes it on
 *  failure. */
typedef vq_status vq_source_opener(vq_context *ctx, vq_source *source);
vq_source_opener vq_tree_open, vq_tar_open, vq_idx_open, vq_npy_open, vq_npz_open, vq_cifar_open,
    vq_list_open, vq_single_open;

/** Whether a folder holds files of images of the format; then its folder_open() is to open it. */
VQ_MUST_USE vq_status vq_idx_folder_is(vq_context *ctx, const char *path, bool *is);
VQ_MUST_USE vq_status vq_cifar_folder_is(vq_context *ctx, const char *path, bool *is);
vq_source_opener vq_idx_folder_open, vq_cifar_folder_open;

/** Whether the beginning of a file, unpacked if it was packed, is that of the format. */
bool vq_idx_is(const unsigned char *bytes, size_t size);
bool vq_tar_is(const unsigned char *bytes, size_t size);
bool vq_npy_is(const unsigned char *bytes, size_t size);
bool vq_npz_is(const unsigned char *bytes, size_t size);

/** What arrays of images and of labels must be. @param what  for the sentence: a path, or a path
 *  and a name. The images change hands: array->data is then NULL. */
VQ_MUST_USE vq_status vq_source_take_images(vq_context *ctx, vq_source *source, const char *what,
                                            vq_array *images);
VQ_MUST_USE vq_status vq_source_take_labels(vq_context *ctx, vq_source *source, const char *what,
                                            const vq_array *labels);

#endif
