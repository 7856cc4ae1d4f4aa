/* SPDX-License-Identifier: Apache-2.0
 * data/sources.h -- several sources seen as one: the images of the first, then of the next. */
#ifndef VQ_DATA_SOURCES_H
#define VQ_DATA_SOURCES_H

#include "data/source.h"

typedef struct vq_sources {
    vq_source *items;
    size_t n;
    size_t *first;        /* index of each one's first image; the last entry counts all */
    const char **classes; /* of all, by name; none where classes are only numbered or unknown */
    size_t n_classes;
} vq_sources;

/**
 * Opens them all. Classes of one name are one class; they are numbered in the order in which they
 * are first met, source after source, and every label is rewritten so.
 * @param out  zero on failure; closed by vq_sources_close()
 */
VQ_MUST_USE vq_status vq_sources_open(vq_context *ctx, const char *const *paths, size_t n,
                                      const vq_data_config *config, vq_sources *out);
void vq_sources_close(vq_context *ctx, vq_sources *sources);

size_t vq_sources_count(const vq_sources *sources);
/** The source that holds an image, which exists, and the image's index there. */
const vq_source *vq_sources_find(const vq_sources *sources, int64_t index, int64_t *within);
const vq_entry *vq_sources_entry(const vq_sources *sources, int64_t index);

#endif
