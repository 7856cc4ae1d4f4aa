/* SPDX-License-Identifier: Apache-2.0
 * data/data_settings.c -- the settings of data, in one table. */
#include <vqvae/data.h>

#include "base/settings_describe.h"
#include "data/settings.h"

#define FIELD(name_, type_, low_, high_, standard_, help_)                                         \
    {                                                                                              \
        .name = #name_, .type = type_, .at = offsetof(vq_data_config, name_), .low = (low_),       \
        .high = (high_), .standard = (standard_), .help = (help_), .source = ""                    \
    }

#define CHOICE(name_, choices_, help_)                                                             \
    {                                                                                              \
        .name = #name_, .type = VQ_FIELD_CHOICE, .at = offsetof(vq_data_config, name_),            \
        .choices = (choices_), .help = (help_), .source = ""                                       \
    }

static const vq_field fields[] = {
    FIELD(height, VQ_FIELD_INT, 0, 65536, 0, "height of the images in pixels; 0: as stored"),
    FIELD(width, VQ_FIELD_INT, 0, 65536, 0, "width of the images in pixels; 0: as stored"),
    FIELD(channels, VQ_FIELD_INT, 0, 3, 0, "1 grey or 3 colour; 0: as the first image is stored"),
    CHOICE(
        fit, "crop|pad|stretch|exact",
        "images of another size: short side scaled and middle cropped, long side scaled and edge "
        "repeated, scaled out of proportion, or refused"),
    CHOICE(filter, "bilinear|bicubic|lanczos|box", "how they are scaled, as Pillow does"),
    CHOICE(labels, "fine|coarse", "which labels of CIFAR-100 to take"),
    FIELD(flip, VQ_FIELD_BOOL, 0, 1, 0, "mirror left to right, half of the time, in training"),
    FIELD(crop_pad, VQ_FIELD_INT, 0, 1024, 0,
          "repeat the edge by so many pixels and crop at random, in training"),
    FIELD(cache_mb, VQ_FIELD_INT, 0, 1048576, 1024, "decoded pixels kept in memory, in MiB"),
};

const vq_table vq_data_table = {
    .name = "data",
    .fields = fields,
    .n_fields = sizeof fields / sizeof *fields,
    .size = sizeof(vq_data_config),
};

void vq_data_config_default(vq_data_config *config)
{
    *config = (vq_data_config){0};
    vq_settings_default(&vq_data_table, config);
}

vq_status vq_data_config_set(vq_context *ctx, vq_data_config *config, const char *name,
                             const char *value)
{
    return vq_settings_set(ctx, &vq_data_table, name, value, config);
}

vq_status vq_data_config_read(vq_context *ctx, const char *json, vq_data_config *config)
{
    return vq_settings_read(ctx, &vq_data_table, json, config);
}

vq_status vq_data_config_write(vq_context *ctx, const vq_data_config *config, char **json)
{
    return vq_settings_write(ctx, &vq_data_table, config, json);
}

void vq_data_settings_visit(vq_setting_visit visit, void *user)
{
    vq_settings_describe(&vq_data_table, visit, user);
}
