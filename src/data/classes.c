/* SPDX-License-Identifier: Apache-2.0
 * data/classes.c -- names of classes, and the labels that point to them. */
#include "data/classes.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 16 };

vq_status vq_entries_add_class(vq_context *ctx, vq_entries *list, const char *name)
{
    if (list->n_classes == list->class_room) {
        const size_t room = list->class_room ? 2 * list->class_room : FIRST_ROOM;
        const char **grown = NULL;
        VQ_TRY(VQ_NEW(ctx, room, &grown));
        if (list->n_classes) memcpy(grown, list->classes, list->n_classes * sizeof *grown);
        vq_release(ctx, list->classes);
        list->classes = grown;
        list->class_room = room;
    }
    VQ_TRY(vq_entries_keep(ctx, list, name, &list->classes[list->n_classes]));
    list->n_classes++;
    return VQ_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void vq_classes_sort(const char **names, size_t n)
{
    if (n) qsort(names, n, sizeof *names, by_text);
}

/* Keeps one of each name; the names are sorted. */
static size_t drop_repeated(const char **names, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0) names[kept++] = names[i];
    return kept;
}

vq_status vq_entries_classify(vq_context *ctx, vq_entries *list, const char *const *names)
{
    const char **classes = NULL;
    VQ_TRY(VQ_NEW(ctx, list->count, &classes));
    if (list->count) memcpy(classes, names, list->count * sizeof *classes);
    vq_classes_sort(classes, list->count);
    list->classes = classes;
    list->class_room = list->count;
    list->n_classes = drop_repeated(classes, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const char **found = bsearch(&names[i], classes, list->n_classes, sizeof *classes, by_text);
        list->items[i].label = found - classes;
    }
    return VQ_OK;
}

vq_status vq_labels_check(vq_context *ctx, const char *images, size_t n_images, const char *labels,
                          size_t n_labels)
{
    VQ_CHECK(ctx, n_labels == n_images, VQ_E_FORMAT,
             "%s holds %zu labels but %s holds %zu images; there must be one for each, or none at "
             "all",
             labels, n_labels, images, n_images);
    return VQ_OK;
}
