/* SPDX-License-Identifier: Apache-2.0
 * model/model_settings.c -- the table of a model's settings. */
#include <string.h>

#include "base/settings.h"
#include "base/settings_describe.h"
#include "model/builder.h"
#include "quantize/quantize.h"

#define PAPER "van den Oord et al. 2017, arXiv:1711.00937"
#define PAPER_2 "Razavi et al. 2019, arXiv:1906.00446"

#define LEVEL(field) offsetof(vq_level_config, field)
#define MODEL(field) offsetof(vq_model_config, field)

static const vq_field level_fields[] = {
    {.name = "stride",
     .type = VQ_FIELD_INT,
     .at = LEVEL(stride),
     .low = 1,
     .high = 64,
     .standard = 4,
     .source = PAPER " 4.1",
     .help = "how many times coarser the grid is than what the level looks at; a power of two"},
    {.name = "width",
     .type = VQ_FIELD_INT,
     .at = LEVEL(width),
     .low = 1,
     .high = 4096,
     .standard = 128,
     .source = PAPER " 4.1",
     .help = "channels of the encoder and the decoder"},
    {.name = "narrow",
     .type = VQ_FIELD_INT,
     .at = LEVEL(narrow),
     .low = 0,
     .high = 4096,
     .standard = 0,
     .source = "sonnet 2",
     .help = "channels next to the finer side; 0: width / 2"},
    {.name = "blocks",
     .type = VQ_FIELD_INT,
     .at = LEVEL(blocks),
     .low = 0,
     .high = 64,
     .standard = 2,
     .source = PAPER " 4.1",
     .help = "residual blocks in the encoder, and as many in the decoder"},
    {.name = "block_width",
     .type = VQ_FIELD_INT,
     .at = LEVEL(block_width),
     .low = 1,
     .high = 4096,
     .standard = 32,
     .source = "sonnet 2",
     .help = "channels inside a residual block"},
    {.name = "k",
     .type = VQ_FIELD_INT,
     .at = LEVEL(k),
     .low = 1,
     .high = 1 << 24,
     .standard = 512,
     .source = PAPER " 4.1",
     .help = "codes in the codebook"},
    {.name = "d",
     .type = VQ_FIELD_INT,
     .at = LEVEL(d),
     .low = 1,
     .high = 4096,
     .standard = 64,
     .source = PAPER " 4.1",
     .help = "numbers in a code vector"},
};

static const vq_table level_table = {.name = "level",
                                     .fields = level_fields,
                                     .n_fields = sizeof level_fields / sizeof *level_fields,
                                     .size = sizeof(vq_level_config)};

static const vq_field model_fields[] = {
    {.name = "height",
     .type = VQ_FIELD_INT,
     .at = MODEL(height),
     .low = 0,
     .high = 65536,
     .source = "",
     .help = "of the images trained on, in pixels; 0: taken from the data"},
    {.name = "width",
     .type = VQ_FIELD_INT,
     .at = MODEL(width),
     .low = 0,
     .high = 65536,
     .source = "",
     .help = "of the images trained on, in pixels; 0: taken from the data"},
    {.name = "channels",
     .type = VQ_FIELD_INT,
     .at = MODEL(channels),
     .low = 0,
     .high = 4,
     .source = "",
     .help = "of an image: 1 grey, 3 colour; 0: taken from the data"},
    {.name = "quantizer",
     .type = VQ_FIELD_CHOICE,
     .at = MODEL(quantizer),
     .choices = "ema|gradient",
     .source = PAPER " eq. 3 and appendix A.1",
     .help = "how the codebook learns: moving averages of the vectors, or the gradient"},
    {.name = "commitment",
     .type = VQ_FIELD_REAL,
     .at = MODEL(commitment),
     .low = 0,
     .high = 1e6,
     .standard = 0.25,
     .source = PAPER " eq. 3",
     .help = "weight of the term that pulls the encoder to its codes"},
    {.name = "codebook",
     .type = VQ_FIELD_REAL,
     .at = MODEL(codebook),
     .low = 0,
     .high = 1e6,
     .standard = 1.0,
     .source = PAPER " eq. 3",
     .help = "weight of the term that pulls the codes to the encoder; gradient quantiser"},
    {.name = "decay",
     .type = VQ_FIELD_REAL,
     .at = MODEL(decay),
     .low = 0,
     .high = 0.999999,
     .standard = 0.99,
     .source = PAPER " appendix A.1",
     .help = "share of the moving averages kept at each step; ema quantiser"},
    {.name = "epsilon",
     .type = VQ_FIELD_REAL,
     .at = MODEL(epsilon),
     .low = 1e-12,
     .high = 1,
     .standard = 1e-5,
     .source = "sonnet 2",
     .help = "Laplace smoothing added to every count; ema quantiser"},
    {.name = "ema_start",
     .type = VQ_FIELD_CHOICE,
     .at = MODEL(ema_start),
     .choices = "one|zero|debias",
     .source = "one: ours; zero: vq-vae-2-pytorch; debias: sonnet 2",
     .help = "counts at the start: one each, zero, or zero and corrected for it"},
    {.name = "codebook_init",
     .type = VQ_FIELD_CHOICE,
     .at = MODEL(codebook_init),
     .choices = "uniform|normal|data|kmeans",
     .source = "uniform: sonnet 2; normal: vq-vae-2-pytorch; kmeans: Arthur and Vassilvitskii 2007",
     .help = "first codes: uniform of variance 1/D, normal of variance 1, rows of the first batch, "
             "or k-means on vectors of several batches"},
    {.name = "level",
     .type = VQ_FIELD_GROUP,
     .at = MODEL(level),
     .source = PAPER_2,
     .group = &level_table,
     .count_at = MODEL(n_levels),
     .count_max = VQ_MAX_LEVELS,
     .help = "one grid of codes each, the finest first"},
};

static const vq_table model_table = {.name = "model",
                                     .fields = model_fields,
                                     .n_fields = sizeof model_fields / sizeof *model_fields,
                                     .size = sizeof(vq_model_config)};

void vq_model_config_default(vq_model_config *config)
{
    memset(config, 0, sizeof *config);
    vq_settings_default(&model_table, config);
}

vq_status vq_model_config_read(vq_context *ctx, const char *json, vq_model_config *config)
{
    return vq_settings_read(ctx, &model_table, json, config);
}

vq_status vq_model_config_set(vq_context *ctx, const char *name, const char *value,
                              vq_model_config *config)
{
    return vq_settings_set(ctx, &model_table, name, value, config);
}

vq_status vq_model_config_write(vq_context *ctx, const vq_model_config *config, char **json)
{
    return vq_settings_write(ctx, &model_table, config, json);
}

void vq_model_settings_visit(vq_setting_visit visit, void *user)
{
    vq_settings_describe(&model_table, visit, user);
}

void vq_text_free(vq_context *ctx, char *text)
{
    vq_release(ctx, text);
}

vq_status vq_model_config_check(vq_context *ctx, const vq_model_config *config)
{
    VQ_TRY(vq_settings_check(ctx, &model_table, config));
    VQ_CHECK(ctx, config->n_levels >= 1 && config->n_levels <= VQ_MAX_LEVELS, VQ_E_ARG,
             "a model has 1 to %d levels, not %zu", VQ_MAX_LEVELS, config->n_levels);
    VQ_CHECK(ctx, config->channels == 1 || config->channels == 3, VQ_E_ARG,
             "model.channels is %lld; images have 1 or 3", (long long)config->channels);
    VQ_CHECK(
        ctx, config->codebook_init != VQ_CODEBOOK_KMEANS || config->ema_start == VQ_EMA_ONE,
        VQ_E_ARG,
        "model.codebook_init is kmeans, which brings counts of its own, but model.ema_start is "
        "%s, which throws them away: leave it at one",
        config->ema_start == VQ_EMA_ZERO ? "zero" : "debias");
    for (size_t l = 0; l < config->n_levels; l++) {
        const int64_t stride = config->level[l].stride;
        VQ_CHECK(ctx, (stride & (stride - 1)) == 0, VQ_E_ARG,
                 "model.level.%zu.stride is %lld; it must be a power of two", l, (long long)stride);
    }
    return VQ_OK;
}
