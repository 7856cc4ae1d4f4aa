/* SPDX-License-Identifier: Apache-2.0
 * cli/file_set.c -- files that a verb reads, known whatever names lead to them. */
#include "file_set.h"
#include "files.h"
#include <stdlib.h>
#include <sys/stat.h>

typedef struct file_id {
    dev_t device;
    ino_t inode;
} file_id;

static bool identify(const char *path, file_id *id)
{
    struct stat about;
    if (stat(path, &about) != 0) return false;
    *id = (file_id){about.st_dev, about.st_ino};
    return true;
}

int file_set_add(program *p, file_set *set, const char *path)
{
    file_id id;
    if (!identify(path, &id)) return DONE;
    if (set->n == set->room) {
        const size_t room = set->room ? 2 * set->room : 64;
        file_id *more = realloc(set->items, room * sizeof *more);
        if (!more) return fail(p, MACHINE_FAILED, "no memory for a list of %zu files", room);
        set->items = more;
        set->room = room;
    }
    set->items[set->n++] = id;
    return DONE;
}

int file_set_add_input(program *p, file_set *set, const char *path)
{
    static const char *const of_run[] = {"best.safetensors", "model.safetensors",
                                         "state.safetensors", "config.json"};
    char inside[PATH_ROOM];
    TRY(file_set_add(p, set, path));
    for (size_t i = 0; path_is_folder(path) && i < sizeof of_run / sizeof *of_run; i++) {
        TRY(path_format(p, inside, "%s/%s", path, of_run[i]));
        TRY(file_set_add(p, set, inside));
    }
    return DONE;
}

static int by_device_and_inode(const void *a, const void *b)
{
    const file_id *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

void file_set_order(file_set *set)
{
    if (set->n > 0) qsort(set->items, set->n, sizeof *set->items, by_device_and_inode);
}

int file_set_refuse(program *p, const file_set *set, const char *path)
{
    file_id id;
    if (set->n == 0 || !identify(path, &id)) return DONE;
    if (!bsearch(&id, set->items, set->n, sizeof *set->items, by_device_and_inode)) return DONE;
    return fail(p, BAD_INPUT,
                "%s is read here, so it is not overwritten, even with --force; name another output",
                path);
}

void file_set_clear(file_set *set)
{
    free(set->items);
    *set = (file_set){0};
}
