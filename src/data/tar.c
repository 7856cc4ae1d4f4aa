/* SPDX-License-Identifier: Apache-2.0
 * data/tar.c -- images in a .tar: indexed once, then read where they lie.
 *
 * While indexing, the file is mapped, so that libarchive hands out pointers into it: their
 * distance from the beginning is the place of the image, and nothing is copied. Where an
 * image does not lie in the file as it is (.tar.gz, sparse entries), its bytes are kept. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "data/source.h"
#include "data/tar_links.h"

typedef struct mapping {
    unsigned char *bytes;
    size_t size;
} mapping;

bool vq_tar_is(const unsigned char *bytes, size_t size)
{
    enum { BLOCK = 512, SUM_AT = 148, SUM_SIZE = 8 };
    unsigned sum = 0, stored = 0;
    if (size < BLOCK || bytes[0] == '\0') return false;
    /* The header's sum, with its own field read as spaces, stands there in octal. */
    for (size_t i = 0; i < BLOCK; i++) sum += i >= SUM_AT && i < SUM_AT + SUM_SIZE ? ' ' : bytes[i];
    for (size_t i = SUM_AT; i < SUM_AT + SUM_SIZE; i++)
        if (bytes[i] >= '0' && bytes[i] <= '7') stored = stored * 8 + (bytes[i] - (unsigned)'0');
    return stored == sum;
}

static vq_status map_file(vq_context *ctx, const vq_source *source, mapping *map)
{
    struct stat info;
    if (fstat(source->fd, &info) != 0) return vq_file_failed(ctx, source->path, "be examined");
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, source->fd, 0);
    if (bytes == MAP_FAILED) return vq_file_failed(ctx, source->path, "be mapped");
    map->bytes = bytes;
    map->size = (size_t)info.st_size;
    return VQ_OK;
}

static vq_status fail_archive(vq_context *ctx, struct archive *archive)
{
    const char *reason = archive_error_string(archive);
    return vq_fail(ctx, archive_errno(archive) == ENOMEM ? VQ_E_NOMEM : VQ_E_FORMAT,
                   "the tar is damaged, or cut short: %s", reason ? reason : "no more is known");
}

static vq_status keep_bytes(vq_context *ctx, struct archive *archive, vq_entry *entry)
{
    size_t at = 0;
    VQ_TRY(vq_alloc(ctx, entry->size, 1, (void **)&entry->bytes));
    while (at < entry->size) {
        const la_ssize_t n = archive_read_data(archive, entry->bytes + at, entry->size - at);
        if (n < 0) return fail_archive(ctx, archive);
        VQ_CHECK(ctx, n > 0, VQ_E_FORMAT, "image %s ends too soon", entry->name);
        at += (size_t)n;
    }
    return VQ_OK;
}

/* Whether the pointer lies in the mapped file; compared as numbers, since C orders
 * pointers only within one object. */
static bool find_place(const mapping *map, const void *pointer, uint64_t *offset)
{
    const uintptr_t at = (uintptr_t)pointer, begin = (uintptr_t)map->bytes;
    *offset = at - begin;
    return at >= begin && at - begin < map->size;
}

static vq_status index_image(vq_context *ctx, struct archive *archive, struct archive_entry *found,
                             const mapping *map, bool packed, vq_entry *entry)
{
    const void *block = NULL;
    size_t length = 0;
    la_int64_t block_at = 0;
    const la_int64_t size = archive_entry_size(found);
    entry->size = size > 0 ? (uint64_t)size : 0;
    if (size <= 0 || entry->size > VQ_IMAGE_BYTES_MAX) return VQ_OK; /* refused when it is read */
    if (packed || archive_entry_sparse_count(found) > 0) return keep_bytes(ctx, archive, entry);
    const int code = archive_read_data_block(archive, &block, &length, &block_at);
    if (code < ARCHIVE_WARN) return fail_archive(ctx, archive);
    VQ_CHECK(ctx,
             block_at == 0 && find_place(map, block, &entry->offset) &&
                 entry->size <= map->size - entry->offset,
             VQ_E_FORMAT, "image %s reaches beyond the end of the file: the tar is cut short",
             entry->name);
    return VQ_OK;
}

/* The first fails for names that the locale cannot write; UTF-8 can write all. */
static const char *plain_name(const char *name, const char *in_utf8)
{
    if (!name) name = in_utf8;
    while (name && name[0] == '.' && name[1] == '/') name += 2;
    return name;
}

/* What a link stands for is known by name alone, and may come later. */
static vq_status index_link(vq_context *ctx, struct archive_entry *found, vq_entries *entries,
                            vq_entry *entry)
{
    const char *same =
        plain_name(archive_entry_hardlink(found), archive_entry_hardlink_utf8(found));
    const char *path = plain_name(archive_entry_symlink(found), archive_entry_symlink_utf8(found));
    if (same) return vq_entries_keep(ctx, entries, same, &entry->link);
    return vq_tar_link(ctx, entries, entry->name, path ? path : "", &entry->link);
}

static vq_status index_archive(vq_context *ctx, struct archive *archive, const mapping *map,
                               vq_source *source)
{
    struct archive_entry *found = NULL;
    size_t others = 0;
    int code;
    while ((code = archive_read_next_header(archive, &found)) >= ARCHIVE_WARN &&
           code != ARCHIVE_EOF) {
        const char *name =
            plain_name(archive_entry_pathname(found), archive_entry_pathname_utf8(found));
        const bool link =
            archive_entry_hardlink(found) || archive_entry_filetype(found) == AE_IFLNK;
        const bool packed = archive_filter_count(archive) > 1;
        vq_entry *entry = NULL;
        VQ_CHECK(ctx, name, VQ_E_FORMAT, "entry %zu has a name that is no text",
                 source->entries.count + others);
        if (archive_entry_filetype(found) != AE_IFREG && !link) continue;
        if (!vq_image_named(name)) {
            others++;
            continue;
        }
        VQ_TRY(vq_entries_add(ctx, &source->entries, name, &entry));
        VQ_TRY(link ? index_link(ctx, found, &source->entries, entry)
                    : index_image(ctx, archive, found, map, packed, entry));
    }
    if (code != ARCHIVE_EOF) return fail_archive(ctx, archive);
    if (others)
        vq_log(ctx, VQ_LOG_INFO, "%s: files left out that are no images by name: %zu", source->path,
               others);
    return VQ_OK;
}

static vq_status index_map(vq_context *ctx, const mapping *map, vq_source *source)
{
    struct archive *archive = archive_read_new();
    VQ_CHECK(ctx, archive, VQ_E_NOMEM, "no memory to read the tar");
    archive_read_support_format_tar(archive);
    archive_read_support_filter_gzip(archive);
    const vq_status status = archive_read_open_memory(archive, map->bytes, map->size) < ARCHIVE_WARN
                                 ? fail_archive(ctx, archive)
                                 : index_archive(ctx, archive, map, source);
    archive_read_free(archive);
    return status;
}

static vq_status read_entry(vq_context *ctx, const vq_source *source, const vq_entry *entry,
                            vq_bytes *out)
{
    VQ_CHECK(ctx, !entry->link, VQ_E_FORMAT,
             "%s: image %s: it is a link to %s, which is no image of the tar", source->path,
             entry->name, entry->link);
    VQ_CHECK(ctx, entry->size <= VQ_IMAGE_BYTES_MAX, VQ_E_FORMAT,
             "%s: image %s: it has %llu bytes, more than the %zu of any image", source->path,
             entry->name, (unsigned long long)entry->size, VQ_IMAGE_BYTES_MAX);
    VQ_TRY(VQ_NEW(ctx, entry->size, &out->data));
    out->size = (size_t)entry->size;
    if (out->size == 0) return VQ_OK; /* decoding says so */
    if (entry->bytes) {
        memcpy(out->data, entry->bytes, out->size);
        return VQ_OK;
    }
    const vq_status status =
        vq_file_read_at(ctx, source->path, source->fd, entry->offset, out->data, out->size);
    if (status != VQ_OK) {
        vq_release(ctx, out->data);
        *out = (vq_bytes){0};
        return vq_fail(ctx, status, "%s; image %s was there when it was opened",
                       vq_context_error(ctx), entry->name);
    }
    return VQ_OK;
}

vq_status vq_tar_open(vq_context *ctx, vq_source *source)
{
    mapping map = {0};
    source->read = read_entry;
    source->fd = vq_file_descriptor(ctx, source->path, O_RDONLY);
    if (source->fd < 0) return vq_file_failed(ctx, source->path, "be opened");
    VQ_TRY(map_file(ctx, source, &map));
    const vq_status status = index_map(ctx, &map, source);
    munmap(map.bytes, map.size);
    if (status != VQ_OK) return vq_fail(ctx, status, "%s: %s", source->path, vq_context_error(ctx));
    VQ_TRY(vq_entries_sort(ctx, source->path, &source->entries));
    VQ_TRY(vq_tar_follow(ctx, &source->entries));
    return vq_entries_select(ctx, source->path, source->part, &source->entries);
}
