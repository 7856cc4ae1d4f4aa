/* SPDX-License-Identifier: Apache-2.0
 * kernels/amx.c -- products of bf16 by tile registers: tiles 0 to 3 hold sums, 4 and 5 blocks of
 * rows, 6 and 7 blocks of columns. */
#include "kernels/avx512_bf16.h"

#if defined(__x86_64__)
#include "kernels/amx_tile.h"

#define TARGET VQ_AMX

enum { LINE = VQ_BLOCK * sizeof(vq_pair) }; /* bytes of a row of a block */

/* Blocks as vq_bf16_product has them, from some column of blocks on. */
typedef struct blocks {
    const vq_pair *a[2], *b[2];
    const float *start[2]; /* of each row of blocks, as the next */
    float *sum[2];
    size_t deep, start_step, step; /* bytes from row to row of start and of sum */
} blocks;

TARGET static void multiply_2x2(const blocks *m)
{
    VQ_TILE_LOAD(0, m->start[0], m->start_step);
    VQ_TILE_LOAD(1, m->start[0] + VQ_BLOCK, m->start_step);
    VQ_TILE_LOAD(2, m->start[1], m->start_step);
    VQ_TILE_LOAD(3, m->start[1] + VQ_BLOCK, m->start_step);
    for (size_t k = 0; k < m->deep * VQ_BLOCK_WORDS; k += VQ_BLOCK_WORDS) {
        VQ_TILE_LOAD(4, m->a[0] + k, LINE);
        VQ_TILE_LOAD(6, m->b[0] + k, LINE);
        VQ_TILE_LOAD(7, m->b[1] + k, LINE);
        VQ_TILE_LOAD(5, m->a[1] + k, LINE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    VQ_TILE_STORE(0, m->sum[0], m->step);
    VQ_TILE_STORE(1, m->sum[0] + VQ_BLOCK, m->step);
    VQ_TILE_STORE(2, m->sum[1], m->step);
    VQ_TILE_STORE(3, m->sum[1] + VQ_BLOCK, m->step);
}

TARGET static void multiply_2x1(const blocks *m)
{
    VQ_TILE_LOAD(0, m->start[0], m->start_step);
    VQ_TILE_LOAD(2, m->start[1], m->start_step);
    for (size_t k = 0; k < m->deep * VQ_BLOCK_WORDS; k += VQ_BLOCK_WORDS) {
        VQ_TILE_LOAD(4, m->a[0] + k, LINE);
        VQ_TILE_LOAD(5, m->a[1] + k, LINE);
        VQ_TILE_LOAD(6, m->b[0] + k, LINE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(2, 5, 6);
    }
    VQ_TILE_STORE(0, m->sum[0], m->step);
    VQ_TILE_STORE(2, m->sum[1], m->step);
}

TARGET static void multiply_1x1(const blocks *m)
{
    VQ_TILE_LOAD(0, m->start[0], m->start_step);
    for (size_t k = 0; k < m->deep * VQ_BLOCK_WORDS; k += VQ_BLOCK_WORDS) {
        VQ_TILE_LOAD(4, m->a[0] + k, LINE);
        VQ_TILE_LOAD(6, m->b[0] + k, LINE);
        _tile_dpbf16ps(0, 4, 6);
    }
    VQ_TILE_STORE(0, m->sum[0], m->step);
}

TARGET static void multiply(const vq_bf16_product *p)
{
    const size_t row = p->deep * VQ_BLOCK_WORDS;
    const bool two = p->high == 2;
    vq_tiles_begin();
    for (size_t panel = 0; panel < p->wide;) {
        const float *start = p->start + panel * VQ_BLOCK;
        float *sum = p->sum + panel * VQ_BLOCK;
        const vq_pair *b = p->b + panel * p->b_step;
        const blocks m = {.a = {p->a, p->a + row},
                          .b = {b, b + p->b_step},
                          .start = {start, start + VQ_BLOCK * p->start_step},
                          .sum = {sum, sum + VQ_BLOCK * p->sum_step},
                          .deep = p->deep,
                          .start_step = p->start_step * sizeof(float),
                          .step = p->sum_step * sizeof(float)};
        const bool both = two && panel + 1 < p->wide;
        if (both) multiply_2x2(&m);
        else if (two) multiply_2x1(&m);
        else multiply_1x1(&m);
        panel += both ? 2 : 1;
    }
    _tile_release();
}

#include "kernels/correlate_bf16.inc"

const vq_bf16_kernels vq_bf16_amx = {correlate, multiply, vq_round_bf16_avx512,
                                     vq_pair_rows_avx512};

#endif
