/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/conv.c -- convolutions by oneDNN, with bias, residual and relu folded in.
 *
 * In a plan for training the weights are packed anew at each forward. A plan for use packs them
 * once, at the first forward after other weights were bound: there they never change. */
#include "nn/onednn/elements.h"
#include "nn/onednn/onednn.h"
#include "nn/ops/elements.h"

typedef struct conv_state {
    vq_dnn *forward, *data, *weights; /* data and weights: NULL where not wanted */
    const void *packed_from;          /* the weights whose packed form lies in run->saved */
    size_t gradient_at;               /* in scratch: a gradient before it is added */
} conv_state;

static bool is_transposed(const vq_step *run)
{
    return vq_dnn_is(run->node->op, "conv_transpose2d");
}

static size_t bytes_of(const vq_view *view)
{
    return vq_shape_count(&view->desc.shape) * sizeof(float);
}

static void *bias_of(const vq_step *run)
{
    return run->node->n_params > 1 ? run->param[1].data : NULL;
}

/* The product of the step's convolution; `forward` and the gradient of the input are C and its
 * adjoint, or the other way round. */
static vq_dnn_request request_for(const vq_step *run, vq_dnn_product product)
{
    const bool transposed = is_transposed(run);
    vq_dnn_request request = {
        .name = run->node->name,
        .product = product,
        .image = transposed ? run->out[0] : run->in[0],
        .map = transposed ? run->in[0] : run->out[0],
        .attrs = run->node->attrs,
        .training = run->training,
    };
    /* The bias belongs to the output, which is the map of conv2d only. */
    const bool has_bias = run->node->n_params > 1 && !transposed;
    request.bias = has_bias && product != VQ_DNN_ADJOINT;
    return request;
}

static vq_status prepare_forward(vq_step *run, conv_state *state)
{
    const bool transposed = is_transposed(run);
    vq_dnn_request request = request_for(run, transposed ? VQ_DNN_ADJOINT : VQ_DNN_APPLY);
    request.residual = !transposed && run->residual >= 0;
    request.relu = !transposed && run->relu;
    VQ_TRY(vq_dnn_create(run->ctx, &request, &state->forward));
    run->scratch_size = vq_dnn_scratch(state->forward);
    if (!run->training) run->saved_size = vq_dnn_packed(state->forward);
    return VQ_OK;
}

static vq_status prepare_backward(vq_step *run, conv_state *state)
{
    size_t size = 0;
    if (run->d_param[0].data) {
        const vq_dnn_request request = request_for(run, VQ_DNN_WEIGHTS);
        VQ_TRY(vq_dnn_create(run->ctx, &request, &state->weights));
        size = vq_dnn_scratch(state->weights);
        if (size > run->scratch_size) run->scratch_size = size;
    }
    if (run->wants[0]) {
        vq_dnn_request request =
            request_for(run, is_transposed(run) ? VQ_DNN_APPLY : VQ_DNN_ADJOINT);
        request.bias = false;
        VQ_TRY(vq_dnn_create(run->ctx, &request, &state->data));
        state->gradient_at = vq_dnn_scratch(state->data);
        size = state->gradient_at + (run->add[0] ? bytes_of(&run->in[0]) : 0);
        if (size > run->scratch_size) run->scratch_size = size;
    }
    return VQ_OK;
}

static vq_status prepare(vq_step *run)
{
    conv_state *state = NULL;
    VQ_TRY(VQ_NEW(run->ctx, 1, &state));
    run->state = state; /* release frees what a failure below leaves */
    VQ_TRY(prepare_forward(run, state));
    return run->training ? prepare_backward(run, state) : VQ_OK;
}

static void release(vq_step *run)
{
    conv_state *state = run->state;
    if (!state) return;
    vq_dnn_destroy(state->forward);
    vq_dnn_destroy(state->data);
    vq_dnn_destroy(state->weights);
    vq_release(run->ctx, state);
    run->state = NULL;
}

static vq_dnn_data data_for(const vq_step *run, void *in, void *out)
{
    const bool transposed = is_transposed(run);
    return (vq_dnn_data){
        .image = transposed ? out : in,
        .map = transposed ? in : out,
        .weight = run->param[0].data,
        .scratch = run->scratch,
    };
}

/* Packs the weights of a plan for use, unless that was done before. */
static vq_status pack_once(vq_step *run, vq_dnn_data *data)
{
    conv_state *state = run->state;
    data->packed = run->saved;
    if (state->packed_from == data->weight) return VQ_OK;
    VQ_TRY(vq_dnn_pack(state->forward, data));
    state->packed_from = data->weight;
    return VQ_OK;
}

static vq_status forward(vq_step *run)
{
    conv_state *state = run->state;
    vq_dnn_data data = data_for(run, run->in[0].data, run->out[0].data);
    data.bias = bias_of(run);
    if (run->residual >= 0) data.residual = run->in[run->residual].data;
    if (run->saved_size) VQ_TRY(pack_once(run, &data));
    VQ_TRY(vq_dnn_run(state->forward, &data));
    if (!is_transposed(run)) return VQ_OK;
    /* An adjoint has no bias of its own. */
    const vq_finish finish = {.bias = data.bias, .relu = run->relu};
    vq_elements_finish(run->ctx, &run->out[0], &finish);
    return VQ_OK;
}

static vq_status backward_params(vq_step *run)
{
    const conv_state *state = run->state;
    if (!run->d_param[0].data) return VQ_OK;
    vq_dnn_data data = data_for(run, run->in[0].data, run->d_out[0].data);
    data.weight = run->d_param[0].data;
    data.bias = run->d_param[1].data;
    VQ_TRY(vq_dnn_run(state->weights, &data));
    if (is_transposed(run) && run->d_param[1].data)
        vq_elements_bias_gradient(run->ctx, &run->d_out[0], run->d_param[1].data);
    return VQ_OK;
}

static vq_status backward_input(vq_step *run)
{
    const conv_state *state = run->state;
    float *d_in = run->d_in[0].data;
    if (!d_in) return VQ_OK;
    float *to = run->add[0] ? (float *)((unsigned char *)run->scratch + state->gradient_at) : d_in;
    const vq_dnn_data data = data_for(run, to, run->d_out[0].data);
    VQ_TRY(vq_dnn_run(state->data, &data));
    if (run->add[0])
        vq_gradient_pass(run->ctx, vq_shape_count(&run->in[0].desc.shape), to, true, d_in);
    return VQ_OK;
}

/* The gradient of a sum is the gradient of its summands. */
static void backward_residual(const vq_step *run)
{
    const int r = run->residual;
    if (r < 0 || !run->d_in[r].data || run->d_in[r].data == run->d_out[0].data) return;
    vq_gradient_pass(run->ctx, vq_shape_count(&run->out[0].desc.shape), run->d_out[0].data,
                     run->add[r], run->d_in[r].data);
}

static vq_status backward(vq_step *run)
{
    if (run->relu && !run->masked)
        vq_gradient_mask(run->ctx, vq_shape_count(&run->out[0].desc.shape), run->out[0].data,
                         run->d_out[0].data);
    VQ_TRY(backward_params(run));
    /* In the order of the inputs: the first to touch a gradient of two inputs writes it. */
    VQ_TRY(backward_input(run));
    backward_residual(run);
    return VQ_OK;
}

static const char *describe(const vq_step *run, vq_direction direction)
{
    const conv_state *state = run->state;
    const vq_dnn *const made[VQ_DIRECTIONS] = {state->forward, state->data, state->weights};
    return vq_dnn_describe(made[direction]);
}

const vq_impl vq_conv2d_onednn = {
    .name = "onednn",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .describe = describe,
    .folds = VQ_FOLD_RELU | VQ_FOLD_ADD,
    .any_layout = true,
    .reads_in = true,
};

/* A residual may lie where the output goes, which an adjoint overwrites: no sum is folded. */
const vq_impl vq_conv_transpose2d_onednn = {
    .name = "onednn",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .describe = describe,
    .folds = VQ_FOLD_RELU,
    .any_layout = true,
    .reads_in = true,
};
