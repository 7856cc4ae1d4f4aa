/* SPDX-License-Identifier: Apache-2.0
 * data/tree.c -- images in a folder and its subfolders, and one image by itself. */
#include <string.h>

#include "data/source.h"

enum { DEPTH_MAX = 32 };

typedef struct walk {
    vq_source *source;
    const char *below;        /* the folder being read, relative to the root; "" at the root */
    const struct walk *outer; /* of the folder that it lies in; NULL at the root */
    vq_path_id id;
    int depth;
    size_t others;
} walk;

static vq_status visit_name(vq_context *ctx, void *user, const char *name);

static bool leads_back(const walk *outer, vq_path_id id)
{
    while (outer && !vq_path_id_same(outer->id, id)) outer = outer->outer;
    return outer != NULL;
}

/* A folder that cannot be read is, as "NAME/", an image that cannot be. */
static vq_status keep_unread(vq_context *ctx, vq_source *source, const char *below)
{
    char *name = NULL;
    VQ_TRY(vq_path_join(ctx, below, "", &name));
    const vq_status status = vq_entries_add(ctx, &source->entries, name, NULL);
    vq_release(ctx, name);
    return status;
}

static vq_status walk_folder(vq_context *ctx, walk *outer, const char *path, const char *below,
                             vq_path_id id)
{
    walk inner = {outer->source, below, outer, id, outer->depth + 1, 0};
    if (leads_back(outer, id)) {
        vq_log(ctx, VQ_LOG_WARNING, "%s is left out: it leads back to a folder that it lies in",
               path);
        return VQ_OK;
    }
    VQ_CHECK(ctx, inner.depth <= DEPTH_MAX, VQ_E_FORMAT,
             "%s: folders lie in each other more than %d deep", path, DEPTH_MAX);
    const vq_status status = vq_folder_walk(ctx, path, visit_name, &inner);
    outer->others += inner.others;
    return status == VQ_E_IO ? keep_unread(ctx, outer->source, below) : status;
}

static vq_status visit_name(vq_context *ctx, void *user, const char *name)
{
    walk *w = user;
    vq_status status = VQ_OK;
    char *below = NULL, *path = NULL;
    vq_path_id id;
    if (name[0] == '.') return VQ_OK;
    VQ_TRY_TO(vq_path_join(ctx, w->below, name, &below));
    VQ_TRY_TO(vq_path_join(ctx, w->source->path, below, &path));
    const vq_path_kind kind = vq_path_identify(path, &id);
    if (kind == VQ_PATH_FOLDER) VQ_TRY_TO(walk_folder(ctx, w, path, below, id));
    /* A link that leads nowhere is an image that cannot be read. */
    else if (kind != VQ_PATH_OTHER && vq_image_named(name))
        VQ_TRY_TO(vq_entries_add(ctx, &w->source->entries, below, NULL));
    else w->others++;
done:
    vq_release(ctx, path);
    vq_release(ctx, below);
    return status;
}

static vq_status locate_file(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                             char **out)
{
    return vq_path_join(ctx, source->path, entry->name, out);
}

vq_status vq_tree_open(vq_context *ctx, vq_source *source)
{
    walk root = {.source = source, .below = ""};
    source->read = vq_source_read_located;
    source->locate = locate_file;
    (void)vq_path_identify(source->path, &root.id);
    VQ_TRY(vq_folder_walk(ctx, source->path, visit_name, &root));
    if (root.others)
        vq_log(ctx, VQ_LOG_INFO, "%s: files left out that are no images by name: %zu", source->path,
               root.others);
    VQ_TRY(vq_entries_sort(ctx, source->path, &source->entries));
    return vq_entries_select(ctx, source->path, source->part, &source->entries);
}

static vq_status locate_single(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                               char **out)
{
    (void)entry;
    return vq_strdup(ctx, source->path, out);
}

vq_status vq_single_open(vq_context *ctx, vq_source *source)
{
    const char *slash = strrchr(source->path, '/');
    source->read = vq_source_read_located;
    source->locate = locate_single;
    source->is_image = true;
    return vq_entries_add(ctx, &source->entries, slash ? slash + 1 : source->path, NULL);
}
