/* SPDX-License-Identifier: Apache-2.0
 * tensor/npy_header.c -- the header of a .npy file: magic, version, length, and a Python dict of
 * exactly three keys, which a small tokenizer reads (NEP 1). */
#include "base/context.h"
#include "tensor/npy.h"
#include "tensor/shape.h"
#include <string.h>

enum { MAGIC_SIZE = 6, VERSION_END = 8, DESCR_SIZE = 16 };

static const char magic[MAGIC_SIZE + 1] = "\x93NUMPY";

static const struct {
    const char *name;
    vq_dtype dtype;
} types[] = {
    {"f2", VQ_F16}, {"f4", VQ_F32}, {"f8", VQ_F64}, {"i1", VQ_I8},  {"i2", VQ_I16}, {"i4", VQ_I32},
    {"i8", VQ_I64}, {"u1", VQ_U8},  {"u2", VQ_U16}, {"u4", VQ_U32}, {"u8", VQ_U64}, {"b1", VQ_BOOL},
};

typedef struct scanner {
    vq_context *ctx;
    const char *at, *end;
    vq_npy_header *out;
} scanner;

static void skip_blanks(scanner *s)
{
    while (s->at < s->end && *s->at != '\0' && strchr(" \t\r\n", *s->at)) s->at++;
}

/* Takes the character if it is next. */
static bool take(scanner *s, char wanted)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != wanted) return false;
    s->at++;
    return true;
}

static bool take_word(scanner *s, const char *word)
{
    const size_t length = strlen(word);
    skip_blanks(s);
    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0) return false;
    s->at += length;
    return true;
}

/* A Python text in either kind of quotes, without escapes, which no header needs. */
static vq_status take_text(scanner *s, char *to, size_t size)
{
    skip_blanks(s);
    const char quote = s->at < s->end ? *s->at : '\0';
    VQ_CHECK(s->ctx, quote == '\'' || quote == '"', VQ_E_FORMAT,
             "the .npy header lacks a text where one must stand");
    const char *from = s->at + 1;
    const char *close = memchr(from, quote, (size_t)(s->end - from));
    VQ_CHECK(s->ctx, close, VQ_E_FORMAT, "a text in the .npy header does not end");
    const size_t length = (size_t)(close - from);
    VQ_CHECK(s->ctx, length < size && !memchr(from, '\\', length) && !memchr(from, 0, length),
             VQ_E_FORMAT, "a text in the .npy header is not one that numpy writes");
    memcpy(to, from, length);
    to[length] = '\0';
    s->at = close + 1;
    return VQ_OK;
}

/* "<f4": byte order, kind, bytes. */
static vq_status read_descr(scanner *s)
{
    char descr[DESCR_SIZE];
    skip_blanks(s);
    VQ_CHECK(s->ctx, s->at == s->end || *s->at != '[', VQ_E_UNSUPPORTED,
             "the .npy file holds structures; only arrays of plain numbers are read");
    VQ_TRY(take_text(s, descr, sizeof descr));
    const char *name = descr + (*descr && strchr("<>=|", *descr) ? 1 : 0);
    s->out->swap = *descr == '>';
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) != 0) continue;
        s->out->dtype = types[i].dtype;
        return VQ_OK;
    }
    VQ_CHECK(s->ctx, *name != 'O', VQ_E_UNSUPPORTED,
             "the .npy file holds Python objects (\"%s\"), which could run code; save numbers",
             descr);
    VQ_CHECK(s->ctx, !*name || !strchr("USVMmcaf", *name), VQ_E_UNSUPPORTED,
             "the .npy file holds elements of type \"%s\"; f2, f4, f8, i1 to i8, u1 to u8 and b1 "
             "are read",
             descr);
    return vq_fail(s->ctx, VQ_E_FORMAT, "the .npy header has the unknown type \"%s\"", descr);
}

static vq_status read_order(scanner *s)
{
    s->out->fortran = take_word(s, "True");
    VQ_CHECK(s->ctx, s->out->fortran || take_word(s, "False"), VQ_E_FORMAT,
             "fortran_order in the .npy header is neither True nor False");
    return VQ_OK;
}

static vq_status read_extent(scanner *s, int64_t *extent)
{
    const char *first = s->at;
    *extent = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        *extent = 10 * *extent + (*s->at - '0');
        VQ_CHECK(s->ctx, *extent <= VQ_MAX_EXTENT, VQ_E_FORMAT,
                 "an extent in the .npy header is larger than 2^48");
    }
    const bool padded = s->at - first > 1 && *first == '0'; /* not a number in Python 3 */
    VQ_CHECK(s->ctx, s->at > first && !padded, VQ_E_FORMAT,
             "the shape in the .npy header is not a tuple of whole numbers from 0");
    if (s->at < s->end && *s->at == 'L') s->at++; /* Python 2's long numbers */
    return VQ_OK;
}

static vq_status read_shape(scanner *s)
{
    int rank = 0;
    bool comma = true;
    VQ_CHECK(s->ctx, take(s, '('), VQ_E_FORMAT, "the shape in the .npy header is not a tuple");
    while (!take(s, ')')) {
        int64_t extent;
        VQ_CHECK(s->ctx, comma, VQ_E_FORMAT, "the shape in the .npy header lacks a comma");
        VQ_TRY(read_extent(s, &extent));
        VQ_CHECK(s->ctx, rank < VQ_MAX_RANK, VQ_E_UNSUPPORTED,
                 "the .npy array has more than %d dimensions, the most this library holds",
                 VQ_MAX_RANK);
        s->out->shape.dim[rank++] = extent;
        comma = take(s, ',');
    }
    VQ_CHECK(s->ctx, rank != 1 || comma, VQ_E_FORMAT,
             "the shape in the .npy header is a number in parentheses, not a tuple");
    s->out->shape.rank = rank;
    return VQ_OK;
}

static const struct {
    const char *key;
    vq_status (*read)(scanner *s);
} keys[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
enum { KEYS = sizeof keys / sizeof *keys };

static vq_status read_item(scanner *s, bool seen[KEYS])
{
    char key[DESCR_SIZE];
    size_t i = 0;
    VQ_TRY(take_text(s, key, sizeof key));
    while (i < KEYS && strcmp(keys[i].key, key) != 0) i++;
    VQ_CHECK(s->ctx, i < KEYS, VQ_E_FORMAT, "the .npy header has the unknown key \"%s\"", key);
    VQ_CHECK(s->ctx, !seen[i], VQ_E_FORMAT, "the .npy header has the key \"%s\" twice", key);
    VQ_CHECK(s->ctx, take(s, ':'), VQ_E_FORMAT, "the .npy header lacks ':' after \"%s\"", key);
    seen[i] = true;
    return keys[i].read(s);
}

static vq_status read_dict(scanner *s)
{
    bool seen[KEYS] = {false}, comma = true;
    VQ_CHECK(s->ctx, take(s, '{'), VQ_E_FORMAT, "the .npy header is not a Python dict");
    while (!take(s, '}')) {
        VQ_CHECK(s->ctx, comma, VQ_E_FORMAT, "the .npy header lacks a comma between its keys");
        VQ_TRY(read_item(s, seen));
        comma = take(s, ',');
    }
    for (size_t i = 0; i < KEYS; i++)
        VQ_CHECK(s->ctx, seen[i], VQ_E_FORMAT, "the .npy header has no key \"%s\"", keys[i].key);
    skip_blanks(s);
    VQ_CHECK(s->ctx, s->at == s->end, VQ_E_FORMAT, "the .npy header goes on after its dict");
    return VQ_OK;
}

/* Finds the dict: versions 2 and 3 differ from 1 in a length of four bytes instead of two. */
static vq_status find_dict(vq_context *ctx, const unsigned char *bytes, size_t size, scanner *s)
{
    VQ_CHECK(ctx, size >= VERSION_END && memcmp(bytes, magic, MAGIC_SIZE) == 0, VQ_E_FORMAT,
             "the file does not begin as a .npy file does");
    const unsigned major = bytes[MAGIC_SIZE], minor = bytes[MAGIC_SIZE + 1];
    VQ_CHECK(ctx, major >= 1 && major <= 3 && minor == 0, VQ_E_FORMAT,
             "the .npy file has version %u.%u; 1.0, 2.0 and 3.0 exist", major, minor);
    const size_t width = major == 1 ? 2 : 4, start = VERSION_END + width;
    VQ_CHECK(ctx, size >= start, VQ_E_FORMAT, "the .npy file ends within its header's length");
    size_t length = 0;
    for (size_t i = 0; i < width; i++) length |= (size_t)bytes[VERSION_END + i] << (8 * i);
    VQ_CHECK(ctx, length <= VQ_NPY_DICT_MAX, VQ_E_FORMAT,
             "the .npy header would have %zu bytes; at most %d are allowed", length,
             VQ_NPY_DICT_MAX);
    VQ_CHECK(ctx, length <= size - start, VQ_E_FORMAT,
             "the .npy header would have %zu bytes, but only %zu follow its length", length,
             size - start);
    s->at = (const char *)bytes + start;
    s->end = s->at + length;
    s->out->data_at = start + length;
    return VQ_OK;
}

vq_status vq_npy_header_read(vq_context *ctx, const void *bytes, size_t size, vq_npy_header *out)
{
    scanner s = {.ctx = ctx, .out = out};
    *out = (vq_npy_header){0};
    VQ_TRY(find_dict(ctx, bytes, size, &s));
    VQ_TRY(read_dict(&s));
    VQ_CHECK(ctx, vq_shape_bytes(&out->shape, out->dtype, &out->bytes), VQ_E_FORMAT,
             "the shape of the .npy array is larger than any memory");
    return VQ_OK;
}
