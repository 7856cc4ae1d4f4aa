/* SPDX-License-Identifier: Apache-2.0
 * data/dataset.h -- the inside of vq_dataset. */
#ifndef VQ_DATA_DATASET_H
#define VQ_DATA_DATASET_H

#include "data/cache.h"
#include "data/source.h"

struct vq_dataset {
    vq_source source;
    vq_data_config config;
    int64_t size[3]; /* of what is delivered */
    size_t image_bytes;
    vq_cache *cache; /* NULL: none; its content changes though the dataset is const */
};

/** Pixels of image `index` without augmentation: *at points to them where they lie in memory
 *  for good, else they are written to `scratch` (image_bytes) and *at points there. */
VQ_MUST_USE vq_status vq_dataset_pixels(vq_context *ctx, const vq_dataset *dataset, int64_t index,
                                        uint8_t *scratch, const uint8_t **at);

/** A context for one helping thread: the same memory and files, one thread, no log. */
VQ_MUST_USE vq_status vq_data_helper_context(vq_context *ctx, vq_context **out);

#endif
