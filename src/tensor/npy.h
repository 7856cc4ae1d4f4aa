/* SPDX-License-Identifier: Apache-2.0
 * tensor/npy.h -- the header of a .npy file, as numpy.lib.format describes it. */
#ifndef VQ_TENSOR_NPY_H
#define VQ_TENSOR_NPY_H

#include "base/input.h"
#include <stdbool.h>
#include <vqvae/tensor.h>

/** The most that magic, version, length and the dict may take: 10,000 bytes of dict are numpy's own
 *  limit for files it does not trust. */
enum { VQ_NPY_DICT_MAX = 10000, VQ_NPY_HEADER_MAX = VQ_NPY_DICT_MAX + 12 };

typedef struct vq_npy_header {
    vq_dtype dtype;
    vq_shape shape;
    bool swap;      /* big-endian numbers */
    bool fortran;   /* first extent innermost */
    size_t bytes;   /* of all elements */
    size_t data_at; /* where the data begins in the file */
} vq_npy_header;

/** Reads the header at the start of `bytes`, of which VQ_NPY_HEADER_MAX suffice; the data need not
 *  be there.
 *  @return VQ_OK, VQ_E_FORMAT, VQ_E_UNSUPPORTED */
VQ_MUST_USE vq_status vq_npy_header_read(vq_context *ctx, const void *bytes, size_t size,
                                         vq_npy_header *out);
/** The header of an input, which holds that one array and no more. @return also VQ_E_IO */
VQ_MUST_USE vq_status vq_npy_header_take(const vq_input *input, vq_npy_header *h);

/** Room that the header of an array takes at most where this library writes it. */
enum { VQ_NPY_OWN_HEADER_MAX = 512 };

/** Whether .npy has numbers of the type. */
bool vq_npy_holds(vq_dtype dtype);
/** Writes the header of an array (its data do not matter) and returns how many bytes it takes: the
 *  same for any first extent. */
size_t vq_npy_header_write(const vq_array *array, char header[VQ_NPY_OWN_HEADER_MAX]);

#endif
