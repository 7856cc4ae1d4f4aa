/* SPDX-License-Identifier: Apache-2.0
 * fuzz/harness.c -- one input after the other, in one context whose memory is counted. */
#define _GNU_SOURCE /* memmem */
#include "base/platform.h"
#include "fuzz/fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any honest small input needs; what asks for more meets "no memory". */
#define FUZZ_BLOCK_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef struct counted {
    vq_allocator platform;
    long calls, fail_at, live;
} counted;

_Noreturn void fuzz_broken(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

static void *take(void *user, size_t size)
{
    counted *memory = user;
    if (++memory->calls == memory->fail_at || size > FUZZ_BLOCK_MAX) return NULL;
    void *block = memory->platform.alloc(memory->platform.user, size);
    if (block) memory->live++;
    return block;
}

static void give(void *user, void *block)
{
    counted *memory = user;
    memory->live--;
    memory->platform.release(memory->platform.user, block);
}

/* A context for all inputs: making one asks the processor what it is, which is slow. */
static counted memory;
static vq_context *context;

vq_context *fuzz_context(void)
{
    if (context) return context;
    vq_context_config config;
    vq_context_config_default(&config);
    memory.platform = vq_platform_allocator();
    config.allocator = (vq_allocator){take, give, &memory};
    config.threads = 1;
    FUZZ_CHECK(vq_context_create(&config, &context) == VQ_OK);
    return context;
}

long fuzz_fail_allocation(vq_context *ctx, long n)
{
    FUZZ_CHECK(ctx == context);
    const long calls = memory.calls;
    memory.calls = 0;
    memory.fail_at = n;
    return calls;
}

/* A refusal says something, in one line that a terminal may show. */
static void check_sentence(const char *sentence)
{
    FUZZ_CHECK(*sentence);
    for (const char *c = sentence; *c; c++) FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
}

vq_status fuzz_run(const uint8_t *bytes, size_t size)
{
    vq_context *ctx = fuzz_context();
    const long before = memory.live;
    ctx->error[0] = '\0';
    const vq_status status = fuzz_target(ctx, bytes, size);
    FUZZ_CHECK(status != VQ_E_INTERNAL);
    if (status != VQ_OK) check_sentence(ctx->error);
    FUZZ_CHECK(memory.live == before);
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
