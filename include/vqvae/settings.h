/* SPDX-License-Identifier: Apache-2.0
 * vqvae/settings.h -- how each configuration tells of its settings, for help and documents. */
#ifndef VQVAE_SETTINGS_H
#define VQVAE_SETTINGS_H

#include <vqvae/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Receives one setting. The texts are valid during the call only.
 * @param name      without its section: "lr", "level.N.k"
 * @param type      "whole number", "number", "yes or no", "choice"
 * @param standard  the default, as it would be written after `name=`
 * @param range     "1..65536", "true|false", "constant|cosine"
 * @param help      what it means, with its unit; one line
 * @param source    paper, equation or project it follows; "" where it is this project's own
 */
typedef void (*vq_setting_visit)(void *user, const char *name, const char *type,
                                 const char *standard, const char *range, const char *help,
                                 const char *source);

#ifdef __cplusplus
}
#endif
#endif
