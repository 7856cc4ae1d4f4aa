/* SPDX-License-Identifier: Apache-2.0
 * nn/onednn/onednn.c -- products by oneDNN (its C interface of version 2).
 *
 * A product is tried in the order of the list in create_primitive(): what is fastest for the
 * shape first, and never by timing. Where the chosen algorithm wants an array otherwise than the
 * plan has it, the array is reordered through scratch. Memory comes from the plan alone: the
 * library is told to keep no scratchpads of its own. */
#include "nn/onednn/onednn.h"

#include <dnnl.h>
#include <stdio.h>
#include <string.h>

#include "base/sizes.h"
#include "nn/ops/elements.h"

enum { DESCRIPTION_SIZE = 64 };

/* A primitive with its scratchpad. */
typedef struct action {
    dnnl_primitive_t primitive; /* NULL: nothing to do */
    dnnl_memory_t pad;
} action;

/* An array of the product: `far` is the plan's, `near` what the primitive wants; the two are one
 * object where they agree. */
typedef struct array {
    dnnl_memory_t far, near;
    action fetch, store; /* far to near, near to far */
    size_t at, size;     /* of near in scratch */
} array;

struct vq_dnn {
    vq_context *ctx;
    vq_dnn_request request;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    action product;
    array image, map, weight;
    dnnl_memory_t bias;
    size_t pad_at, pad_size; /* one scratchpad, used by one action at a time */
    size_t scratch_size;
    char description[DESCRIPTION_SIZE];
};

/* ---- errors -------------------------------------------------------------------- */

static vq_status fail(const vq_dnn *dnn, dnnl_status_t status, const char *what)
{
    if (status == dnnl_success) return VQ_OK;
    const char *name = dnn->request.name;
    if (status == dnnl_out_of_memory)
        return vq_fail(dnn->ctx, VQ_E_NOMEM, "%s: oneDNN has no memory to %s", name, what);
    if (status == dnnl_unimplemented)
        return vq_fail(dnn->ctx, VQ_E_UNSUPPORTED, "%s: oneDNN has no way to %s", name, what);
    return vq_fail(dnn->ctx, VQ_E_INTERNAL, "%s: oneDNN failed to %s (status %d)", name, what,
                   (int)status);
}

#define TRY_DNNL(call)                                                                             \
    do {                                                                                           \
        const dnnl_status_t dnnl_status_ = (call);                                                 \
        if (dnnl_status_ != dnnl_success) return dnnl_status_;                                     \
    } while (0)

/* ---- arrays -------------------------------------------------------------------- */

/* Memory without numbers as yet. */
static dnnl_status_t hollow(const vq_dnn *dnn, const dnnl_memory_desc_t *desc, dnnl_memory_t *out)
{
    return dnnl_memory_create(out, desc, dnn->engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t image_desc(const vq_view *view, dnnl_format_tag_t tag, dnnl_memory_desc_t *out)
{
    const int64_t *dim = view->desc.shape.dim;
    const dnnl_dims_t dims = {dim[0], dim[3], dim[1], dim[2]};
    return dnnl_memory_desc_init_by_tag(out, 4, dims, dnnl_f32, tag);
}

static dnnl_status_t weight_desc(const vq_dnn_request *r, dnnl_format_tag_t tag,
                                 dnnl_memory_desc_t *out)
{
    const dnnl_dims_t dims = {r->map.desc.shape.dim[3], r->image.desc.shape.dim[3],
                              r->attrs->kernel[0], r->attrs->kernel[1]};
    return dnnl_memory_desc_init_by_tag(out, 4, dims, dnnl_f32, tag);
}

static dnnl_format_tag_t tag_of(const vq_view *view)
{
    return view->layout == VQ_LAYOUT_BLOCKED16 ? dnnl_nChw16c : dnnl_nhwc;
}

/* Finishes an action: the primitive of `desc`, which is consumed, and room for its scratchpad. */
static dnnl_status_t make_action(vq_dnn *dnn, dnnl_primitive_desc_t desc, action *out)
{
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    const size_t size = dnnl_memory_desc_get_size(pad);
    dnnl_status_t status = dnnl_primitive_create(&out->primitive, desc);
    if (status == dnnl_success) status = hollow(dnn, pad, &out->pad);
    if (size > dnn->pad_size) dnn->pad_size = size;
    dnnl_primitive_desc_destroy(desc);
    return status;
}

static dnnl_status_t make_reorder(vq_dnn *dnn, const_dnnl_primitive_attr_t attr,
                                  const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                  action *out)
{
    dnnl_primitive_desc_t desc;
    TRY_DNNL(dnnl_reorder_primitive_desc_create(&desc, from, dnn->engine, to, dnn->engine, attr));
    return make_action(dnn, desc, out);
}

typedef struct array_use {
    bool read, written; /* by the product */
} array_use;

static dnnl_status_t make_array(vq_dnn *dnn, const_dnnl_primitive_attr_t attr,
                                const dnnl_memory_desc_t *far, const dnnl_memory_desc_t *near,
                                array_use use, array *out)
{
    TRY_DNNL(hollow(dnn, far, &out->far));
    if (dnnl_memory_desc_equal(far, near)) {
        out->near = out->far;
        return dnnl_success;
    }
    TRY_DNNL(hollow(dnn, near, &out->near));
    if (use.read) TRY_DNNL(make_reorder(dnn, attr, far, near, &out->fetch));
    if (use.written) TRY_DNNL(make_reorder(dnn, attr, near, far, &out->store));
    out->size = dnnl_memory_desc_get_size(near);
    out->at = dnn->scratch_size;
    dnn->scratch_size += vq_round_up(out->size, VQ_ALIGNMENT);
    return dnnl_success;
}

static void clear_action(action *a)
{
    dnnl_primitive_destroy(a->primitive);
    dnnl_memory_destroy(a->pad);
}

static void clear_array(array *a)
{
    clear_action(&a->fetch);
    clear_action(&a->store);
    if (a->near != a->far) dnnl_memory_destroy(a->near);
    dnnl_memory_destroy(a->far);
}

/* ---- choosing an algorithm ------------------------------------------------------ */

/* One way to try: the algorithm and the layouts of image and map. */
typedef struct attempt {
    dnnl_alg_kind_t algorithm;
    dnnl_format_tag_t image, map;
} attempt;

static dnnl_status_t describe_convolution(const vq_dnn_request *r, vq_dnn_product product,
                                          const attempt *try, dnnl_convolution_desc_t *out)
{
    dnnl_memory_desc_t image, map, weight, bias;
    const dnnl_dims_t channels = {r->map.desc.shape.dim[3]};
    const int64_t *stride = r->attrs->stride, *pad = r->attrs->pad;
    const dnnl_dims_t strides = {stride[0], stride[1]};
    const dnnl_dims_t before = {pad[0], pad[1]}, after = {pad[2], pad[3]};
    TRY_DNNL(image_desc(&r->image, try->image, &image));
    TRY_DNNL(image_desc(&r->map, try->map, &map));
    TRY_DNNL(weight_desc(r, dnnl_format_tag_any, &weight));
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&bias, 1, channels, dnnl_f32, dnnl_x));
    const dnnl_memory_desc_t *with = r->bias ? &bias : NULL;
    if (product == VQ_DNN_ADJOINT)
        return dnnl_convolution_backward_data_desc_init(out, try->algorithm, &image, &weight, &map,
                                                        strides, before, after);
    if (product == VQ_DNN_WEIGHTS)
        return dnnl_convolution_backward_weights_desc_init(out, try->algorithm, &image, &weight,
                                                           with, &map, strides, before, after);
    return dnnl_convolution_forward_desc_init(
        out, r->training ? dnnl_forward_training : dnnl_forward_inference, try->algorithm, &image,
        &weight, with, &map, strides, before, after);
}

static dnnl_status_t try_convolution(const vq_dnn *dnn, const_dnnl_primitive_attr_t attr,
                                     dnnl_primitive_desc_t hint, const attempt *try,
                                     dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t desc;
    TRY_DNNL(describe_convolution(&dnn->request, dnn->request.product, try, &desc));
    return dnnl_primitive_desc_create(out, &desc, attr, dnn->engine, hint);
}

static const char *algorithm_of(const_dnnl_primitive_desc_t desc)
{
    const char *info = "";
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &info);
    return info;
}

/* Winograd's F(4x4, 3x3) takes a quarter of the multiplications (Lavin and Gray 2016,
 * arXiv:1509.09308). From 32 channels on both sides it measures 1.1 to 2.4 times as fast as the
 * direct form in all three products, below that not. Where its tiles lie depends on the batch, so
 * only training may use it. */
static bool may_use_winograd(const vq_dnn_request *r)
{
    const vq_conv_attrs *a = r->attrs;
    const int64_t in = r->image.desc.shape.dim[3], out = r->map.desc.shape.dim[3];
    return r->training && a->kernel[0] == 3 && a->kernel[1] == 3 && a->stride[0] == 1 &&
           a->stride[1] == 1 && in >= 32 && in % 16 == 0 && out >= 32 && out % 16 == 0;
}

/* Rows are anybody's order: a reorder costs less than a slow algorithm. */
static dnnl_format_tag_t any_for_rows(const vq_view *view)
{
    return view->layout == VQ_LAYOUT_ROWS ? dnnl_format_tag_any : tag_of(view);
}

/* The first attempt for which the library has more than its slow reference. */
static dnnl_status_t choose(const vq_dnn *dnn, const_dnnl_primitive_attr_t attr,
                            dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *out)
{
    const vq_dnn_request *r = &dnn->request;
    const attempt attempts[] = {
        {dnnl_convolution_winograd, dnnl_nChw16c, dnnl_nChw16c},
        {dnnl_convolution_direct, tag_of(&r->image), tag_of(&r->map)},
        {dnnl_convolution_direct, any_for_rows(&r->image), any_for_rows(&r->map)},
        {dnnl_convolution_direct, dnnl_format_tag_any, dnnl_format_tag_any},
    };
    const size_t last = sizeof attempts / sizeof *attempts - 1;
    for (size_t i = may_use_winograd(r) ? 0 : 1; i <= last; i++) {
        const dnnl_status_t status = try_convolution(dnn, attr, hint, &attempts[i], out);
        if (status == dnnl_success) {
            if (i == last || strncmp(algorithm_of(*out), "ref", 3) != 0) return status;
            dnnl_primitive_desc_destroy(*out);
        } else if (status != dnnl_unimplemented || i == last) return status;
    }
    return dnnl_unimplemented;
}

/* Backward primitives are created from a forward one of the same convolution. */
static dnnl_status_t make_hint(const vq_dnn *dnn, dnnl_primitive_desc_t *out)
{
    const attempt any = {dnnl_convolution_direct, dnnl_format_tag_any, dnnl_format_tag_any};
    dnnl_convolution_desc_t desc;
    *out = NULL;
    if (dnn->request.product == VQ_DNN_APPLY) return dnnl_success;
    TRY_DNNL(describe_convolution(&dnn->request, VQ_DNN_APPLY, &any, &desc));
    return dnnl_primitive_desc_create(out, &desc, NULL, dnn->engine, NULL);
}

static dnnl_status_t fold(const vq_dnn_request *r, dnnl_primitive_attr_t attr)
{
    dnnl_post_ops_t ops;
    TRY_DNNL(dnnl_post_ops_create(&ops));
    dnnl_status_t status = dnnl_success;
    if (r->residual) status = dnnl_post_ops_append_sum(ops, 1.0f);
    if (status == dnnl_success && r->relu)
        status = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/* ---- building -------------------------------------------------------------------- */

static void write_description(vq_dnn *dnn, const_dnnl_primitive_desc_t desc,
                              const dnnl_memory_desc_t *map)
{
    const char *info = algorithm_of(desc), *algorithm = "direct", *layout = "other";
    const struct {
        const char *part, *name;
    } names[] = {{"wino", "winograd"}, {"gemm", "gemm"}, {"ref", "reference"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(info, names[i].part) && !strstr(info, "brg")) algorithm = names[i].name;
    dnnl_memory_desc_t rows, planes, blocked;
    if (image_desc(&dnn->request.map, dnnl_nhwc, &rows) == dnnl_success &&
        image_desc(&dnn->request.map, dnnl_nchw, &planes) == dnnl_success &&
        image_desc(&dnn->request.map, dnnl_nChw16c, &blocked) == dnnl_success) {
        if (dnnl_memory_desc_equal(map, &rows)) layout = "nhwc";
        else if (dnnl_memory_desc_equal(map, &blocked)) layout = "nChw16c";
        else if (dnnl_memory_desc_equal(map, &planes)) layout = "nchw";
    }
    snprintf(dnn->description, sizeof dnn->description, "onednn %s %s", algorithm, layout);
}

/* What image, map and weight of a product are called in oneDNN's queries. */
typedef struct query_names {
    dnnl_query_t image, map, weight;
} query_names;

static const query_names queries[] = {
    [VQ_DNN_APPLY] = {dnnl_query_src_md, dnnl_query_dst_md, dnnl_query_weights_md},
    [VQ_DNN_ADJOINT] = {dnnl_query_diff_src_md, dnnl_query_diff_dst_md, dnnl_query_weights_md},
    [VQ_DNN_WEIGHTS] = {dnnl_query_src_md, dnnl_query_diff_dst_md, dnnl_query_diff_weights_md},
};

static dnnl_status_t make_arrays(vq_dnn *dnn, const_dnnl_primitive_attr_t plain,
                                 const_dnnl_primitive_desc_t desc)
{
    const vq_dnn_request *r = &dnn->request;
    const query_names *names = &queries[r->product];
    const dnnl_memory_desc_t *image = dnnl_primitive_desc_query_md(desc, names->image, 0);
    const dnnl_memory_desc_t *map = dnnl_primitive_desc_query_md(desc, names->map, 0);
    const dnnl_memory_desc_t *weight = dnnl_primitive_desc_query_md(desc, names->weight, 0);
    const array_use read = {.read = true}, written = {.written = true};
    /* A residual is fetched into the map before the product adds to it. */
    const array_use map_use = {.read = r->product != VQ_DNN_APPLY || r->residual,
                               .written = r->product == VQ_DNN_APPLY};
    dnnl_memory_desc_t far;
    write_description(dnn, desc, map);
    TRY_DNNL(image_desc(&r->image, tag_of(&r->image), &far));
    TRY_DNNL(make_array(dnn, plain, &far, image, r->product == VQ_DNN_ADJOINT ? written : read,
                        &dnn->image));
    TRY_DNNL(image_desc(&r->map, tag_of(&r->map), &far));
    TRY_DNNL(make_array(dnn, plain, &far, map, map_use, &dnn->map));
    TRY_DNNL(weight_desc(r, dnnl_oihw, &far));
    TRY_DNNL(make_array(dnn, plain, &far, weight, r->product == VQ_DNN_WEIGHTS ? written : read,
                        &dnn->weight));
    if (!r->bias) return dnnl_success;
    const dnnl_dims_t channels = {r->map.desc.shape.dim[3]};
    TRY_DNNL(dnnl_memory_desc_init_by_tag(&far, 1, channels, dnnl_f32, dnnl_x));
    return hollow(dnn, &far, &dnn->bias);
}

static dnnl_status_t make_product(vq_dnn *dnn, dnnl_primitive_attr_t attr,
                                  dnnl_primitive_attr_t plain)
{
    dnnl_primitive_desc_t desc, hint;
    TRY_DNNL(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    TRY_DNNL(dnnl_primitive_attr_set_scratchpad_mode(plain, dnnl_scratchpad_mode_user));
    TRY_DNNL(fold(&dnn->request, attr));
    TRY_DNNL(make_hint(dnn, &hint));
    dnnl_status_t status = choose(dnn, attr, hint, &desc);
    dnnl_primitive_desc_destroy(hint);
    if (status != dnnl_success) return status;
    status = make_arrays(dnn, plain, desc);
    if (status == dnnl_success) return make_action(dnn, desc, &dnn->product);
    dnnl_primitive_desc_destroy(desc);
    return status;
}

static dnnl_status_t build(vq_dnn *dnn)
{
    dnnl_primitive_attr_t attr = NULL, plain = NULL;
    TRY_DNNL(dnnl_engine_create(&dnn->engine, dnnl_cpu, 0));
    TRY_DNNL(dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags));
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success) status = dnnl_primitive_attr_create(&plain);
    if (status == dnnl_success) status = make_product(dnn, attr, plain);
    dnnl_primitive_attr_destroy(attr);
    dnnl_primitive_attr_destroy(plain);
    dnn->pad_at = dnn->scratch_size;
    dnn->scratch_size += vq_round_up(dnn->pad_size, VQ_ALIGNMENT);
    return status;
}

vq_status vq_dnn_create(vq_context *ctx, const vq_dnn_request *request, vq_dnn **out)
{
    vq_dnn *dnn = NULL;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &dnn));
    dnn->ctx = ctx;
    dnn->request = *request;
    /* The library asks for the number of threads both when it plans and when it runs. */
    const int before = vq_onednn_threads(ctx);
    const vq_status status = fail(dnn, build(dnn), "prepare this convolution");
    vq_onednn_threads_back(before);
    if (status == VQ_OK) *out = dnn;
    else vq_dnn_destroy(dnn);
    return status;
}

void vq_dnn_destroy(vq_dnn *dnn)
{
    if (!dnn) return;
    clear_action(&dnn->product);
    clear_array(&dnn->image);
    clear_array(&dnn->map);
    clear_array(&dnn->weight);
    dnnl_memory_destroy(dnn->bias);
    dnnl_stream_destroy(dnn->stream);
    dnnl_engine_destroy(dnn->engine);
    vq_release(dnn->ctx, dnn);
}

size_t vq_dnn_scratch(const vq_dnn *dnn)
{
    return dnn->scratch_size;
}
size_t vq_dnn_packed(const vq_dnn *dnn)
{
    return dnn->weight.size;
}
const char *vq_dnn_describe(const vq_dnn *dnn)
{
    return dnn->description;
}

/* ---- running --------------------------------------------------------------------- */

static unsigned char *scratch_at(const vq_dnn_data *data, size_t at)
{
    return (unsigned char *)data->scratch + at;
}

/* `args` has room for one more: the scratchpad. */
static dnnl_status_t run_action(const vq_dnn *dnn, const action *a, const vq_dnn_data *data,
                                dnnl_exec_arg_t *args, int count)
{
    if (!a->primitive) return dnnl_success;
    TRY_DNNL(dnnl_memory_set_data_handle(a->pad, scratch_at(data, dnn->pad_at)));
    args[count] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, a->pad};
    TRY_DNNL(dnnl_primitive_execute(a->primitive, dnn->stream, count + 1, args));
    return dnnl_stream_wait(dnn->stream);
}

static dnnl_status_t reorder(const vq_dnn *dnn, const action *a, const vq_dnn_data *data,
                             dnnl_memory_t from, dnnl_memory_t to)
{
    dnnl_exec_arg_t args[3] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return run_action(dnn, a, data, args, 2);
}

/* Binds an array and brings it near where the product reads it. */
static dnnl_status_t fetch(const vq_dnn *dnn, const array *a, const vq_dnn_data *data, void *far)
{
    TRY_DNNL(dnnl_memory_set_data_handle(a->far, far));
    if (a->near == a->far) return dnnl_success;
    TRY_DNNL(dnnl_memory_set_data_handle(a->near, scratch_at(data, a->at)));
    return reorder(dnn, &a->fetch, data, a->far, a->near);
}

static dnnl_status_t fetch_weight(const vq_dnn *dnn, const vq_dnn_data *data)
{
    if (!data->packed) return fetch(dnn, &dnn->weight, data, data->weight);
    return dnnl_memory_set_data_handle(dnn->weight.near, data->packed);
}

static dnnl_status_t run_product(const vq_dnn *dnn, const vq_dnn_data *data)
{
    const vq_dnn_product product = dnn->request.product;
    dnnl_exec_arg_t args[5] = {
        {product == VQ_DNN_ADJOINT ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, dnn->image.near},
        {product == VQ_DNN_APPLY ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, dnn->map.near},
        {product == VQ_DNN_WEIGHTS ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, dnn->weight.near},
    };
    int count = 3;
    if (dnn->bias) {
        TRY_DNNL(dnnl_memory_set_data_handle(dnn->bias, data->bias));
        args[count++] =
            (dnnl_exec_arg_t){product == VQ_DNN_WEIGHTS ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS,
                              dnn->bias};
    }
    return run_action(dnn, &dnn->product, data, args, count);
}

static dnnl_status_t run_all(const vq_dnn *dnn, const vq_dnn_data *data)
{
    TRY_DNNL(fetch(dnn, &dnn->image, data, data->image));
    TRY_DNNL(fetch(dnn, &dnn->map, data, data->map));
    TRY_DNNL(fetch_weight(dnn, data));
    TRY_DNNL(run_product(dnn, data));
    const array *const arrays[] = {&dnn->image, &dnn->map, &dnn->weight};
    for (int i = 0; i < 3; i++)
        TRY_DNNL(reorder(dnn, &arrays[i]->store, data, arrays[i]->near, arrays[i]->far));
    return dnnl_success;
}

/* The product adds to what lies in the map. */
static void place_residual(const vq_dnn *dnn, const vq_dnn_data *data)
{
    if (dnn->request.residual && data->residual != data->map)
        vq_gradient_pass(dnn->ctx, vq_shape_count(&dnn->request.map.desc.shape), data->residual,
                         false, data->map);
}

vq_status vq_dnn_run(vq_dnn *dnn, const vq_dnn_data *data)
{
    place_residual(dnn, data);
    const int before = vq_onednn_threads(dnn->ctx);
    const dnnl_status_t status = run_all(dnn, data);
    vq_onednn_threads_back(before);
    return fail(dnn, status, "run this convolution");
}

vq_status vq_dnn_pack(vq_dnn *dnn, const vq_dnn_data *data)
{
    const array *weight = &dnn->weight;
    const int before = vq_onednn_threads(dnn->ctx);
    dnnl_status_t status = dnnl_memory_set_data_handle(weight->far, data->weight);
    if (status == dnnl_success) status = dnnl_memory_set_data_handle(weight->near, data->packed);
    if (status == dnnl_success)
        status = reorder(dnn, &weight->fetch, data, weight->far, weight->near);
    vq_onednn_threads_back(before);
    return fail(dnn, status, "pack the weights");
}
