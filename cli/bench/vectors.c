/* SPDX-License-Identifier: Apache-2.0
 * cli/bench/vectors.c -- the search for the nearest code, and a training step of the quantiser
 * alone, on normal vectors. */
#include "bench/bench.h"
#include <math.h>
#include <stdlib.h>
#include <vqvae/codebook.h>

typedef struct vectors_bench {
    const bench_options *o;
    vq_codebook *book;   /* nearest: NULL where it is packed for every search */
    float *z, *codes;    /* n x dim, codes x dim */
    float *q, *gradient; /* n x dim, of the quantiser */
    uint32_t *indices;   /* n */
} vectors_bench;

/* Standard normal numbers (Box-Muller) from a sequence that is the same everywhere (Knuth's
 * MMIX). */
static void fill(uint64_t state, size_t count, float *to)
{
    double uniform[2];
    for (size_t i = 0; i < count; i++) {
        for (int j = 0; j < 2; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            uniform[j] = ((double)(state >> 11) + 0.5) * 0x1p-53;
        }
        to[i] = (float)(sqrt(-2.0 * log(uniform[0])) * cos(6.283185307179586 * uniform[1]));
    }
}

static int make(program *p, size_t rows, size_t columns, float **out)
{
    void *memory = NULL;
    size_t count;
    if (__builtin_mul_overflow(rows, columns, &count))
        return fail(p, MACHINE_FAILED, "no memory for %zu x %zu numbers", rows, columns);
    TRY(allocate(p, count, sizeof **out, &memory));
    *out = memory;
    return DONE;
}

static int make_codebook(program *p, vectors_bench *b)
{
    vq_codebook_config config;
    vq_codebook_config_default(&config);
    config.codes = b->o->codes;
    config.dim = b->o->dim;
    config.start = 1;
    return lib(p, vq_codebook_create(p->ctx, &config, b->codes, &b->book));
}

static int open_vectors(program *p, const bench_options *o, bool training, void **state)
{
    const size_t n = (size_t)o->n, dim = (size_t)o->dim, codes = (size_t)o->codes;
    void *memory = NULL;
    TRY(allocate(p, 1, sizeof(vectors_bench), &memory));
    vectors_bench *b = *state = memory;
    b->o = o;
    TRY(allocate(p, n, sizeof *b->indices, &memory));
    b->indices = memory;
    TRY(make(p, n, dim, &b->z));
    TRY(make(p, codes, dim, &b->codes));
    if (training) TRY(make(p, n, dim, &b->q));
    if (training) TRY(make(p, n, dim, &b->gradient));
    fill(1, n * dim, b->z);
    fill(2, codes * dim, b->codes);
    return training || o->ready ? make_codebook(p, b) : DONE;
}

static int open_nearest(program *p, const bench_options *o, void **state)
{
    return open_vectors(p, o, false, state);
}

static int open_quantizer(program *p, const bench_options *o, void **state)
{
    return open_vectors(p, o, true, state);
}

static int step_nearest(program *p, void *state)
{
    const vectors_bench *b = state;
    const size_t n = (size_t)b->o->n;
    if (b->book) return lib(p, vq_codebook_nearest(p->ctx, b->book, n, b->z, b->indices, NULL));
    return lib(p, vq_nearest_once(p->ctx, (size_t)b->o->dim, (size_t)b->o->codes, b->codes, n, b->z,
                                  b->indices));
}

/* What a training step does beside the networks: codes, counts and sums, q, the commitment and its
 * gradient, and the moving averages. */
static int step_quantizer(program *p, void *state)
{
    const vectors_bench *b = state;
    double mse;
    const vq_quantized out = {
        .indices = b->indices, .vectors = b->q, .gradient = b->gradient, .mse = &mse};
    return lib(p, vq_codebook_step(p->ctx, b->book, (size_t)b->o->n, b->z, &out));
}

static json_t *facts(program *p, const void *state, double median_ms, double peak)
{
    const bench_options *o = ((const vectors_bench *)state)->o;
    const double operations = 2.0 * (double)o->n * (double)o->codes * (double)o->dim;
    (void)p, (void)peak;
    return json_pack("{s:I, s:I, s:I, s:b, s:o, s:o}", "n", (json_int_t)o->n, "dim",
                     (json_int_t)o->dim, "codes", (json_int_t)o->codes, "ready",
                     ((const vectors_bench *)state)->book != NULL, "vectors_per_second",
                     fact_number(1e3 * (double)o->n / median_ms), "gflops",
                     fact_number(1e-6 * operations / median_ms));
}

static void close_vectors(program *p, void *state)
{
    vectors_bench *b = state;
    vq_codebook_destroy(p->ctx, b->book);
    free(b->z);
    free(b->codes);
    free(b->q);
    free(b->gradient);
    free(b->indices);
    free(b);
}

const workload workload_nearest = {"nearest", open_nearest, step_nearest, facts, close_vectors};
const workload workload_quantizer = {"quantizer", open_quantizer, step_quantizer, facts,
                                     close_vectors};
