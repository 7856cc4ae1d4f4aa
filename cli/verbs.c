/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs.c -- the list of verbs. */
#include "verbs.h"
#include <string.h>

#define VERB(name) &verb_##name,
static const verb *const verbs[] = {
#include "verbs.def"
};
#undef VERB

const verb *verb_at(size_t index)
{
    return index < sizeof verbs / sizeof *verbs ? verbs[index] : NULL;
}

const verb *verb_named(const char *name)
{
    const verb *v;
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++)
        if (strcmp(v->name, name) == 0) return v;
    return NULL;
}
