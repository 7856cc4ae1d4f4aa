/* SPDX-License-Identifier: Apache-2.0
 * data/classes.h -- names of classes, and the labels that point to them. */
#ifndef VQ_DATA_CLASSES_H
#define VQ_DATA_CLASSES_H

#include "data/entries.h"

/* Classes that are only numbered have labels below this. */
enum { VQ_LABELS_MAX = 1 << 20 };

/** Appends a class whose name is copied. */
VQ_MUST_USE vq_status vq_entries_add_class(vq_context *ctx, vq_entries *list, const char *name);
/** Orders names byte by byte. */
void vq_classes_sort(const char **names, size_t n);
/** Labels every entry by the name of its class, which the list keeps already; classes are ordered
 *  by name. @param names  one for each entry */
VQ_MUST_USE vq_status vq_entries_classify(vq_context *ctx, vq_entries *list,
                                          const char *const *names);
/** Refuses a number of labels that is not that of the images.
 *  @param images, labels  what holds them, in words: a path, or a path and an array */
VQ_MUST_USE vq_status vq_labels_check(vq_context *ctx, const char *images, size_t n_images,
                                      const char *labels, size_t n_labels);

#endif
