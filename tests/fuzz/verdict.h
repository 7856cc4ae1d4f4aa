/* SPDX-License-Identifier: Apache-2.0
 * fuzz/verdict.h -- targets in the program rather than in the libraries. */
#ifndef VQ_TESTS_FUZZ_VERDICT_H
#define VQ_TESTS_FUZZ_VERDICT_H

#include "fuzz/fuzz.h"
#include "program.h"

/** What the exit code means as a status; the program's sentence goes to its context. */
vq_status fuzz_status(program *p, int code);

#endif
