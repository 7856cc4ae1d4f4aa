/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs.h -- declares a table for each row of verbs.def. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "option.h"

#define VERB(name) extern const verb verb_##name;
#include "verbs.def"
#undef VERB

/** Of the options --fast and --precision, which several verbs have. */
#define FAST_HELP "what is fastest here, Winograd's sums; else the same bits on every machine"
#define PRECISION_HELP "with --fast: of the products of convolutions", .choices = "f32|bf16"

#endif
