/* SPDX-License-Identifier: Apache-2.0
 * vqvae/status.h -- what every fallible function of the library returns. */
#ifndef VQVAE_STATUS_H
#define VQVAE_STATUS_H

#if defined(_WIN32)
#define VQ_API
#else
#define VQ_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define VQ_MUST_USE __attribute__((warn_unused_result))
#define VQ_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define VQ_MUST_USE
#define VQ_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Result of a call. Values are only ever appended. */
typedef enum vq_status {
    VQ_OK = 0,
    VQ_E_ARG,         /**< an argument or a setting is out of range */
    VQ_E_SHAPE,       /**< shapes that do not fit each other */
    VQ_E_NOMEM,       /**< the allocator gave no memory */
    VQ_E_IO,          /**< the operating system refused a file operation */
    VQ_E_FORMAT,      /**< a file is not what its format demands */
    VQ_E_NUMERIC,     /**< a number is not finite */
    VQ_E_UNSUPPORTED, /**< well-formed, but not something this build does */
    VQ_E_CANCELLED,   /**< a callback asked to stop */
    VQ_E_INTERNAL     /**< a fault of the library itself */
} vq_status;

/** Short English name of a status ("out of memory"); never NULL. */
VQ_API const char *vq_status_name(vq_status status);

#ifdef __cplusplus
}
#endif
#endif
