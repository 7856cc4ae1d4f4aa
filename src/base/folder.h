/* SPDX-License-Identifier: Apache-2.0
 * base/folder.h -- paths and the content of folders. */
#ifndef VQ_BASE_FOLDER_H
#define VQ_BASE_FOLDER_H

#include "base/context.h"

typedef enum vq_path_kind {
    VQ_PATH_NONE,
    VQ_PATH_FILE,
    VQ_PATH_FOLDER,
    VQ_PATH_OTHER /* a pipe, a socket or a device, on which reading may wait for ever */
} vq_path_kind;
vq_path_kind vq_path_look(const char *path);

/** Which file or folder it is, whatever paths lead to it. */
typedef struct vq_path_id {
    uint64_t device, inode;
} vq_path_id;

/** vq_path_look() that also tells which one it is; zeros where there is none. */
vq_path_kind vq_path_identify(const char *path, vq_path_id *id);
/** Refuses a pipe or a device, which opening or reading may wait for for ever.
 *  @param due  ends the sentence: what is to be there
 *  @return VQ_OK; VQ_E_FORMAT */
VQ_MUST_USE vq_status vq_path_check_file(vq_context *ctx, const char *path, const char *due);
bool vq_path_id_same(vq_path_id a, vq_path_id b);
/** Whether two paths lead to one file or folder. */
bool vq_path_same(const char *a, const char *b);

/** Called for each file and folder in a folder, in no order. "." and ".." are left out. */
typedef vq_status vq_folder_visit(vq_context *ctx, void *user, const char *name);
/** @return VQ_OK; VQ_E_IO (naming path and reason); what `visit` returned if not VQ_OK */
VQ_MUST_USE vq_status vq_folder_walk(vq_context *ctx, const char *path, vq_folder_visit *visit,
                                     void *user);

/** "folder/name" in the context's memory; "name" where the folder is "". */
VQ_MUST_USE vq_status vq_path_join(vq_context *ctx, const char *folder, const char *name,
                                   char **out);

#endif
