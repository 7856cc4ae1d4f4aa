/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_winograd.c -- Winograd's convolutions, their adjoints and the gradients of their
 * weights against plain sums in double, and the same bits whatever the instruction set, the threads
 * and the batch. The bound on the error is the one that docs/engine.md states. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "nn/winograd/winograd.h"

/* Of the sum of |products| that is the largest of all places. */
#define BOUND 2e-6

/* C with random numbers on both sides, and what is made of them. */
typedef struct problem {
    vq_convolution c;
    size_t images, maps, weights; /* how many numbers */
    float *image, *map, *weight;
} problem;

static float *numbers(vq_random *random, size_t count)
{
    float *to = malloc((count + 1) * sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < count; i++) to[i] = vq_random_normal(random);
    return to;
}

static problem problem_of(vq_random *random, const vq_convolution *c)
{
    problem p = {.c = *c};
    p.images = c->images * c->image[0] * c->image[1] * c->in;
    p.maps = c->images * c->map[0] * c->map[1] * c->out;
    p.weights = c->in * c->out * c->kernel[0] * c->kernel[1];
    p.image = numbers(random, p.images);
    p.map = numbers(random, p.maps);
    p.weight = numbers(random, p.weights);
    return p;
}

static void problem_free(problem *p)
{
    free(p->image);
    free(p->map);
    free(p->weight);
}

static vq_context *context_of(int threads, uint32_t cpu)
{
    vq_context *ctx;
    vq_context_config config;
    vq_context_config_default(&config);
    config.threads = threads;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    ctx->cpu = cpu;
    return ctx;
}

/* ---- plain sums -------------------------------------------------------------------- */

typedef struct sums {
    double *sum, *size; /* of products, of their absolute values */
} sums;

static sums sums_of(size_t count)
{
    const sums s = {calloc(count + 1, sizeof(double)), calloc(count + 1, sizeof(double))};
    assert_true(s.sum && s.size);
    return s;
}

static void sums_free(sums *s)
{
    free(s->sum);
    free(s->size);
}

static void put(const sums *s, size_t at, float a, float b)
{
    s->sum[at] += (double)a * (double)b;
    s->size[at] += fabs((double)a * (double)b);
}

/* What one tap adds at one place of the map. */
static void put_tap(const problem *p, size_t image, size_t map, size_t tap, const sums *to)
{
    const size_t area = p->c.kernel[0] * p->c.kernel[1];
    for (size_t o = 0; o < p->c.out; o++)
        for (size_t i = 0; i < p->c.in; i++) {
            const size_t w = (o * p->c.in + i) * area + tap;
            put(&to[0], map + o, p->weight[w], p->image[image + i]);
            put(&to[1], image + i, p->weight[w], p->map[map + o]);
            put(&to[2], w, p->image[image + i], p->map[map + o]);
        }
}

/* to[0], [1], [2]: C image, adjoint of C map, gradient of the weights. */
static void plain(const problem *p, const sums *to)
{
    const vq_convolution *c = &p->c;
    const size_t places = c->images * c->map[0] * c->map[1];
    for (size_t place = 0; place < places; place++)
        for (size_t tap = 0; tap < c->kernel[0] * c->kernel[1]; tap++) {
            const size_t oh = place / c->map[1] % c->map[0], ow = place % c->map[1];
            const size_t n = place / (c->map[0] * c->map[1]);
            const size_t y = oh * c->stride[0] + tap / c->kernel[1] - c->pad[0];
            const size_t x = ow * c->stride[1] + tap % c->kernel[1] - c->pad[1];
            if (y >= c->image[0] || x >= c->image[1]) continue; /* wraps below 0 */
            put_tap(p, ((n * c->image[0] + y) * c->image[1] + x) * c->in, place * c->out, tap, to);
        }
}

static void check_close(const char *what, const vq_convolution *c, const float *got,
                        const sums *expected, size_t count)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double gap = fabs((double)got[i] - expected->sum[i]);
        if (expected->size[i] > largest) largest = expected->size[i];
        if (!(gap <= worst)) worst = gap; /* so that a NaN counts */
    }
    if (!(worst <= BOUND * largest))
        fail_msg("%s of %zu x %zu x %zu x %zu -> %zu, kernel %zu: off by %g of %g", what, c->images,
                 c->image[0], c->image[1], c->in, c->out, c->kernel[0], worst, largest);
}

/* ---- Winograd's --------------------------------------------------------------------- */

/* Memory of which every number that is read without having been written shows. */
static void *poisoned(size_t size)
{
    unsigned char *memory = aligned_alloc(64, (size + 127) / 64 * 64);
    assert_non_null(memory);
    memset(memory, 0xff, (size + 127) / 64 * 64); /* not numbers */
    return memory;
}

static vq_room poisoned_room(size_t size)
{
    return (vq_room){poisoned(size), size};
}

static void run(vq_context *ctx, const vq_convolution *c, vq_conv_direction direction,
                const float *weight, const float *bias, vq_conv_arrays_real arrays)
{
    const vq_conv_algorithm *a = &vq_conv_winograd;
    const vq_room packed = poisoned_room(a->packed_size(c, direction));
    const vq_room scratch = poisoned_room(a->scratch(ctx, c, direction, arrays.relu_from));
    assert_int_equal(a->pack(ctx, c, direction, weight, bias, packed), VQ_OK);
    arrays.packed = packed.at;
    assert_int_equal(a->run(ctx, c, direction, &arrays, scratch), VQ_OK);
    free(packed.at);
    free(scratch.at);
}

static void run_weights(vq_context *ctx, const vq_convolution *c,
                        const vq_weights_arrays_real *arrays, float *d_weight)
{
    const vq_room scratch = poisoned_room(vq_conv_winograd.weights_scratch(ctx, c));
    assert_int_equal(vq_conv_winograd.weights(ctx, c, arrays, d_weight, scratch), VQ_OK);
    free(scratch.at);
}

/* All three, each in memory of its own. */
typedef struct results {
    float *map, *image, *weight;
} results;

static results run_all(vq_context *ctx, const problem *p)
{
    const results r = {poisoned(p->maps * sizeof(float)), poisoned(p->images * sizeof(float)),
                       calloc(p->weights, sizeof(float))};
    run(ctx, &p->c, VQ_CONV_APPLY, p->weight, NULL,
        (vq_conv_arrays_real){.from = p->image, .to = r.map});
    run(ctx, &p->c, VQ_CONV_ADJOINT, p->weight, NULL,
        (vq_conv_arrays_real){.from = p->map, .to = r.image});
    run_weights(ctx, &p->c, &(vq_weights_arrays_real){.image = p->image, .map = p->map}, r.weight);
    return r;
}

static void results_free(results *r)
{
    free(r->map);
    free(r->image);
    free(r->weight);
}

static void check_sums(const vq_convolution *c, uint32_t item)
{
    vq_random random = vq_random_stream(7, VQ_RANDOM_TEST, 1, item);
    vq_context *ctx = context_of(2, vq_cpu_detect(VQ_CPU_ALL));
    problem p = problem_of(&random, c);
    sums expected[3] = {sums_of(p.maps), sums_of(p.images), sums_of(p.weights)};
    plain(&p, expected);
    results r = run_all(ctx, &p);
    check_close("map", c, r.map, &expected[0], p.maps);
    check_close("image", c, r.image, &expected[1], p.images);
    check_close("weights", c, r.weight, &expected[2], p.weights);
    for (int i = 0; i < 3; i++) sums_free(&expected[i]);
    results_free(&r);
    problem_free(&p);
    vq_context_destroy(ctx);
}

static vq_convolution convolution(size_t images, size_t height, size_t width, size_t in, size_t out,
                                  size_t kernel)
{
    const size_t stride = kernel == 3 ? 1 : 2;
    return (vq_convolution){.images = images,
                            .in = in,
                            .out = out,
                            .image = {height, width},
                            .map = {(height + 2 - kernel) / stride + 1,
                                    (width + 2 - kernel) / stride + 1},
                            .kernel = {kernel, kernel},
                            .stride = {stride, stride},
                            .pad = {1, 1}};
}

static size_t between(vq_random *random, size_t low, size_t high)
{
    return low + (size_t)vq_random_below(random, high - low + 1);
}

/* Any padding before and after, so that maps may reach beyond the image. */
static vq_convolution random_convolution(vq_random *random)
{
    const size_t kernel = between(random, 3, 4);
    vq_convolution c =
        convolution(between(random, 1, 4), between(random, 2, 13), between(random, 2, 13),
                    between(random, 1, 40), between(random, 1, 40), kernel);
    for (int i = 0; i < 2; i++) {
        size_t after = between(random, 0, kernel);
        c.pad[i] = between(random, 0, kernel);
        while (c.image[i] + c.pad[i] + after < kernel) after++;
        c.map[i] = (c.image[i] + c.pad[i] + after - kernel) / c.stride[i] + 1;
    }
    return c;
}

static void test_random(void **state)
{
    vq_random random = vq_random_stream(7, VQ_RANDOM_TEST, 0, 0);
    (void)state;
    for (uint32_t i = 0; i < 60; i++) {
        const vq_convolution c = random_convolution(&random);
        check_sums(&c, i);
    }
}

/* As deep as in networks, where errors add up; several blocks and chunks of tiles. */
static void test_deep(void **state)
{
    const vq_convolution cases[] = {
        convolution(9, 8, 8, 128, 32, 3),
        convolution(2, 19, 17, 32, 128, 3),
        convolution(9, 16, 16, 64, 48, 4),
        convolution(1, 40, 33, 96, 16, 4),
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) check_sums(&cases[i], 100 + i);
}

/* ---- the same bits ------------------------------------------------------------------ */

static void check_same(const char *what, const problem *p, const results *a, const results *b)
{
    if (memcmp(a->map, b->map, p->maps * sizeof(float)) ||
        memcmp(a->image, b->image, p->images * sizeof(float)) ||
        memcmp(a->weight, b->weight, p->weights * sizeof(float)))
        fail_msg("%s changes bits", what);
}

static void check_bits(const vq_convolution *c)
{
    static const uint32_t needs[] = {
#define VQ_KERNELS(isa, need) (need),
#include "kernels/kernel_list.def"
#undef VQ_KERNELS
    };
    vq_random random = vq_random_stream(7, VQ_RANDOM_TEST, 2, 0);
    vq_context *portable = context_of(1, 0);
    problem p = problem_of(&random, c);
    results expected = run_all(portable, &p);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        for (int threads = 1; threads <= 4; threads++) {
            if (needs[i] & ~vq_cpu_detect(VQ_CPU_ALL)) continue;
            vq_context *ctx = context_of(threads, needs[i]);
            results got = run_all(ctx, &p);
            check_same(vq_kernels_of(ctx)->name, &p, &got, &expected);
            results_free(&got);
            vq_context_destroy(ctx);
        }
    /* The last image alone. */
    problem last = p;
    last.c.images = 1;
    last.images /= c->images;
    last.maps /= c->images;
    last.image += p.images - last.images;
    last.map += p.maps - last.maps;
    results alone = run_all(portable, &last);
    assert_memory_equal(alone.map, expected.map + p.maps - last.maps, last.maps * sizeof(float));
    assert_memory_equal(alone.image, expected.image + p.images - last.images,
                        last.images * sizeof(float));
    results_free(&alone);
    results_free(&expected);
    problem_free(&p);
    vq_context_destroy(portable);
}

static void test_bits(void **state)
{
    const vq_convolution three = convolution(7, 9, 8, 40, 33, 3);
    const vq_convolution four = convolution(7, 12, 10, 24, 65, 4);
    (void)state;
    check_bits(&three);
    check_bits(&four);
}

/* ---- what is folded in ---------------------------------------------------------------- */

enum { ADD = 1, MASK = 2, RESIDUAL = 4, RELU = 8, RELU_FROM = 16, BIAS = 32, WAYS = 64 };

static float relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

static void rectify(size_t count, float *x)
{
    for (size_t i = 0; i < count; i++) x[i] = relu(x[i]);
}

/* What is folded in gives the bits that the same operations give afterwards. */
static void check_ways(const vq_convolution *c, int ways)
{
    vq_random random = vq_random_stream(7, VQ_RANDOM_TEST, 3, (uint32_t)ways);
    vq_context *ctx = context_of(2, vq_cpu_detect(VQ_CPU_ALL));
    problem p = problem_of(&random, c);
    float *bias = numbers(&random, c->out), *to = numbers(&random, p.maps);
    float *mask = numbers(&random, p.maps), *residual = numbers(&random, p.maps);
    float *sum = numbers(&random, p.maps), *expected = numbers(&random, p.maps);
    memcpy(expected, to, p.maps * sizeof *to);
    run(ctx, c, VQ_CONV_APPLY, p.weight, ways & BIAS ? bias : NULL,
        (vq_conv_arrays_real){.from = p.image,
                              .mask = ways & MASK ? mask : NULL,
                              .residual = ways & RESIDUAL ? residual : NULL,
                              .to = to,
                              .add = (ways & ADD) != 0,
                              .relu = (ways & RELU) != 0,
                              .relu_from = (ways & RELU_FROM) != 0});
    if (ways & RELU_FROM) rectify(p.images, p.image);
    run(ctx, c, VQ_CONV_APPLY, p.weight, NULL, (vq_conv_arrays_real){.from = p.image, .to = sum});
    for (size_t i = 0; i < p.maps; i++) {
        float x = sum[i] + (ways & ADD ? expected[i] : ways & BIAS ? bias[i % c->out] : 0.0f);
        if (ways & MASK && !(mask[i] > 0.0f)) x = 0.0f;
        if (ways & RESIDUAL) x += residual[i];
        if (ways & RELU) x = relu(x);
        if (x != to[i]) fail_msg("ways %d: %g, not %g", ways, (double)to[i], (double)x);
    }
    float *all[] = {bias, to, mask, residual, sum, expected};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    problem_free(&p);
    vq_context_destroy(ctx);
}

static void test_ways(void **state)
{
    const vq_convolution three = convolution(2, 7, 9, 5, 19, 3);
    const vq_convolution four = convolution(1, 9, 14, 17, 23, 4);
    (void)state;
    for (int ways = 0; ways < WAYS; ways++) {
        check_ways(&three, ways);
        check_ways(&four, ways);
    }
}

/* Gradients of weights go on from what is there, and may read either side through a relu. */
static void test_weights(void **state)
{
    const vq_convolution c = convolution(2, 6, 5, 18, 7, 3);
    vq_random random = vq_random_stream(7, VQ_RANDOM_TEST, 4, 0);
    vq_context *ctx = context_of(2, vq_cpu_detect(VQ_CPU_ALL));
    (void)state;
    for (int ways = 0; ways < 4; ways++) {
        problem p = problem_of(&random, &c);
        vq_weights_arrays_real arrays = {p.image, p.map, (ways & 1) != 0, (ways & 2) != 0};
        float *got = numbers(&random, p.weights), *once = calloc(p.weights, sizeof *once);
        float *expected = malloc(p.weights * sizeof *expected);
        assert_true(once && expected);
        memcpy(expected, got, p.weights * sizeof *got);
        run_weights(ctx, &c, &arrays, got);
        if (ways & 1) rectify(p.images, p.image);
        if (ways & 2) rectify(p.maps, p.map);
        arrays.relu_image = arrays.relu_map = false;
        run_weights(ctx, &c, &arrays, once);
        for (size_t i = 0; i < p.weights; i++) assert_true(got[i] == expected[i] + once[i]);
        free(got);
        free(once);
        free(expected);
        problem_free(&p);
    }
    vq_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_deep),    cmocka_unit_test(test_bits),
        cmocka_unit_test(test_ways),   cmocka_unit_test(test_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
