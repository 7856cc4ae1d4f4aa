/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz.h -- what a fuzz target is: one function over bytes, and what surrounds it.
 *
 * fuzz_NAME.c defines fuzz_target(). Built with libFuzzer it meets inputs that the fuzzer makes up;
 * built with replay.c it meets those of corpus/NAME, in every build and every run of the tests. */
#ifndef VQ_TESTS_FUZZ_H
#define VQ_TESTS_FUZZ_H

#include "base/context.h"

/**
 * Gives the bytes to one parser, and looks at what comes back.
 * @return what the parser said. The rest is checked by the caller: memory is released, and a
 *         refusal leaves a sentence in the context.
 */
vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size);

/** Ends the process where the condition does not hold, as the sanitizers do. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) fuzz_broken(#condition, __FILE__, __LINE__);                             \
    } while (0)
_Noreturn void fuzz_broken(const char *condition, const char *file, int line);

/** A piece of an input: targets that need several texts or files take one input apart. */
typedef struct fuzz_piece {
    const uint8_t *bytes;
    size_t size;
} fuzz_piece;
/** Cuts at each FUZZ_CUT, at most n - 1 times; pieces that are not there are empty. */
void fuzz_split(const uint8_t *bytes, size_t size, fuzz_piece *pieces, size_t n);
#define FUZZ_CUT "<-cut->"
/** A copy that ends in a zero, in the context's memory: vq_release(). NULL without memory. */
char *fuzz_text(vq_context *ctx, fuzz_piece piece);

/** What can fail. */
typedef enum fuzz_fault {
    FUZZ_MEMORY,    /* allocations of the context */
    FUZZ_HEAP,      /* others of our own code */
    FUZZ_LIBRARIES, /* calls of other libraries */
    FUZZ_FILES,     /* files opened and read */
    FUZZ_SYSTEM,    /* files examined and mapped, folders listed */
    FUZZ_FAULTS
} fuzz_fault;
/** Makes operation number `n` from now on fail once, with this errno; 0: none. Returns how many
 *  there were since the last call. */
long fuzz_fail(fuzz_fault kind, long n, int code);
/** Whether that operation came, and failed other than by a signal. */
bool fuzz_failed(fuzz_fault kind);

/** One run of the target with all checks, as libFuzzer does it. */
vq_status fuzz_run(const uint8_t *bytes, size_t size);
/** The context in which fuzz_run() runs. */
vq_context *fuzz_context(void);

#endif
