/* SPDX-License-Identifier: Apache-2.0
 * vqvae/tensor.h -- element types and shapes shared by every part of the library. */
#ifndef VQVAE_TENSOR_H
#define VQVAE_TENSOR_H

#include <stddef.h>
#include <stdint.h>
#include <vqvae/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vq_dtype {
    VQ_F32 = 0,
    VQ_F64,
    VQ_BF16,
    VQ_F16,
    VQ_I8,
    VQ_I16,
    VQ_I32,
    VQ_I64,
    VQ_U8,
    VQ_U16,
    VQ_U32,
    VQ_U64,
    VQ_BOOL,
    VQ_DTYPE_COUNT
} vq_dtype;

enum { VQ_MAX_RANK = 5 };

/** Extents, outermost first; images are N,H,W,C. Rank 0 is a scalar of one element. */
typedef struct vq_shape {
    int rank; /**< 0..VQ_MAX_RANK */
    int64_t dim[VQ_MAX_RANK];
} vq_shape;

/** Bytes of one element; 0 for a value outside the enumeration. */
VQ_API size_t vq_dtype_size(vq_dtype dtype);
/** "f32", "u8" and so on. */
VQ_API const char *vq_dtype_name(vq_dtype dtype);
/** Number of elements; an extent of 0 gives 0. The shape must be one the library accepted. */
VQ_API size_t vq_shape_count(const vq_shape *shape);

/** A named array in memory: what the readers give and the writers take. Row-major. */
typedef struct vq_array {
    char *name; /**< "" where there is no name */
    vq_dtype dtype;
    vq_shape shape;
    void *data; /**< vq_shape_count() elements, aligned to 64 */
} vq_array;

/** Arrays with the texts that came beside them (safetensors' __metadata__). */
typedef struct vq_archive {
    vq_array *arrays;
    size_t n_arrays;
    char **keys, **values; /**< metadata, sorted by key */
    size_t n_keys;
} vq_archive;

/**
 * Reads a .safetensors file from memory. Strict: holes, overlaps, trailing bytes,
 * duplicate names or keys, unknown fields and types are VQ_E_FORMAT.
 * @param out  filled; released by vq_archive_clear(); empty on failure
 * @return VQ_OK, VQ_E_FORMAT (the sentence names rule and tensor), VQ_E_UNSUPPORTED (a type
 *         this library does not hold), VQ_E_NOMEM
 * @see huggingface safetensors, README "Format"
 */
VQ_API VQ_MUST_USE vq_status vq_safetensors_parse(vq_context *ctx, const void *bytes, size_t size,
                                                  vq_archive *out);
/** The same from a file; also VQ_E_IO. Sentences begin with the path. */
VQ_API VQ_MUST_USE vq_status vq_safetensors_load(vq_context *ctx, const char *path,
                                                 vq_archive *out);
/** What vq_safetensors_load() would give but for the data, which are NULL: a file can be judged
 *  before memory is taken for it. */
VQ_API VQ_MUST_USE vq_status vq_safetensors_describe(vq_context *ctx, const char *path,
                                                     vq_archive *out);
/** Writes an archive; the file is replaced whole or left as it was. Equal input gives equal
 *  bytes. @return VQ_OK, VQ_E_ARG (duplicate names), VQ_E_IO, VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_safetensors_save(vq_context *ctx, const char *path,
                                                 const vq_archive *archive);
VQ_API void vq_archive_clear(vq_context *ctx, vq_archive *archive);
/** The array of that name, or NULL. */
VQ_API const vq_array *vq_archive_find(const vq_archive *archive, const char *name);
/** The metadata value under that key, or NULL. */
VQ_API const char *vq_archive_meta(const vq_archive *archive, const char *key);

/**
 * Reads a .npy file (versions 1.0, 2.0, 3.0; both byte orders; C or Fortran order), giving
 * row-major data in the machine's byte order.
 * @param out  filled; its data is released by vq_array_clear(); zero on failure
 * @return VQ_OK, VQ_E_FORMAT, VQ_E_UNSUPPORTED (objects, strings, structures; rank above 5),
 *         VQ_E_NOMEM
 * @see NEP 1, numpy.lib.format
 */
VQ_API VQ_MUST_USE vq_status vq_npy_parse(vq_context *ctx, const void *bytes, size_t size,
                                          vq_array *out);
VQ_API VQ_MUST_USE vq_status vq_npy_load(vq_context *ctx, const char *path, vq_array *out);
/** What vq_npy_load() would give but for the data, which is NULL. */
VQ_API VQ_MUST_USE vq_status vq_npy_describe(vq_context *ctx, const char *path, vq_array *out);
VQ_API VQ_MUST_USE vq_status vq_npy_save(vq_context *ctx, const char *path, const vq_array *array);

/** A matrix of floats (f32, f64, f16) in an .npy file, read some rows at a time as f32. */
typedef struct vq_matrix vq_matrix;
/** @return VQ_OK, VQ_E_IO, VQ_E_FORMAT, VQ_E_SHAPE (not of rank 2, or without rows or columns),
 *          VQ_E_UNSUPPORTED (numbers that are no floats), VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_matrix_open(vq_context *ctx, const char *path, vq_matrix **out);
VQ_API void vq_matrix_close(vq_matrix *matrix);
VQ_API int64_t vq_matrix_rows(const vq_matrix *matrix);
VQ_API int64_t vq_matrix_columns(const vq_matrix *matrix);
/** Rows [first, first + count), row-major, whichever order the file has. What f32 cannot hold
 *  becomes infinite. @return VQ_OK, VQ_E_ARG (past the end), VQ_E_IO */
VQ_API VQ_MUST_USE vq_status vq_matrix_read(vq_matrix *matrix, int64_t first, int64_t count,
                                            float *to);
VQ_API void vq_array_clear(vq_context *ctx, vq_array *array);

/** Arrays that grow by rows while they are written: for more than memory holds. */
typedef struct vq_array_writer vq_array_writer;

/**
 * Begins a .npy of one array or a .safetensors of several, as the path ends. Nothing is seen at
 * the path before vq_array_writer_commit(), which replaces it whole.
 * @param out  ended by vq_array_writer_destroy(), which gives up what was not committed; NULL on
 *             failure
 * @return VQ_OK; VQ_E_ARG (another ending); VQ_E_IO; VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_array_writer_create(vq_context *ctx, const char *path,
                                                    vq_array_writer **out);
/**
 * Adds rows, shape.dim[0] of them, to the array of that name, which the first ones make.
 * @return VQ_OK; VQ_E_ARG (a second array in a .npy); VQ_E_SHAPE (another type or other extents
 *         than the array's first rows); VQ_E_UNSUPPORTED; VQ_E_IO; VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_array_writer_add(vq_array_writer *writer, const vq_array *rows);
/** Gives an array another name. @return VQ_OK; VQ_E_ARG (no such array, or the name is taken);
 *  VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_array_writer_rename(vq_array_writer *writer, const char *from,
                                                    const char *to);
/** Puts the file in its place, with n_keys texts beside the arrays (.safetensors only): the same
 *  bytes as if all rows had been saved at once. @return VQ_OK; VQ_E_ARG; VQ_E_IO; VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_array_writer_commit(vq_array_writer *writer, char *const *keys,
                                                    char *const *values, size_t n_keys);
VQ_API void vq_array_writer_destroy(vq_array_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
