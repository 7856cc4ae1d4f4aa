/* SPDX-License-Identifier: Apache-2.0
 * nn/backend.h -- who runs the operations and holds their memory.
 *
 * A backend maps buffers to memory and may bring implementations of its own; for what it
 * lacks the operation's portable one is used. */
#ifndef VQ_NN_BACKEND_H
#define VQ_NN_BACKEND_H

#include "nn/op.h"

enum { VQ_ARITHMETIC_SIZE = 80 };

typedef struct vq_buffer {
    void *handle; /* only the backend knows what it is */
    size_t size;
} vq_buffer;

typedef struct vq_backend {
    const char *name;                                                    /* "portable", "onednn" */
    vq_status (*allocate)(vq_context *ctx, size_t size, vq_buffer *out); /* zeroed */
    void (*release)(vq_context *ctx, vq_buffer *buffer);
    void *(*map)(const vq_buffer *buffer);
    /** Implementation for an operation in f32, or NULL: the portable one serves. */
    const vq_impl *(*find)(const vq_op *op);
    /** Writes what the bits of its results depend on besides the plan: "portable avx2", or
     *  "onednn 2.6.3 avx512_core + avx512": a library, its instruction set, that of the rest. */
    void (*arithmetic)(const vq_context *ctx, char *to, size_t size);
} vq_backend;

extern const vq_backend vq_backend_portable;
#ifdef VQ_HAVE_ONEDNN
extern const vq_backend vq_backend_onednn;
#endif

/** The backend of that name; NULL where this build has none. "auto" is the first of onednn,
 *  portable that was built. */
const vq_backend *vq_backend_named(const char *name);

#endif
