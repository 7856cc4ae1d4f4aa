/* SPDX-License-Identifier: Apache-2.0
 * tensor/archive.h -- JSON among the texts of an archive. */
#ifndef VQ_TENSOR_ARCHIVE_H
#define VQ_TENSOR_ARCHIVE_H

#include <jansson.h>
#include <vqvae/tensor.h>

/** Reads the text under `key` as a JSON object without duplicate keys. `where` begins the
 *  sentences.
 *  @param out  the object, to be released by json_decref(); NULL on failure
 *  @return VQ_OK, VQ_E_FORMAT (no such text, or it is something else), VQ_E_NOMEM */
VQ_MUST_USE vq_status vq_archive_object(vq_context *ctx, const char *where,
                                        const vq_archive *archive, const char *key, json_t **out);

#endif
