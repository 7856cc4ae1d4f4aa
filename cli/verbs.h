/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs.h -- declares a table for each row of verbs.def. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "option.h"

#define VERB(name) extern const verb verb_##name;
#include "verbs.def"
#undef VERB

#endif
