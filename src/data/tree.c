/* SPDX-License-Identifier: Apache-2.0
 * data/tree.c -- images in a folder and its subfolders, and one image by itself. */
#include <string.h>

#include "data/source.h"

enum { DEPTH_MAX = 32 }; /* a link that leads back into its own folder ends here */

typedef struct walk {
    vq_source *source;
    const char *below; /* the folder being read, relative to the root; "" at the root */
    int depth;
    size_t others;
} walk;

static vq_status visit_name(vq_context *ctx, void *user, const char *name);

static vq_status walk_folder(vq_context *ctx, walk *outer, const char *path, const char *below)
{
    walk inner = {.source = outer->source, .below = below, .depth = outer->depth + 1};
    VQ_CHECK(ctx, inner.depth <= DEPTH_MAX, VQ_E_FORMAT,
             "%s: folders lie in each other more than %d deep", path, DEPTH_MAX);
    VQ_TRY(vq_folder_walk(ctx, path, visit_name, &inner));
    outer->others += inner.others;
    return VQ_OK;
}

static vq_status visit_name(vq_context *ctx, void *user, const char *name)
{
    walk *w = user;
    vq_status status = VQ_OK;
    char *below = NULL, *path = NULL;
    if (name[0] == '.') return VQ_OK;
    VQ_TRY_TO(vq_path_join(ctx, w->below, name, &below));
    VQ_TRY_TO(vq_path_join(ctx, w->source->path, below, &path));
    const vq_path_kind kind = vq_path_look(path);
    if (kind == VQ_PATH_FOLDER) VQ_TRY_TO(walk_folder(ctx, w, path, below));
    /* A link that leads nowhere is an image that cannot be read. */
    else if (kind != VQ_PATH_OTHER && vq_is_image_name(name))
        VQ_TRY_TO(vq_entries_add(ctx, &w->source->entries, below, NULL));
    else w->others++;
done:
    vq_release(ctx, path);
    vq_release(ctx, below);
    return status;
}

static vq_status read_file(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                           vq_bytes *out)
{
    char *path = NULL;
    VQ_TRY(vq_path_join(ctx, source->path, entry->name, &path));
    const vq_status status = vq_file_read(ctx, path, VQ_IMAGE_BYTES_MAX, out);
    vq_release(ctx, path);
    return status;
}

vq_status vq_tree_open(vq_context *ctx, vq_source *source)
{
    walk root = {.source = source, .below = ""};
    source->read = read_file;
    VQ_TRY(vq_folder_walk(ctx, source->path, visit_name, &root));
    if (root.others)
        vq_log(ctx, VQ_LOG_INFO, "%s: files left out that are no images by name: %zu", source->path,
               root.others);
    VQ_TRY(vq_entries_sort(ctx, source->path, &source->entries));
    return vq_entries_select(ctx, source->path, source->part, &source->entries);
}

static vq_status read_single(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                             vq_bytes *out)
{
    (void)entry;
    return vq_file_read(ctx, source->path, VQ_IMAGE_BYTES_MAX, out);
}

vq_status vq_single_open(vq_context *ctx, vq_source *source)
{
    const char *slash = strrchr(source->path, '/');
    source->read = read_single;
    source->is_image = true;
    return vq_entries_add(ctx, &source->entries, slash ? slash + 1 : source->path, NULL);
}
