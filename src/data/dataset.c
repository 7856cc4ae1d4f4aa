/* SPDX-License-Identifier: Apache-2.0
 * data/dataset.c -- images of one size with random access, decoded when asked for. */
#include "data/dataset.h"

#include <string.h>

#include "data/augment.h"
#include "data/fit.h"
#include "data/settings.h"

/* Puts path and name before the sentence that is there. */
static vq_status name_image(vq_context *ctx, const vq_source *source, int64_t index,
                            vq_status status)
{
    if (status == VQ_OK) return VQ_OK;
    if (source->is_image)
        return vq_fail(ctx, status, "%s: %s", source->path, vq_context_error(ctx));
    return vq_fail(ctx, status, "%s: image %s: %s", source->path, source->entries.items[index].name,
                   vq_context_error(ctx));
}

/* The image as it is stored, on its own. Failures are named; those of reading a file name it. */
static vq_status load_stored(vq_context *ctx, const vq_source *source, int64_t index, vq_image *out)
{
    vq_bytes bytes = {0};
    *out = (vq_image){0};
    if (source->pixels) {
        VQ_TRY(vq_image_create(ctx, source->size[0], source->size[1], source->size[2], out));
        const size_t size = (size_t)(source->size[0] * source->size[1] * source->size[2]);
        memcpy(out->pixels, source->pixels + (size_t)index * size, size);
        return VQ_OK;
    }
    VQ_TRY(source->read(ctx, source, &source->entries.items[index], &bytes));
    const vq_status status = vq_image_decode(ctx, bytes.data, bytes.size, out);
    vq_release(ctx, bytes.data);
    return name_image(ctx, source, index, status);
}

/* Images that keep their size become the size of something: of the data, or of a session. */
static vq_status check_sides(vq_context *ctx, const vq_data_config *config, const vq_image *image)
{
    enum { SIDE_MAX = 65536 };
    const bool fits = image->height <= SIDE_MAX && image->width <= SIDE_MAX;
    VQ_CHECK(ctx, fits || config->height > 0, VQ_E_UNSUPPORTED,
             "it is %lld pixels wide and %lld high; images that keep their size may have %d on a "
             "side, so make it smaller",
             (long long)image->width, (long long)image->height, SIDE_MAX);
    return VQ_OK;
}

/* Colours, then size. */
static vq_status fit(vq_context *ctx, const vq_dataset *dataset, vq_image *image, uint8_t *out)
{
    const int64_t *size = dataset->size;
    VQ_TRY(check_sides(ctx, &dataset->config, image));
    VQ_TRY(vq_image_set_channels(ctx, size[2], image));
    const bool differs = image->height != size[0] || image->width != size[1];
    VQ_CHECK(ctx, !differs || dataset->config.height > 0, VQ_E_SHAPE,
             "it is %lld pixels wide and %lld high, the first image %lld and %lld; give the size "
             "that all are to have: --set data.height=128 --set data.width=128",
             (long long)image->width, (long long)image->height, (long long)size[1],
             (long long)size[0]);
    return vq_image_fit(ctx, image, &dataset->config, size, out);
}

static vq_status make_pixels(vq_context *ctx, const vq_dataset *dataset, int64_t index,
                             uint8_t *out, int64_t stored[2])
{
    vq_image image;
    int64_t within;
    const vq_source *source = vq_sources_find(&dataset->sources, index, &within);
    VQ_TRY(load_stored(ctx, source, within, &image));
    stored[0] = image.height;
    stored[1] = image.width;
    const vq_status status = fit(ctx, dataset, &image, out);
    vq_image_clear(ctx, &image);
    return name_image(ctx, source, within, status);
}

/* Arrays whose images already are what is delivered need neither decoding nor a cache. */
static bool is_resident(const vq_dataset *dataset, const vq_source *source)
{
    return source->pixels && memcmp(source->size, dataset->size, sizeof dataset->size) == 0;
}

vq_status vq_dataset_pixels(vq_context *ctx, const vq_dataset *dataset, int64_t index,
                            uint8_t *scratch, const uint8_t **at, int64_t stored[2])
{
    int64_t within;
    VQ_CHECK(ctx, index >= 0 && index < vq_dataset_count(dataset), VQ_E_ARG,
             "%s: image %lld was asked for; there are %lld", vq_dataset_path(dataset),
             (long long)index, (long long)vq_dataset_count(dataset));
    const vq_source *source = vq_sources_find(&dataset->sources, index, &within);
    stored[0] = source->pixels ? source->size[0] : 0;
    stored[1] = source->pixels ? source->size[1] : 0;
    *at = is_resident(dataset, source) ? source->pixels + (size_t)within * dataset->image_bytes
                                       : vq_cache_find(dataset->cache, (size_t)index);
    if (*at) return VQ_OK;
    VQ_TRY(make_pixels(ctx, dataset, index, scratch, stored));
    vq_cache_keep(dataset->cache, (size_t)index, scratch);
    *at = scratch;
    return VQ_OK;
}

vq_status vq_dataset_deliver(vq_context *ctx, const vq_dataset *dataset, int64_t index,
                             vq_data_key key, uint8_t *out, int64_t stored[2])
{
    const uint8_t *at = NULL;
    VQ_TRY(vq_dataset_pixels(ctx, dataset, index, out, &at, stored));
    if (at != out) {
        vq_augment(&dataset->config, dataset->size, key, at, out);
        return VQ_OK;
    }
    if (!vq_augments(&dataset->config)) return VQ_OK;
    /* Just decoded into `out` itself: moving pixels about needs them elsewhere first. */
    uint8_t *copy = NULL;
    VQ_TRY(VQ_NEW(ctx, dataset->image_bytes, &copy));
    memcpy(copy, out, dataset->image_bytes);
    vq_augment(&dataset->config, dataset->size, key, copy, out);
    vq_release(ctx, copy);
    return VQ_OK;
}

vq_status vq_dataset_get(vq_context *ctx, const vq_dataset *dataset, int64_t index, vq_data_key key,
                         uint8_t *out)
{
    int64_t stored[2];
    return vq_dataset_deliver(ctx, dataset, index, key, out, stored);
}

bool vq_data_image_failed(vq_status status)
{
    return status == VQ_E_FORMAT || status == VQ_E_IO || status == VQ_E_UNSUPPORTED ||
           status == VQ_E_SHAPE;
}

/* ---- opening ----------------------------------------------------------------- */

static vq_status check_config(vq_context *ctx, const vq_data_config *config)
{
    VQ_TRY(vq_settings_check(ctx, &vq_data_table, config));
    VQ_CHECK(ctx, config->channels != 2, VQ_E_ARG,
             "data.channels is 2; images have 1 (grey) or 3 (colour), and 0 means as stored");
    VQ_CHECK(ctx, config->height * config->width <= VQ_IMAGE_PIXELS_MAX, VQ_E_ARG,
             "data.height x data.width is %lld pixels; at most %d are allowed",
             (long long)(config->height * config->width), VQ_IMAGE_PIXELS_MAX);
    VQ_CHECK(ctx, (config->height == 0) == (config->width == 0), VQ_E_ARG,
             "data.height is %lld and data.width is %lld; give both or neither",
             (long long)config->height, (long long)config->width);
    return VQ_OK;
}

static vq_status load_sized(vq_context *ctx, const vq_dataset *dataset, size_t source,
                            int64_t index, vq_image *out)
{
    VQ_TRY(load_stored(ctx, &dataset->sources.items[source], index, out));
    const vq_status status = check_sides(ctx, &dataset->config, out);
    if (status != VQ_OK) vq_image_clear(ctx, out);
    return name_image(ctx, &dataset->sources.items[source], index, status);
}

/* The first image that can be read; where none can, the first one's failure. */
static vq_status load_first(vq_context *ctx, const vq_dataset *dataset, vq_image *out)
{
    for (size_t s = 0; s < dataset->sources.n; s++)
        for (size_t i = 0; i < dataset->sources.items[s].entries.count; i++) {
            const vq_status status = load_sized(ctx, dataset, s, (int64_t)i, out);
            if (!vq_data_image_failed(status)) return status;
        }
    return load_sized(ctx, dataset, 0, 0, out);
}

/* Settings left 0 follow the first image. */
static vq_status decide_size(vq_context *ctx, vq_dataset *dataset)
{
    const vq_data_config *config = &dataset->config;
    const vq_source *source = &dataset->sources.items[0];
    vq_image first = {.height = source->size[0],
                      .width = source->size[1],
                      .channels = source->size[2]};
    if (!source->pixels && (config->height == 0 || config->channels == 0))
        VQ_TRY(load_first(ctx, dataset, &first));
    dataset->size[0] = config->height ? config->height : first.height;
    dataset->size[1] = config->width ? config->width : first.width;
    dataset->size[2] = config->channels ? config->channels : first.channels;
    vq_image_clear(ctx, &first);
    dataset->image_bytes = (size_t)(dataset->size[0] * dataset->size[1] * dataset->size[2]);
    return VQ_OK;
}

/* A cache for whatever has to be decoded or scaled. */
static vq_status make_cache(vq_context *ctx, vq_dataset *dataset)
{
    bool needed = false;
    for (size_t s = 0; s < dataset->sources.n; s++)
        needed = needed || !is_resident(dataset, &dataset->sources.items[s]);
    if (!needed) return VQ_OK;
    return vq_cache_create(ctx, vq_sources_count(&dataset->sources), dataset->image_bytes,
                           (size_t)dataset->config.cache_mb << 20, &dataset->cache);
}

vq_status vq_dataset_open_all(vq_context *ctx, const char *const *paths, size_t n_paths,
                              const vq_data_config *config, vq_dataset **out)
{
    vq_status status = VQ_OK;
    vq_dataset *dataset = NULL;
    *out = NULL;
    VQ_TRY_TO(check_config(ctx, config));
    VQ_TRY_TO(VQ_NEW(ctx, 1, &dataset));
    dataset->config = *config;
    VQ_TRY_TO(vq_sources_open(ctx, paths, n_paths, config, &dataset->sources));
    VQ_TRY_TO(decide_size(ctx, dataset));
    VQ_TRY_TO(make_cache(ctx, dataset));
    *out = dataset;
    dataset = NULL;
done:
    vq_dataset_close(ctx, dataset);
    return status;
}

vq_status vq_dataset_open(vq_context *ctx, const char *path, const vq_data_config *config,
                          vq_dataset **out)
{
    return vq_dataset_open_all(ctx, &path, 1, config, out);
}

void vq_dataset_close(vq_context *ctx, vq_dataset *dataset)
{
    if (!dataset) return;
    vq_cache_destroy(ctx, dataset->cache);
    if (!dataset->borrows) vq_sources_close(ctx, &dataset->sources);
    vq_release(ctx, dataset);
}

vq_status vq_dataset_resized(vq_context *ctx, const vq_dataset *dataset, int64_t height,
                             int64_t width, vq_dataset **out)
{
    vq_status status = VQ_OK;
    vq_dataset *other = NULL;
    *out = NULL;
    VQ_TRY_TO(VQ_NEW(ctx, 1, &other));
    *other = *dataset;
    other->borrows = true;
    other->cache = NULL;
    other->config.height = height;
    other->config.width = width;
    other->config.channels = dataset->size[2];
    other->config.cache_mb = 0;
    VQ_TRY_TO(check_config(ctx, &other->config));
    VQ_TRY_TO(decide_size(ctx, other));
    *out = other;
    other = NULL;
done:
    vq_dataset_close(ctx, other);
    return status;
}

vq_status vq_data_helper_context(vq_context *ctx, vq_context **out)
{
    vq_context_config config;
    vq_context_config_default(&config);
    config.allocator = ctx->allocator;
    config.files = ctx->files;
    config.threads = 1;
    VQ_CHECK(ctx, vq_context_create(&config, out) == VQ_OK, VQ_E_NOMEM,
             "no memory for the context of a helping thread");
    return VQ_OK;
}

/* ---- what it holds ----------------------------------------------------------- */

int64_t vq_dataset_count(const vq_dataset *dataset)
{
    return (int64_t)vq_sources_count(&dataset->sources);
}

void vq_dataset_size(const vq_dataset *dataset, int64_t size[3])
{
    memcpy(size, dataset->size, sizeof dataset->size);
}

const char *vq_dataset_path(const vq_dataset *dataset)
{
    return dataset->sources.items[0].given;
}

static bool is_index(const vq_dataset *dataset, int64_t index)
{
    return index >= 0 && index < vq_dataset_count(dataset);
}

const char *vq_dataset_name(const vq_dataset *dataset, int64_t index)
{
    return is_index(dataset, index) ? vq_sources_entry(&dataset->sources, index)->name : NULL;
}

const char *vq_dataset_source(const vq_dataset *dataset, int64_t index)
{
    int64_t within;
    return is_index(dataset, index) ? vq_sources_find(&dataset->sources, index, &within)->given
                                    : NULL;
}

int64_t vq_dataset_label(const vq_dataset *dataset, int64_t index)
{
    return is_index(dataset, index) ? vq_sources_entry(&dataset->sources, index)->label : -1;
}

const char *vq_dataset_class(const vq_dataset *dataset, int64_t label)
{
    const vq_sources *sources = &dataset->sources;
    return label >= 0 && (size_t)label < sources->n_classes ? sources->classes[label] : NULL;
}
