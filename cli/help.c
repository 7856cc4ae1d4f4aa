/* SPDX-License-Identifier: Apache-2.0
 * cli/help.c -- the texts of --help, made from the tables that the parser reads. */
#include "common.h"
#include <string.h>

const option shared_options[] = {
    OPTION(common_options, threads, 0, "N", "0", "threads to compute with; 0: one a processor",
           .low = 0, .high = 1024),
    OPTION(common_options, json, 0, NULL, "", "results as JSON on standard output"),
    OPTION(common_options, quiet, 'q', NULL, "", "say nothing but errors on standard error"),
    OPTION(common_options, help, 'h', NULL, "", "print this and stop"),
};
const size_t n_shared_options = sizeof shared_options / sizeof *shared_options;

const char help_summary[] = "images into small grids of codes and back, learnt on ordinary CPUs";
const char help_inputs[] =
    "MODEL is a .safetensors file or a run folder (its best model). DATA is a folder, a .tar\n"
    "or a list (.txt) of PNG, JPEG and WebP images, one image, IDX files or their .gz, CIFAR\n"
    ".bin files, an .npy or .npz of bytes; DATA:train names a part of it. Several DATA\n"
    "are read as one.";
const char help_results[] =
    "Results go to standard output, progress and errors to standard error.\n"
    "Exit codes: 0 done, 1 the input or a file was wrong, 2 the command line was wrong,\n"
    "3 the machine failed (memory, disk), 4 training diverged, 130 interrupted.";
const char help_environment[] =
    "NO_COLOR turns colours off; VQ_CPU=portable|avx2|avx512|avx512bf16|amx|neon bounds the\n"
    "instruction set of the kernels, ONEDNN_MAX_CPU_ISA that of oneDNN.";

const char *option_value(const option *o)
{
    return o->choices ? o->choices : o->argument;
}

const char *option_note(const option *o, char *to, size_t size)
{
    const bool given = o->standard && *o->standard && strcmp(o->standard, "0") != 0;
    if (given) (void)snprintf(to, size, " (default %s)", o->standard);
    else (void)snprintf(to, size, "%s", o->standard ? "" : " (required)");
    return to;
}

static void print_option(const option *o)
{
    char name[64], left[128], note[64], letter[8] = "    ";
    const char *value = option_value(o);
    option_spell(o, name, sizeof name);
    if (o->letter) (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, name, value ? " " : "",
                   value ? value : "");
    /* A left side too wide for its column pushes the help to the next line. */
    printf("  %-24s%s%s%s\n", left, strlen(left) > 23 ? "\n                          " : "",
           o->help, option_note(o, note, sizeof note));
}

void help_verb(const verb *v)
{
    const option *o;
    printf("vqvae %s: %s\n\nUsage: vqvae %s %s [option ...]\n\n%s\n\nOptions:\n", v->name,
           v->summary, v->name, v->operands, v->about);
    for (size_t i = 0; (o = option_at(v, i)) != NULL; i++) print_option(o);
    printf("\nExamples:\n");
    for (const char *line = v->examples; *line;) {
        const char *end = strchr(line, '\n');
        const int length = end ? (int)(end - line) : (int)strlen(line);
        printf("  %.*s\n", length, line);
        line += length + (end ? 1 : 0);
    }
}

void help_program(void)
{
    const verb *v;
    printf("vqvae: %s\n\nUsage: vqvae VERB [argument ...]\n\nVerbs:\n", help_summary);
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) printf("  %-12s %s\n", v->name, v->summary);
    printf("\n%s\n\n%s\nEnvironment: %s\n", help_inputs, help_results, help_environment);
    printf("\nExamples:\n"
           "  vqvae help train\n"
           "  vqvae presets\n");
}
