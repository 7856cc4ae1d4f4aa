/* SPDX-License-Identifier: Apache-2.0
 * model/builder.c -- the network of the paper, in one or more levels. */
#include "model/builder.h"

#include <stdio.h>

#include "nn/ops.h"
#include "quantize/quantize.h"

/* What every part of the builder needs; `value` is the edge that the next node reads. */
typedef struct builder {
    vq_context *ctx;
    const vq_model_config *config;
    vq_graph *graph;
    vq_value value;
    int64_t channels; /* of value */
    char prefix[32];  /* "encoder.0" */
} builder;

static vq_status add(builder *b, const vq_op *op, const char *name, const void *attrs)
{
    char full[VQ_NAME_SIZE];
    (void)snprintf(full, sizeof full, "%s.%s", b->prefix, name);
    return vq_graph_add(b->ctx, b->graph, op, full, attrs, &b->value, 1, &b->value);
}

static vq_status conv(builder *b, const char *name, int64_t out, int64_t kernel)
{
    const int64_t pad = (kernel - 1) / 2;
    const vq_conv_attrs attrs = {.in = b->channels,
                                 .out = out,
                                 .kernel = {kernel, kernel},
                                 .stride = {1, 1},
                                 .pad = {pad, pad, pad, pad},
                                 .bias = true};
    b->channels = out;
    return add(b, &vq_op_conv2d, name, &attrs);
}

/* Half the size, or twice the size: 4x4, stride 2, padded by 1. */
static vq_status resample(builder *b, const vq_op *op, const char *name, int64_t out)
{
    const vq_conv_attrs attrs = {.in = b->channels,
                                 .out = out,
                                 .kernel = {4, 4},
                                 .stride = {2, 2},
                                 .pad = {1, 1, 1, 1},
                                 .bias = true};
    b->channels = out;
    return add(b, op, name, &attrs);
}

/* x + conv1x1(relu(conv3x3(relu(x)))) */
static vq_status residual_block(builder *b, int index, int64_t inner)
{
    char name[5][32];
    const char *parts[5] = {"relu0", "conv3", "relu1", "conv1", "sum"};
    for (int i = 0; i < 5; i++)
        (void)snprintf(name[i], sizeof name[i], "block%d.%s", index, parts[i]);
    const vq_value x = b->value;
    const int64_t channels = b->channels;
    VQ_TRY(add(b, &vq_op_relu, name[0], NULL));
    VQ_TRY(conv(b, name[1], inner, 3));
    VQ_TRY(add(b, &vq_op_relu, name[2], NULL));
    VQ_TRY(conv(b, name[3], channels, 1));
    const vq_value in[2] = {x, b->value};
    char full[VQ_NAME_SIZE];
    (void)snprintf(full, sizeof full, "%s.%s", b->prefix, name[4]);
    return vq_graph_add(b->ctx, b->graph, &vq_op_add, full, NULL, in, 2, &b->value);
}

static vq_status residual_stack(builder *b, const vq_level_config *level)
{
    for (int i = 0; i < (int)level->blocks; i++) VQ_TRY(residual_block(b, i, level->block_width));
    return add(b, &vq_op_relu, "relu", NULL);
}

static int halvings(int64_t stride)
{
    int count = 0;
    for (; stride > 1; stride /= 2) count++;
    return count;
}

static int64_t narrow(const vq_level_config *level)
{
    if (level->narrow) return level->narrow;
    return level->width > 1 ? level->width / 2 : 1;
}

static vq_status encoder(builder *b, int l)
{
    const vq_level_config *level = &b->config->level[l];
    const int steps = halvings(level->stride);
    (void)snprintf(b->prefix, sizeof b->prefix, "encoder.%d", l);
    for (int i = 0; i < steps; i++) {
        char name[2][32];
        (void)snprintf(name[0], sizeof name[0], "down%d", i);
        (void)snprintf(name[1], sizeof name[1], "down%d.relu", i);
        VQ_TRY(resample(b, &vq_op_conv2d, name[0], i + 1 < steps ? narrow(level) : level->width));
        VQ_TRY(add(b, &vq_op_relu, name[1], NULL));
    }
    VQ_TRY(conv(b, "conv", level->width, 3));
    return residual_stack(b, level);
}

/* From a grid to one `stride` times finer with `out` channels. */
static vq_status decoder(builder *b, int l, int64_t out)
{
    const vq_level_config *level = &b->config->level[l];
    const int steps = halvings(level->stride);
    (void)snprintf(b->prefix, sizeof b->prefix, "decoder.%d", l);
    VQ_TRY(conv(b, "conv", level->width, 3));
    VQ_TRY(residual_stack(b, level));
    for (int i = 0; i < steps; i++) {
        char name[2][32];
        (void)snprintf(name[0], sizeof name[0], "up%d", i);
        (void)snprintf(name[1], sizeof name[1], "up%d.relu", i);
        const bool last = i + 1 == steps;
        VQ_TRY(resample(b, &vq_op_conv_transpose2d, name[0], last ? out : narrow(level)));
        if (!last) VQ_TRY(add(b, &vq_op_relu, name[1], NULL));
    }
    return steps ? VQ_OK : conv(b, "out", out, 3);
}

static vq_status join(builder *b, const vq_value *in, int n_in, int64_t channels)
{
    char name[VQ_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s.concat", b->prefix);
    b->channels = channels;
    return vq_graph_add(b->ctx, b->graph, &vq_op_concat, name, NULL, in, n_in, &b->value);
}

static vq_status name_edge(builder *b, const char *kind, int l, vq_value value)
{
    char name[VQ_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s.%d", kind, l);
    return vq_graph_name(b->ctx, b->graph, value, name);
}

/* Projects to D channels and quantises; leaves the quantised grid as the current value. */
static vq_status quantizer(builder *b, int l)
{
    const vq_model_config *c = b->config;
    const vq_quantize_attrs attrs = {.codes = c->level[l].k,
                                     .dim = c->level[l].d,
                                     .commitment = c->commitment,
                                     .codebook = c->codebook,
                                     .decay = c->decay,
                                     .epsilon = c->epsilon,
                                     .start = (vq_ema_start)c->ema_start,
                                     .init = (vq_codebook_init)c->codebook_init};
    char name[VQ_NAME_SIZE];
    vq_value out[2];
    VQ_TRY(conv(b, "project", attrs.dim, 1));
    VQ_TRY(name_edge(b, "latent", l, b->value));
    (void)snprintf(name, sizeof name, "quantizer.%d", l);
    VQ_TRY(vq_graph_add(b->ctx, b->graph,
                        c->quantizer == 0 ? &vq_op_quantize_ema : &vq_op_quantize_gradient, name,
                        &attrs, &b->value, 1, out));
    VQ_TRY(name_edge(b, "quantized", l, out[0]));
    VQ_TRY(name_edge(b, "codes", l, out[1]));
    b->value = out[0];
    return VQ_OK;
}

/* Quantises every level from the coarsest down; each finer one sees the decoded codes of the
 * coarser one beside its own features. */
static vq_status quantize_levels(builder *b, const vq_value *features, vq_value *quantized)
{
    const vq_model_config *c = b->config;
    const int n = (int)c->n_levels;
    for (int l = n - 1; l >= 0; l--) {
        vq_value parts[2] = {features[l], -1};
        const bool coarsest = l == n - 1;
        if (!coarsest) {
            VQ_TRY(decoder(b, l + 1, c->level[l + 1].d));
            parts[1] = b->value;
        }
        (void)snprintf(b->prefix, sizeof b->prefix, "encoder.%d", l);
        b->value = features[l];
        b->channels = c->level[l].width;
        if (!coarsest) VQ_TRY(join(b, parts, 2, c->level[l].width + c->level[l + 1].d));
        VQ_TRY(quantizer(b, l));
        quantized[l] = b->value;
    }
    return VQ_OK;
}

/* Brings level l's quantised grid to the finest grid's size. */
static vq_status upsample(builder *b, int l, vq_value *quantized)
{
    int steps = 0;
    for (int i = 1; i <= l; i++) steps += halvings(b->config->level[i].stride);
    (void)snprintf(b->prefix, sizeof b->prefix, "upsample.%d", l);
    b->value = *quantized;
    b->channels = b->config->level[l].d;
    for (int i = 0; i < steps; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "up%d", i);
        VQ_TRY(resample(b, &vq_op_conv_transpose2d, name, b->channels));
    }
    *quantized = b->value;
    return VQ_OK;
}

static vq_status decode_levels(builder *b, vq_value *quantized)
{
    const int n = (int)b->config->n_levels;
    int64_t channels = 0;
    for (int l = 0; l < n; l++) {
        if (l > 0) VQ_TRY(upsample(b, l, &quantized[l]));
        channels += b->config->level[l].d;
    }
    (void)snprintf(b->prefix, sizeof b->prefix, "decoder.0");
    b->value = quantized[0];
    b->channels = channels;
    if (n > 1) VQ_TRY(join(b, quantized, n, channels));
    VQ_TRY(decoder(b, 0, b->config->channels));
    return vq_graph_name(b->ctx, b->graph, b->value, "reconstruction");
}

static vq_status build(builder *b, double variance)
{
    vq_value pixels, image, features[VQ_MAX_LEVELS], quantized[VQ_MAX_LEVELS];
    VQ_TRY(vq_graph_input(b->ctx, b->graph, "pixels", &pixels));
    VQ_TRY(vq_graph_add(b->ctx, b->graph, &vq_op_pixels, "scale", NULL, &pixels, 1, &image));
    VQ_TRY(vq_graph_name(b->ctx, b->graph, image, "image"));
    b->value = image;
    b->channels = b->config->channels;
    for (int l = 0; l < (int)b->config->n_levels; l++) {
        VQ_TRY(encoder(b, l));
        features[l] = b->value;
    }
    VQ_TRY(quantize_levels(b, features, quantized));
    VQ_TRY(decode_levels(b, quantized));
    const vq_mse_attrs attrs = {.weight = variance > 0 ? 1.0 / variance : 1.0};
    const vq_value in[2] = {b->value, image};
    return vq_graph_add(b->ctx, b->graph, &vq_op_mse, "reconstruction", &attrs, in, 2, NULL);
}

vq_status vq_model_build(vq_context *ctx, const vq_model_config *config, double variance,
                         vq_graph **out)
{
    *out = NULL;
    VQ_TRY(vq_model_config_check(ctx, config));
    builder b = {.ctx = ctx, .config = config};
    VQ_TRY(vq_graph_create(ctx, &b.graph));
    const vq_status status = build(&b, variance);
    if (status == VQ_OK) *out = b.graph;
    else vq_graph_destroy(ctx, b.graph);
    return status;
}

int64_t vq_model_stride(const vq_model_config *config)
{
    int64_t stride = 1;
    for (size_t l = 0; l < config->n_levels; l++) stride *= config->level[l].stride;
    return stride;
}
