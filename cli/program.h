/* SPDX-License-Identifier: Apache-2.0
 * cli/program.h -- what every verb works with: the context, how to fail, how to speak.
 *
 * Functions of the program return an exit code; 0 is success. A failure leaves one sentence in
 * the program, which main() prints: nothing else writes errors. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <vqvae/context.h>

enum exit_code {
    DONE = 0,
    BAD_INPUT = 1,      /* the input or a file was wrong */
    BAD_USAGE = 2,      /* the command line was wrong */
    MACHINE_FAILED = 3, /* memory or disk */
    DIVERGED = 4,       /* training met a number that is not finite */
    INTERRUPTED = 130   /* stopped by a signal after a clean save */
};

typedef struct program {
    vq_context *ctx;
    const char *verb; /* NULL before it is known */
    bool quiet;       /* nothing but errors on stderr */
    bool json;        /* results as JSON */
    bool terminal;    /* stderr is one */
    bool colour;      /* and may be coloured */
    bool bar_shown;   /* a progress bar stands on the current line */
    vq_status status; /* of the last library call that failed */
    char error[2048];
} program;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        const int try_code_ = (call);                                                              \
        if (try_code_ != DONE) return try_code_;                                                   \
    } while (0)

/* For functions that own something: `int code` and the label `done` must exist. */
#define TRY_TO(call)                                                                               \
    do {                                                                                           \
        code = (call);                                                                             \
        if (code != DONE) goto done;                                                               \
    } while (0)

/** Keeps the sentence and returns the code. */
int fail(program *p, int code, const char *format, ...) VQ_PRINTF(3, 4);
/** Exit code of a library call; its sentence is kept. */
int lib(program *p, vq_status status);
/** The same for calls that write: what the disk refuses is the machine's failure. */
int lib_writing(program *p, vq_status status);
/** The same for settings from the command line: what is refused there is wrong usage. */
int lib_usage(program *p, vq_status status);

/** Creates the context, or replaces it by one with another number of threads (0: all). `cpu` bounds
 *  the instruction set; NULL: VQ_CPU of the environment does. */
int program_context(program *p, int threads, const char *cpu);
void program_init(program *p);
void program_close(program *p);
/** Writes the sentence that goes with the exit code to stderr. */
void program_complain(program *p, int code);

/** One line on stderr, unless --quiet. The newline is added. */
void say(program *p, const char *format, ...) VQ_PRINTF(2, 3);
/** The same with "warning: " before it. */
void warn(program *p, const char *format, ...) VQ_PRINTF(2, 3);
/** Makes a warning of the failure, which is none from then on. */
void warn_failed(program *p, const char *before, const char *after);

/** Memory for count*size zeroed bytes in *out, released by free(). */
int allocate(program *p, size_t count, size_t size, void **out);
/** Seconds of a clock that only goes forward. */
double seconds_now(void);
/** Flushes stdout; a full disk or closed pipe behind it is the machine's failure. */
int results_flush(program *p);

#endif
