/* SPDX-License-Identifier: Apache-2.0
 * data/npz.c -- images and labels in an .npz: a zip of .npy arrays, told apart by their names.
 *
 * Images are x, images or arr_0, labels y, labels or arr_1, alone or with the name of a part behind
 * or before them (x_train, train_images). Anything else in the file is refused: whoever named an
 * array otherwise meant something else by it. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "data/source.h"

enum { MEMBERS_MAX = 64, NAME_SIZE = 64 };

typedef enum npz_role { IMAGES, LABELS } npz_role;

typedef struct member {
    char name[NAME_SIZE], part[NAME_SIZE]; /* without ".npy"; part "": none */
    npz_role role;
    vq_bytes bytes; /* owned; only of those that are wanted */
} member;

typedef struct npz_job {
    vq_source *source;
    vq_bytes file;
    member members[MEMBERS_MAX];
    size_t n_members;
} npz_job;

bool vq_npz_is(const unsigned char *bytes, size_t size)
{
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

/* ---- names ------------------------------------------------------------------- */

/* Whether the name is the base, alone or joined to a part by "_"; then writes the part. */
static bool splits(const char *name, const char *base, char part[NAME_SIZE])
{
    const size_t length = strlen(name), n = strlen(base);
    part[0] = '\0';
    if (strcmp(name, base) == 0) return true;
    if (length < n + 2) return false;
    const size_t rest = length - n - 1;
    const bool behind = strncmp(name, base, n) == 0 && name[n] == '_';
    const bool before = strcmp(name + length - n, base) == 0 && name[rest] == '_';
    if (!behind && !before) return false;
    snprintf(part, NAME_SIZE, "%.*s", (int)rest, behind ? name + n + 1 : name);
    return true;
}

static bool find_role(member *m)
{
    static const struct {
        const char *base;
        npz_role role;
    } bases[] = {{"x", IMAGES}, {"images", IMAGES}, {"arr_0", IMAGES},
                 {"y", LABELS}, {"labels", LABELS}, {"arr_1", LABELS}};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        m->role = bases[i].role;
        if (splits(m->name, bases[i].base, m->part)) return true;
    }
    return false;
}

static const member *find_member(const npz_job *job, const char *part, npz_role role)
{
    for (size_t i = 0; i < job->n_members; i++)
        if (job->members[i].role == role && strcmp(job->members[i].part, part) == 0)
            return &job->members[i];
    return NULL;
}

static vq_status name_member(vq_context *ctx, npz_job *job, const char *name, member *m)
{
    static const char ending[] = ".npy";
    const char *path = job->source->path;
    const size_t length = name ? strlen(name) : 0, rest = length - (sizeof ending - 1);
    VQ_CHECK(ctx, length > sizeof ending - 1 && strcmp(name + rest, ending) == 0, VQ_E_FORMAT,
             "%s holds \"%s\", which is no array; an .npz of images holds .npy files only", path,
             name ? name : "?");
    snprintf(m->name, sizeof m->name, "%.*s", (int)rest, name);
    VQ_CHECK(ctx, rest < NAME_SIZE && find_role(m), VQ_E_FORMAT,
             "%s holds the array \"%.*s\", which is not read; images are x, images or arr_0, "
             "labels y, labels or arr_1, perhaps with a part as in x_train",
             path, (int)(rest < NAME_SIZE ? rest : NAME_SIZE), name);
    const member *other = find_member(job, m->part, m->role);
    VQ_CHECK(ctx, !other, VQ_E_FORMAT, "%s holds both \"%s\" and \"%s\"; leave one of them out",
             path, other->name, m->name);
    return VQ_OK;
}

/* ---- the zip ------------------------------------------------------------------- */

static vq_status fail_archive(vq_context *ctx, const npz_job *job, struct archive *archive)
{
    const char *reason = archive_error_string(archive);
    if (!reason) reason = "no more is known";
    return vq_fail(ctx, archive_errno(archive) == ENOMEM ? VQ_E_NOMEM : VQ_E_FORMAT,
                   "%s is a damaged zip, or one cut short: %.*s", job->source->path,
                   (int)strcspn(reason, "\n"), reason);
}

/* Reads to the end and beyond, as only there the checksum is compared. */
static vq_status read_member(vq_context *ctx, npz_job *job, struct archive *archive, member *m)
{
    size_t at = 0;
    la_ssize_t got = 0;
    unsigned char beyond;
    VQ_TRY(VQ_NEW(ctx, m->bytes.size, &m->bytes.data));
    do {
        got = archive_read_data(archive, m->bytes.data + at, m->bytes.size - at);
        if (got > 0) at += (size_t)got;
    } while (got > 0 && at < m->bytes.size);
    if (got >= 0) got = archive_read_data(archive, &beyond, 1);
    if (got < 0) return fail_archive(ctx, job, archive);
    VQ_CHECK(ctx, got == 0 && at == m->bytes.size, VQ_E_FORMAT,
             "%s: the array \"%s\" is %s than the zip says", job->source->path, m->name,
             got ? "longer" : "shorter");
    return VQ_OK;
}

static vq_status take_header(vq_context *ctx, npz_job *job, struct archive_entry *entry)
{
    const char *path = job->source->path;
    VQ_CHECK(ctx, job->n_members < MEMBERS_MAX, VQ_E_FORMAT,
             "%s holds more than %d arrays; that is no file of images", path, MEMBERS_MAX);
    VQ_CHECK(ctx, !archive_entry_is_encrypted(entry), VQ_E_UNSUPPORTED,
             "%s is encrypted; only plain .npz files are read", path);
    member *m = &job->members[job->n_members];
    VQ_TRY(name_member(ctx, job, archive_entry_pathname(entry), m));
    const la_int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : -1;
    VQ_CHECK(ctx, size >= 0 && (size_t)size / VQ_DEFLATE_RATIO_MAX <= job->file.size, VQ_E_FORMAT,
             "%s: the array \"%s\" is said to have %lld bytes, which a file of %zu cannot hold",
             path, m->name, (long long)size, job->file.size);
    m->bytes.size = (size_t)size;
    job->n_members++;
    return VQ_OK;
}

/* Runs through the members; `part` NULL: only learns their names, else reads those of the part. */
static vq_status run_through(vq_context *ctx, npz_job *job, struct archive *archive,
                             const char *part)
{
    struct archive_entry *entry = NULL;
    size_t i = 0;
    int code;
    while ((code = archive_read_next_header(archive, &entry)) >= ARCHIVE_WARN &&
           code != ARCHIVE_EOF) {
        if (!part) VQ_TRY(take_header(ctx, job, entry));
        else if (strcmp(job->members[i].part, part) == 0)
            VQ_TRY(read_member(ctx, job, archive, &job->members[i]));
        i++;
    }
    return code == ARCHIVE_EOF ? VQ_OK : fail_archive(ctx, job, archive);
}

static vq_status walk_zip(vq_context *ctx, npz_job *job, const char *part)
{
    struct archive *archive = archive_read_new();
    VQ_CHECK(ctx, archive, VQ_E_NOMEM, "%s: out of memory", job->source->path);
    archive_read_support_format_zip_seekable(archive);
    const int code = archive_read_open_memory(archive, job->file.data, job->file.size);
    const vq_status status = code < ARCHIVE_WARN ? fail_archive(ctx, job, archive)
                                                 : run_through(ctx, job, archive, part);
    archive_read_free(archive);
    return status;
}

/* ---- opening ----------------------------------------------------------------- */

/* "test, train": parts that have images. */
static size_t list_parts(const npz_job *job, char *to, size_t size)
{
    size_t n = 0, used = 0;
    to[0] = '\0';
    for (size_t i = 0; i < job->n_members; i++) {
        const member *m = &job->members[i];
        if (m->role != IMAGES || !m->part[0]) continue;
        if (used + strlen(m->part) + 3 < size)
            used += (size_t)snprintf(to + used, size - used, "%s%s", n ? ", " : "", m->part);
        n++;
    }
    return n;
}

/* The part that was asked for, or the only one there is. */
static vq_status choose_part(vq_context *ctx, const npz_job *job, const char **part)
{
    char parts[VQ_ERROR_SIZE / 2];
    const vq_source *source = job->source;
    const size_t n = list_parts(job, parts, sizeof parts);
    const bool whole = find_member(job, "", IMAGES) != NULL;
    const char *only = "";
    for (size_t i = 0; i < job->n_members; i++)
        if (job->members[i].role == IMAGES && (job->members[i].part[0] || n == 0))
            only = job->members[i].part;
    *part = source->part;
    if (source->part) {
        VQ_CHECK(ctx, source->part[0] && find_member(job, source->part, IMAGES), VQ_E_ARG,
                 "%s has no part called %s; it has: %s", source->path, source->part,
                 n ? parts : "(none)");
        return VQ_OK;
    }
    VQ_CHECK(ctx, n + whole > 0, VQ_E_FORMAT,
             "%s holds no images: none of its arrays is called x, images or arr_0", source->path);
    VQ_CHECK(ctx, n == 0 || n + whole == 1, VQ_E_ARG,
             "%s has the parts %s: say which is meant, for instance %s:%s", source->path, parts,
             source->path, only);
    *part = only;
    return VQ_OK;
}

static vq_status take_array(vq_context *ctx, npz_job *job, const member *m)
{
    char what[VQ_ERROR_SIZE / 2];
    vq_array array = {0};
    snprintf(what, sizeof what, "%s: the array \"%s\"", job->source->path, m->name);
    vq_status status = vq_npy_parse(ctx, m->bytes.data, m->bytes.size, &array);
    if (status != VQ_OK) status = vq_fail(ctx, status, "%s: %s", what, vq_context_error(ctx));
    else if (m->role == IMAGES) status = vq_source_take_images(ctx, job->source, what, &array);
    else status = vq_source_take_labels(ctx, job->source, what, &array);
    vq_array_clear(ctx, &array);
    return status;
}

static vq_status open_job(vq_context *ctx, npz_job *job)
{
    const char *part = NULL;
    VQ_TRY(vq_file_read(ctx, job->source->path, VQ_SOURCE_BYTES_MAX, &job->file));
    VQ_TRY(walk_zip(ctx, job, NULL));
    VQ_TRY(choose_part(ctx, job, &part));
    VQ_TRY(walk_zip(ctx, job, part));
    vq_release(ctx, job->file.data);
    job->file = (vq_bytes){0};
    VQ_TRY(take_array(ctx, job, find_member(job, part, IMAGES)));
    const member *labels = find_member(job, part, LABELS);
    return labels ? take_array(ctx, job, labels) : VQ_OK;
}

vq_status vq_npz_open(vq_context *ctx, vq_source *source)
{
    npz_job job = {.source = source};
    const vq_status status = open_job(ctx, &job);
    for (size_t i = 0; i < job.n_members; i++) vq_release(ctx, job.members[i].bytes.data);
    vq_release(ctx, job.file.data);
    return status;
}
