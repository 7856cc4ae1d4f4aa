/* SPDX-License-Identifier: Apache-2.0
 * data/tar_links.c -- entries of a tar that stand for others. */
#include "data/tar_links.h"

#include <stdlib.h>
#include <string.h>

enum { HOPS_MAX = 16 }; /* of links to links */

/* Takes the last part of a path away; false where there is none. */
static bool go_up(char *path, size_t *length)
{
    if (*length == 0) return false;
    while (*length && path[*length - 1] != '/') --*length;
    if (*length) --*length;
    path[*length] = '\0';
    return true;
}

static void go_down(char *path, size_t *length, const char *part, size_t size)
{
    if (*length) path[(*length)++] = '/';
    memcpy(path + *length, part, size);
    *length += size;
    path[*length] = '\0';
}

/* Follows `path` from the folder that `to` names; false where it leads out. */
static bool resolve(const char *path, char *to, size_t *length)
{
    if (path[0] == '/') return false;
    for (const char *part = path; *part;) {
        const size_t size = strcspn(part, "/");
        if (size == 2 && part[0] == '.' && part[1] == '.') {
            if (!go_up(to, length)) return false;
        } else if (size && !(size == 1 && part[0] == '.')) {
            go_down(to, length, part, size);
        }
        part += size + (part[size] == '/');
    }
    return true;
}

vq_status vq_tar_link(vq_context *ctx, vq_entries *list, const char *name, const char *path,
                      const char **out)
{
    size_t length = strlen(name);
    char *to = NULL;
    VQ_TRY(VQ_NEW(ctx, length + strlen(path) + 2, &to));
    memcpy(to, name, length + 1);
    (void)go_up(to, &length); /* its folder */
    const vq_status status =
        vq_entries_keep(ctx, list, resolve(path, to, &length) ? to : path, out);
    vq_release(ctx, to);
    return status;
}

static int compare_name(const void *name, const void *entry)
{
    return strcmp(name, ((const vq_entry *)entry)->name);
}

static const vq_entry *find(const vq_entries *list, const char *name)
{
    return bsearch(name, list->items, list->count, sizeof *list->items, compare_name);
}

static vq_status take_place(vq_context *ctx, const vq_entry *from, vq_entry *to)
{
    if (from->bytes) {
        VQ_TRY(vq_alloc(ctx, from->size, 1, (void **)&to->bytes));
        memcpy(to->bytes, from->bytes, from->size);
    }
    to->offset = from->offset;
    to->size = from->size;
    to->link = NULL;
    return VQ_OK;
}

vq_status vq_tar_follow(vq_context *ctx, vq_entries *list)
{
    for (size_t i = 0; i < list->count; i++) {
        vq_entry *entry = &list->items[i];
        const vq_entry *target = entry;
        for (int hop = 0; hop < HOPS_MAX && target && target->link; hop++)
            target = find(list, target->link);
        if (entry->link && target && !target->link) VQ_TRY(take_place(ctx, target, entry));
    }
    return VQ_OK;
}
