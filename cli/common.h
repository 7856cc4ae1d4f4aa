/* SPDX-License-Identifier: Apache-2.0
 * cli/common.h -- the options that every verb has, walking a verb's options with them, and the
 * words that help and manual share. */
#ifndef CLI_COMMON_H
#define CLI_COMMON_H

#include "option.h"

extern const option shared_options[];
extern const size_t n_shared_options;

/** Option i of a verb, its own before the shared ones; NULL past the last. */
const option *option_at(const verb *v, size_t index);
/** The name as users write it, without the two hyphens. */
void option_spell(const option *o, char *to, size_t size);
/** What its value may be: "N", "auto|portable"; NULL for flags. */
const char *option_value(const option *o);
/** What follows its help: " (required)", " (default 64)" or "". */
const char *option_note(const option *o, char *to, size_t size);

/** Paragraphs of the program's help, without the last newline. */
extern const char help_summary[], help_inputs[], help_results[], help_environment[];

#endif
