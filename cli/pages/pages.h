/* SPDX-License-Identifier: Apache-2.0
 * cli/pages/pages.h -- the files that go beside the program when it is installed: manual pages
 * and completions, written from the tables of options. */
#ifndef CLI_PAGES_PAGES_H
#define CLI_PAGES_PAGES_H

#include "common.h"
#include "text.h"

/** vqvae(1), and vqvae-VERB(1), in the macros of man(7). */
void page_program(text *to);
void page_verb(text *to, const verb *v);

void completion_bash(text *to);
void completion_zsh(text *to);
void completion_fish(text *to);

/** Adds every preset, or every setting with `ending` after it ("model.level.0.k="), each behind
 *  one blank. */
void add_presets(text *to);
void add_settings(text *to, const char *ending);
/** Adds the words of "train|forward", each behind one blank. */
void add_choices(text *to, const char *choices);
/** Adds a text within single quotes of a shell; `before` the characters of `marked` stands a
 *  backslash. */
void add_quoted(text *to, const char *plain, const char *marked);

/** Calls `visit` with each operand's word of a verb: "MODEL", "INPUT...", "train|forward". What
 *  follows an option in the synopsis is none. */
void operands_visit(const verb *v, void (*visit)(void *user, const char *word), void *user);

#endif
