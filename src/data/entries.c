/* SPDX-License-Identifier: Apache-2.0
 * data/entries.c -- a growing list of named images, and the order they are delivered in. */
#include "data/entries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/classes.h"

enum { TEXT_BLOCK = 1 << 16, FIRST_ROOM = 256, NUMBER_SIZE = 24 };

struct vq_text_block {
    vq_text_block *next;
    size_t used, room;
    char text[];
};

vq_status vq_entries_keep(vq_context *ctx, vq_entries *list, const char *text, const char **out)
{
    const size_t size = strlen(text) + 1;
    vq_text_block *block = list->texts;
    if (!block || block->room - block->used < size) {
        const size_t room = size > TEXT_BLOCK ? size : TEXT_BLOCK;
        VQ_TRY(vq_alloc(ctx, 1, sizeof *block + room, (void **)&block));
        block->room = room;
        block->next = list->texts;
        list->texts = block;
    }
    *out = memcpy(block->text + block->used, text, size);
    block->used += size;
    return VQ_OK;
}

static vq_status reserve(vq_context *ctx, vq_entries *list, size_t room)
{
    vq_entry *items = NULL;
    if (room <= list->room) return VQ_OK;
    VQ_TRY(VQ_NEW(ctx, room, &items));
    if (list->count) memcpy(items, list->items, list->count * sizeof *items);
    vq_release(ctx, list->items);
    list->items = items;
    list->room = room;
    return VQ_OK;
}

vq_status vq_entries_add(vq_context *ctx, vq_entries *list, const char *name, vq_entry **out)
{
    const char *kept = NULL;
    if (list->count == list->room)
        VQ_TRY(reserve(ctx, list, list->room ? 2 * list->room : FIRST_ROOM));
    VQ_TRY(vq_entries_keep(ctx, list, name, &kept));
    vq_entry *entry = &list->items[list->count++];
    *entry = (vq_entry){.name = kept, .label = -1};
    if (out) *out = entry;
    return VQ_OK;
}

vq_status vq_entries_number(vq_context *ctx, vq_entries *list, size_t count)
{
    char name[NUMBER_SIZE];
    VQ_TRY(reserve(ctx, list, count));
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%zu", i);
        VQ_TRY(vq_entries_add(ctx, list, name, NULL));
    }
    return VQ_OK;
}

static int by_name(const void *a, const void *b)
{
    const vq_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

vq_status vq_entries_sort(vq_context *ctx, const char *path, vq_entries *list)
{
    if (list->count) qsort(list->items, list->count, sizeof *list->items, by_name);
    for (size_t i = 1; i < list->count; i++)
        VQ_CHECK(ctx, strcmp(list->items[i - 1].name, list->items[i].name) != 0, VQ_E_FORMAT,
                 "%s holds two images called %s; names must differ", path, list->items[i].name);
    return VQ_OK;
}

void vq_entries_clear(vq_context *ctx, vq_entries *list)
{
    for (size_t i = 0; i < list->count; i++) vq_release(ctx, list->items[i].bytes);
    while (list->texts) {
        vq_text_block *next = list->texts->next;
        vq_release(ctx, list->texts);
        list->texts = next;
    }
    vq_release(ctx, list->items);
    vq_release(ctx, list->classes);
    *list = (vq_entries){0};
}

/* ---- parts and classes ------------------------------------------------------- */

/* Length of the folder's name at the beginning of `rest`; 0 where a file stands there. */
static size_t folder_length(const char *rest)
{
    const char *slash = strchr(rest, '/');
    return slash ? (size_t)(slash - rest) : 0;
}

static bool in_folder(const char *rest, const char *folder)
{
    const size_t length = strlen(folder);
    return folder_length(rest) == length && memcmp(rest, folder, length) == 0;
}

static bool any_in_folder(const vq_entries *list, size_t skip, const char *folder)
{
    for (size_t i = 0; i < list->count; i++)
        if (in_folder(list->items[i].name + skip, folder)) return true;
    return false;
}

/* How far all names agree up to a slash, from `skip` on: one more level, or 0. */
static size_t shared_level(const vq_entries *list, size_t skip)
{
    const char *first = list->items[0].name + skip;
    const size_t length = folder_length(first);
    if (length == 0) return 0;
    for (size_t i = 1; i < list->count; i++)
        if (strncmp(first, list->items[i].name + skip, length + 1) != 0) return 0;
    return length + 1;
}

/* "train, test": the folders at this level, as many as fit. Entries are sorted. */
static void list_folders(const vq_entries *list, size_t skip, char *to, size_t size)
{
    const char *last = NULL;
    size_t used = 0, last_length = 0;
    to[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const char *rest = list->items[i].name + skip;
        const size_t length = folder_length(rest);
        if (length == 0) continue;
        if (last && length == last_length && memcmp(rest, last, length) == 0) continue;
        if (used + length + 8 > size) {
            snprintf(to + used, size - used, ", ...");
            return;
        }
        used +=
            (size_t)snprintf(to + used, size - used, "%s%.*s", used ? ", " : "", (int)length, rest);
        last = rest;
        last_length = length;
    }
}

static void keep_folder(vq_context *ctx, vq_entries *list, size_t skip, const char *folder)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (in_folder(list->items[i].name + skip, folder)) list->items[kept++] = list->items[i];
        else vq_release(ctx, list->items[i].bytes);
    }
    list->count = kept;
}

/* Classes are the folders at this level in the order of their names. Sorted entries bring
 * each folder's images together, so a folder is new where it differs from the last. */
static vq_status find_classes(vq_context *ctx, vq_entries *list, size_t skip)
{
    char *folder = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const char *rest = list->items[i].name + skip;
        const size_t length = folder_length(rest);
        if (length == 0) continue;
        if (list->n_classes && in_folder(rest, list->classes[list->n_classes - 1])) continue;
        VQ_TRY(vq_strdup(ctx, rest, &folder));
        folder[length] = '\0';
        const vq_status status = vq_entries_add_class(ctx, list, folder);
        vq_release(ctx, folder);
        VQ_TRY(status);
    }
    vq_classes_sort(list->classes, list->n_classes);
    return VQ_OK;
}

static void set_labels(vq_entries *list, size_t skip)
{
    int64_t label = 0; /* neighbours mostly share a class: look there first */
    for (size_t i = 0; i < list->count; i++) {
        const char *rest = list->items[i].name + skip;
        if (folder_length(rest) == 0) continue;
        for (size_t c = 0; !in_folder(rest, list->classes[label]) && c < list->n_classes; c++)
            label = (int64_t)c;
        list->items[i].label = label;
    }
}

static vq_status refuse_unnamed_parts(vq_context *ctx, const char *path, const vq_entries *list,
                                      size_t skip)
{
    static const char *const others[] = {"test", "val", "valid", "validation"};
    if (!any_in_folder(list, skip, "train")) return VQ_OK;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        VQ_CHECK(ctx, !any_in_folder(list, skip, others[i]), VQ_E_ARG,
                 "%s has the parts train and %s: say which is meant, %s:train or %s:%s", path,
                 others[i], path, path, others[i]);
    return VQ_OK;
}

vq_status vq_entries_select(vq_context *ctx, const char *path, const char *part, vq_entries *list)
{
    char folders[VQ_ERROR_SIZE / 2];
    size_t skip = 0, level = 0;
    VQ_CHECK(ctx, list->count, VQ_E_FORMAT,
             "%s holds no images: no file in it ends in .png, .jpg, .jpeg or .webp", path);
    while (!(part && any_in_folder(list, skip, part)) && (level = shared_level(list, skip)) > 0)
        skip += level;
    if (!part) {
        VQ_TRY(refuse_unnamed_parts(ctx, path, list, skip));
    } else {
        list_folders(list, skip, folders, sizeof folders);
        VQ_CHECK(ctx, any_in_folder(list, skip, part), VQ_E_ARG,
                 "%s has no part called %s; its top folders are: %s", path, part,
                 folders[0] ? folders : "(none)");
        keep_folder(ctx, list, skip, part);
        skip += strlen(part) + 1;
    }
    VQ_TRY(find_classes(ctx, list, skip));
    set_labels(list, skip);
    return VQ_OK;
}
