/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/onednn.h -- the little that the backend asks of oneDNN, free of its types.
 *
 * Only onednn.c and arithmetic.c speak to the library, so that another version of it is another
 * two files. */
#ifndef VQ_NN_ONEDNN_ONEDNN_H
#define VQ_NN_ONEDNN_ONEDNN_H

#include "nn/backend.h"
#include "nn/ops.h"
#include <string.h>

/** The three products of a convolution C that goes from an image to a map. conv2d runs C
 *  forward and its adjoint backward; conv_transpose2d the other way round. */
typedef enum vq_dnn_product {
    VQ_DNN_APPLY,   /* map = C image */
    VQ_DNN_ADJOINT, /* image = adjoint of C, map */
    VQ_DNN_WEIGHTS  /* weight = gradient of <map, C image> by the weights */
} vq_dnn_product;

typedef struct vq_dnn_request {
    const char *name; /* of the node, for errors */
    vq_dnn_product product;
    vq_view image, map;         /* shapes and layouts */
    const vq_conv_attrs *attrs; /* kernel, stride and padding of C */
    bool bias;                  /* of the map: APPLY adds it, WEIGHTS gives its gradient */
    bool residual;              /* APPLY: map = C image + residual */
    bool relu;                  /* APPLY: then max(0, .) */
    bool training;              /* algorithms that round differently from batch to batch will do */
} vq_dnn_request;

/** Memory of one run. What the product does not use is not looked at. */
typedef struct vq_dnn_data {
    void *image, *map, *weight, *bias; /* weight: out of C, in of C, kh, kw */
    void *residual;                    /* laid out like the map, which may be the same memory */
    void *packed;                      /* weights as vq_dnn_pack() left them; NULL: pack anew */
    void *scratch;                     /* vq_dnn_scratch() bytes, aligned to 64 */
} vq_dnn_data;

/** One product, prepared. */
typedef struct vq_dnn vq_dnn;

/** @return VQ_OK, VQ_E_NOMEM, VQ_E_UNSUPPORTED, VQ_E_INTERNAL */
VQ_MUST_USE vq_status vq_dnn_create(vq_context *ctx, const vq_dnn_request *request, vq_dnn **out);
void vq_dnn_destroy(vq_dnn *dnn);

size_t vq_dnn_scratch(const vq_dnn *dnn);
/** Bytes of the weights in the product's own order; 0 where it takes them as they are. */
size_t vq_dnn_packed(const vq_dnn *dnn);
/** The algorithm: "onednn winograd nChw16c". */
const char *vq_dnn_describe(const vq_dnn *dnn);

/** Puts data->weight into the product's own order at data->packed. */
VQ_MUST_USE vq_status vq_dnn_pack(vq_dnn *dnn, const vq_dnn_data *data);
VQ_MUST_USE vq_status vq_dnn_run(vq_dnn *dnn, const vq_dnn_data *data);

/** As vq_backend's. */
void vq_dnn_arithmetic(const vq_context *ctx, char *to, size_t size);

/** Whether an operation is the one of that name: its table may lie in another library. */
static inline bool vq_dnn_is(const vq_op *op, const char *name)
{
    return strcmp(op->name, name) == 0;
}

/** Visible, as it may lie in a library of its own. */
VQ_API extern const vq_backend vq_backend_onednn;

/* The implementations of this backend. */
extern const vq_impl vq_conv2d_onednn, vq_conv_transpose2d_onednn;

/** Lets oneDNN see the context's number of threads until vq_onednn_threads_back(), which gets what
 *  this returned; from now on the context's ranges run on its threads, too. */
int vq_onednn_threads(vq_context *ctx);
void vq_onednn_threads_back(int before);

#endif
