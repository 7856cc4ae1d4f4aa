/* SPDX-License-Identifier: Apache-2.0
 * base/cpu.c -- instruction sets, asked of the compiler's run-time library, which also asks
 * whether the operating system keeps the wide registers. */
#include "base/cpu.h"
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Compilers' run-time libraries do not all know of tiles: bits 22 and 24 of EDX of leaf 7 (Intel,
 * Software Developer's Manual, CPUID). */
static int has_tiles(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & d >> 24 & 1u);
}

/* Their registers are 8 KiB that the system saves for each thread, so it wants to be asked (Linux,
 * Documentation/arch/x86/xstate.rst). */
static int tiles_allowed(void)
{
    enum { ASK_FOR_STATE = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) == 0;
}

/* Of processors with tiles the products of bf16 by AVX-512 are slower than those of f32, so they
 * are not taken in the place of tiles that the system refuses. */
static uint32_t with_tiles(uint32_t cpu)
{
    if (!has_tiles()) return cpu;
    return tiles_allowed() ? cpu | VQ_CPU_AMX_BF16 : cpu & ~(uint32_t)VQ_CPU_AVX512_BF16;
}
#else
static uint32_t with_tiles(uint32_t cpu)
{
    return cpu;
}
#endif

uint32_t vq_cpu_detect(uint32_t wanted)
{
    uint32_t cpu = 0;
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) cpu |= VQ_CPU_AVX2;
    if ((cpu & VQ_CPU_AVX2) && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        cpu |= VQ_CPU_AVX512;
    if ((cpu & VQ_CPU_AVX512) && __builtin_cpu_supports("avx512bf16")) cpu |= VQ_CPU_AVX512_BF16;
    if ((cpu & VQ_CPU_AVX512_BF16) && (wanted & VQ_CPU_AMX_BF16)) cpu = with_tiles(cpu);
#endif
#if defined(__aarch64__)
    cpu |= VQ_CPU_NEON;
#endif
    return cpu & wanted;
}

static const struct {
    const char *name;
    uint32_t bits;
} bounds[] = {
    /* Best first, so that vq_cpu_name() stops at the first one that is whole. */
    {"amx", VQ_CPU_AVX2 | VQ_CPU_AVX512 | VQ_CPU_AVX512_BF16 | VQ_CPU_AMX_BF16},
    {"avx512bf16", VQ_CPU_AVX2 | VQ_CPU_AVX512 | VQ_CPU_AVX512_BF16},
    {"avx512", VQ_CPU_AVX2 | VQ_CPU_AVX512},
    {"avx2", VQ_CPU_AVX2},
    {"neon", VQ_CPU_NEON},
    {"portable", 0},
};

uint32_t vq_cpu_bound(const char *name, int *known)
{
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        *known = strcmp(name, bounds[i].name) == 0;
        if (*known) return bounds[i].bits;
    }
    return 0;
}

const char *vq_cpu_name(uint32_t cpu)
{
    size_t i = 0;
    while ((bounds[i].bits & ~cpu) != 0) i++; /* the last row needs nothing */
    return bounds[i].name;
}
