/* SPDX-License-Identifier: Apache-2.0
 * cli/verbs/codebook.c -- vqvae codebook: codebooks of any vectors, without a model of images. */
#include "codes.h"
#include "facts.h"
#include "verbs.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/codebook.h>
#include <vqvae/tensor.h>

typedef struct codebook_options {
    common_options common;
    const char *out, *distances, *level;
    int64_t codes, iterations, seed, sample, top;
    bool random, force;
} codebook_options;

#define CODEBOOK(...) OPTION(codebook_options, __VA_ARGS__)
static const option options[] = {
    CODEBOOK(out, 'o', "FILE", NULL, "file to write: CODEBOOK of fit and export, CODES of assign"),
    CODEBOOK(codes, 'k', "N", "", "fit: codes in the codebook", .low = 1, .high = 1 << 30),
    CODEBOOK(iterations, 'i', "N", "25", "fit: iterations of k-means at most", .low = 0,
             .high = 1000000),
    CODEBOOK(seed, 0, "N", "0", "fit: which random numbers are drawn", .low = 0, .high = INT64_MAX),
    CODEBOOK(sample, 0, "N", "1000000", "fit: vectors it looks at, drawn where DATA has more",
             .low = 1, .high = UINT32_MAX),
    CODEBOOK(random, 0, NULL, "", "fit: start with random vectors, not by k-means++"),
    CODEBOOK(top, 't', "N", "1", "assign: nearest codes of each vector", .low = 1, .high = 1 << 30),
    CODEBOOK(distances, 'd', "FILE", "", "assign: .npy for their squared distances"),
    CODEBOOK(level, 0, "NAME", "", "which codebook of a model, such as level.0"),
    CODEBOOK(force, 'f', NULL, "", "overwrite files"),
};

enum { BLOCK_NUMBERS = 1 << 22, BLOCK_ROWS = 1 << 16 }; /* what is in memory at a time: 16 MiB */

static int check_npy(program *p, const char *what, const char *path)
{
    if (path_has_extension(path, ".npy")) return DONE;
    return fail(p, BAD_USAGE, "%s %s must end in .npy", what, path);
}

static int check_codebook(program *p, const codebook_options *o, char *const *operands)
{
    TRY(output_check_inputs(p, o->out, operands, 1));
    if (path_has_extension(o->out, ".npy") || path_has_extension(o->out, ".safetensors"))
        return output_check(p, o->out, o->force);
    return fail(p, BAD_USAGE, "-o %s must end in .npy or .safetensors", o->out);
}

/* A run folder stands for its best model. */
static int load(program *p, const codebook_options *o, const char *path, vq_codebook **out)
{
    char best[PATH_ROOM];
    if (!path_is_folder(path)) return lib(p, vq_codebook_load(p->ctx, path, o->level, out));
    TRY(path_format(p, best, "%s/best.safetensors", path));
    return lib(p, vq_codebook_load(p->ctx, best, o->level, out));
}

static int64_t block_rows(int64_t columns)
{
    const int64_t rows = BLOCK_NUMBERS / columns;
    return rows < 1 ? 1 : rows > BLOCK_ROWS ? BLOCK_ROWS : rows;
}

/* ---- fit ---------------------------------------------------------------------- */

typedef struct fitting {
    program *p;
    const codebook_options *o;
    vq_matrix *data;
    int64_t rows, columns, n; /* n: vectors looked at */
    float *x;
    int64_t iterations; /* made */
    double inertia;
    vq_codebook *book;
} fitting;

/* For sentences of the library that cannot know which file the vectors are from. */
static int lib_about(program *p, const char *path, vq_status status)
{
    const int code = lib(p, status);
    return code == DONE ? DONE : fail(p, code, "%s: %s", path, vq_context_error(p->ctx));
}

/* One row of each of n pieces of the matrix, all as long as can be: they lie spread, rise, and are
 * drawn by a generator whose state is the seed (Knuth's MMIX). */
static int draw_rows(program *p, fitting *f)
{
    uint64_t state = (uint64_t)f->o->seed;
    for (int64_t i = 0; i < f->n; i++) {
        const int64_t share = f->rows / f->n, rest = f->rows % f->n;
        const int64_t first = i * share + (i < rest ? i : rest), size = share + (i < rest);
        state = state * 6364136223846793005u + 1442695040888963407u;
        const int64_t row = first + (int64_t)((state >> 33) % (uint64_t)size);
        TRY(lib(p, vq_matrix_read(f->data, row, 1, f->x + i * f->columns)));
    }
    return DONE;
}

static int take_rows(program *p, fitting *f)
{
    void *memory = NULL;
    f->rows = vq_matrix_rows(f->data);
    f->columns = vq_matrix_columns(f->data);
    f->n = f->rows < f->o->sample ? f->rows : f->o->sample;
    TRY(allocate(p, (size_t)f->n * (size_t)f->columns, sizeof *f->x, &memory));
    f->x = memory;
    if (f->n == f->rows) return lib(p, vq_matrix_read(f->data, 0, f->n, f->x));
    return draw_rows(p, f);
}

static bool tell(void *user, int64_t iteration, double inertia)
{
    fitting *f = user;
    f->iterations = iteration;
    if (f->p->terminal)
        say(f->p, "iteration %" PRId64 " of at most %" PRId64 ": mean squared distance %.6g",
            iteration, f->o->iterations, inertia / (double)f->n);
    return true;
}

static int print_fit(program *p, const fitting *f, double seconds)
{
    return facts_print(p, json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "codebook",
                                    fact_text(f->o->out), "codes", (json_int_t)f->o->codes, "dim",
                                    (json_int_t)f->columns, "vectors", (json_int_t)f->rows,
                                    "looked_at", (json_int_t)f->n, "iterations",
                                    (json_int_t)f->iterations, "inertia", fact_number(f->inertia),
                                    "mean_distance", fact_number(f->inertia / (double)f->n),
                                    "seconds", fact_number(seconds)));
}

static int fit(program *p, const codebook_options *o, char **operands)
{
    fitting f = {.p = p, .o = o};
    vq_codebook_fit_config config;
    int code;
    if (o->codes == OPTION_UNSET)
        return fail(p, BAD_USAGE, "codebook fit needs -k N, the number of codes");
    TRY(check_codebook(p, o, operands));
    const double began = seconds_now();
    TRY_TO(lib(p, vq_matrix_open(p->ctx, operands[0], &f.data)));
    TRY_TO(take_rows(p, &f));
    vq_codebook_fit_config_default(&config);
    config.codes = o->codes;
    config.dim = f.columns;
    config.iterations = o->iterations;
    config.random = o->random;
    config.seed = (uint64_t)o->seed;
    config.progress = tell;
    config.user = &f;
    TRY_TO(lib_about(p, operands[0],
                     vq_codebook_fit(p->ctx, &config, (size_t)f.n, f.x, &f.inertia, &f.book)));
    TRY_TO(lib_writing(p, vq_codebook_save(p->ctx, f.book, o->out)));
    TRY_TO(print_fit(p, &f, seconds_now() - began));
done:
    vq_codebook_destroy(p->ctx, f.book);
    vq_matrix_close(f.data);
    free(f.x);
    return code;
}

/* ---- assign ------------------------------------------------------------------- */

typedef struct assigning {
    const codebook_options *o;
    vq_codebook *book;
    vq_matrix *data;
    int64_t rows, block;     /* of the matrix, of a block */
    float *x, *distance;     /* of a block: vectors; distances of the codes */
    uint32_t *codes, *first; /* of a block: all codes; the nearest alone */
    void *narrow;            /* of a block: all codes in the type of the file */
    vq_array_writer *code_file, *distance_file;
    vq_codebook_usage usage;
} assigning;

static int prepare(program *p, assigning *a, char **operands)
{
    void *memory[4] = {NULL};
    TRY(load(p, a->o, operands[0], &a->book));
    TRY(lib(p, vq_matrix_open(p->ctx, operands[1], &a->data)));
    const vq_codebook_config *c = vq_codebook_configuration(a->book);
    const int64_t dim = vq_matrix_columns(a->data);
    if (dim != c->dim)
        return fail(p, BAD_INPUT,
                    "the vectors of %s have %" PRId64 " numbers, those of %s %" PRId64, operands[1],
                    dim, operands[0], c->dim);
    if (a->o->top > c->codes)
        return fail(p, BAD_USAGE, "--top %" PRId64 ", but %s has %" PRId64 " codes", a->o->top,
                    operands[0], c->codes);
    a->rows = vq_matrix_rows(a->data);
    a->block = block_rows(dim > a->o->top ? dim : a->o->top);
    if (a->block > a->rows) a->block = a->rows;
    const size_t n = (size_t)a->block, top = (size_t)a->o->top;
    TRY(allocate(p, n * (size_t)dim, sizeof *a->x, &memory[0]));
    a->x = memory[0];
    TRY(allocate(p, n * top, sizeof *a->distance, &memory[1]));
    a->distance = memory[1];
    TRY(allocate(p, n * top, sizeof *a->codes, &memory[2]));
    a->codes = memory[2];
    TRY(allocate(p, n, sizeof *a->first, &memory[3]));
    a->first = memory[3];
    TRY(allocate(p, n * top, sizeof(uint32_t), &a->narrow));
    TRY(lib(p, vq_codebook_usage_create(p->ctx, a->book, &a->usage)));
    TRY(lib_writing(p, vq_array_writer_create(p->ctx, a->o->out, &a->code_file)));
    if (!a->o->distances) return DONE;
    return lib_writing(p, vq_array_writer_create(p->ctx, a->o->distances, &a->distance_file));
}

/* One column of codes is a vector, several are a matrix. */
static int write_rows(program *p, vq_array_writer *file, vq_dtype dtype, int64_t n, int64_t top,
                      void *data)
{
    char name[] = "codes";
    const vq_array rows = {.name = name,
                           .dtype = dtype,
                           .shape = {top > 1 ? 2 : 1, {n, top > 1 ? top : 0}},
                           .data = data};
    return lib_writing(p, vq_array_writer_add(file, &rows));
}

/* Statistics are of the nearest code alone, which stands first. */
static int count_rows(program *p, assigning *a, size_t n)
{
    const size_t top = (size_t)a->o->top;
    for (size_t i = 0; i < n; i++) a->first[i] = a->codes[i * top];
    if (a->o->distances)
        TRY(write_rows(p, a->distance_file, VQ_F32, (int64_t)n, a->o->top, a->distance));
    for (size_t i = 0; i < n; i++) a->distance[i] = a->distance[i * top];
    return lib(p, vq_codebook_usage_add(p->ctx, a->book, n, a->first, a->distance, &a->usage));
}

static vq_status find_codes(program *p, assigning *a, size_t n)
{
    const size_t top = (size_t)a->o->top;
    if (top == 1) return vq_codebook_nearest(p->ctx, a->book, n, a->x, a->codes, a->distance);
    return vq_codebook_nearest_top(p->ctx, a->book, n, a->x, top, a->codes, a->distance);
}

static int assign_rows(program *p, assigning *a, const char *path, int64_t first, int64_t count)
{
    const vq_dtype dtype = codes_dtype(vq_codebook_configuration(a->book)->codes);
    const size_t n = (size_t)count, top = (size_t)a->o->top;
    TRY(lib(p, vq_matrix_read(a->data, first, count, a->x)));
    const int code = lib(p, find_codes(p, a, n));
    if (code != DONE)
        return fail(p, code, "%s: rows %" PRId64 " to %" PRId64 ": %s", path, first,
                    first + count - 1, vq_context_error(p->ctx));
    TRY(count_rows(p, a, n));
    for (size_t i = 0; i < n * top; i++) codes_store(dtype, a->narrow, i, a->codes[i]);
    return write_rows(p, a->code_file, dtype, count, a->o->top, a->narrow);
}

static int print_assign(program *p, const assigning *a, double seconds)
{
    vq_codebook_statistics s;
    vq_codebook_measure(a->book, &a->usage, &s);
    return facts_print(
        p,
        json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "codes", fact_text(a->o->out),
                  "distances", a->o->distances ? fact_text(a->o->distances) : json_null(),
                  "vectors", (json_int_t)a->rows, "codebook_size",
                  (json_int_t)vq_codebook_configuration(a->book)->codes, "codes_used",
                  (json_int_t)s.used, "perplexity", fact_number(s.perplexity), "mean_distance",
                  fact_number(s.mean_distance), "greatest_distance", fact_number(a->usage.furthest),
                  "vectors_per_second", fact_number((double)a->rows / seconds)));
}

static int assign(program *p, const codebook_options *o, char **operands)
{
    assigning a = {.o = o};
    int code;
    TRY(check_npy(p, "-o", o->out));
    TRY(output_check_inputs(p, o->out, operands, 2));
    TRY(output_check(p, o->out, o->force));
    if (o->distances) TRY(output_check_inputs(p, o->distances, operands, 2));
    if (o->distances) TRY(check_npy(p, "--distances", o->distances));
    if (o->distances) TRY(output_check_apart(p, "-o", o->out, "--distances", o->distances));
    if (o->distances) TRY(output_check(p, o->distances, o->force));
    TRY_TO(prepare(p, &a, operands));
    const double began = seconds_now();
    for (int64_t i = 0; i < a.rows; i += a.block)
        TRY_TO(assign_rows(p, &a, operands[1], i, a.rows - i < a.block ? a.rows - i : a.block));
    TRY_TO(lib_writing(p, vq_array_writer_commit(a.code_file, NULL, NULL, 0)));
    if (a.distance_file)
        TRY_TO(lib_writing(p, vq_array_writer_commit(a.distance_file, NULL, NULL, 0)));
    TRY_TO(print_assign(p, &a, seconds_now() - began));
done:
    vq_array_writer_destroy(a.code_file);
    vq_array_writer_destroy(a.distance_file);
    vq_codebook_usage_clear(p->ctx, &a.usage);
    vq_matrix_close(a.data);
    vq_codebook_destroy(p->ctx, a.book);
    free(a.x);
    free(a.distance);
    free(a.codes);
    free(a.first);
    free(a.narrow);
    return code;
}

/* ---- export ------------------------------------------------------------------- */

static int export(program *p, const codebook_options *o, char **operands)
{
    vq_codebook *book = NULL;
    vq_codebook_statistics s;
    TRY(check_codebook(p, o, operands));
    TRY(load(p, o, operands[0], &book));
    int code = lib_writing(p, vq_codebook_save(p->ctx, book, o->out));
    vq_codebook_measure(book, NULL, &s);
    const vq_codebook_config *c = vq_codebook_configuration(book);
    if (code == DONE)
        code = facts_print(p, json_pack("{s:o, s:I, s:I, s:o, s:o, s:o}", "codebook",
                                        fact_text(o->out), "codes", (json_int_t)c->codes, "dim",
                                        (json_int_t)c->dim, "least_norm", fact_number(s.least_norm),
                                        "mean_norm", fact_number(s.mean_norm), "greatest_norm",
                                        fact_number(s.greatest_norm)));
    vq_codebook_destroy(p->ctx, book);
    return code;
}

static int run(program *p, const void *parsed, int n, char **operands)
{
    static const char *const words[] = {"fit", "assign", "export"};
    static const int wanted[] = {1, 2, 1};
    static int (*const runs[])(program *, const codebook_options *, char **) = {fit, assign,
                                                                                export};
    char hint[64];
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(operands[0], words[i]) != 0) continue;
        if (n - 1 != wanted[i])
            return fail(p, BAD_USAGE, "codebook %s takes %d file%s after it, not %d", words[i],
                        wanted[i], wanted[i] > 1 ? "s" : "", n - 1);
        return runs[i](p, parsed, operands + 1);
    }
    return fail(p, BAD_USAGE, "codebook does fit, assign or export, not \"%s\"%s", operands[0],
                hint_of(operands[0], words, 3, hint, sizeof hint));
}

const verb verb_codebook = {
    .name = "codebook",
    .summary = "fit a codebook to any vectors, and find their codes",
    .operands = "fit|assign|export [CODEBOOK] [DATA.npy] -o FILE",
    .min_operands = 1,
    .max_operands = 3,
    .about =
        "`fit DATA.npy -k N -o CODEBOOK` makes a codebook of N codes by k-means from the rows of\n"
        "a matrix of floats (f32, f64 or f16). `assign CODEBOOK DATA.npy -o CODES.npy` writes\n"
        "the nearest code of every row, or the --top nearest, in the smallest of u8, u16 and u32\n"
        "that fits; the matrix may be larger than memory. `export CODEBOOK -o FILE` writes a\n"
        "codebook in the other format. CODEBOOK is an .npy of N x D floats, a .safetensors that\n"
        "fit wrote, or a model or run, whose --level names one of several codebooks.",
    .examples = "vqvae codebook export run -o vectors.npy\n"
                "vqvae codebook fit vectors.npy -k 16 -o small.safetensors\n"
                "vqvae codebook assign small.safetensors vectors.npy -o nearest.npy --top 3",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .options_size = sizeof(codebook_options),
    .run = run,
};
