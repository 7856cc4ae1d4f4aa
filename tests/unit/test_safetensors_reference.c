/* SPDX-License-Identifier: Apache-2.0
 * Files that our reader and the reference reader of safetensors accept or refuse: a table of
 * cases, each with our exact sentence, and headers changed at random with what the reference read
 * of each. Where VQ_MUTATIONS names a file with more of these, only that is read
 * (tests/cli/reference_readers.bats makes one). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/tensor.h>

#include <cmocka.h> /* needs all of the above */

#include "support/fixture.h"
#include "support/table.h"
#include "tensor/safetensors.h"

enum { PREFIX = 8, CONTENT_MAX = 1 << 16, WORD = 16 };

/* What this library refuses though the reference accepts it, and why. Nothing is the other way. */
static const struct difference {
    vq_status status;
    const char *sentence; /* a part of it */
} differences[] = {
    /* Readers differ on which of two entries holds, so that one file would be two. */
    {VQ_E_FORMAT, "duplicate object key"},
    /* Data that no reader shows may hide in a field; and it is a misspelt one more often. */
    {VQ_E_FORMAT, "has the unknown field"},
    /* An accident of the reference's JSON library, not of the format. */
    {VQ_E_FORMAT, "is not described by an object"},
    /* The format says that a header begins with '{'. */
    {VQ_E_FORMAT, "does not begin with '{'"},
    /* Names are C texts here, and one with a zero would read as another. */
    {VQ_E_FORMAT, "NUL byte in object key"},
    {VQ_E_FORMAT, "\\u0000 is not allowed"},
    /* 2^48 is the ceiling of the format's own schema; the reference takes any extent behind a 0. */
    {VQ_E_FORMAT, "is not a whole number from 0 to 2^48"},
    {VQ_E_FORMAT, "too big integer"},
    /* Well-formed, but nothing in this library has a place for it. */
    {VQ_E_UNSUPPORTED, "numbers, which this library does not read"},
    {VQ_E_UNSUPPORTED, "dimensions; this library holds at most 5"},
};
enum { DIFFERENCES = sizeof differences / sizeof *differences };

typedef struct rig {
    vq_context *ctx;
    const char *path;
    size_t accepted, refused, differing[DIFFERENCES];
} rig;

/* ---- files ------------------------------------------------------------------------ */

/* In memory of exactly the file's size, so that a sanitizer sees any step beyond it. */
static unsigned char *compose(const char *length, char *header, size_t data, size_t *size)
{
    const size_t header_size = table_unescape(header);
    uint64_t told = header_size;
    size_t cut = PREFIX + header_size + data;
    if (strncmp(length, "first ", 6) == 0) cut = strtoull(length + 6, NULL, 10);
    else if (*length != '-') told = strtoull(length, NULL, 10);
    unsigned char *file = malloc(PREFIX + header_size + data + 1), *exact = malloc(cut ? cut : 1);
    assert_non_null(file);
    assert_non_null(exact);
    memcpy(file, &told, PREFIX);
    memcpy(file + PREFIX, header, header_size);
    for (size_t i = 0; i < data; i++) file[PREFIX + header_size + i] = (unsigned char)i;
    memcpy(exact, file, cut);
    free(file);
    *size = cut;
    return exact;
}

/* ---- what was read, in the words of tests/reference/safetensors_mutations.py ------- */

static size_t put_escaped(char *to, size_t at, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        const bool plain = *c >= ' ' && *c < 0x7f && *c != '\\';
        at += (size_t)snprintf(to + at, CONTENT_MAX - at, plain ? "%c" : "\\x%02x", *c);
    }
    return at;
}

static size_t put_array(char *to, size_t at, const vq_array *array)
{
    const unsigned char *data = array->data;
    const size_t bytes = vq_shape_count(&array->shape) * vq_dtype_size(array->dtype);
    at = put_escaped(to, at, array->name);
    at += (size_t)snprintf(to + at, CONTENT_MAX - at, "=%s[",
                           vq_safetensors_dtype_name(array->dtype));
    for (int i = 0; i < array->shape.rank; i++)
        at += (size_t)snprintf(to + at, CONTENT_MAX - at, "%s%lld", i ? "," : "",
                               (long long)array->shape.dim[i]);
    at += (size_t)snprintf(to + at, CONTENT_MAX - at, "]:");
    for (size_t i = 0; i < bytes; i++)
        at += (size_t)snprintf(to + at, CONTENT_MAX - at, "%02x", data[i]);
    return at + (size_t)snprintf(to + at, CONTENT_MAX - at, ";");
}

static int compare_names(const void *left, const void *right)
{
    const vq_array *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static void describe(vq_archive *archive, char *to)
{
    size_t at = 0;
    qsort(archive->arrays, archive->n_arrays, sizeof *archive->arrays, compare_names);
    for (size_t i = 0; i < archive->n_arrays; i++) at = put_array(to, at, &archive->arrays[i]);
    for (size_t i = 0; i < archive->n_keys; i++) {
        at += (size_t)snprintf(to + at, CONTENT_MAX - at, "#");
        at = put_escaped(to, at, archive->keys[i]);
        at += (size_t)snprintf(to + at, CONTENT_MAX - at, "=");
        at = put_escaped(to, at, archive->values[i]);
        at += (size_t)snprintf(to + at, CONTENT_MAX - at, ";");
    }
    assert_true(at + 1 < CONTENT_MAX);
    if (at == 0) snprintf(to, CONTENT_MAX, "-");
}

/* ---- comparing --------------------------------------------------------------------- */

static void check_difference(rig *r, size_t line, vq_status status)
{
    for (size_t i = 0; i < DIFFERENCES; i++) {
        if (status != differences[i].status ||
            !strstr(vq_context_error(r->ctx), differences[i].sentence))
            continue;
        r->differing[i]++;
        return;
    }
    fail_msg("%s:%zu: only the reference accepts this: %s", r->path, line,
             vq_context_error(r->ctx));
}

/* Columns: change, length, header, data, reference, content. */
static void check_mutation(void *user, const table_row *row)
{
    static char content[CONTENT_MAX];
    rig *r = user;
    size_t size;
    vq_archive archive;
    const bool wanted = strcmp(row->cells[4], "accepts") == 0;
    unsigned char *file =
        compose(row->cells[1], row->cells[2], strtoul(row->cells[3], NULL, 10), &size);
    const vq_status status = vq_safetensors_parse(r->ctx, file, size, &archive);
    free(file);
    if (status == VQ_OK && !wanted)
        fail_msg("%s:%zu: only we accept this: %s", r->path, row->line, row->cells[2]);
    if (status != VQ_OK && wanted) check_difference(r, row->line, status);
    if (status != VQ_OK) {
        assert_true(status == VQ_E_FORMAT || status == VQ_E_UNSUPPORTED);
        r->refused++;
        return;
    }
    describe(&archive, content);
    if (strcmp(content, row->cells[5]) != 0)
        fail_msg("%s:%zu: we read %s, the reference %s", r->path, row->line, content,
                 row->cells[5]);
    vq_archive_clear(r->ctx, &archive);
    r->accepted++;
}

static void check_mutations(const char *path, bool many)
{
    rig r = {.ctx = fixture_context(), .path = path};
    const size_t rows = table_read(path, 6, check_mutation, &r);
    print_message("%zu files, %zu read by both, %zu refused\n", rows, r.accepted, r.refused);
    for (size_t i = 0; many && i < DIFFERENCES; i++) {
        print_message("%6zu only by us: %s\n", r.differing[i], differences[i].sentence);
        if (r.differing[i] == 0) fail_msg("nothing was met of: %s", differences[i].sentence);
    }
    assert_true(r.accepted > rows / 10 && r.refused > rows / 10);
    vq_context_destroy(r.ctx);
}

static void committed_mutations_are_read_alike(void **state)
{
    (void)state;
    check_mutations("tests/tables/safetensors_mutations.tsv", false);
}

static void given_mutations_are_read_alike(void **state)
{
    (void)state;
    check_mutations(getenv("VQ_MUTATIONS"), true);
}

/* ---- the table of cases ------------------------------------------------------------ */

static const char *verdict_of(vq_status status)
{
    return status == VQ_OK              ? "accepts"
           : status == VQ_E_FORMAT      ? "refuses"
           : status == VQ_E_UNSUPPORTED ? "lacks"
                                        : vq_status_name(status);
}

/* Columns: case, length, header, data, reference, ours, sentence. */
static void check_case(void *user, const table_row *row)
{
    rig *r = user;
    size_t size;
    vq_archive archive;
    unsigned char *file =
        compose(row->cells[1], row->cells[2], strtoul(row->cells[3], NULL, 10), &size);
    const vq_status status = vq_safetensors_parse(r->ctx, file, size, &archive);
    const char *sentence = status == VQ_OK ? "-" : vq_context_error(r->ctx);
    free(file);
    if (strcmp(verdict_of(status), row->cells[5]) != 0 || strcmp(sentence, row->cells[6]) != 0)
        fail_msg("%s:%zu: %s: %s, %s", r->path, row->line, row->cells[0], verdict_of(status),
                 sentence);
    if (status == VQ_OK) assert_string_equal(row->cells[4], "accepts");
    else if (strcmp(row->cells[4], "accepts") == 0) check_difference(r, row->line, status);
    if (status == VQ_OK) vq_archive_clear(r->ctx, &archive);
    else assert_true(!archive.arrays && !archive.keys);
}

static void every_case_has_its_sentence(void **state)
{
    (void)state;
    rig r = {.ctx = fixture_context(), .path = "tests/tables/safetensors.tsv"};
    assert_true(table_read(r.path, 7, check_case, &r) >= 55);
    for (size_t i = 0; i < DIFFERENCES; i++)
        if (r.differing[i] == 0) fail_msg("no case shows: %s", differences[i].sentence);
    vq_context_destroy(r.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_has_its_sentence),
        cmocka_unit_test(committed_mutations_are_read_alike),
    };
    const struct CMUnitTest given[] = {cmocka_unit_test(given_mutations_are_read_alike)};
    return getenv("VQ_MUTATIONS") ? cmocka_run_group_tests(given, NULL, NULL)
                                  : cmocka_run_group_tests(tests, NULL, NULL);
}
