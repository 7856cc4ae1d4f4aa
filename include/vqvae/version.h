/* SPDX-License-Identifier: Apache-2.0
 * vqvae/version.h -- the one place that holds the version; the build reads it here. */
#ifndef VQVAE_VERSION_H
#define VQVAE_VERSION_H

#include <vqvae/status.h>

#define VQ_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library that is loaded, as "major.minor.patch". */
VQ_API const char *vq_version(void);

#ifdef __cplusplus
}
#endif
#endif
