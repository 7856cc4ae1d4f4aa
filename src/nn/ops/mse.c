/* SPDX-License-Identifier: Apache-2.0
 * nn/ops/mse.c -- the term mean (x - target)^2 over all numbers:
 *   dx = weight * 2 (x - target) / count; the target gets no gradient.
 * In training forward gives dx too, in the same pass, unless there is a sum to add it to. */
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/ops.h"
#include "nn/ops/common.h"

typedef struct mse_job {
    const real *x, *target;
    real scale;
    real *dx;               /* or NULL */
    vq_squares_fn *squares; /* of floats */
} mse_job;

static mse_job job_of(const vq_step *run)
{
    const double count = (double)vq_shape_count(&run->in[0].desc.shape);
    return (mse_job){.x = run->in[0].data,
                     .target = run->in[1].data,
                     .scale = (real)(run->weights[0] * 2.0 / count),
                     .dx = run->d_in[0].data,
                     .squares = vq_kernels_of(run->ctx)->squares};
}

static vq_status prepare(vq_step *run)
{
    run->scratch_size =
        vq_sum_chunks_count(vq_shape_count(&run->in[0].desc.shape)) * sizeof(double);
    return VQ_OK;
}

#ifdef VQ_REAL_DOUBLE

static double squares(const void *arg, size_t begin, size_t end)
{
    const mse_job *job = arg;
    double sum = 0.0;
    for (size_t i = begin; i < end; i++) {
        const double gap = job->x[i] - job->target[i];
        sum += gap * gap;
        if (job->dx) job->dx[i] = job->scale * gap;
    }
    return sum;
}

#else

static double squares(const void *arg, size_t begin, size_t end)
{
    const mse_job *job = arg;
    return job->squares(end - begin, job->x + begin, job->target + begin, job->scale,
                        job->dx ? job->dx + begin : NULL);
}

#endif

static vq_status forward(vq_step *run)
{
    const size_t count = vq_shape_count(&run->in[0].desc.shape);
    mse_job job = job_of(run);
    vq_arena arena = vq_arena_in((vq_room){run->scratch, run->scratch_size});
    double *partials = vq_arena_get(&arena, vq_sum_chunks_count(count), sizeof *partials);
    VQ_TRY(vq_arena_check(run->ctx, &arena, "scratch of a mean square"));
    if (run->add[0]) job.dx = NULL;
    run->terms[0] = vq_sum_chunks(run->ctx, count, squares, &job, partials) / (double)count;
    return VQ_OK;
}

static void add_range(void *arg, size_t begin, size_t end, int thread)
{
    const mse_job *job = arg;
    (void)thread;
    for (size_t i = begin; i < end; i++) job->dx[i] += job->scale * (job->x[i] - job->target[i]);
}

static vq_status backward(vq_step *run)
{
    mse_job job = job_of(run);
    if (job.dx && run->add[0])
        vq_parallel_for(run->ctx, vq_shape_count(&run->in[0].desc.shape), VQ_ELEMENT_GRAIN,
                        add_range, &job);
    return VQ_OK;
}

const vq_impl VQ_REAL(vq_mse_portable) = {
    .name = "portable",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .reads_in = true,
    .early = true,
};

#ifndef VQ_REAL_DOUBLE

static vq_status declare(vq_context *ctx, vq_graph *graph, vq_node *node)
{
    const vq_mse_attrs *attrs = node->attrs;
    return vq_graph_term(ctx, graph, node, "mse", attrs->weight);
}

static vq_status infer(vq_context *ctx, const vq_node *node, const vq_desc *in, vq_desc *out)
{
    (void)out;
    VQ_TRY(vq_check_real(ctx, node, 0, &in[0]));
    VQ_TRY(vq_check_same_shape(ctx, node, in));
    VQ_CHECK(ctx, vq_shape_count(&in[0].shape) > 0, VQ_E_SHAPE,
             "%s: the mean over no numbers does not exist", node->name);
    return VQ_OK;
}

const vq_op vq_op_mse = {
    .name = "mse",
    .attrs_size = sizeof(vq_mse_attrs),
    .n_in = 2,
    .n_out = 0,
    .declare = declare,
    .infer = infer,
    .portable_f32 = &vq_mse_portable_f32,
    .portable_f64 = &vq_mse_portable_f64,
    .differentiable = true,
    .targets = 1,
};

#endif
