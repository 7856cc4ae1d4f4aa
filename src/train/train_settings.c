/* SPDX-License-Identifier: Apache-2.0
 * train/train_settings.c -- the table of the settings of training. */
#include <string.h>
#include <vqvae/train.h>

#include "base/settings.h"
#include "base/settings_describe.h"
#include "train/trainer.h"

#define TRAIN(field) offsetof(vq_train_config, field)
#define ADAM "Kingma and Ba 2015, arXiv:1412.6980"

static const vq_field fields[] = {
    {.name = "steps",
     .type = VQ_FIELD_INT,
     .at = TRAIN(steps),
     .low = 1,
     .high = 1e12,
     .standard = 10000,
     .source = "sonnet 2",
     .help = "steps to train"},
    {.name = "batch",
     .type = VQ_FIELD_INT,
     .at = TRAIN(batch),
     .low = 1,
     .high = 65536,
     .standard = 32,
     .source = "sonnet 2",
     .help = "images in a step"},
    {.name = "seed",
     .type = VQ_FIELD_INT,
     .at = TRAIN(seed),
     .low = 0,
     .high = 9007199254740992.0,
     .source = "",
     .help = "decides first weights, order, augmentation and what is held out"},
    {.name = "optimizer",
     .type = VQ_FIELD_CHOICE,
     .at = TRAIN(optimizer),
     .choices = "adam|adamw",
     .source = ADAM "; Loshchilov and Hutter 2019, arXiv:1711.05101",
     .help = "adam adds weight decay to the gradient, adamw shrinks the weights"},
    {.name = "lr",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(lr),
     .low = 0,
     .high = 10,
     .standard = 3e-4,
     .source = "sonnet 2",
     .help = "learning rate after the warm-up"},
    {.name = "codebook_lr",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(codebook_lr),
     .low = 0,
     .high = 1e6,
     .standard = 1,
     .source = "",
     .help = "factor on lr for codebooks moved by gradient"},
    {.name = "b1",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(b1),
     .low = 0,
     .high = 0.999999,
     .standard = 0.9,
     .source = ADAM,
     .help = "decay of Adam's mean of the gradient"},
    {.name = "b2",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(b2),
     .low = 0,
     .high = 0.9999999,
     .standard = 0.999,
     .source = ADAM,
     .help = "decay of Adam's mean of its square"},
    {.name = "eps",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(eps),
     .low = 1e-30,
     .high = 1,
     .standard = 1e-8,
     .source = ADAM,
     .help = "added to the root in Adam's denominator"},
    {.name = "weight_decay",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(weight_decay),
     .low = 0,
     .high = 10,
     .source = ADAM,
     .help = "weight decay; never on codebooks"},
    {.name = "warmup",
     .type = VQ_FIELD_INT,
     .at = TRAIN(warmup),
     .low = 0,
     .high = 1e12,
     .source = "",
     .help = "steps over which the learning rate rises in a line"},
    {.name = "schedule",
     .type = VQ_FIELD_CHOICE,
     .at = TRAIN(schedule),
     .choices = "constant|cosine",
     .source = "Loshchilov and Hutter 2017, arXiv:1608.03983",
     .help = "learning rate after the warm-up"},
    {.name = "decay_steps",
     .type = VQ_FIELD_INT,
     .at = TRAIN(decay_steps),
     .low = 0,
     .high = 1e12,
     .source = "",
     .help = "steps until the cosine has fallen; 0: all steps"},
    {.name = "final_lr",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(final_lr),
     .low = 0,
     .high = 1,
     .source = "",
     .help = "share of lr that the cosine falls to, one step after the last"},
    {.name = "clip",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(clip),
     .low = 0,
     .high = 1e12,
     .source = "Pascanu et al. 2013, arXiv:1211.5063",
     .help = "largest norm of all gradients together; 0: not limited"},
    {.name = "average",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(average),
     .low = 0,
     .high = 0.999999,
     .source = "Polyak and Juditsky 1992",
     .help = "decay of the averaged weights that models are made of; 0: none"},
    {.name = "precision",
     .type = VQ_FIELD_CHOICE,
     .at = TRAIN(precision),
     .choices = "f32|bf16",
     .source = "Kalamkar et al. 2019, arXiv:1905.12322",
     .help = "of the products of convolutions; sums, weights and all else are f32"},
    {.name = "revive",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(revive),
     .low = 0,
     .high = 1,
     .standard = 0.03,
     .source = "after Dhariwal et al. 2020, arXiv:2005.00341",
     .help = "codes used less than this share of what an even use of all would give are dead and "
             "get a vector of the batch; 0: never"},
    {.name = "revive_every",
     .type = VQ_FIELD_INT,
     .at = TRAIN(revive_every),
     .low = 1,
     .high = 1e12,
     .standard = 20,
     .source = "",
     .help = "steps between looks for dead codes"},
    {.name = "revive_until",
     .type = VQ_FIELD_REAL,
     .at = TRAIN(revive_until),
     .low = 0,
     .high = 1,
     .standard = 0.8,
     .source = "",
     .help = "share of all steps after which no code is revived or fitted anew, so that the last "
             "ones settle"},
    {.name = "refit_every",
     .type = VQ_FIELD_INT,
     .at = TRAIN(refit_every),
     .low = 0,
     .high = 1e12,
     .source = "",
     .help = "steps between fits of all codebooks to what the encoder gives by then, by k-means; "
             "0: none"},
    {.name = "valid_every",
     .type = VQ_FIELD_INT,
     .at = TRAIN(valid_every),
     .low = 0,
     .high = 1e12,
     .standard = 1000,
     .source = "",
     .help = "steps between validations; 0: only at the end"},
    {.name = "save_every",
     .type = VQ_FIELD_INT,
     .at = TRAIN(save_every),
     .low = 0,
     .high = 1e12,
     .standard = 500,
     .source = "",
     .help = "steps between saves; 0: only at the end"},
    {.name = "log_every",
     .type = VQ_FIELD_INT,
     .at = TRAIN(log_every),
     .low = 1,
     .high = 1e12,
     .standard = 50,
     .source = "",
     .help = "steps between lines of metrics.jsonl"},
};

static const vq_table table = {.name = "train",
                               .fields = fields,
                               .n_fields = sizeof fields / sizeof *fields,
                               .size = sizeof(vq_train_config)};

void vq_train_config_default(vq_train_config *config)
{
    memset(config, 0, sizeof *config);
    vq_settings_default(&table, config);
}

vq_status vq_train_config_read(vq_context *ctx, const char *json, vq_train_config *config)
{
    return vq_settings_read(ctx, &table, json, config);
}

vq_status vq_train_config_set(vq_context *ctx, const char *name, const char *value,
                              vq_train_config *config)
{
    return vq_settings_set(ctx, &table, name, value, config);
}

vq_status vq_train_config_write(vq_context *ctx, const vq_train_config *config, char **json)
{
    return vq_settings_write(ctx, &table, config, json);
}

vq_status vq_train_config_check(vq_context *ctx, const vq_train_config *config)
{
    return vq_settings_check(ctx, &table, config);
}

void vq_train_settings_visit(vq_setting_visit visit, void *user)
{
    vq_settings_describe(&table, visit, user);
}
