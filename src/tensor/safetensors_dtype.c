/* SPDX-License-Identifier: Apache-2.0
 * tensor/safetensors_dtype.c -- names and order of element types in safetensors. */
#include "tensor/safetensors.h"
#include <stddef.h>
#include <string.h>

/* In the order of the reference writer (huggingface safetensors, enum Dtype, from its end). */
static const struct {
    const char *name;
    vq_dtype dtype;
} rows[] = {
    {"U64", VQ_U64}, {"I64", VQ_I64},   {"F64", VQ_F64},   {"F32", VQ_F32}, {"U32", VQ_U32},
    {"I32", VQ_I32}, {"BF16", VQ_BF16}, {"F16", VQ_F16},   {"U16", VQ_U16}, {"I16", VQ_I16},
    {"I8", VQ_I8},   {"U8", VQ_U8},     {"BOOL", VQ_BOOL},
};
enum { ROWS = sizeof rows / sizeof *rows };

static const char *const foreign[] = {
    "F4",      "F6_E2M3", "F6_E3M2",     "F8_E5M2",     "F8_E4M3",
    "F8_E8M0", "C64",     "F8_E4M3FNUZ", "F8_E5M2FNUZ",
};

int vq_safetensors_dtype_rank(vq_dtype dtype)
{
    int rank = 0;
    while (rank < ROWS && rows[rank].dtype != dtype) rank++;
    return rank;
}

const char *vq_safetensors_dtype_name(vq_dtype dtype)
{
    const int rank = vq_safetensors_dtype_rank(dtype);
    return rank < ROWS ? rows[rank].name : "";
}

bool vq_safetensors_dtype_named(const char *name, vq_dtype *dtype)
{
    for (int i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) != 0) continue;
        *dtype = rows[i].dtype;
        return true;
    }
    return false;
}

bool vq_safetensors_dtype_foreign(const char *name)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strcmp(foreign[i], name) == 0) return true;
    return false;
}
