/* SPDX-License-Identifier: Apache-2.0
 * model/session.c -- a model prepared for a batch: images to codes and back.
 *
 * Encoding and decoding are two plans over the same graph, cut at the quantisers: what is decoded
 * is always rows of the codebooks, so decode(encode(x)) is the reconstruction to the bit. */
#include "model/session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "model/builder.h"
#include "model/weights.h"

static vq_desc pixels_desc(const vq_session *s)
{
    return (
        vq_desc){.dtype = VQ_U8,
                 .shape = {.rank = 4, .dim = {s->batch, s->inner[0], s->inner[1], s->channels}}};
}

static vq_value named(const vq_session *s, const char *kind, size_t level)
{
    char name[VQ_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s.%zu", kind, level);
    return vq_graph_find(s->model->graph, name);
}

static vq_precision precision_of(const vq_session *s)
{
    return s->bf16 ? VQ_PRECISION_BF16 : VQ_PRECISION_F32;
}

static vq_status plan_encoder(vq_session *s, const vq_backend *backend)
{
    const vq_feed feed = {.value = vq_graph_find(s->model->graph, "pixels"),
                          .desc = pixels_desc(s)};
    vq_value wants[2 * VQ_MAX_LEVELS];
    for (size_t l = 0; l < s->n_levels; l++) {
        wants[2 * l] = named(s, "codes", l);
        wants[2 * l + 1] = named(s, "latent", l);
    }
    const vq_plan_config config = {.backend = backend,
                                   .precision = precision_of(s),
                                   .fast = s->fast,
                                   .feeds = &feed,
                                   .n_feeds = 1,
                                   .wants = wants,
                                   .n_wants = 2 * (int)s->n_levels};
    VQ_TRY(vq_plan_create(s->ctx, s->model->graph, &config, &s->encoder));
    vq_plan_bind(s->encoder, s->model->trained, s->model->state);
    s->pixels = vq_plan_data(s->encoder, feed.value, NULL);
    for (size_t l = 0; l < s->n_levels; l++) {
        s->level[l].codes = vq_plan_data(s->encoder, named(s, "codes", l), NULL);
        s->level[l].latent = vq_plan_data(s->encoder, named(s, "latent", l), NULL);
    }
    return VQ_OK;
}

static vq_status plan_decoder(vq_session *s, const vq_backend *backend)
{
    vq_feed feeds[VQ_MAX_LEVELS];
    const vq_value out = vq_graph_find(s->model->graph, "reconstruction");
    for (size_t l = 0; l < s->n_levels; l++) {
        const vq_level *level = &s->level[l];
        feeds[l] = (vq_feed){.value = named(s, "quantized", l),
                             .desc = {.dtype = VQ_F32,
                                      .shape = {.rank = 4,
                                                .dim = {s->batch, level->grid.height,
                                                        level->grid.width, (int64_t)level->dim}}}};
    }
    const vq_plan_config config = {.backend = backend,
                                   .precision = precision_of(s),
                                   .fast = s->fast,
                                   .feeds = feeds,
                                   .n_feeds = (int)s->n_levels,
                                   .wants = &out,
                                   .n_wants = 1};
    VQ_TRY(vq_plan_create(s->ctx, s->model->graph, &config, &s->decoder));
    vq_plan_bind(s->decoder, s->model->trained, s->model->state);
    s->reconstruction = vq_plan_data(s->decoder, out, NULL);
    for (size_t l = 0; l < s->n_levels; l++)
        s->level[l].quantized = vq_plan_data(s->decoder, feeds[l].value, NULL);
    return VQ_OK;
}

/* Appends the algorithms that a plan takes besides the direct sums, each once: what a step says of
 * itself is the backend's name, then the algorithm. */
static void name_algorithms(const vq_plan *plan, const vq_backend *backend, char *to, size_t size)
{
    const size_t own = strlen(backend->name);
    for (int i = 0; i < vq_plan_rows(plan); i++) {
        const char *by = vq_plan_row_at(plan, i).implementation[VQ_FORWARD];
        const size_t used = strlen(to);
        if (strncmp(by, backend->name, own) == 0 && by[own] == ',' && !strstr(to, by + own))
            (void)snprintf(to + used, size - used, "%s", by + own);
    }
}

/* oneDNN's library chooses for itself, and its own name and version say what it chooses among. */
static void name_arithmetic(vq_session *s, const vq_backend *backend)
{
    const bool ours = backend == &vq_backend_portable;
    const size_t size = sizeof s->arithmetic;
    const char *precision = s->bf16 ? "bf16 " : "f32 ";
    const size_t at = strlen(precision);
    (void)snprintf(s->arithmetic, size, "%s", precision);
    if (ours && !s->fast) (void)snprintf(s->arithmetic + at, size - at, "exact %d", VQ_EXACT_ORDER);
    else backend->arithmetic(s->ctx, s->arithmetic + at, size - at);
    if (!ours || !s->fast) return;
    name_algorithms(s->encoder, backend, s->arithmetic, size);
    name_algorithms(s->decoder, backend, s->arithmetic, size);
}

/* Products in bf16 are our own alone, and exact is f32. */
static vq_status check_arithmetic(const vq_session *s, int precision, const vq_backend *backend)
{
    VQ_CHECK(s->ctx, precision == 0 || precision == 1, VQ_E_ARG,
             "a session's precision is 0, f32, or 1, bf16, not %d", precision);
    VQ_CHECK(s->ctx, !s->bf16 || s->fast, VQ_E_ARG,
             "exact numbers are f32: a session in bf16 must be a fast one");
    VQ_CHECK(s->ctx, !s->bf16 || backend == &vq_backend_portable, VQ_E_UNSUPPORTED,
             "the precision is bf16, in which the backend %s runs no models; portable does",
             backend->name);
    return VQ_OK;
}

static vq_status build(vq_session *s, const vq_session_config *config)
{
    vq_context *ctx = s->ctx;
    vq_grid grids[VQ_MAX_LEVELS];
    const vq_model_config *c = &s->model->config;
    const vq_backend *backend;
    VQ_TRY(vq_backend_find(ctx, config->backend, &backend));
    VQ_TRY(check_arithmetic(s, config->precision, backend));
    VQ_CHECK(ctx, s->batch >= 1 && s->batch <= 65536, VQ_E_ARG,
             "a session's batch is 1 to 65536 images, not %lld", (long long)s->batch);
    for (int i = 0; i < 2; i++)
        VQ_CHECK(ctx, s->size[i] >= 1 && s->size[i] <= 65536, VQ_E_ARG,
                 "images are 1 to 65536 pixels high and wide, not %lld", (long long)s->size[i]);
    s->n_levels = vq_model_grids(s->model, s->size[0], s->size[1], grids);
    const int64_t stride = vq_model_stride(c);
    for (int i = 0; i < 2; i++) s->inner[i] = (s->size[i] + stride - 1) / stride * stride;
    for (size_t l = 0; l < s->n_levels; l++) {
        s->level[l].grid = grids[l];
        s->level[l].dim = (size_t)c->level[l].d;
        s->level[l].positions = (size_t)(grids[l].height * grids[l].width);
        s->level[l].codebook = vq_model_numbers(s->model, l, "codebook");
        s->n_codes += s->level[l].positions;
    }
    VQ_TRY(VQ_NEW(ctx, s->batch, &s->errors));
    VQ_TRY(plan_encoder(s, backend));
    VQ_TRY(plan_decoder(s, backend));
    name_arithmetic(s, backend);
    return VQ_OK;
}

vq_status vq_session_create(vq_context *ctx, const vq_model *model, const vq_session_config *config,
                            vq_session **out)
{
    vq_session *s = NULL;
    *out = NULL;
    VQ_TRY(VQ_NEW(ctx, 1, &s));
    s->ctx = ctx;
    s->model = model;
    s->batch = config->batch;
    s->fast = config->fast;
    s->bf16 = config->precision == 1;
    s->size[0] = config->height;
    s->size[1] = config->width;
    s->channels = model->config.channels;
    const vq_status status = build(s, config);
    if (status == VQ_OK) *out = s;
    else vq_session_destroy(s);
    return status;
}

void vq_session_destroy(vq_session *s)
{
    if (!s) return;
    vq_plan_destroy(s->encoder);
    vq_plan_destroy(s->decoder);
    vq_release(s->ctx, s->errors);
    vq_release(s->ctx, s);
}

static vq_status check_count(const vq_session *s, int64_t n)
{
    VQ_CHECK(s->ctx, n >= 1 && n <= s->batch, VQ_E_ARG,
             "this session takes 1 to %lld images at a time, not %lld", (long long)s->batch,
             (long long)n);
    return VQ_OK;
}

void vq_pad_image(const uint8_t *from, const int64_t size[2], int64_t channels, uint8_t *to,
                  const int64_t inner[2])
{
    const size_t row = (size_t)(size[1] * channels), wide = (size_t)(inner[1] * channels);
    for (int64_t y = 0; y < inner[0]; y++) {
        const uint8_t *source = from + (size_t)(y < size[0] ? y : size[0] - 1) * row;
        uint8_t *line = to + (size_t)y * wide;
        memcpy(line, source, row);
        for (size_t x = row; x < wide; x++)
            line[x] = source[row - (size_t)channels + x % (size_t)channels];
    }
}

vq_status vq_session_run_encoder(vq_session *s, int64_t n, const uint8_t *pixels)
{
    const size_t given = (size_t)(s->size[0] * s->size[1] * s->channels);
    const size_t padded = (size_t)(s->inner[0] * s->inner[1] * s->channels);
    VQ_TRY(check_count(s, n));
    for (int64_t i = 0; i < n; i++)
        vq_pad_image(pixels + (size_t)i * given, s->size, s->channels,
                     s->pixels + (size_t)i * padded, s->inner);
    return vq_plan_forward(s->encoder);
}

vq_status vq_session_encode(vq_session *s, int64_t n, const uint8_t *pixels, uint32_t *codes)
{
    VQ_TRY(vq_session_run_encoder(s, n, pixels));
    for (int64_t i = 0; i < n; i++)
        for (size_t l = 0; l < s->n_levels; l++) {
            const vq_level *level = &s->level[l];
            const int32_t *from = level->codes + (size_t)i * level->positions;
            for (size_t p = 0; p < level->positions; p++) *codes++ = (uint32_t)from[p];
        }
    return VQ_OK;
}

static vq_status look_up(vq_session *s, int64_t n, const uint32_t *codes)
{
    for (int64_t i = 0; i < n; i++)
        for (size_t l = 0; l < s->n_levels; l++) {
            const vq_level *level = &s->level[l];
            float *to = level->quantized + (size_t)i * level->positions * level->dim;
            for (size_t p = 0; p < level->positions; p++, codes++) {
                VQ_CHECK(s->ctx, *codes < (uint64_t)level->grid.codes, VQ_E_ARG,
                         "image %lld, %s, position %zu: code %u, but the codebook has %lld codes",
                         (long long)i, level->grid.name, p, *codes, (long long)level->grid.codes);
                memcpy(to + p * level->dim, level->codebook + *codes * level->dim,
                       level->dim * sizeof *to);
            }
        }
    return VQ_OK;
}

static uint8_t to_byte(float value)
{
    const float scaled = (value + 0.5f) * 255.0f;
    if (!(scaled > 0.0f)) return 0;
    return scaled >= 255.0f ? 255 : (uint8_t)lrintf(scaled);
}

static void crop_bytes(const vq_session *s, int64_t n, uint8_t *pixels)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t y = 0; y < s->size[0]; y++) {
            const float *row =
                s->reconstruction + (size_t)((i * s->inner[0] + y) * s->inner[1] * s->channels);
            for (int64_t x = 0; x < s->size[1] * s->channels; x++) *pixels++ = to_byte(row[x]);
        }
}

vq_status vq_session_decode(vq_session *s, int64_t n, const uint32_t *codes, uint8_t *pixels)
{
    VQ_TRY(check_count(s, n));
    VQ_TRY(look_up(s, n, codes));
    VQ_TRY(vq_plan_forward(s->decoder));
    crop_bytes(s, n, pixels);
    return VQ_OK;
}

/* ---- evaluation ---------------------------------------------------------------- */

/* Squared error of image i in double, in the order of its numbers: independent of threads. */
static double image_error(const vq_session *s, const uint8_t *pixels, int64_t i)
{
    double sum = 0.0;
    for (int64_t y = 0; y < s->size[0]; y++) {
        const float *row =
            s->reconstruction + (size_t)((i * s->inner[0] + y) * s->inner[1] * s->channels);
        const uint8_t *want = pixels + (size_t)((i * s->size[0] + y) * s->size[1] * s->channels);
        for (int64_t x = 0; x < s->size[1] * s->channels; x++) {
            const double difference = (double)row[x] + 0.5 - (double)want[x] / 255.0;
            sum += difference * difference;
        }
    }
    return sum;
}

static double image_commitment(const vq_session *s, int64_t i)
{
    double sum = 0.0;
    for (size_t l = 0; l < s->n_levels; l++) {
        const vq_level *level = &s->level[l];
        const size_t count = level->positions * level->dim;
        double squares = 0.0;
        for (size_t k = (size_t)i * count; k < ((size_t)i + 1) * count; k++) {
            const double difference = (double)level->latent[k] - (double)level->quantized[k];
            squares += difference * difference;
        }
        sum += squares / (double)count;
    }
    return sum / (double)s->n_levels;
}

typedef struct error_job {
    const vq_session *session;
    const uint8_t *pixels;
} error_job;

static void errors_of_images(void *arg, size_t begin, size_t end, int thread)
{
    const error_job *job = arg;
    const vq_session *s = job->session;
    (void)thread;
    for (size_t i = begin; i < end; i++) {
        s->errors[i].squares = image_error(s, job->pixels, (int64_t)i);
        s->errors[i].commitment = image_commitment(s, (int64_t)i);
    }
}

/* The codes of all levels as rows of codebooks, and their counts. */
static void gather(vq_session *s, int64_t n, uint64_t *usage)
{
    for (size_t l = 0; l < s->n_levels; l++) {
        const vq_level *level = &s->level[l];
        for (size_t p = 0; p < (size_t)n * level->positions; p++) {
            const size_t code = (size_t)level->codes[p];
            usage[code]++;
            memcpy(level->quantized + p * level->dim, level->codebook + code * level->dim,
                   level->dim * sizeof(float));
        }
        usage += level->grid.codes;
    }
}

vq_status vq_session_evaluate(vq_session *s, int64_t n, const uint8_t *pixels,
                              vq_evaluation *evaluation, uint8_t *reconstructions, uint32_t *codes)
{
    if (codes) VQ_TRY(vq_session_encode(s, n, pixels, codes));
    else VQ_TRY(vq_session_run_encoder(s, n, pixels));
    gather(s, n, evaluation->usage);
    VQ_TRY(vq_plan_forward(s->decoder));
    error_job job = {.session = s, .pixels = pixels};
    vq_parallel_for(s->ctx, (size_t)n, 1, errors_of_images, &job);
    for (int64_t i = 0; i < n; i++) {
        evaluation->squared_error += s->errors[i].squares;
        evaluation->commitment += s->errors[i].commitment;
    }
    evaluation->images += n;
    evaluation->numbers += (double)n * (double)(s->size[0] * s->size[1] * s->channels);
    if (reconstructions) crop_bytes(s, n, reconstructions);
    return VQ_OK;
}

bool vq_session_plan(const vq_session *s, size_t index, vq_plan_line *line)
{
    const size_t first = (size_t)vq_plan_rows(s->encoder);
    if (index < first) *line = vq_plan_line_at(s->encoder, (int)index);
    else if (index < first + (size_t)vq_plan_rows(s->decoder))
        *line = vq_plan_line_at(s->decoder, (int)(index - first));
    else return false;
    return true;
}

void vq_session_observe(vq_session *s, vq_observe_fn *observe, void *user)
{
    vq_plan_observe(s->encoder, 0, observe, user);
    vq_plan_observe(s->decoder, (size_t)vq_plan_rows(s->encoder), observe, user);
}

size_t vq_session_bytes(const vq_session *s)
{
    return vq_plan_bytes(s->encoder) + vq_plan_bytes(s->decoder);
}

const char *vq_session_arithmetic(const vq_session *s)
{
    return s->arithmetic;
}
