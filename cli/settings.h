/* SPDX-License-Identifier: Apache-2.0
 * cli/settings.h -- the three configurations of a training, from presets, files, --set. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "option.h"
#include <jansson.h>
#include <vqvae/data.h>
#include <vqvae/train.h>

typedef struct settings {
    vq_model_config model;
    vq_train_config train;
    vq_data_config data;
} settings;

void settings_default(settings *s);
/** Reads an object with the keys "model", "train" and "data", each optional; "run" is passed
 *  over. `where` begins the sentence of a failure. */
int settings_read(program *p, const json_t *object, const char *where, settings *s);
/**
 * Reads what `pattern` names of an object that a newer program may have written: wrong values of
 * that are refused, anything else that this program would not read is only warned of.
 * @param pattern  an object as settings_write() gives it, or with fewer keys; NULL: no memory
 * @param taken    ends the warning: what is taken all the same
 */
int settings_read_named(program *p, json_t *object, json_t *pattern, const char *where,
                        const char *taken, settings *s);
/** Reads a preset by its name. */
int settings_preset(program *p, const char *name, settings *s);
/** Reads a JSON file: one written by hand, or the config.json of a run. */
int settings_file(program *p, const char *path, settings *s);
/** Sets one from "model.level.0.k=1024". */
int settings_set(program *p, const char *assignment, settings *s);
/** All of them as an object with the three keys; json_decref(). */
int settings_write(program *p, const settings *s, json_t **out);
/** Parses a JSON file; json_decref(). */
int json_file(program *p, const char *path, json_t **out);

#endif
