/* SPDX-License-Identifier: Apache-2.0
 * kernels/bf16_portable.c -- products of bf16 in plain C: their specification. */
#include "kernels/bf16.h"

#include <math.h>

static float add_products(uint32_t x, uint32_t y, float sum)
{
    sum = fmaf(vq_pair_high(x), vq_pair_high(y), sum);
    return fmaf(vq_pair_low(x), vq_pair_low(y), sum);
}

static void correlate_panel(const vq_correlate_tile *t, size_t at, const vq_pair *weights)
{
    float sum[VQ_PLACES][VQ_PANEL];
    for (size_t i = 0; i < VQ_PLACES; i++)
        for (size_t j = 0; j < VQ_PANEL; j++) sum[i][j] = t->start[i][at + j];
    for (size_t tap = 0; tap < t->taps; tap++) {
        const vq_pair *line = weights + tap * t->line_step;
        for (size_t q = 0; q < t->run; q++, line += VQ_PANEL)
            for (size_t i = 0; i < VQ_PLACES; i++) {
                const uint32_t pair = ((const vq_pair *)t->in[i])[tap * t->tap_step + q];
                for (size_t j = 0; j < VQ_PANEL; j++)
                    sum[i][j] = add_products(pair, line[j], sum[i][j]);
            }
    }
    for (size_t i = 0; i < VQ_PLACES; i++)
        for (size_t j = 0; j < VQ_PANEL; j++)
            t->out[i][at + j] = vq_correlate_finish(t, i, at + j, sum[i][j]);
}

void vq_correlate_bf16_portable(const vq_correlate_tile *t)
{
    for (size_t panel = 0; panel < t->panels; panel++)
        correlate_panel(t, panel * VQ_PANEL, (const vq_pair *)(t->weights + panel * t->panel_step));
}

static void outer_place(const vq_outer_tile *t, const vq_pair *a, const vq_pair *b)
{
    for (size_t i = 0; i < VQ_PLACES; i++) {
        float *c = t->c + i * t->c_step;
        for (size_t j = 0; j < VQ_PANEL * t->panels; j++) c[j] = add_products(a[i], b[j], c[j]);
    }
}

void vq_outer_bf16_portable(const vq_outer_tile *t)
{
    const vq_pair *a = (const vq_pair *)t->a, *b = (const vq_pair *)t->b;
    for (size_t n = 0; n < t->count[0]; n++)
        for (size_t y = 0; y < t->count[1]; y++)
            for (size_t x = 0; x < t->count[2]; x++)
                outer_place(t, a + n * t->a_step[0] + y * t->a_step[1] + x * t->a_step[2],
                            b + n * t->b_step[0] + y * t->b_step[1] + x * t->b_step[2]);
}
