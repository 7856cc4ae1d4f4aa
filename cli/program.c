/* SPDX-License-Identifier: Apache-2.0
 * cli/program.c -- failing, speaking and the context that verbs share. */
#include "program.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int fail(program *p, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(p->error, sizeof p->error, format, arguments);
    va_end(arguments);
    return code;
}

static int exit_code_of(vq_status status)
{
    switch (status) {
    case VQ_OK: return DONE;
    case VQ_E_NOMEM:
    case VQ_E_INTERNAL: return MACHINE_FAILED;
    case VQ_E_CANCELLED: return INTERRUPTED;
    case VQ_E_ARG:
    case VQ_E_SHAPE:
    case VQ_E_IO:
    case VQ_E_FORMAT:
    case VQ_E_NUMERIC:
    case VQ_E_UNSUPPORTED: break;
    }
    return BAD_INPUT;
}

int lib(program *p, vq_status status)
{
    if (status == VQ_OK) return DONE;
    const char *sentence = vq_context_error(p->ctx);
    p->status = status;
    return fail(p, exit_code_of(status), "%s", *sentence ? sentence : vq_status_name(status));
}

int lib_writing(program *p, vq_status status)
{
    const int code = lib(p, status);
    return status == VQ_E_IO ? MACHINE_FAILED : code;
}

int lib_usage(program *p, vq_status status)
{
    const int code = lib(p, status);
    return status == VQ_E_ARG ? BAD_USAGE : code;
}

static void clear_bar(program *p)
{
    if (p->bar_shown) fputs("\r\033[K", stderr);
    p->bar_shown = false;
}

void say(program *p, const char *format, ...)
{
    va_list arguments;
    if (p->quiet) return;
    clear_bar(p);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void say_marked(program *p, const char *colour, const char *mark, const char *sentence)
{
    clear_bar(p);
    fprintf(stderr, "vqvae%s%s: %s%s%s%s\n", p->verb ? " " : "", p->verb ? p->verb : "",
            p->colour ? colour : "", mark, p->colour ? "\033[0m" : "", sentence);
}

void warn(program *p, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    if (p->quiet) return;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    say_marked(p, "\033[33m", "warning: ", sentence);
}

void warn_failed(program *p, const char *before, const char *after)
{
    warn(p, "%s%s%s", before, p->error, after);
    p->error[0] = 0;
}

void program_complain(program *p, int code)
{
    if (!p->error[0]) return;
    if (code == INTERRUPTED) say_marked(p, "", "", p->error); /* asked for, so no error */
    else say_marked(p, "\033[31m", "error: ", p->error);
}

static void log_sentence(void *user, vq_log_level level, const char *sentence)
{
    program *p = user;
    if (level == VQ_LOG_WARNING) warn(p, "%s", sentence);
    else say(p, "%s", sentence);
}

void program_init(program *p)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    memset(p, 0, sizeof *p);
    p->terminal = isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
    p->colour = p->terminal && !(no_colour && *no_colour);
}

int program_context(program *p, int threads, const char *cpu)
{
    vq_context_config config;
    vq_context *ctx = NULL;
    vq_context_config_default(&config);
    config.threads = threads;
    config.cpu = cpu ? cpu : getenv("VQ_CPU");
    config.log = log_sentence;
    config.log_user = p;
    const vq_status status = vq_context_create(&config, &ctx);
    if (status == VQ_E_ARG)
        return fail(p, BAD_USAGE,
                    "the instruction set (VQ_CPU) is \"%s\"; it may be portable, avx2, avx512, "
                    "avx512bf16, amx or neon",
                    config.cpu ? config.cpu : "");
    if (status != VQ_OK) return fail(p, MACHINE_FAILED, "%s", vq_status_name(status));
    vq_context_destroy(p->ctx);
    p->ctx = ctx;
    return DONE;
}

void program_close(program *p)
{
    clear_bar(p);
    vq_context_destroy(p->ctx);
    p->ctx = NULL;
}

int allocate(program *p, size_t count, size_t size, void **out)
{
    *out = calloc(count ? count : 1, size ? size : 1);
    if (*out) return DONE;
    return fail(p, MACHINE_FAILED, "no memory for %zu times %zu bytes", count, size);
}

double seconds_now(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0.0;
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int results_flush(program *p)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return DONE;
    return fail(p, MACHINE_FAILED, "cannot write to standard output: %s", strerror(errno));
}
