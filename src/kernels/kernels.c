/* SPDX-License-Identifier: Apache-2.0
 * kernels/kernels.c -- choice of the table of kernels. */
#include "kernels/kernels.h"
#include "base/cpu.h"

const vq_kernels *vq_kernels_for(uint32_t cpu)
{
    static const struct {
        const vq_kernels *kernels;
        uint32_t need;
    } built[] = {
#define VQ_KERNELS(isa, need) {&vq_kernels_##isa, (need)},
#include "kernels/kernel_list.def"
#undef VQ_KERNELS
    };
    const vq_kernels *best = NULL;
    for (size_t i = 0; i < sizeof built / sizeof *built; i++)
        if ((built[i].need & ~cpu) == 0) best = built[i].kernels;
    return best;
}

const vq_kernels *vq_kernels_of(const vq_context *ctx)
{
    return ctx->kernels ? ctx->kernels : vq_kernels_for(ctx->cpu);
}
