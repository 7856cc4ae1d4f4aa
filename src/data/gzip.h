/* SPDX-License-Identifier: Apache-2.0
 * data/gzip.h -- unpacking .gz in memory. */
#ifndef VQ_DATA_GZIP_H
#define VQ_DATA_GZIP_H

#include "base/context.h"

typedef enum vq_gzip_end {
    VQ_GZIP_COMPLETE, /* the packed data ended, correctly */
    VQ_GZIP_FULL,     /* there is more than the capacity */
    VQ_GZIP_CUT       /* the packed bytes stop before their end */
} vq_gzip_end;

bool vq_gzip_is(const unsigned char *bytes, size_t size);

/**
 * Unpacks at most `capacity` bytes; several gzip members in a row count as one.
 * @param got  how many were written
 * @return VQ_OK, VQ_E_FORMAT (damaged, or something else follows), VQ_E_NOMEM
 */
VQ_MUST_USE vq_status vq_gzip_unpack(vq_context *ctx, const unsigned char *bytes, size_t size,
                                     unsigned char *to, size_t capacity, size_t *got,
                                     vq_gzip_end *end);

#endif
