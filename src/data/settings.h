/* SPDX-License-Identifier: Apache-2.0
 * data/settings.h -- the table of vq_data_config's settings. */
#ifndef VQ_DATA_SETTINGS_H
#define VQ_DATA_SETTINGS_H

#include "base/settings.h"

extern const vq_table vq_data_table;

#endif
