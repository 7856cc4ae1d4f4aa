/* SPDX-License-Identifier: Apache-2.0
 * base/cpu.h -- which instruction sets the processor and the system offer. */
#ifndef VQ_BASE_CPU_H
#define VQ_BASE_CPU_H

#include <stdint.h>

enum {
    VQ_CPU_AVX2 = 1u << 0,   /* AVX2 and FMA */
    VQ_CPU_AVX512 = 1u << 1, /* AVX-512 F, BW, DQ, VL */
    VQ_CPU_AVX512_BF16 = 1u << 2,
    VQ_CPU_NEON = 1u << 3,     /* what every 64-bit ARM has */
    VQ_CPU_AMX_BF16 = 1u << 4, /* tiles of bf16, which the system allows */
};

enum {
    VQ_CPU_ALL = VQ_CPU_AVX2 | VQ_CPU_AVX512 | VQ_CPU_AVX512_BF16 | VQ_CPU_NEON | VQ_CPU_AMX_BF16
};

/** Those bits among `wanted` that this machine can run. Where tiles (AMX) are wanted and there,
 *  Linux is asked to allow them to the process, as they must be before their first use. */
uint32_t vq_cpu_detect(uint32_t wanted);
/** Bits allowed by an upper bound such as "portable" or "avx512"; 0 and *known = 0 for
 *  other names. */
uint32_t vq_cpu_bound(const char *name, int *known);
/** Name of the best set in `cpu`. */
const char *vq_cpu_name(uint32_t cpu);

#endif
