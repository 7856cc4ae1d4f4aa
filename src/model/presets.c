/* SPDX-License-Identifier: Apache-2.0
 * model/presets.c -- configurations that go by a name. */
#include <string.h>
#include <vqvae/model.h>

static const vq_preset presets[] = {
    {"cifar10", "the paper's model for 32x32 colour images, 8x8 grid of 512 codes",
     "{\"model\": {\"channels\": 3, \"codebook_init\": \"kmeans\", \"level\": [{\"stride\": 4,"
     " \"width\": 128, \"narrow\": 64, \"blocks\": 2, \"block_width\": 32, \"k\": 512,"
     " \"d\": 64}]}, \"train\": {\"steps\": 10000, \"batch\": 32, \"lr\": 0.001, \"warmup\": 200,"
     " \"schedule\": \"cosine\", \"final_lr\": 0.02, \"revive\": 0.1, \"refit_every\": 500}}"},
    {"cifar10-fast", "the same model in 7,500 steps of 16 at a higher rate, for the least time",
     "{\"model\": {\"channels\": 3, \"codebook_init\": \"kmeans\", \"commitment\": 0.5, \"level\":"
     " [{\"stride\": 4, \"width\": 128, \"narrow\": 64, \"blocks\": 2, \"block_width\": 32,"
     " \"k\": 512, \"d\": 64}]}, \"train\": {\"steps\": 7500, \"batch\": 16, \"lr\": 0.002,"
     " \"warmup\": 200, \"schedule\": \"cosine\", \"final_lr\": 0.01, \"revive\": 0.1,"
     " \"refit_every\": 500, \"valid_every\": 500}}"},
    {"fashion-mnist", "28x28 grey images, 7x7 grid of 256 codes; a minute and a half on two cores",
     "{\"model\": {\"channels\": 1, \"level\": [{\"stride\": 4, \"width\": 64, \"narrow\": 32,"
     " \"blocks\": 2, \"block_width\": 32, \"k\": 256, \"d\": 32}]},"
     " \"train\": {\"steps\": 3000, \"batch\": 64, \"lr\": 0.001, \"warmup\": 100,"
     " \"schedule\": \"cosine\", \"final_lr\": 0.02, \"valid_every\": 500}}"},
    {"tiny", "a model of seconds, for tests and first tries; 16 codes",
     "{\"model\": {\"level\": [{\"stride\": 4, \"width\": 16, \"narrow\": 8, \"blocks\": 1,"
     " \"block_width\": 8, \"k\": 16, \"d\": 8}]},"
     " \"train\": {\"steps\": 200, \"batch\": 16, \"lr\": 0.002, \"valid_every\": 100,"
     " \"save_every\": 100}}"},
};

const vq_preset *vq_preset_at(size_t index)
{
    return index < sizeof presets / sizeof *presets ? &presets[index] : NULL;
}

const vq_preset *vq_preset_named(const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0) return &presets[i];
    return NULL;
}
