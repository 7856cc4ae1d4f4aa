/* SPDX-License-Identifier: Apache-2.0
 * data/dataset.h -- the inside of vq_dataset. */
#ifndef VQ_DATA_DATASET_H
#define VQ_DATA_DATASET_H

#include "data/cache.h"
#include "data/sources.h"

struct vq_dataset {
    vq_sources sources;
    bool borrows; /* the sources belong to another dataset */
    vq_data_config config;
    int64_t size[3]; /* of what is delivered */
    size_t image_bytes;
    vq_cache *cache; /* NULL: none; its content changes though the dataset is const */
};

/** Pixels of image `index` without augmentation: *at points to them where they lie in memory
 *  for good, else they are written to `scratch` (image_bytes) and *at points there.
 *  @param stored  out: height and width as the image is stored; 0 where it came from the cache */
VQ_MUST_USE vq_status vq_dataset_pixels(vq_context *ctx, const vq_dataset *dataset, int64_t index,
                                        uint8_t *scratch, const uint8_t **at, int64_t stored[2]);

/** vq_dataset_get() that also tells the stored size, as vq_dataset_pixels() does. */
VQ_MUST_USE vq_status vq_dataset_deliver(vq_context *ctx, const vq_dataset *dataset, int64_t index,
                                         vq_data_key key, uint8_t *out, int64_t stored[2]);

/** What the dataset is called in sentences: the path of its first source. */
const char *vq_dataset_path(const vq_dataset *dataset);

/** Whether a failure is about one image, so that the others can be gone on with. */
bool vq_data_image_failed(vq_status status);

/** A context for one helping thread: the same memory and files, one thread, no log. */
VQ_MUST_USE vq_status vq_data_helper_context(vq_context *ctx, vq_context **out);

#endif
