/* SPDX-License-Identifier: Apache-2.0
 * kernels/bf16_portable.c -- products of bf16 in plain C: their specification. */
#include "kernels/bf16.h"

#include <math.h>

#define TARGET

static float add_products(uint32_t x, uint32_t y, float sum)
{
    sum = fmaf(vq_pair_high(x), vq_pair_high(y), sum);
    return fmaf(vq_pair_low(x), vq_pair_low(y), sum);
}

/* A row of a block of a times a block of b. */
static void multiply_row(const vq_pair *a, const vq_pair *b, float *sum)
{
    for (size_t p = 0; p < VQ_BLOCK; p++, b += VQ_BLOCK)
        for (size_t j = 0; j < VQ_BLOCK; j++) sum[j] = add_products(a[p], b[j], sum[j]);
}

static void multiply(const vq_bf16_product *m)
{
    for (size_t i = 0; i < m->tall * VQ_BLOCK; i++)
        for (size_t panel = 0; panel < m->wide; panel++) {
            const vq_pair *a =
                m->a + i / VQ_BLOCK * m->deep * VQ_BLOCK_WORDS + i % VQ_BLOCK * VQ_BLOCK;
            const vq_pair *b = m->b + panel * m->b_step;
            const float *start = m->start + i * m->start_step + panel * VQ_BLOCK;
            float *sum = m->sum + i * m->sum_step + panel * VQ_BLOCK;
            for (size_t j = 0; j < VQ_BLOCK; j++) sum[j] = start[j];
            for (size_t k = 0; k < m->deep; k++)
                multiply_row(a + k * VQ_BLOCK_WORDS, b + k * VQ_BLOCK_WORDS, sum);
        }
}

#include "kernels/correlate_bf16.inc"

static void round_numbers(const float *from, size_t count, bool relu, vq_pair *to)
{
    for (size_t i = 0; i + 1 < count; i += 2)
        to[i / 2] = vq_pair_of(vq_bf16_read(from[i], relu), vq_bf16_read(from[i + 1], relu));
    if (count % 2) to[count / 2] = vq_pair_of(vq_bf16_read(from[count - 1], relu), 0.0f);
}

static void pair_rows(const vq_pair_rows *r)
{
    for (size_t i = 0; i < r->rows; i++)
        for (size_t j = 0; j < VQ_BLOCK; j++) {
            const float low = r->low ? vq_bf16_read(r->low[i * r->step + j], r->relu) : 0.0f;
            const float high = r->high ? vq_bf16_read(r->high[i * r->step + j], r->relu) : 0.0f;
            r->to[i * VQ_BLOCK + j] = vq_pair_of(low, high);
        }
}

const vq_bf16_kernels vq_bf16_portable = {"portable bf16 in f32", correlate, multiply,
                                          round_numbers, pair_rows};
