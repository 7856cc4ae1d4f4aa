/* SPDX-License-Identifier: Apache-2.0
 * data/sources.c -- several sources seen as one, and their classes merged by name. */
#include "data/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/classes.h"

/* ---- classes ----------------------------------------------------------------- */

/* Classes of all sources in their order: `place` counts them. */
typedef struct placed_class {
    const char *name;
    size_t place;
} placed_class;

static int by_name_and_place(const void *a, const void *b)
{
    const placed_class *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Where another source has names, a class that is only numbered is called by its number. */
static vq_status name_by_number(vq_context *ctx, vq_entries *entries)
{
    int64_t last = -1;
    char number[24];
    for (size_t i = 0; i < entries->count; i++)
        if (entries->items[i].label > last) last = entries->items[i].label;
    for (int64_t label = 0; label <= last; label++) {
        snprintf(number, sizeof number, "%lld", (long long)label);
        VQ_TRY(vq_entries_add_class(ctx, entries, number));
    }
    return VQ_OK;
}

static vq_status name_all(vq_context *ctx, vq_sources *sources, size_t *n_names)
{
    *n_names = 0;
    for (size_t s = 0; s < sources->n; s++) *n_names += sources->items[s].entries.n_classes;
    if (*n_names == 0) return VQ_OK;
    for (size_t s = 0; s < sources->n; s++) {
        vq_entries *entries = &sources->items[s].entries;
        if (entries->n_classes) continue;
        VQ_TRY(name_by_number(ctx, entries));
        *n_names += entries->n_classes;
    }
    return VQ_OK;
}

/* label[place]: first where the name is first met, then its number in the order of these places. */
static void number_classes(placed_class *all, size_t n, vq_sources *sources, size_t *label)
{
    size_t place = 0;
    qsort(all, n, sizeof *all, by_name_and_place);
    for (size_t i = 0; i < n; i++) {
        const bool again = i > 0 && strcmp(all[i - 1].name, all[i].name) == 0;
        label[all[i].place] = again ? label[all[i - 1].place] : all[i].place;
    }
    for (size_t s = 0; s < sources->n; s++)
        for (size_t c = 0; c < sources->items[s].entries.n_classes; c++, place++) {
            if (label[place] != place) {
                label[place] = label[label[place]]; /* numbered before */
                continue;
            }
            label[place] = sources->n_classes;
            sources->classes[sources->n_classes++] = sources->items[s].entries.classes[c];
        }
}

static void rewrite_labels(vq_sources *sources, const size_t *label)
{
    for (size_t s = 0; s < sources->n; s++) {
        vq_entries *entries = &sources->items[s].entries;
        for (size_t i = 0; i < entries->count; i++)
            if (entries->items[i].label >= 0)
                entries->items[i].label = (int64_t)label[entries->items[i].label];
        label += entries->n_classes;
    }
}

static vq_status merge_classes(vq_context *ctx, vq_sources *sources)
{
    vq_status status = VQ_OK;
    placed_class *all = NULL;
    size_t *label = NULL, n = 0, place = 0;
    VQ_TRY_TO(name_all(ctx, sources, &n));
    if (n == 0) return VQ_OK;
    VQ_TRY_TO(VQ_NEW(ctx, n, &all));
    VQ_TRY_TO(VQ_NEW(ctx, n, &label));
    VQ_TRY_TO(VQ_NEW(ctx, n, &sources->classes));
    for (size_t s = 0; s < sources->n; s++)
        for (size_t c = 0; c < sources->items[s].entries.n_classes; c++, place++)
            all[place] = (placed_class){sources->items[s].entries.classes[c], place};
    number_classes(all, n, sources, label);
    rewrite_labels(sources, label);
done:
    vq_release(ctx, all);
    vq_release(ctx, label);
    return status;
}

/* ---- opening ----------------------------------------------------------------- */

static bool same_part(const vq_source *a, const vq_source *b)
{
    if (!a->part || !b->part) return a->part == b->part;
    return strcmp(a->part, b->part) == 0;
}

static vq_status refuse_repeated(vq_context *ctx, const vq_sources *sources)
{
    for (size_t i = 1; i < sources->n; i++)
        for (size_t j = 0; j < i; j++) {
            const vq_source *a = &sources->items[j], *b = &sources->items[i];
            VQ_CHECK(ctx, !same_part(a, b) || !vq_path_same(a->path, b->path), VQ_E_ARG,
                     "%s and %s are the same; name each source once", a->given, b->given);
        }
    return VQ_OK;
}

static vq_status open_all(vq_context *ctx, const char *const *paths, size_t n,
                          const vq_data_config *config, vq_sources *sources)
{
    VQ_CHECK(ctx, n > 0, VQ_E_ARG, "no source of images is named; a dataset has at least one");
    VQ_TRY(VQ_NEW(ctx, n, &sources->items));
    VQ_TRY(VQ_NEW(ctx, n + 1, &sources->first));
    for (size_t s = 0; s < n; s++, sources->n++) {
        vq_source *source = &sources->items[s];
        VQ_TRY(vq_source_open(ctx, paths[s], config, source));
        sources->first[s + 1] = sources->first[s] + source->entries.count;
    }
    VQ_TRY(refuse_repeated(ctx, sources));
    return merge_classes(ctx, sources);
}

vq_status vq_sources_open(vq_context *ctx, const char *const *paths, size_t n,
                          const vq_data_config *config, vq_sources *out)
{
    *out = (vq_sources){0};
    const vq_status status = open_all(ctx, paths, n, config, out);
    if (status != VQ_OK) vq_sources_close(ctx, out);
    return status;
}

void vq_sources_close(vq_context *ctx, vq_sources *sources)
{
    for (size_t s = 0; s < sources->n; s++) vq_source_close(ctx, &sources->items[s]);
    vq_release(ctx, sources->items);
    vq_release(ctx, sources->first);
    vq_release(ctx, sources->classes);
    *sources = (vq_sources){0};
}

/* ---- looking ------------------------------------------------------------------ */

size_t vq_sources_count(const vq_sources *sources)
{
    return sources->first[sources->n];
}

const vq_source *vq_sources_find(const vq_sources *sources, int64_t index, int64_t *within)
{
    size_t low = 0, high = sources->n; /* in low or beyond, before high */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (sources->first[middle] <= (size_t)index) low = middle;
        else high = middle;
    }
    *within = index - (int64_t)sources->first[low];
    return &sources->items[low];
}

const vq_entry *vq_sources_entry(const vq_sources *sources, int64_t index)
{
    int64_t within;
    const vq_source *source = vq_sources_find(sources, index, &within);
    return &source->entries.items[within];
}
