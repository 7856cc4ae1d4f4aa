/* SPDX-License-Identifier: Apache-2.0
 * cli/skips.c -- images that are left out since they cannot be read. */
#include "skips.h"
#include "facts.h"
#include "files.h"
#include <inttypes.h>
#include <stdlib.h>

enum { WARNED = 5 }; /* more would hide whatever else is said */

static void add_row(skip_list *list, const char *source, const char *name, int64_t index,
                    const char *sentence)
{
    json_t *row = json_pack("{s:o, s:I, s:o, s:o}", "source", fact_text(source), "index",
                            (json_int_t)index, "path", fact_text(name), "why", fact_text(sentence));
    char *line = row ? json_dumps(row, 0) : NULL;
    json_decref(row);
    if (line) text_add(&list->rows, "%s\n", line);
    else list->rows.failed = true;
    free(line);
}

/* Whether the image is in the list already; it is from now on. */
static int note(program *p, skip_list *list, const char *source, int64_t index, bool *known)
{
    text key = {0};
    text_add(&key, "%" PRId64 " %s", index, source);
    TRY(text_check(p, &key));
    if (!list->known) list->known = json_object();
    *known = json_object_get(list->known, key.data) != NULL;
    const bool good = json_object_set_new_nocheck(list->known, key.data, json_true()) == 0;
    free(key.data);
    return good ? DONE : fail(p, MACHINE_FAILED, "no memory for the list of images left out");
}

const char *image_name(const char *source, const vq_dataset *data, int64_t index)
{
    return data ? vq_dataset_name(data, index) : path_name(source);
}

int skip_image(program *p, skip_list *list, const char *source, const vq_dataset *data,
               int64_t index, vq_status status, const char *sentence)
{
    bool known;
    p->status = status;
    if (list->strict || status == VQ_E_SHAPE) return fail(p, BAD_INPUT, "%s", sentence);
    TRY(note(p, list, source, index, &known));
    if (known) return DONE;
    if (list->n < WARNED) warn(p, "left out: %s", sentence);
    const char *name = image_name(source, data, index);
    list->n++;
    list->folders += *path_name(name) == 0;
    add_row(list, source, name, index, sentence);
    return text_check(p, &list->rows);
}

int skip_input(program *p, skip_list *list, const char *path, int code, char *sentence, size_t size)
{
    const bool image = vq_image_named(path) && path_exists(path) && !path_is_folder(path);
    if (code != BAD_INPUT || !image) return code;
    (void)snprintf(sentence, size, "%s", p->error);
    p->error[0] = 0;
    return skip_image(p, list, path, NULL, 0, p->status, sentence);
}

/* "2 images", "1 image and 1 folder". */
static void count_words(const skip_list *list, char *to, size_t size)
{
    const int64_t images = list->n - list->folders;
    int n = 0;
    if (images > 0) n = snprintf(to, size, "%" PRId64 " image%s", images, images == 1 ? "" : "s");
    if (list->folders > 0 && n >= 0)
        (void)snprintf(to + n, size - (size_t)n, "%s%" PRId64 " folder%s", n > 0 ? " and " : "",
                       list->folders, list->folders == 1 ? "" : "s");
}

void skips_tell(program *p, const skip_list *list, const char *where)
{
    char words[96];
    if (list->n == 0) return;
    count_words(list, words, sizeof words);
    warn(p, "%s could not be read and %s left out%s%s%s", words, list->n == 1 ? "was" : "were",
         where ? "; " : "", where ? where : "", where ? " names them" : "");
}

void skips_clear(skip_list *list)
{
    free(list->rows.data);
    json_decref(list->known);
    *list = (skip_list){.strict = list->strict};
}
