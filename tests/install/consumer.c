/* SPDX-License-Identifier: Apache-2.0
 * A user of the installed libraries. */
#include <stdio.h>
#include <vqvae/vqvae.h>

int main(void)
{
    vq_data_config config;
    vq_data_config_default(&config);
    return puts(vq_version()) < 0 || config.cache_mb < 0;
}
