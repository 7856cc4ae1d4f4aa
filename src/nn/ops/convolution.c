/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/convolution.c -- a convolution, its adjoint and the gradient of its weights as matrix
 * products on columns. */
#include "nn/ops/convolution.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "nn/ops/common.h"
#include "nn/ops/product.h"

#ifndef VQ_REAL_DOUBLE

enum { COLUMNS_BYTES = 4 << 20 }; /* what the columns of one chunk may take, as f32 */

vq_convolution vq_convolution_of(const vq_conv_attrs *attrs, const vq_shape *image,
                                 const vq_shape *map)
{
    vq_convolution c = {
        .images = (size_t)image->dim[0],
        .height = (size_t)image->dim[1],
        .width = (size_t)image->dim[2],
        .in = (size_t)image->dim[3],
        .map_height = (size_t)map->dim[1],
        .map_width = (size_t)map->dim[2],
        .out = (size_t)map->dim[3],
        .kernel = {(size_t)attrs->kernel[0], (size_t)attrs->kernel[1]},
        .stride = {(size_t)attrs->stride[0], (size_t)attrs->stride[1]},
        .top = (size_t)attrs->pad[0],
        .left = (size_t)attrs->pad[1],
    };
    c.depth = c.kernel[0] * c.kernel[1] * c.in;
    c.direct = c.kernel[0] * c.kernel[1] * c.stride[0] * c.stride[1] == 1 &&
               attrs->pad[0] + attrs->pad[1] + attrs->pad[2] + attrs->pad[3] == 0;
    c.chunk = c.images * c.map_height;
    const size_t rows = COLUMNS_BYTES / (c.map_width * c.depth * sizeof(float));
    if (!c.direct && rows < c.chunk) c.chunk = rows ? rows : 1;
    return c;
}

static vq_status check_attrs(vq_context *ctx, const vq_node *node)
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_CHECK(ctx, attrs->in >= 1 && attrs->out >= 1, VQ_E_ARG,
             "%s: %lld channels in and %lld out, but both must be at least 1", node->name,
             (long long)attrs->in, (long long)attrs->out);
    for (int i = 0; i < 2; i++)
        VQ_CHECK(ctx, attrs->kernel[i] >= 1 && attrs->stride[i] >= 1, VQ_E_ARG,
                 "%s: kernel %lld and stride %lld, but both must be at least 1", node->name,
                 (long long)attrs->kernel[i], (long long)attrs->stride[i]);
    for (int i = 0; i < 4; i++)
        VQ_CHECK(ctx, attrs->pad[i] >= 0, VQ_E_ARG,
                 "%s: a padding of %lld, but it must be at least 0", node->name,
                 (long long)attrs->pad[i]);
    return VQ_OK;
}

vq_status vq_convolution_declare(vq_context *ctx, vq_graph *graph, vq_node *node,
                                 const int64_t weight_channels[2])
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_TRY(check_attrs(ctx, node));
    /* PyTorch takes fan_in from the second axis, for transposed convolutions too. */
    const double fan_in =
        (double)weight_channels[1] * (double)attrs->kernel[0] * (double)attrs->kernel[1];
    vq_param_spec spec = {
        .suffix = "weight",
        .shape = {4, {weight_channels[0], weight_channels[1], attrs->kernel[0], attrs->kernel[1]}},
        .kind = VQ_PARAM_TRAINED,
        .group = VQ_GROUP_WEIGHTS,
        .init = VQ_INIT_UNIFORM,
        .init_scale = 1.0 / sqrt(fan_in),
    };
    VQ_TRY(vq_graph_param(ctx, graph, node, &spec));
    if (!attrs->bias) return VQ_OK;
    spec.suffix = "bias";
    spec.shape = (vq_shape){1, {attrs->out}};
    return vq_graph_param(ctx, graph, node, &spec);
}

vq_status vq_convolution_check(vq_context *ctx, const vq_node *node, const vq_desc *in)
{
    const vq_conv_attrs *attrs = node->attrs;
    VQ_TRY(vq_check_real(ctx, node, 0, in));
    VQ_CHECK(ctx, in->shape.rank == 4, VQ_E_SHAPE,
             "%s: the input has %d axes, but 4 are needed: N,H,W,C", node->name, in->shape.rank);
    VQ_CHECK(ctx, in->shape.dim[3] == attrs->in, VQ_E_SHAPE,
             "%s: the input has %lld channels, but the weights expect %lld", node->name,
             (long long)in->shape.dim[3], (long long)attrs->in);
    return VQ_OK;
}

/* Every number of the map takes part in in*kh*kw multiply-adds. */
double vq_convolution_flops(const vq_step *run, const vq_shape *map, int64_t channels)
{
    const vq_conv_attrs *attrs = run->node->attrs;
    return 2.0 * (double)vq_shape_count(map) * (double)channels * (double)attrs->kernel[0] *
           (double)attrs->kernel[1];
}

#endif

/* ---- weights ------------------------------------------------------------------ */

typedef struct weights_job {
    const vq_convolution *c;
    const real *from;
    real *to;
} weights_job;

/* O,I,kh,kw to O,kh,kw,I: the order of the columns. */
static void pack_range(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const size_t in = job->c->in, taps = job->c->kernel[0] * job->c->kernel[1];
    (void)thread;
    for (size_t o = begin; o < end; o++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t i = 0; i < in; i++)
                job->to[(o * taps + tap) * in + i] = job->from[(o * in + i) * taps + tap];
}

static void unpack_range(void *arg, size_t begin, size_t end, int thread)
{
    const weights_job *job = arg;
    const size_t in = job->c->in, taps = job->c->kernel[0] * job->c->kernel[1];
    (void)thread;
    for (size_t o = begin; o < end; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t tap = 0; tap < taps; tap++)
                job->to[(o * in + i) * taps + tap] += job->from[(o * taps + tap) * in + i];
}

static void pack_weights(vq_context *ctx, const vq_convolution *c, const real *weight, real *packed)
{
    weights_job job = {.c = c, .from = weight, .to = packed};
    vq_parallel_for(ctx, c->out, 1 + VQ_ELEMENT_GRAIN / c->depth, pack_range, &job);
}

/* ---- the three products ------------------------------------------------------- */

typedef struct scratch_parts {
    real *weights; /* out x depth */
    real *columns; /* chunk * map_width x depth */
    void *workspace;
} scratch_parts;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Workspace for chunks of so many map rows. */
static size_t workspace_for(const vq_context *ctx, const vq_convolution *c, size_t rows)
{
    const size_t places = rows * c->map_width;
    size_t size = vq_product_workspace(ctx, places, c->out, c->depth);
    size = larger(size, vq_product_workspace(ctx, places, c->depth, c->out));
    return larger(size, vq_product_workspace(ctx, c->out, c->depth, places));
}

/* With arena.base NULL this measures; the same calls then bind. */
static scratch_parts scratch_of(const vq_context *ctx, const vq_convolution *c, vq_arena *arena)
{
    const size_t rest = c->images * c->map_height % c->chunk;
    scratch_parts parts;
    parts.weights = vq_arena_get(arena, c->out * c->depth, sizeof(real));
    parts.columns =
        c->direct ? NULL : vq_arena_get(arena, c->chunk * c->map_width * c->depth, sizeof(real));
    parts.workspace = vq_arena_get(
        arena, larger(workspace_for(ctx, c, c->chunk), rest ? workspace_for(ctx, c, rest) : 0), 1);
    return parts;
}

size_t vq_convolution_scratch(const vq_context *ctx, const vq_convolution *c)
{
    vq_arena arena = {0};
    (void)scratch_of(ctx, c, &arena);
    return arena.used;
}

static scratch_parts bind_scratch(const vq_context *ctx, const vq_convolution *c, void *scratch)
{
    vq_arena arena = {.base = scratch, .capacity = SIZE_MAX};
    return scratch_of(ctx, c, &arena);
}

/* End of the chunk that begins at a map row. */
static size_t chunk_end(const vq_convolution *c, size_t begin)
{
    const size_t rows = c->images * c->map_height;
    return rows - begin < c->chunk ? rows : begin + c->chunk;
}

/* The columns of a chunk, where the products find them. */
static const real *columns_of(vq_context *ctx, const vq_convolution *c, size_t begin, size_t end,
                              const real *image, real *columns)
{
    if (c->direct) return image + begin * c->width * c->in;
    vq_columns_gather(ctx, c, begin, end, image, columns);
    return columns;
}

void vq_convolution_apply(vq_context *ctx, const vq_convolution *c, const real *image,
                          const real *weight, bool add, real *map, void *scratch)
{
    const scratch_parts parts = bind_scratch(ctx, c, scratch);
    pack_weights(ctx, c, weight, parts.weights);
    for (size_t begin = 0, end; begin < c->images * c->map_height; begin = end) {
        end = chunk_end(c, begin);
        const vq_product product = {
            .m = (end - begin) * c->map_width,
            .n = c->out,
            .k = c->depth,
            .a = columns_of(ctx, c, begin, end, image, parts.columns),
            .a_row = c->depth,
            .a_col = 1,
            .b = parts.weights,
            .b_row = 1,
            .b_col = c->depth,
            .c = map + begin * c->map_width * c->out,
            .ldc = c->out,
            .accumulate = add,
        };
        vq_product_run(ctx, &product, parts.workspace);
    }
}

void vq_convolution_adjoint(vq_context *ctx, const vq_convolution *c, const real *map,
                            const real *weight, bool add, real *image, void *scratch)
{
    const scratch_parts parts = bind_scratch(ctx, c, scratch);
    pack_weights(ctx, c, weight, parts.weights);
    if (!c->direct && !add)
        memset(image, 0, c->images * c->height * c->width * c->in * sizeof *image);
    for (size_t begin = 0, end; begin < c->images * c->map_height; begin = end) {
        end = chunk_end(c, begin);
        const vq_product product = {
            .m = (end - begin) * c->map_width,
            .n = c->depth,
            .k = c->out,
            .a = map + begin * c->map_width * c->out,
            .a_row = c->out,
            .a_col = 1,
            .b = parts.weights,
            .b_row = c->depth,
            .b_col = 1,
            .c = c->direct ? image + begin * c->width * c->in : parts.columns,
            .ldc = c->depth,
            .accumulate = c->direct && add,
        };
        vq_product_run(ctx, &product, parts.workspace);
        if (!c->direct) vq_columns_scatter(ctx, c, begin, end, parts.columns, image);
    }
}

void vq_convolution_weights(vq_context *ctx, const vq_convolution *c, const real *image,
                            const real *map, real *d_weight, void *scratch)
{
    const scratch_parts parts = bind_scratch(ctx, c, scratch);
    for (size_t begin = 0, end; begin < c->images * c->map_height; begin = end) {
        end = chunk_end(c, begin);
        const vq_product product = {
            .m = c->out,
            .n = c->depth,
            .k = (end - begin) * c->map_width,
            .a = map + begin * c->map_width * c->out,
            .a_row = 1,
            .a_col = c->out,
            .b = columns_of(ctx, c, begin, end, image, parts.columns),
            .b_row = c->depth,
            .b_col = 1,
            .c = parts.weights,
            .ldc = c->depth,
            .accumulate = begin > 0,
        };
        vq_product_run(ctx, &product, parts.workspace);
    }
    weights_job job = {.c = c, .from = parts.weights, .to = d_weight};
    vq_parallel_for(ctx, c->out, 1 + VQ_ELEMENT_GRAIN / c->depth, unpack_range, &job);
}

/* ---- bias --------------------------------------------------------------------- */

typedef struct bias_job {
    size_t rows, channels;
    const real *from;
    real *to;
} bias_job;

static void add_range(void *arg, size_t begin, size_t end, int thread)
{
    const bias_job *job = arg;
    (void)thread;
    for (size_t row = begin; row < end; row++) {
        real *to = job->to + row * job->channels;
        for (size_t j = 0; j < job->channels; j++) to[j] += job->from[j];
    }
}

void vq_bias_add(vq_context *ctx, size_t rows, size_t channels, const real *bias, real *to)
{
    bias_job job = {.rows = rows, .channels = channels, .from = bias, .to = to};
    vq_parallel_for(ctx, rows, 1 + VQ_ELEMENT_GRAIN / channels, add_range, &job);
}

enum { BIAS_COLUMNS = 16 }; /* summed together: a cache line of f32 */

static void sum_columns(void *arg, size_t begin, size_t end, int thread)
{
    const bias_job *job = arg;
    (void)thread;
    for (size_t first = begin; first < end; first += BIAS_COLUMNS) {
        const size_t count = end - first < BIAS_COLUMNS ? end - first : BIAS_COLUMNS;
        double sum[BIAS_COLUMNS] = {0};
        for (size_t row = 0; row < job->rows; row++) {
            const real *from = job->from + row * job->channels + first;
            for (size_t j = 0; j < count; j++) sum[j] += (double)from[j];
        }
        for (size_t j = 0; j < count; j++) job->to[first + j] += (real)sum[j];
    }
}

void vq_bias_gradient(vq_context *ctx, size_t rows, size_t channels, const real *from, real *d_bias)
{
    bias_job job = {.rows = rows, .channels = channels, .from = from, .to = d_bias};
    vq_parallel_for(ctx, channels, BIAS_COLUMNS, sum_columns, &job);
}
