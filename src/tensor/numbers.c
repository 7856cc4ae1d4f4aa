/* SPDX-License-Identifier: Apache-2.0
 * tensor/numbers.c -- floats of every width as f32 (IEEE 754; bf16 is the upper half of an f32). */
#include "tensor/numbers.h"
#include <string.h>

bool vq_dtype_is_float(vq_dtype dtype)
{
    return dtype == VQ_F32 || dtype == VQ_F64 || dtype == VQ_F16 || dtype == VQ_BF16;
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Moved into place as bits of an f32, the exponent is 112 too small: a product with 2^112 mends it,
 * subnormal numbers included. Infinity and NaN get the exponent that an f32 has for them. */
static float from_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t bits = (uint32_t)(half & 0x7fffu) << 13;
    if ((half & 0x7c00u) == 0x7c00u) return from_bits(sign | 0x7f800000u | bits);
    const float value = from_bits(bits) * 0x1p112f;
    return sign ? -value : value;
}

static float from_f64(const unsigned char *bytes)
{
    double value;
    memcpy(&value, bytes, sizeof value);
    return (float)value;
}

static uint16_t take_u16(const unsigned char *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

void vq_numbers_to_f32(vq_dtype dtype, const void *from, size_t count, float *to)
{
    const unsigned char *bytes = from;
    if (dtype == VQ_F32 && count > 0) memcpy(to, from, count * sizeof *to);
    if (dtype == VQ_F64)
        for (size_t i = 0; i < count; i++) to[i] = from_f64(bytes + 8 * i);
    if (dtype == VQ_F16)
        for (size_t i = 0; i < count; i++) to[i] = from_half(take_u16(bytes + 2 * i));
    if (dtype == VQ_BF16)
        for (size_t i = 0; i < count; i++)
            to[i] = from_bits((uint32_t)take_u16(bytes + 2 * i) << 16);
}

void vq_numbers_swap(void *numbers, size_t count, size_t size)
{
    unsigned char *at = numbers;
    for (size_t n = 0; n < count; n++, at += size)
        for (size_t i = 0; i < size / 2; i++) {
            const unsigned char kept = at[i];
            at[i] = at[size - 1 - i];
            at[size - 1 - i] = kept;
        }
}
