/* SPDX-License-Identifier: Apache-2.0
 * base/file.h -- files read whole, and files replaced so that a reader never sees half. */
#ifndef VQ_BASE_FILE_H
#define VQ_BASE_FILE_H

#include "base/context.h"

typedef struct vq_bytes {
    unsigned char *data; /* owned; vq_release */
    size_t size;
} vq_bytes;

/** Records "PATH: could not ACTION: REASON", the reason from errno; returns VQ_E_IO. */
vq_status vq_file_failed(vq_context *ctx, const char *path, const char *action);

/** Opens a file with these flags, whatever signals come; -1 and errno where that fails. */
int vq_file_descriptor(vq_context *ctx, const char *path, int flags);

/** Bytes of an open file; false where only reading shows them: pipes tell no size, and the files of
 *  /proc say 0 whatever they hold. */
bool vq_file_size(int fd, uint64_t *size);

/** Reads a whole file of at most `limit` bytes. Short reads and EINTR go on.
 *  @return VQ_OK, VQ_E_IO (naming path and reason), VQ_E_FORMAT (larger than limit),
 *          VQ_E_NOMEM */
VQ_MUST_USE vq_status vq_file_read(vq_context *ctx, const char *path, size_t limit, vq_bytes *out);

/** The same from an open file, from where it stands to its end. */
VQ_MUST_USE vq_status vq_file_read_all(vq_context *ctx, const char *path, int fd, size_t limit,
                                       vq_bytes *out);

/** Reads exactly `size` bytes at `offset` of an open file; fewer is VQ_E_FORMAT. Threads may
 *  share the file, whose own position stays. */
VQ_MUST_USE vq_status vq_file_read_at(vq_context *ctx, const char *path, int fd, uint64_t offset,
                                      void *to, size_t size);

/** A file being written beside its place. Nothing is visible until commit. */
typedef struct vq_replacement {
    vq_context *ctx;
    char *path, *temporary;
    int fd;
} vq_replacement;

VQ_MUST_USE vq_status vq_replace_begin(vq_context *ctx, const char *path, vq_replacement *r);
VQ_MUST_USE vq_status vq_replace_write(vq_replacement *r, const void *from, size_t size);
/** Overwrites the first bytes of what was written. */
VQ_MUST_USE vq_status vq_replace_patch(vq_replacement *r, const void *from, size_t size);
/** Syncs, renames over the path and syncs the folder. */
VQ_MUST_USE vq_status vq_replace_commit(vq_replacement *r);
/** Gives up: removes the temporary file. Harmless after a commit. */
void vq_replace_abandon(vq_replacement *r);

/** All of the above for bytes at hand. */
VQ_MUST_USE vq_status vq_file_replace(vq_context *ctx, const char *path, const void *from,
                                      size_t size);

#endif
