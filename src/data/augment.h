/* SPDX-License-Identifier: Apache-2.0
 * data/augment.h -- random mirrors and crops. */
#ifndef VQ_DATA_AUGMENT_H
#define VQ_DATA_AUGMENT_H

#include <vqvae/data.h>

/** Whether the configuration changes pixels at all. */
bool vq_augments(const vq_data_config *config);

/** Copies an image of that size, mirrored and shifted as key and configuration say. */
void vq_augment(const vq_data_config *config, const int64_t size[3], vq_data_key key,
                const uint8_t *from, uint8_t *to);

#endif
