/* SPDX-License-Identifier: Apache-2.0
 * tensor/pack.h -- an archive put together for writing, from numbers that stay where they are. */
#ifndef VQ_TENSOR_PACK_H
#define VQ_TENSOR_PACK_H

#include "base/context.h"
#include <jansson.h>
#include <vqvae/tensor.h>

/** Start with zeros and a context; vq_pack_clear() in any case. */
typedef struct vq_pack {
    vq_context *ctx;
    vq_archive archive; /* arrays borrow their data */
    size_t arrays_room, keys_room;
} vq_pack;

/** Adds an array under PREFIX + name. The data is borrowed until the pack is cleared. */
VQ_MUST_USE vq_status vq_pack_array(vq_pack *pack, const char *prefix, const char *name,
                                    vq_dtype dtype, const vq_shape *shape, const void *data);
/** Adds a text; both are copied. Keys may come in any order. */
VQ_MUST_USE vq_status vq_pack_text(vq_pack *pack, const char *key, const char *value);
/** Adds a JSON value as compact text with sorted keys, and releases it. NULL is VQ_E_NOMEM. */
VQ_MUST_USE vq_status vq_pack_json(vq_pack *pack, const char *key, json_t *value);
void vq_pack_clear(vq_pack *pack);

#endif
