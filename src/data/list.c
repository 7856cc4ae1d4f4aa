/* SPDX-License-Identifier: Apache-2.0
 * data/list.c -- a .txt file that lists images: a path a line, then perhaps a tab and a class.
 * Paths are seen from the folder of the list; the order of lines is that of the images. */
#include <stdlib.h>
#include <string.h>

#include "data/classes.h"
#include "data/source.h"

enum { LIST_BYTES_MAX = 1 << 30 };

typedef struct list_job {
    vq_source *source;
    char *text;           /* ends with a zero; lines are cut out of it in place */
    const char **classes; /* one an entry; NULL where the lines have none */
    size_t room;
} list_job;

static vq_status read_text(vq_context *ctx, const vq_source *source, char **out)
{
    vq_bytes bytes = {0};
    VQ_TRY(vq_file_read(ctx, source->path, LIST_BYTES_MAX, &bytes));
    vq_status status = VQ_OK;
    const unsigned char *zero = bytes.size ? memchr(bytes.data, '\0', bytes.size) : NULL;
    if (zero)
        VQ_TRY_TO(vq_fail(ctx, VQ_E_FORMAT,
                          "%s: byte %zu is 0; a list of images is text, a path a line",
                          source->path, (size_t)(zero - bytes.data)));
    VQ_TRY_TO(VQ_NEW(ctx, bytes.size + 1, out));
    if (bytes.size) memcpy(*out, bytes.data, bytes.size);
done:
    vq_release(ctx, bytes.data);
    return status;
}

static vq_status keep_class(vq_context *ctx, list_job *job, const char *class)
{
    const size_t n = job->source->entries.count; /* this one counted */
    if (n > job->room) {
        const char **grown = NULL;
        const size_t room = 2 * n + 254;
        VQ_TRY(VQ_NEW(ctx, room, &grown));
        if (job->room) memcpy(grown, job->classes, (n - 1) * sizeof *grown);
        vq_release(ctx, job->classes);
        job->classes = grown;
        job->room = room;
    }
    return vq_entries_keep(ctx, &job->source->entries, class, &job->classes[n - 1]);
}

/* One line without its end. */
static vq_status take_line(vq_context *ctx, list_job *job, char *line, size_t number)
{
    vq_source *source = job->source;
    const bool first = source->entries.count == 0, has_classes = job->classes != NULL;
    char *tab = strchr(line, '\t');
    if (tab) *tab++ = '\0';
    VQ_CHECK(ctx, *line && (!tab || (*tab && !strchr(tab, '\t'))), VQ_E_FORMAT,
             "%s: line %zu is not a path, or a path, one tab and a class", source->path, number);
    VQ_CHECK(ctx, first || has_classes == (tab != NULL), VQ_E_FORMAT,
             "%s: line %zu has %s class, but the lines before it have %s; give all or none",
             source->path, number, tab ? "a" : "no", has_classes ? "one" : "none");
    VQ_TRY(vq_entries_add(ctx, &source->entries, line, NULL));
    return tab ? keep_class(ctx, job, tab) : VQ_OK;
}

static vq_status take_lines(vq_context *ctx, list_job *job)
{
    size_t number = 1;
    char *line = job->text;
    if (strncmp(line, "\xef\xbb\xbf", 3) == 0) line += 3; /* how some editors begin UTF-8 */
    for (char *end; *line; line = end, number++) {
        end = line + strcspn(line, "\n");
        size_t length = (size_t)(end - line);
        if (*end) *end++ = '\0';
        if (length && line[length - 1] == '\r') line[--length] = '\0';
        if (length) VQ_TRY(take_line(ctx, job, line, number));
    }
    return VQ_OK;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static vq_status refuse_repeated(vq_context *ctx, const vq_source *source)
{
    const vq_entries *entries = &source->entries;
    const char **names = NULL;
    vq_status status = VQ_OK;
    VQ_TRY(VQ_NEW(ctx, entries->count, &names));
    for (size_t i = 0; i < entries->count; i++) names[i] = entries->items[i].name;
    if (entries->count) qsort(names, entries->count, sizeof *names, by_name);
    for (size_t i = 1; status == VQ_OK && i < entries->count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = vq_fail(ctx, VQ_E_FORMAT, "%s lists %s twice; name each image once",
                             source->path, names[i]);
    vq_release(ctx, names);
    return status;
}

/* The path of an entry as the program sees it. */
static vq_status locate_listed(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                               char **out)
{
    const char *slash = strrchr(source->path, '/');
    if (!slash || entry->name[0] == '/') return vq_strdup(ctx, entry->name, out);
    char *folder = NULL;
    VQ_TRY(vq_strdup(ctx, source->path, &folder));
    folder[slash - source->path + 1] = '\0';
    const vq_status status = vq_path_join(ctx, folder, entry->name, out);
    vq_release(ctx, folder);
    return status;
}

vq_status vq_list_open(vq_context *ctx, vq_source *source)
{
    vq_status status = VQ_OK;
    list_job job = {.source = source};
    source->read = vq_source_read_located;
    source->locate = locate_listed;
    VQ_TRY_TO(read_text(ctx, source, &job.text));
    VQ_TRY_TO(take_lines(ctx, &job));
    VQ_TRY_TO(refuse_repeated(ctx, source));
    if (job.classes) VQ_TRY_TO(vq_entries_classify(ctx, &source->entries, job.classes));
done:
    vq_release(ctx, job.text);
    vq_release(ctx, job.classes);
    return status;
}
