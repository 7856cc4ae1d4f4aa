/* SPDX-License-Identifier: Apache-2.0
 * quantize/quantize.c -- what all quantisers declare alike, and codebooks drawn from data. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "nn/ops/common.h"
#include "quantize/quantize_parts.h"

/* None of this depends on the type of the numbers. */
#ifndef VQ_REAL_DOUBLE

vq_quantize_sizes vq_quantize_sizes_of(const vq_step *run)
{
    const vq_quantize_attrs *attrs = run->node->attrs;
    return (vq_quantize_sizes){
        .n = vq_shape_count(&run->out[1].desc.shape),
        .dim = (size_t)attrs->dim,
        .n_codes = (size_t)attrs->codes,
    };
}

vq_status vq_quantize_check(vq_context *ctx, const char *name, const vq_quantize_attrs *attrs)
{
    VQ_CHECK(ctx, attrs->codes >= 1 && attrs->codes <= INT32_MAX, VQ_E_ARG,
             "%s: %lld codes, but 1 to %d are allowed", name, (long long)attrs->codes, INT32_MAX);
    VQ_CHECK(ctx, attrs->dim >= 1, VQ_E_ARG, "%s: codes of %lld numbers, but 1 is the least", name,
             (long long)attrs->dim);
    VQ_CHECK(ctx, isfinite(attrs->commitment) && attrs->commitment >= 0.0, VQ_E_ARG,
             "%s: the weight %g of the commitment must be 0 or more", name, attrs->commitment);
    return VQ_OK;
}

vq_status vq_quantize_declare(vq_context *ctx, vq_graph *graph, vq_node *node, vq_param_kind kind)
{
    const vq_quantize_attrs *attrs = node->attrs;
    VQ_TRY(vq_quantize_check(ctx, node->name, attrs));
    const bool normal = attrs->init == VQ_CODEBOOK_NORMAL;
    const vq_param_spec spec = {
        .suffix = "codebook",
        .shape = {2, {attrs->codes, attrs->dim}},
        .kind = kind,
        .group = VQ_GROUP_CODEBOOKS,
        .init = normal ? VQ_INIT_NORMAL : VQ_INIT_UNIFORM,
        .init_scale = normal ? 1.0 : sqrt(3.0 / (double)attrs->dim),
    };
    VQ_TRY(vq_graph_param(ctx, graph, node, &spec));
    vq_graph_sums(graph, node, (size_t)attrs->codes * (1 + (size_t)attrs->dim));
    return vq_graph_term(ctx, graph, node, "commitment", attrs->commitment);
}

double vq_quantize_flops(const vq_step *run, vq_direction direction)
{
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    if (direction != VQ_FORWARD) return 0.0;
    return 2.0 * (double)s.n * (double)s.n_codes * (double)s.dim;
}

vq_status vq_quantize_infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    const vq_quantize_attrs *attrs = node->attrs;
    const int last = in[0].shape.rank - 1;
    VQ_TRY(vq_check_real(ctx, node, 0, &in[0]));
    VQ_CHECK(ctx, last >= 0 && in[0].shape.dim[last] == attrs->dim, VQ_E_SHAPE,
             "%s: the vectors have %zu numbers, but the codes have %lld", node->name,
             vq_last_axis(&in[0].shape), (long long)attrs->dim);
    VQ_CHECK(ctx, vq_shape_count(&in[0].shape) > 0, VQ_E_SHAPE, "%s: there are no vectors",
             node->name);
    out[0] = in[0];
    out[1] = (vq_desc){.dtype = VQ_I32, .shape = in[0].shape};
    out[1].shape.rank = last;
    out[1].shape.dim[last] = 0;
    return VQ_OK;
}

/* FNV-1a: every quantiser of a model draws from a stream of its own. */
static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (uint32_t)(unsigned char)*name) * 16777619u;
    return hash;
}

vq_status vq_quantize_start(vq_step *run, uint64_t seed)
{
    const vq_quantize_attrs *attrs = run->node->attrs;
    if (attrs->init != VQ_CODEBOOK_DATA) return VQ_OK;
    const vq_quantize_sizes s = vq_quantize_sizes_of(run);
    const float *z = run->in[0].data;
    float *codebook = run->param[VQ_CODEBOOK].data;
    vq_random random = vq_random_stream(seed, VQ_RANDOM_CODEBOOK, 0, hash_name(run->node->name));
    size_t taken = 0;
    /* Selection sampling (Knuth, The Art of Computer Programming, 3.4.2, algorithm S): each
     * set of rows is equally likely, and no row comes twice. */
    for (size_t i = 0; i < s.n && taken < s.n_codes; i++)
        if (vq_random_below(&random, s.n - i) < s.n_codes - taken)
            memcpy(codebook + taken++ * s.dim, z + i * s.dim, s.dim * sizeof *z);
    for (; taken < s.n_codes; taken++) /* fewer rows than codes */
        memcpy(codebook + taken * s.dim, z + vq_random_below(&random, s.n) * s.dim,
               s.dim * sizeof *z);
    return VQ_OK;
}

#endif
