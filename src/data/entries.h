/* SPDX-License-Identifier: Apache-2.0
 * data/entries.h -- the list of a dataset's images: names, places, classes, parts. */
#ifndef VQ_DATA_ENTRIES_H
#define VQ_DATA_ENTRIES_H

#include "base/context.h"

/* Texts that stay where they are: blocks in a chain. */
typedef struct vq_text_block vq_text_block;

typedef struct vq_entry {
    const char *name;     /* as the container names it */
    uint64_t offset;      /* in a tar: where the bytes begin */
    uint64_t size;        /* in a tar: how many there are */
    unsigned char *bytes; /* held here where they lie in no file as they are; owned */
    const char *link;     /* in a tar: the entry whose bytes these are, until it is found */
    int64_t label;        /* -1: unknown */
} vq_entry;

typedef struct vq_entries {
    vq_entry *items;
    size_t count, room;
    const char **classes; /* their names; none where classes are only numbered or unknown */
    size_t n_classes, class_room;
    vq_text_block *texts;
} vq_entries;

/** Appends an entry whose name is copied; its other fields are 0 and its label -1.
 *  @param out  the new entry, valid until the next call; NULL: not wanted */
VQ_MUST_USE vq_status vq_entries_add(vq_context *ctx, vq_entries *list, const char *name,
                                     vq_entry **out);
/** A copy of the text that lives as long as the list. */
VQ_MUST_USE vq_status vq_entries_keep(vq_context *ctx, vq_entries *list, const char *text,
                                      const char **out);
/** Appends entries called "0", "1", ... */
VQ_MUST_USE vq_status vq_entries_number(vq_context *ctx, vq_entries *list, size_t count);
/** Orders by name, byte by byte; two entries of one name are VQ_E_FORMAT. */
VQ_MUST_USE vq_status vq_entries_sort(vq_context *ctx, const char *path, vq_entries *list);
/**
 * Keeps the entries of one part and labels them by the folder below it. Folders that all
 * entries share are passed over first.
 * @param part  a top folder, or NULL for everything
 * @return VQ_OK; VQ_E_ARG (no such part, or one must be named; the sentence lists them)
 */
VQ_MUST_USE vq_status vq_entries_select(vq_context *ctx, const char *path, const char *part,
                                        vq_entries *list);
void vq_entries_clear(vq_context *ctx, vq_entries *list);

#endif
