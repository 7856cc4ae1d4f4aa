/* SPDX-License-Identifier: Apache-2.0
 * base/context.c -- contexts: made, asked, destroyed; the sentence of the last error; the log. */
#include "base/context.h"
#include "base/cpu.h"
#include "base/platform.h"
#include "base/pool.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_THREADS = 1024 };

void vq_context_config_default(vq_context_config *config)
{
    *config = (vq_context_config){0};
}

/* There is no context yet to hold a sentence: the status alone tells. */
static vq_status fill(const vq_context_config *config, vq_context *ctx)
{
    ctx->allocator = config->allocator;
    if (!ctx->allocator.alloc && !ctx->allocator.release) ctx->allocator = vq_platform_allocator();
    if (!ctx->allocator.alloc || !ctx->allocator.release) return VQ_E_ARG;
    ctx->files = config->files;
    vq_platform_files(&ctx->files);
    ctx->log = config->log;
    ctx->log_user = config->log_user;
    if (config->threads < 0 || config->threads > MAX_THREADS) return VQ_E_ARG;
    ctx->threads = config->threads ? config->threads : vq_platform_processors();
    int known = 1;
    ctx->cpu = vq_cpu_detect(config->cpu ? vq_cpu_bound(config->cpu, &known) : VQ_CPU_ALL);
    return known ? VQ_OK : VQ_E_ARG;
}

vq_status vq_context_create(const vq_context_config *config, vq_context **out)
{
    *out = NULL;
    vq_context_config standard;
    vq_context_config_default(&standard);
    vq_context made = {0};
    VQ_TRY(fill(config ? config : &standard, &made));
    vq_context *ctx = made.allocator.alloc(made.allocator.user, sizeof *ctx);
    if (!ctx) return VQ_E_NOMEM;
    *ctx = made;
    *out = ctx;
    return VQ_OK;
}

void vq_context_destroy(vq_context *ctx)
{
    if (!ctx) return;
    vq_pool_destroy(ctx);
    vq_release(ctx, ctx->scratch);
    vq_release(ctx, ctx);
}

const char *vq_context_error(const vq_context *ctx)
{
    return ctx->error;
}

int vq_context_threads(const vq_context *ctx)
{
    return ctx->threads;
}

const char *vq_context_cpu(const vq_context *ctx)
{
    return vq_cpu_name(ctx->cpu);
}

/* Names out of files reach sentences; control characters in them must not reach a terminal. */
static void format_sentence(char sentence[VQ_ERROR_SIZE], const char *format, va_list values)
{
    vsnprintf(sentence, VQ_ERROR_SIZE, format, values);
    for (char *c = sentence; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
}

vq_status vq_fail(vq_context *ctx, vq_status status, const char *format, ...)
{
    /* Apart, because callers put more words before a sentence by passing the old one. */
    char sentence[VQ_ERROR_SIZE];
    va_list values;
    va_start(values, format);
    format_sentence(sentence, format, values);
    va_end(values);
    memcpy(ctx->error, sentence, sizeof sentence);
    return status;
}

void vq_log(vq_context *ctx, vq_log_level level, const char *format, ...)
{
    if (!ctx->log) return;
    char sentence[VQ_ERROR_SIZE];
    va_list values;
    va_start(values, format);
    format_sentence(sentence, format, values);
    va_end(values);
    ctx->log(ctx->log_user, level, sentence);
}
