/* SPDX-License-Identifier: Apache-2.0
 * nn/backend.h -- who runs the operations and holds their memory.
 *
 * A backend maps buffers to memory and may bring implementations of its own; for what it
 * lacks the operation's portable one is used. */
#ifndef VQ_NN_BACKEND_H
#define VQ_NN_BACKEND_H

#include "nn/op.h"

enum { VQ_ARITHMETIC_SIZE = 96 };

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

/** The backend of that name; "auto", as NULL, is portable.
 *  @return VQ_OK; VQ_E_ARG (no such backend, or none that can be used) */
VQ_MUST_USE vq_status vq_backend_find(vq_context *ctx, const char *name, const vq_backend **out);

/** Fetches oneDNN's backend: one of onednn_built_in.c, onednn_loaded.c and onednn_absent.c.
 *  @return VQ_OK; VQ_E_UNSUPPORTED (not part of this build); VQ_E_IO (it could not be loaded) */
VQ_MUST_USE vq_status vq_onednn_fetch(vq_context *ctx, const vq_backend **out);

#endif
