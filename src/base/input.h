/* SPDX-License-Identifier: Apache-2.0
 * base/input.h -- bytes to parse, taken in pieces from a file or from memory, so that a header can
 * be judged before memory is asked for the rest. */
#ifndef VQ_BASE_INPUT_H
#define VQ_BASE_INPUT_H

#include "base/context.h"

typedef struct vq_input {
    vq_context *ctx;
    const char *path;     /* borrowed; NULL for memory */
    int fd;               /* -1 where the bytes are in memory */
    unsigned char *bytes; /* all of them, or NULL */
    bool owned;
    uint64_t size;
} vq_input;

/** Bytes of the caller's, which stay where they are. */
vq_input vq_input_memory(vq_context *ctx, const void *bytes, size_t size);
/** A file. What tells no size, such as a pipe, is read at once; anything else when it is asked for.
 *  @return VQ_OK, VQ_E_IO (the sentence begins with the path), VQ_E_NOMEM */
VQ_MUST_USE vq_status vq_input_open(vq_context *ctx, const char *path, vq_input *out);
/** Takes `size` bytes at `at`; both together may not pass the input's size.
 *  @return VQ_OK, VQ_E_IO (the sentence begins with the path) */
VQ_MUST_USE vq_status vq_input_take(const vq_input *input, uint64_t at, void *to, size_t size);
/** Harmless after a failed vq_input_open(). */
void vq_input_close(vq_input *input);
/** Puts the path before the sentence of a parser's failure; those of files have it already. */
vq_status vq_input_blame(const vq_input *input, vq_status status);

#endif
