/* SPDX-License-Identifier: Apache-2.0
 * kernels/correlate_f64.c -- correlations in double, by plain loops. */
#include "kernels/correlate_f64.h"

#include "kernels/correlate.h"

static double chain(const vq_correlation_double *c, const double *in, const double *weights,
                    double sum)
{
    for (size_t t = 0; t < c->taps; t++)
        for (size_t q = 0; q < c->run; q++)
            sum += in[t * c->tap_step + q] * weights[(t * c->line + q) * VQ_PANEL];
    return sum;
}

static double finish(const vq_correlation_double *c, double x, size_t at)
{
    if (c->mask) x = c->mask[at] > 0.0 ? x : 0.0;
    if (c->residual) x += c->residual[at];
    return c->relu && x < 0.0 ? 0.0 : x;
}

void vq_correlate_f64(const vq_correlation_double *c)
{
    for (size_t i = 0; i < c->places; i++)
        for (size_t o = 0; o < c->channels; o++) {
            const size_t at = c->out_at[i] + o;
            const double *weights = c->weights + o / VQ_PANEL * VQ_PANEL * c->depth + o % VQ_PANEL;
            const double start = c->add ? c->out[at] : c->bias ? c->bias[o] : 0.0;
            c->out[at] = finish(c, chain(c, c->in + c->in_at[i], weights, start), at);
        }
}

void vq_outer_f64(const vq_outer_double *t)
{
    for (size_t n = 0; n < t->count[0]; n++)
        for (size_t y = 0; y < t->count[1]; y++)
            for (size_t x = 0; x < t->count[2]; x++) {
                const double *a = t->a + n * t->a_step[0] + y * t->a_step[1] + x * t->a_step[2];
                const double *b = t->b + n * t->b_step[0] + y * t->b_step[1] + x * t->b_step[2];
                for (size_t i = 0; i < VQ_PLACES; i++)
                    for (size_t j = 0; j < VQ_PANEL * t->panels; j++)
                        t->c[i * t->c_step + j] += a[i] * b[j];
            }
}
