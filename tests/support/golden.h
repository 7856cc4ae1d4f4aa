/* SPDX-License-Identifier: Apache-2.0
 * tests/support/golden.h -- numbers that PyTorch computed, and operations run on them.
 *
 * tests/reference/make_golden.py made the files; golden.tsv holds their tolerances. */
#ifndef VQ_TESTS_SUPPORT_GOLDEN_H
#define VQ_TESTS_SUPPORT_GOLDEN_H

#include "nn/backend.h"
#include "nn/plan.h"
#include <stdbool.h>
#include <vqvae/tensor.h>

typedef struct golden {
    vq_context *ctx;
    vq_archive archive;
    const char *name;
    double rtol, atol; /* |got - expected| <= atol + rtol * |expected| */
} golden;

/** Fails the test where a call does not give VQ_OK, with the context's sentence. */
void must(vq_context *ctx, vq_status status);

void golden_open(golden *file, vq_context *ctx, const char *name);
void golden_close(golden *file);

/** The array named by the format, or NULL. */
const vq_array *golden_find(const golden *file, const char *format, ...) VQ_PRINTF(2, 3);
/** The same; the test fails where there is none. */
const vq_array *golden_get(const golden *file, const char *format, ...) VQ_PRINTF(2, 3);

/** Compares row number `row` along the expected array's first axis. */
void golden_compare_row(const golden *file, const vq_array *expected, size_t row, const float *got);
void golden_compare(const golden *file, const vq_array *expected, const float *got);
void golden_compare_number(const golden *file, const char *what, double expected, double got);

/** Backends that were built, NULL after the last. */
const vq_backend *const *golden_backends(void);
/** The portable backend, whose convolutions fold nothing. */
const vq_backend *golden_unfolded(void);

/** Inputs y and g, no output: adds sum(y * g) to the loss, so that g is the gradient that y
 *  gets. */
extern const vq_op golden_probe;

/** One operation between inputs from a file and, where it has an output, a probe. */
typedef struct golden_rig {
    vq_context *ctx;
    vq_graph *graph;
    vq_plan *plan;
    vq_value in[VQ_MAX_IN], out[VQ_MAX_OUT], upstream;
    float *trained, *state; /* zero after opening */
} golden_rig;

typedef struct golden_rig_config {
    const vq_backend *backend;
    const vq_op *op;
    const void *attrs;
    const vq_array *in[VQ_MAX_IN]; /* shapes and first numbers */
    int n_in;
    const vq_array *upstream; /* gradient of out[0]; NULL: no probe */
    bool inference;           /* no gradients */
} golden_rig_config;

void golden_rig_open(golden_rig *rig, vq_context *ctx, const golden_rig_config *config);
void golden_rig_close(golden_rig *rig);
/** The parameter "node.SUFFIX"; NULL where the operation has none of that name. */
float *golden_rig_param(const golden_rig *rig, const char *suffix);
/** Its gradient after backward. */
const float *golden_rig_gradient(const golden_rig *rig, const char *suffix);

#endif
