/* SPDX-License-Identifier: Apache-2.0
 * fuzz/harness.c -- one input after the other, in one context whose memory is counted. */
#define _GNU_SOURCE /* memmem */
#include "base/platform.h"
#include "fuzz/fuzz.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any small input needs; what asks for more meets "no memory", which is fast. */
#define FUZZ_BLOCK_MAX ((size_t)1 << 17)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

_Noreturn void fuzz_broken(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

/* ---- memory and files that are counted, and fail on demand -------------------- */

static struct {
    long calls, fail_at;
    int code;
} operations[FUZZ_FAULTS];

static vq_allocator memory;
static vq_file_hooks files;
static long live; /* blocks not released yet */

static bool fails(fuzz_fault kind)
{
    if (++operations[kind].calls != operations[kind].fail_at) return false;
    errno = operations[kind].code;
    return true;
}

long fuzz_fail(fuzz_fault kind, long n, int code)
{
    const long calls = operations[kind].calls;
    operations[kind].calls = 0;
    operations[kind].fail_at = n;
    operations[kind].code = code;
    return calls;
}

static void *take(void *user, size_t size)
{
    (void)user;
    if (fails(FUZZ_MEMORY) || size > FUZZ_BLOCK_MAX) return NULL;
    void *block = memory.alloc(memory.user, size);
    if (block) live++;
    return block;
}

static void give(void *user, void *block)
{
    (void)user;
    live--;
    memory.release(memory.user, block);
}

static int open_file(void *user, const char *path, int flags, int mode)
{
    (void)user;
    return fails(FUZZ_FILES) ? -1 : files.open(files.user, path, flags, mode);
}

static long long read_file(void *user, int fd, void *to, size_t size)
{
    (void)user;
    return fails(FUZZ_FILES) ? -1 : files.read(files.user, fd, to, size);
}

static long long read_file_at(void *user, int fd, void *to, size_t size, long long offset)
{
    (void)user;
    return fails(FUZZ_FILES) ? -1 : files.read_at(files.user, fd, to, size, offset);
}

/* A context for all inputs: making one asks the processor what it is, which is slow. */
vq_context *fuzz_context(void)
{
    static vq_context *context;
    if (context) return context;
    vq_context_config config;
    vq_context_config_default(&config);
    memory = vq_platform_allocator();
    vq_platform_files(&files);
    config.allocator = (vq_allocator){take, give, NULL};
    config.files.open = open_file;
    config.files.read = read_file;
    config.files.read_at = read_file_at;
    config.threads = 1;
    FUZZ_CHECK(vq_context_create(&config, &context) == VQ_OK);
    return context;
}

/* ---- one input ------------------------------------------------------------------ */

/* A refusal says something, in one line that a terminal may show. */
static void check_sentence(const char *sentence)
{
    FUZZ_CHECK(*sentence);
    for (const char *c = sentence; *c; c++) FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
}

vq_status fuzz_run(const uint8_t *bytes, size_t size)
{
    vq_context *ctx = fuzz_context();
    const long before = live;
    ctx->error[0] = '\0';
    const vq_status status = fuzz_target(ctx, bytes, size);
    FUZZ_CHECK(status != VQ_E_INTERNAL);
    if (status != VQ_OK) check_sentence(ctx->error);
    FUZZ_CHECK(live == before);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    (void)fuzz_run(bytes, size);
    return 0;
}

void fuzz_split(const uint8_t *bytes, size_t size, fuzz_piece *pieces, size_t n)
{
    enum { LENGTH = sizeof FUZZ_CUT - 1 };
    for (size_t i = 0; i < n; i++) {
        const uint8_t *cut = i + 1 < n ? memmem(bytes, size, FUZZ_CUT, LENGTH) : NULL;
        const size_t length = cut ? (size_t)(cut - bytes) : size;
        pieces[i] = (fuzz_piece){bytes, length};
        const size_t used = cut ? length + LENGTH : length;
        bytes += used;
        size -= used;
    }
}

char *fuzz_text(vq_context *ctx, fuzz_piece piece)
{
    char *text = NULL;
    if (VQ_NEW(ctx, piece.size + 1, &text) != VQ_OK) return NULL;
    if (piece.size) memcpy(text, piece.bytes, piece.size);
    return text;
}
