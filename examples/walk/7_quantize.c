/* SPDX-License-Identifier: Apache-2.0
 * Step 7: Quantize(dim, n_embed, decay 0.99, eps 1e-5) as vq-vae-2-pytorch has it. */
#include "walk.h"

enum { DIM = 4, N_EMBED = 16, N = 2048, STEPS = 20 };

static const double decay = 0.99, eps = 1e-5;

typedef struct quantizer {
    double embed[N_EMBED * DIM], embed_avg[N_EMBED * DIM], cluster_size[N_EMBED];
} quantizer;

/* |x|^2 - 2 x.E + |E|^2, and its argmin. */
static void choose(const quantizer *q, const double *x, uint32_t *ind)
{
    static double turned[DIM * N_EMBED], dist[N * N_EMBED];
    turn(N_EMBED, DIM, q->embed, turned);
    multiply(N, DIM, N_EMBED, x, turned, dist);
    for (int i = 0; i < N * N_EMBED; i++)
        dist[i] = squared_length(DIM, x + i / N_EMBED * DIM) - 2.0 * dist[i] +
                  squared_length(DIM, q->embed + i % N_EMBED * DIM);
    for (int i = 0; i < N; i++) ind[i] = lowest(N_EMBED, dist + i * N_EMBED);
}

/* The moving averages of how many vectors chose a code and of their sum. */
static void update(quantizer *q, const double *onehot, const double *x)
{
    static double turned[N_EMBED * N], embed_sum[N_EMBED * DIM];
    double n = 0.0;
    turn(N, N_EMBED, onehot, turned);
    multiply(N_EMBED, N, DIM, turned, x, embed_sum);
    for (int k = 0; k < N_EMBED; k++) {
        q->cluster_size[k] *= decay;
        for (int i = 0; i < N; i++) q->cluster_size[k] += (1.0 - decay) * turned[k * N + i];
        n += q->cluster_size[k];
    }
    for (int i = 0; i < N_EMBED * DIM; i++) {
        q->embed_avg[i] = decay * q->embed_avg[i] + (1.0 - decay) * embed_sum[i];
        q->embed[i] =
            q->embed_avg[i] / ((q->cluster_size[i / DIM] + eps) / (n + N_EMBED * eps) * n);
    }
}

/* Returns diff; `quantize` is what a decoder gets, `ind` the indices. */
static double forward(quantizer *q, const double *x, double *quantize, uint32_t *ind)
{
    static double onehot[N * N_EMBED];
    choose(q, x, ind);
    one_hot(N, N_EMBED, ind, onehot);
    multiply(N, N_EMBED, DIM, onehot, q->embed, quantize); /* embed_code */
    const double diff = squared_distance(N * DIM, quantize, x) / (N * DIM);
    update(q, onehot, x);
    /* Straight through: x + sg(quantize - x). */
    for (int i = 0; i < N * DIM; i++) quantize[i] = x[i] + (quantize[i] - x[i]);
    return diff;
}

int main(void)
{
    static double x[N * DIM], quantize[N * DIM], theirs[N_EMBED * DIM], diff;
    static float input[N * DIM], table[N_EMBED * DIM];
    static uint32_t ind[N], codes[N];
    quantizer q = {0};
    vq_context *ctx = open_library();
    fill_signed(17, N_EMBED * DIM, q.embed);
    memcpy(q.embed_avg, q.embed, sizeof q.embed);
    to_floats(N_EMBED * DIM, q.embed, table);
    vq_codebook *book = make_codebook(ctx, N_EMBED, DIM, 1, table);
    printf("step    diff   library's   other codes   furthest number of the table\n");
    for (uint32_t step = 1; step <= STEPS; step++) {
        fill_signed(1001 * step, N * DIM, x);
        to_floats(N * DIM, x, input);
        const double own = forward(&q, x, quantize, ind);
        check(ctx, vq_codebook_step(ctx, book, N, input,
                                    &(vq_quantized){.indices = codes, .mse = &diff}));
        to_doubles(N_EMBED * DIM, vq_codebook_vectors(book), theirs);
        if (step > 2 && step % 5) continue;
        printf("%4u  %.4f      %.4f   %11d   %.3f\n", step, own, diff,
               N - count_same(N, ind, codes), furthest(N_EMBED * DIM, q.embed, theirs));
    }
    vq_codebook_destroy(ctx, book);
    vq_context_destroy(ctx);
    return 0;
}
