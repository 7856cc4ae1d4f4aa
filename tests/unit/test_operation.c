/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_operation.c -- the public convolutions against loops that are their definition,
 * with every gradient, on every backend. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "support/fixture.h"
#include "support/golden.h"
#include <vqvae/operation.h>

enum { ROOM = 4096 };

typedef struct arrays {
    float x[ROOM], w[ROOM], b[16], y[ROOM], dy[ROOM], dx[ROOM], dw[ROOM], db[16];
} arrays;

static vq_context *ctx;

static void fill(float *to, size_t count, uint32_t item)
{
    vq_random random = vq_random_stream(2, VQ_RANDOM_TEST, 0, item);
    for (size_t i = 0; i < count; i++) to[i] = vq_random_normal(&random);
}

/* Every product of the convolution of `fine` into `coarse` (the transposed one goes back), each
 * added to the three sums that it belongs to. */
static void definition(const vq_conv_config *c, const int64_t in[3], const int64_t out[4],
                       const arrays *a, arrays *want)
{
    const int64_t *coarse = c->transposed ? in : out, *fine = c->transposed ? out : in;
    memset(want, 0, sizeof *want);
    for (int64_t n = 0; n < in[0]; n++)
        for (int64_t h = 0; h < coarse[1]; h++)
            for (int64_t v = 0; v < coarse[2]; v++)
                for (int64_t r = 0; r < c->kernel[0]; r++)
                    for (int64_t s = 0; s < c->kernel[1]; s++) {
                        const int64_t y = h * c->stride[0] + r - c->pad[0];
                        const int64_t x = v * c->stride[1] + s - c->pad[1];
                        if (y < 0 || y >= fine[1] || x < 0 || x >= fine[2]) continue;
                        const int64_t low = (n * coarse[1] + h) * coarse[2] + v;
                        const int64_t high = (n * fine[1] + y) * fine[2] + x;
                        for (int64_t i = 0; i < c->in; i++)
                            for (int64_t o = 0; o < c->out; o++) {
                                const int64_t from = (c->transposed ? low : high) * c->in + i;
                                const int64_t to = (c->transposed ? high : low) * c->out + o;
                                const int64_t outer =
                                    c->transposed ? i * c->out + o : o * c->in + i;
                                const int64_t w = (outer * c->kernel[0] + r) * c->kernel[1] + s;
                                want->y[to] += a->w[w] * a->x[from];
                                want->dx[from] += a->w[w] * a->dy[to];
                                want->dw[w] += a->x[from] * a->dy[to];
                            }
                    }
    for (int64_t i = 0; i < out[0] * out[1] * out[2] * out[3]; i++) {
        want->y[i] += a->b[i % c->out];
        want->db[i % c->out] += a->dy[i];
    }
}

static void compare(const char *what, const float *got, const float *wanted, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - (double)wanted[i]) < 2e-4)) /* sums of some hundred products */
            fail_msg("%s[%d] is %g, not %g", what, (int)i, (double)got[i], (double)wanted[i]);
}

static void check(vq_conv_config config, const int64_t in[3], const int64_t out[4])
{
    static arrays a, want;
    int64_t size[4];
    const int64_t weights = config.in * config.out * config.kernel[0] * config.kernel[1];
    const int64_t n_x = in[0] * in[1] * in[2] * config.in, n_y = out[0] * out[1] * out[2] * out[3];
    fill(a.x, ROOM, 0), fill(a.w, ROOM, 1), fill(a.dy, ROOM, 2), fill(a.b, 16, 3);
    definition(&config, in, out, &a, &want);
    for (const vq_backend *const *backend = golden_backends(); *backend; backend++) {
        config.backend = (*backend)->name;
        must(ctx, vq_conv_size(ctx, &config, in, size));
        assert_memory_equal(size, out, sizeof size);
        must(ctx, vq_conv_run(ctx, &config, in,
                              &(vq_conv_arrays){.x = a.x, .weight = a.w, .bias = a.b, .y = a.y}));
        compare("y", a.y, want.y, n_y);
        must(ctx, vq_conv_run(ctx, &config, in,
                              &(vq_conv_arrays){.x = a.x,
                                                .weight = a.w,
                                                .bias = a.b,
                                                .dy = a.dy,
                                                .dx = a.dx,
                                                .dweight = a.dw,
                                                .dbias = a.db}));
        compare("dx", a.dx, want.dx, n_x);
        compare("dweight", a.dw, want.dw, weights);
        compare("dbias", a.db, want.db, config.out);
    }
}

static void test_convolution(void **state)
{
    (void)state;
    const vq_conv_config config = {
        .in = 3, .out = 5, .kernel = {3, 2}, .stride = {2, 1}, .pad = {1, 0, 1, 1}};
    check(config, (int64_t[]){2, 7, 6}, (int64_t[]){2, 4, 6, 5});
}

static void test_transposed(void **state)
{
    (void)state;
    const vq_conv_config config = {.in = 3,
                                   .out = 2,
                                   .kernel = {4, 4},
                                   .stride = {2, 2},
                                   .pad = {1, 1, 1, 1},
                                   .transposed = true};
    check(config, (int64_t[]){2, 3, 4}, (int64_t[]){2, 6, 8, 2});
}

static void test_refusals(void **state)
{
    (void)state;
    vq_conv_config config = {.in = 1, .out = 1, .kernel = {5, 5}, .stride = {1, 1}};
    int64_t out[4];
    float number[1] = {0};
    const vq_conv_arrays none = {.x = number, .weight = number, .y = number};
    assert_int_equal(vq_conv_size(ctx, &config, (int64_t[]){1, 4, 4}, out), VQ_E_SHAPE);
    config.kernel[0] = config.kernel[1] = 1;
    config.backend = "abacus";
    assert_int_equal(vq_conv_run(ctx, &config, (int64_t[]){1, 1, 1}, &none), VQ_E_ARG);
    fixture_error_names(ctx, "no backend named abacus");
}

/* Nothing can be computed of no images, rows or columns, so all of them are named. */
static void test_empty(void **state)
{
    (void)state;
    const vq_conv_config config = {
        .in = 1, .out = 1, .kernel = {3, 3}, .stride = {1, 1}, .pad = {2, 2, 2, 2}};
    static const int64_t sizes[][3] = {{0, 4, 4},  {1, 0, 4},         {1, 4, 0},        {1, -4, 4},
                                       {-1, 4, 4}, {INT64_MAX, 4, 4}, {1, INT64_MAX, 4}};
    static const char *const names[] = {
        "0 images", "4x0", "0x4", "4x-4", "-1 images", "9223372036", "1 images of 4x92233"};
    float x[64], w[9], y[64], dx[64], dw[9];
    int64_t out[4];
    fill(x, 64, 0), fill(w, 9, 1);
    const vq_conv_arrays all = {.x = x, .weight = w, .y = y, .dy = x, .dx = dx, .dweight = dw};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int transposed = 0; transposed < 2; transposed++) {
            vq_conv_config c = config;
            c.transposed = transposed;
            assert_int_equal(vq_conv_size(ctx, &c, sizes[i], out), VQ_E_SHAPE);
            fixture_error_names(ctx, names[i]);
            assert_int_equal(vq_conv_run(ctx, &c, sizes[i], &all), VQ_E_SHAPE);
            fixture_error_names(ctx, names[i]);
        }
}

/* Attributes whose sums or products would overflow. */
static void test_absurd(void **state)
{
    (void)state;
    const vq_conv_config fine = {.in = 1, .out = 1, .kernel = {3, 3}, .stride = {1, 1}};
    int64_t out[4];
    for (int field = 0; field < 11; field++) {
        vq_conv_config c = fine;
        int64_t *const fields[] = {&c.in,        &c.out,       &c.kernel[0], &c.kernel[1],
                                   &c.stride[0], &c.stride[1], &c.pad[0],    &c.pad[1],
                                   &c.pad[2],    &c.pad[3]};
        if (field < 10) *fields[field] = INT64_MAX;
        else c.pad[0] = c.pad[2] = INT64_MAX;
        for (int transposed = 0; transposed < 2; transposed++) {
            c.transposed = transposed;
            assert_int_equal(vq_conv_size(ctx, &c, (int64_t[]){1, 4, 4}, out), VQ_E_ARG);
            fixture_error_names(ctx, "9223372036854775807");
        }
    }
    const vq_conv_config weights = {
        .in = 65536, .out = 65536, .kernel = {65536, 65536}, .stride = {1, 1}};
    assert_int_equal(vq_conv_size(ctx, &weights, (int64_t[]){1, 1, 1}, out), VQ_E_ARG);
    fixture_error_names(ctx, "weights");
}

/* These channels and places make training take Winograd's sums; y is the exact one still. */
static void test_output_is_exact(void **state)
{
    (void)state;
    enum { SIDE = 16, CHANNELS = 64, N = 2 };
    static float x[N * SIDE * SIDE * CHANNELS], w[9 * CHANNELS * CHANNELS];
    static float alone[N * SIDE * SIDE * CHANNELS], beside[N * SIDE * SIDE * CHANNELS];
    const vq_conv_config config = {.in = CHANNELS,
                                   .out = CHANNELS,
                                   .kernel = {3, 3},
                                   .stride = {1, 1},
                                   .pad = {1, 1, 1, 1},
                                   .backend = "portable"};
    const int64_t in[] = {N, SIDE, SIDE};
    fill(x, N * SIDE * SIDE * CHANNELS, 0), fill(w, 9 * CHANNELS * CHANNELS, 1);
    must(ctx, vq_conv_run(ctx, &config, in, &(vq_conv_arrays){.x = x, .weight = w, .y = alone}));
    must(ctx, vq_conv_run(ctx, &config, in,
                          &(vq_conv_arrays){.x = x, .weight = w, .y = beside, .dy = x}));
    assert_memory_equal(alone, beside, sizeof alone);
}

static void test_memory(void **state)
{
    (void)state;
    const vq_conv_config config = {.in = 1, .out = 1, .kernel = {3, 3}, .stride = {1, 1}};
    float x[16], w[9], y[4], dx[16];
    fill(x, 16, 0), fill(w, 9, 1);
    const vq_conv_arrays all = {.x = x, .weight = w, .y = y, .dy = x, .dx = dx};
    vq_status status = VQ_E_NOMEM;
    for (long fail_at = 1; status != VQ_OK; fail_at++) {
        fixture_faults faults = {.fail_at = fail_at};
        vq_context *faulty = fixture_faulty_context(&faults, NULL);
        status = vq_conv_run(faulty, &config, (int64_t[]){1, 4, 4}, &all);
        assert_true(status == VQ_OK || status == VQ_E_NOMEM);
        vq_context_destroy(faulty);
        assert_int_equal(faults.live, 0);
    }
}

static int open_all(void **state)
{
    (void)state;
    return vq_context_create(NULL, &ctx) == VQ_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    vq_context_destroy(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolution), cmocka_unit_test(test_transposed),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_empty),
        cmocka_unit_test(test_absurd),      cmocka_unit_test(test_output_is_exact),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
