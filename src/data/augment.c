/* SPDX-License-Identifier: Apache-2.0
 * data/augment.c -- mirrors and crops out of one stream of random numbers an image and epoch.
 *
 * A crop of the image with its edge repeated `crop_pad` times around equals a shift by up to
 * `crop_pad` pixels, with positions outside taken from the nearest edge. */
#include "data/augment.h"

#include <string.h>

#include "base/random.h"

bool vq_augments(const vq_data_config *config)
{
    return config->augment && (config->flip || config->crop_pad > 0);
}

static int64_t shift(vq_random *random, int64_t pad)
{
    return (int64_t)vq_random_below(random, (uint64_t)(2 * pad + 1)) - pad;
}

static int64_t clamp(int64_t value, int64_t size)
{
    return value < 0 ? 0 : value >= size ? size - 1 : value;
}

static void copy_shifted(const int64_t size[3], bool mirror, int64_t down, int64_t right,
                         const uint8_t *from, uint8_t *to)
{
    const int64_t height = size[0], width = size[1];
    const size_t channels = (size_t)size[2];
    for (int64_t y = 0; y < height; y++) {
        const uint8_t *row = from + (size_t)(clamp(y + down, height) * width) * channels;
        for (int64_t x = 0; x < width; x++, to += channels) {
            const int64_t shown = mirror ? width - 1 - x : x;
            const uint8_t *pixel = row + (size_t)clamp(shown + right, width) * channels;
            for (size_t c = 0; c < channels; c++) to[c] = pixel[c];
        }
    }
}

void vq_augment(const vq_data_config *config, const int64_t size[3], vq_data_key key,
                const uint8_t *from, uint8_t *to)
{
    if (!vq_augments(config)) {
        memcpy(to, from, (size_t)(size[0] * size[1] * size[2]));
        return;
    }
    vq_random random =
        vq_random_stream(key.seed, VQ_RANDOM_AUGMENT, key.epoch, (uint32_t)key.index);
    /* All three are drawn whatever the settings, so that one does not change the others. */
    const bool mirror = vq_random_below(&random, 2) == 1;
    const int64_t down = shift(&random, config->crop_pad);
    const int64_t right = shift(&random, config->crop_pad);
    copy_shifted(size, config->flip && mirror, down, right, from, to);
}
