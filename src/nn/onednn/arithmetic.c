/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/arithmetic.c -- which oneDNN this is and which instructions it takes.
 *
 * oneDNN chooses for itself, once for the whole process, from the processor and the variable
 * ONEDNN_MAX_CPU_ISA; the bound of a context does not reach it. */
#include <dnnl.h>
#include <stdio.h>

#include "nn/onednn/onednn.h"

static const char *isa_name(dnnl_cpu_isa_t isa)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {
        {dnnl_cpu_isa_all, "default"},
        {dnnl_cpu_isa_sse41, "sse41"},
        {dnnl_cpu_isa_avx, "avx"},
        {dnnl_cpu_isa_avx2, "avx2"},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
        {dnnl_cpu_isa_avx512_core, "avx512_core"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].isa == isa) return names[i].name;
    return NULL;
}

void vq_dnn_arithmetic(const vq_context *ctx, char *to, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    const char *name = isa_name(isa);
    char number[24];
    (void)snprintf(number, sizeof number, "isa-%#x", (unsigned)isa);
    (void)snprintf(to, size, "onednn %d.%d.%d %s + %s", version->major, version->minor,
                   version->patch, name ? name : number, vq_context_cpu(ctx));
}
