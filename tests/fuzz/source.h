/* SPDX-License-Identifier: Apache-2.0
 * fuzz/source.h -- datasets opened, looked at and closed. */
#ifndef VQ_TESTS_FUZZ_SOURCE_H
#define VQ_TESTS_FUZZ_SOURCE_H

#include "fuzz/files.h"
#include <vqvae/data.h>

/** Opens what lies at the path, asks for every name and label, and decodes the first images.
 *  @param config  NULL: the defaults without a cache */
vq_status fuzz_dataset(vq_context *ctx, const char *path, const vq_data_config *config);
/** The same for a file of these bytes; after a cut ":part" may follow. */
vq_status fuzz_dataset_file(vq_context *ctx, const uint8_t *bytes, size_t size);

#endif
