/* SPDX-License-Identifier: Apache-2.0
 * examples/walk/walk.h -- what the steps of the walk share: a context, a fixed sequence of
 * numbers, and a little algebra on matrices that lie row after row. */
#ifndef WALK_H
#define WALK_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/vqvae.h>

/* Ends the program, with the library's sentence, where a call failed. */
static inline void check(const vq_context *ctx, vq_status status)
{
    if (status == VQ_OK) return;
    fprintf(stderr, "%s\n", ctx ? vq_context_error(ctx) : vq_status_name(status));
    exit(1);
}

static inline vq_context *open_library(void)
{
    vq_context *ctx;
    check(NULL, vq_context_create(NULL, &ctx));
    return ctx;
}

/* The library computes with floats; the walk, where a step is its own, with doubles. */
static inline void to_floats(size_t count, const double *from, float *to)
{
    for (size_t i = 0; i < count; i++) to[i] = (float)from[i];
}

static inline void to_doubles(size_t count, const float *from, double *to)
{
    for (size_t i = 0; i < count; i++) to[i] = (double)from[i];
}

/* A codebook of the library; start 0 counts from 1, start 1 from 0 (step 7). */
static inline vq_codebook *make_codebook(vq_context *ctx, int64_t codes, int64_t dim, int start,
                                         const float *vectors)
{
    vq_codebook *book;
    vq_codebook_config config;
    vq_codebook_config_default(&config);
    config.codes = codes;
    config.dim = dim;
    config.start = start;
    check(ctx, vq_codebook_create(ctx, &config, vectors, &book));
    return book;
}

/* The library's convolution of one square image of at most 8 x 8 numbers by a square kernel, and
 * both gradients for the gradient dy that arrives. */
static inline void convolve_by_library(int64_t side, int64_t kernel_side, const double *image,
                                       const double *kernel, const double *dy, double *y,
                                       double *d_image, double *d_kernel)
{
    float in[3][64], out[3][64];
    const vq_conv_config config = {
        .in = 1, .out = 1, .kernel = {kernel_side, kernel_side}, .stride = {1, 1}};
    const vq_conv_arrays arrays = {in[0],       in[1],        .dy = in[2],
                                   .y = out[0], .dx = out[1], .dweight = out[2]};
    const int64_t size[3] = {1, side, side}, rest = side - kernel_side + 1;
    const size_t pixels = (size_t)(side * side), taps = (size_t)(kernel_side * kernel_side);
    const size_t places = (size_t)(rest * rest);
    vq_context *ctx = open_library();
    to_floats(pixels, image, in[0]);
    to_floats(taps, kernel, in[1]);
    to_floats(places, dy, in[2]);
    check(ctx, vq_conv_run(ctx, &config, size, &arrays));
    to_doubles(places, out[0], y);
    to_doubles(pixels, out[1], d_image);
    to_doubles(taps, out[2], d_kernel);
    vq_context_destroy(ctx);
}

/* The next of a sequence of numbers in [0, 1), the same on every machine. */
static inline double next_number(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0;
}

static inline void fill(uint32_t seed, size_t count, double *to)
{
    for (size_t i = 0; i < count; i++) to[i] = next_number(&seed);
}

/* The same between -1 and 1. */
static inline void fill_signed(uint32_t seed, size_t count, double *to)
{
    for (size_t i = 0; i < count; i++) to[i] = 2.0 * next_number(&seed) - 1.0;
}

/* c = a b, where a has m x k numbers and b has k x n. */
static inline void multiply(size_t m, size_t k, size_t n, const double *a, const double *b,
                            double *c)
{
    memset(c, 0, m * n * sizeof *c);
    for (size_t i = 0; i < m; i++)
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < n; j++) c[i * n + j] += a[i * k + p] * b[p * n + j];
}

/* The transpose: n x m numbers out of m x n. */
static inline void turn(size_t m, size_t n, const double *a, double *to)
{
    for (size_t i = 0; i < m * n; i++) to[i % n * m + i / n] = a[i];
}

static inline void identity(size_t n, double *to)
{
    for (size_t i = 0; i < n * n; i++) to[i] = i / n == i % n ? 1.0 : 0.0;
}

/* Row i is all 0 but for a 1 at column ids[i]. */
static inline void one_hot(size_t n, size_t width, const uint32_t *ids, double *to)
{
    for (size_t i = 0; i < n * width; i++) to[i] = ids[i / width] == i % width ? 1.0 : 0.0;
}

static inline double squared_distance(size_t n, const double *a, const double *b)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static inline double squared_length(size_t n, const double *a)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += a[i] * a[i];
    return sum;
}

/* Largest difference between two arrays. */
static inline double furthest(size_t n, const double *a, const double *b)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

/* Place of the least of some numbers, the first where there are several. */
static inline uint32_t lowest(size_t n, const double *numbers)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (numbers[i] < numbers[best]) best = i;
    return best;
}

/* argmin_j |z - e_j|, where `codes` has n rows of dim numbers. */
static inline uint32_t nearest(size_t n, size_t dim, const double *z, const double *codes)
{
    uint32_t best = 0;
    for (uint32_t j = 1; j < n; j++)
        if (squared_distance(dim, z, codes + j * dim) <
            squared_distance(dim, z, codes + best * dim))
            best = j;
    return best;
}

/* How many of n codes are the same in both arrays. */
static inline int count_same(size_t n, const uint32_t *a, const uint32_t *b)
{
    int same = 0;
    for (size_t i = 0; i < n; i++) same += a[i] == b[i];
    return same;
}

static inline void print_matrix(const char *title, int rows, int columns, const double *numbers)
{
    printf("%s\n", title);
    for (int i = 0; i < rows * columns; i++)
        printf("%4.0f%s", numbers[i], i % columns == columns - 1 ? "\n" : "");
}

/* Prints codes as a grid. */
static inline void print_codes(size_t rows, size_t columns, const uint32_t *codes)
{
    for (size_t i = 0; i < rows * columns; i++)
        printf("%4u%s", (unsigned)codes[i], i % columns == columns - 1 ? "\n" : "");
}

#endif
