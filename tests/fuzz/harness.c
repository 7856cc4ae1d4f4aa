/* SPDX-License-Identifier: Apache-2.0
 * fuzz/harness.c -- one input after the other, in one context. */
#define _GNU_SOURCE /* memmem */
#include "fuzz/system.h"
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

/* ---- operations that are counted, and fail on demand --------------------------- */

static struct {
    long calls, fail_at;
    int code;
} operations[FUZZ_FAULTS];

static bool inside;

bool fuzz_inside(void)
{
    return inside;
}

bool fuzz_fails(fuzz_fault kind)
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

bool fuzz_failed(fuzz_fault kind)
{
    const bool came =
        operations[kind].fail_at > 0 && operations[kind].calls >= operations[kind].fail_at;
    return came && operations[kind].code != EINTR;
}

static void *take(void *user, size_t size)
{
    (void)user;
    return fuzz_fails(FUZZ_MEMORY) || size > FUZZ_BLOCK_MAX ? NULL : fuzz_memory_take(size);
}

static void give(void *user, void *block)
{
    (void)user;
    free(block);
}

/* A context for all inputs: making one asks the processor what it is, which is slow. */
vq_context *fuzz_context(void)
{
    static vq_context *context;
    if (context) return context;
    vq_context_config config;
    vq_context_config_default(&config);
    config.allocator = (vq_allocator){take, give, NULL};
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
    ctx->error[0] = '\0';
    fuzz_memory_begin();
    inside = true;
    const vq_status status = fuzz_target(ctx, bytes, size);
    inside = false;
    FUZZ_CHECK(status != VQ_E_INTERNAL);
    if (status != VQ_OK) check_sentence(ctx->error);
    fuzz_memory_end();
    FUZZ_CHECK(fuzz_files_open() == 0);
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
