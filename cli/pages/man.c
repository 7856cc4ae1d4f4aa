/* SPDX-License-Identifier: Apache-2.0
 * cli/pages/man.c -- manual pages in the macros of man(7). */
#include "pages/pages.h"
#include <string.h>
#include <vqvae/version.h>

/* Bytes as roff takes them: a backslash, a hyphen that is no typographer's dash, and a dot or an
 * apostrophe that begins a line are written otherwise. */
static void add_roff(text *to, const char *plain, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = plain[i];
        const bool first = i == 0 || plain[i - 1] == '\n';
        if (first && (c == '.' || c == '\'')) text_add(to, "\\&");
        if (c == '\\') text_add(to, "\\e");
        else if (c == '-') text_add(to, "\\-");
        else text_add(to, "%c", c);
    }
}

/* Prose: what stands in backquotes is set in bold. */
static void add_prose(text *to, const char *prose)
{
    bool bold = false;
    while (*prose) {
        const size_t n = strcspn(prose, "`");
        add_roff(to, prose, n);
        prose += n;
        if (!*prose) break;
        bold = !bold;
        text_add(to, bold ? "\\fB" : "\\fR");
        prose++;
    }
}

static void add_word(text *to, const char *word)
{
    add_roff(to, word, strlen(word));
}

static void head(text *to, const char *name, const char *summary)
{
    char upper[64];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof upper; n++)
        upper[n] = (char)(name[n] >= 'a' && name[n] <= 'z' ? name[n] - 'a' + 'A' : name[n]);
    upper[n] = 0;
    text_add(to, ".TH ");
    add_word(to, upper);
    text_add(to, " 1 \"\" \"vqvae %s\" \"User Commands\"\n.SH NAME\n", vq_version());
    add_word(to, name);
    text_add(to, " \\- ");
    add_prose(to, summary);
    text_add(to, "\n");
}

static void add_option(text *to, const option *o)
{
    char name[64], note[64];
    option_spell(o, name, sizeof name);
    text_add(to, ".TP\n");
    if (o->letter) text_add(to, "\\fB\\-%c\\fR, ", o->letter);
    text_add(to, "\\fB\\-\\-");
    add_word(to, name);
    text_add(to, "\\fR");
    if (option_value(o)) {
        text_add(to, " \\fI");
        add_word(to, option_value(o));
        text_add(to, "\\fR");
    }
    text_add(to, "\n");
    add_prose(to, o->help);
    add_prose(to, option_note(o, note, sizeof note));
    text_add(to, "\n");
}

static void examples(text *to, const char *lines)
{
    text_add(to, ".SH EXAMPLES\n.nf\n");
    add_word(to, lines);
    text_add(to, "\n.fi\n");
}

void page_verb(text *to, const verb *v)
{
    char name[64];
    const option *o;
    (void)snprintf(name, sizeof name, "vqvae-%s", v->name);
    head(to, name, v->summary);
    text_add(to, ".SH SYNOPSIS\n\\fBvqvae %s\\fR ", v->name);
    add_word(to, v->operands);
    text_add(to, " [\\fIoption\\fR ...]\n.SH DESCRIPTION\n");
    add_prose(to, v->about);
    text_add(to, "\n.SH OPTIONS\n");
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++) add_option(to, o);
    examples(to, v->examples);
    text_add(to, ".SH SEE ALSO\n\\fBvqvae\\fR(1), which explains MODEL, DATA and exit codes\n");
}

void page_program(text *to)
{
    const verb *v;
    head(to, "vqvae", help_summary);
    text_add(to, ".SH SYNOPSIS\n\\fBvqvae\\fR \\fIVERB\\fR [\\fIargument\\fR ...]\n.br\n"
                 "\\fBvqvae\\fR \\fIVERB\\fR \\fB\\-\\-help\\fR\n.SH DESCRIPTION\n");
    add_prose(to, help_inputs);
    text_add(to, "\n.PP\n");
    add_prose(to, help_results);
    text_add(to, "\n.SH VERBS\n");
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) {
        text_add(to, ".TP\n\\fBvqvae\\-%s\\fR(1)\n", v->name);
        add_prose(to, v->summary);
        text_add(to, "\n");
    }
    text_add(to, ".SH ENVIRONMENT\n");
    add_prose(to, help_environment);
    text_add(to, "\n");
}
