/* SPDX-License-Identifier: Apache-2.0
 * cli/run/intake.h -- images made ready for a model as they were for its training. */
#ifndef CLI_RUN_INTAKE_H
#define CLI_RUN_INTAKE_H

#include "program.h"
#include <vqvae/data.h>
#include <vqvae/model.h>

/**
 * The settings of data by which the model's run took its images, without augmentation and cache;
 * the defaults where `path`, which the model was loaded from, is neither a run folder nor in one.
 * @param own_size  images keep their own size; else they are brought to that of the training
 */
int intake_of_model(program *p, const char *path, const vq_model *model, bool own_size,
                    vq_data_config *out);
/** What becomes of an image of another size: "scaled and cropped". */
const char *intake_words(const vq_data_config *config);
/** Opens the sources as one dataset, the caller's whatever is returned, and warns of images that
 *  are named twice. */
int intake_open(program *p, const vq_data_config *config, char **paths, int n, vq_dataset **out);

#endif
