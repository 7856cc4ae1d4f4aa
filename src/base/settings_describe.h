/* SPDX-License-Identifier: Apache-2.0
 * base/settings_describe.h -- a table of fields, told in words. */
#ifndef VQ_BASE_SETTINGS_DESCRIBE_H
#define VQ_BASE_SETTINGS_DESCRIBE_H

#include "base/settings.h"
#include <vqvae/settings.h>

/** Calls `visit` for every field of the table, elements of groups as "level.N.name". */
void vq_settings_describe(const vq_table *table, vq_setting_visit visit, void *user);

#endif
