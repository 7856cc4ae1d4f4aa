/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/test_rooms.c -- convolutions in memory of a checked size: in as much as they ask for
 * they succeed, in less they say so, and either way nothing beyond it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nn/ops/convolution.h"
#include "nn/ops/elements.h"
#include "nn/winograd/winograd.h"

static const vq_conv_algorithm *const algorithms[] = {&vq_conv_direct, &vq_conv_winograd,
                                                      &vq_conv_bf16};

/* Algorithms take all of them; kernels of one row, phases, padding, several classes. */
static const vq_convolution convolutions[] = {
    {.images = 9,
     .in = 20,
     .out = 33,
     .image = {8, 7},
     .map = {8, 7},
     .kernel = {3, 3},
     .stride = {1, 1},
     .pad = {1, 1}},
    {.images = 3,
     .in = 3,
     .out = 17,
     .image = {18, 10},
     .map = {9, 5},
     .kernel = {4, 4},
     .stride = {2, 2},
     .pad = {1, 1}},
    {.images = 1,
     .in = 16,
     .out = 5,
     .image = {40, 6},
     .map = {38, 4},
     .kernel = {3, 3},
     .stride = {1, 1},
     .pad = {0, 0}},
};

enum { GUARD = 256, BYTE = 0xa5 };

/* A room of `size` bytes with a guard behind it; `there` of them may be written. */
static vq_room make_room(size_t size)
{
    unsigned char *memory = aligned_alloc(64, (size + GUARD + 63) / 64 * 64);
    assert_non_null(memory);
    memset(memory, BYTE, size + GUARD);
    return (vq_room){memory, size};
}

/* Ends the room; bytes from `kept` to the end of the guard must be as they were. */
static void end_room(vq_room room, size_t kept)
{
    const unsigned char *bytes = room.at;
    for (size_t i = kept; i < room.size + GUARD; i++)
        if (bytes[i] != BYTE) fail_msg("byte %zu of %zu was written", i, room.size);
    free(room.at);
}

static float *numbers(size_t count)
{
    float *made = malloc(count * sizeof *made);
    assert_non_null(made);
    for (size_t i = 0; i < count; i++) made[i] = (float)(i % 7) - 3.0f;
    return made;
}

/* One action in all that it asks for, and in 64 bytes less. */
typedef vq_status action_fn(vq_context *ctx, void *arg, vq_room room);

static void check(vq_context *ctx, action_fn *act, void *arg, size_t size, const char *sentence)
{
    vq_room room = make_room(size);
    assert_int_equal(act(ctx, arg, room), VQ_OK);
    end_room(room, size);
    room = make_room(size);
    room.size = size < 64 ? 0 : size - 64;
    assert_int_equal(act(ctx, arg, room), VQ_E_INTERNAL);
    assert_non_null(strstr(vq_context_error(ctx), sentence));
    end_room(room, room.size);
}

typedef struct problem {
    const vq_conv_algorithm *a;
    const vq_convolution *c;
    vq_conv_direction direction;
    float *image, *map, *weight;
    vq_conv_arrays_real arrays;
} problem;

static vq_status pack(vq_context *ctx, void *arg, vq_room room)
{
    const problem *p = arg;
    return p->a->pack(ctx, p->c, p->direction, p->weight, NULL, room);
}

static vq_status run(vq_context *ctx, void *arg, vq_room room)
{
    const problem *p = arg;
    return p->a->run(ctx, p->c, p->direction, &p->arrays, room);
}

static vq_status weights(vq_context *ctx, void *arg, vq_room room)
{
    const problem *p = arg;
    const vq_weights_arrays_real arrays = {.image = p->image, .map = p->map};
    return p->a->weights(ctx, p->c, &arrays, p->weight, room);
}

static void check_direction(vq_context *ctx, problem *p)
{
    const bool apply = p->direction == VQ_CONV_APPLY;
    const vq_room packed = make_room(p->a->packed_size(p->c, p->direction));
    check(ctx, pack, p, packed.size, "weights");
    assert_int_equal(pack(ctx, p, packed), VQ_OK);
    for (int relu = 0; relu < 2; relu++) {
        p->arrays = (vq_conv_arrays_real){.from = apply ? p->image : p->map,
                                          .packed = packed.at,
                                          .to = apply ? p->map : p->image,
                                          .relu_from = relu};
        check(ctx, run, p, p->a->scratch(ctx, p->c, p->direction, relu), "scratch");
    }
    end_room(packed, packed.size);
}

static void test_convolutions(void **state)
{
    const vq_context_config config = {.threads = 3};
    vq_context *ctx;
    (void)state;
    assert_int_equal(vq_context_create(&config, &ctx), VQ_OK);
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++)
        for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++) {
            vq_convolution one = convolutions[i];
            const vq_convolution *c = &one;
            problem p = {.a = algorithms[a], .c = c};
            one.bf16 = algorithms[a] == &vq_conv_bf16;
            p.image = numbers(c->images * c->image[0] * c->image[1] * c->in);
            p.map = numbers(c->images * c->map[0] * c->map[1] * c->out);
            p.weight = numbers(c->in * c->out * c->kernel[0] * c->kernel[1]);
            for (p.direction = VQ_CONV_APPLY; p.direction <= VQ_CONV_ADJOINT; p.direction++)
                check_direction(ctx, &p);
            check(ctx, weights, &p, p.a->weights_scratch(ctx, c), "weights' gradient");
            free(p.image);
            free(p.map);
            free(p.weight);
        }
    vq_context_destroy(ctx);
}

static const vq_shape biased = {.rank = 4, .dim = {5, 16, 16, 20}};

static vq_status bias(vq_context *ctx, void *arg, vq_room room)
{
    float sums[20] = {0.0f};
    return vq_bias_gradient(ctx, &biased, arg, sums, room);
}

static void test_bias(void **state)
{
    vq_context *ctx;
    (void)state;
    assert_int_equal(vq_context_create(NULL, &ctx), VQ_OK);
    float *map = numbers(5 * 16 * 16 * 20);
    check(ctx, bias, map, vq_bias_scratch(&biased), "bias");
    free(map);
    vq_context_destroy(ctx);
}

/* What is left behind a part is no more than there is. */
static void test_parts(void **state)
{
    unsigned char memory[256];
    const vq_room room = {memory, sizeof memory};
    (void)state;
    assert_ptr_equal(vq_room_behind(room, 64).at, memory + 64);
    assert_int_equal(vq_room_behind(room, 64).size, 192);
    assert_null(vq_room_behind(room, 256).at);
    assert_int_equal(vq_room_behind(room, 320).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_convolutions),
                                       cmocka_unit_test(test_bias), cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
