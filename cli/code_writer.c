/* SPDX-License-Identifier: Apache-2.0
 * cli/code_writer.c -- codes and their index, written while images are encoded. */
#include "code_writer.h"
#include "facts.h"
#include "skips.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The first line of an index says how many images there are, which is known last: it is written
 * over blanks that were left for it. */
enum { HEAD_ROOM = 1024 };

int code_writer_begin(program *p, const char *path, const char *index, const vq_model *model,
                      code_writer *w)
{
    *w = (code_writer){.model = model, .npy = path_has_extension(path, ".npy")};
    TRY(lib_writing(p, vq_array_writer_create(p->ctx, path, &w->arrays)));
    TRY(output_begin(p, index, &w->index));
    return output_print(p, &w->index, "%*s\n", HEAD_ROOM - 1, "");
}

/* ---- codes --------------------------------------------------------------- */

static int add_size(program *p, code_writer *w, int64_t height, int64_t width)
{
    if (w->n_sizes == w->room) {
        const size_t room = w->room ? 2 * w->room : 8;
        code_size *sizes = realloc(w->sizes, room * sizeof *sizes);
        if (!sizes) return fail(p, MACHINE_FAILED, "no memory for %zu sizes of images", room);
        w->sizes = sizes;
        w->room = room;
    }
    code_size *s = &w->sizes[w->n_sizes++];
    *s = (code_size){.height = height, .width = width};
    s->n_grids = vq_model_grids(w->model, height, width, s->grids);
    s->per_image = vq_model_codes(w->model, height, width);
    return DONE;
}

int code_writer_set_size(program *p, code_writer *w, int64_t height, int64_t width,
                         const char *image)
{
    for (w->at = 0; w->at < w->n_sizes; w->at++)
        if (w->sizes[w->at].height == height && w->sizes[w->at].width == width) return DONE;
    if (w->npy && w->n_sizes > 0)
        return fail(p, BAD_INPUT,
                    "%s is %" PRId64 "x%" PRId64 ", those before it %" PRId64 "x%" PRId64
                    ", and one .npy holds one size: -o NAME.safetensors holds all sizes, "
                    "--size model brings all to that of the model",
                    image, width, height, w->sizes[0].width, w->sizes[0].height);
    return add_size(p, w, height, width);
}

static int make_narrow(program *p, code_writer *w, size_t bytes)
{
    if (bytes <= w->narrow_bytes) return DONE;
    free(w->narrow);
    w->narrow = NULL;
    w->narrow_bytes = 0;
    TRY(allocate(p, bytes, 1, &w->narrow));
    w->narrow_bytes = bytes;
    return DONE;
}

int code_writer_add(program *p, code_writer *w, int64_t n, const uint32_t *codes)
{
    code_size *s = &w->sizes[w->at];
    size_t first = 0;
    TRY(make_narrow(p, w, (size_t)n * s->per_image * sizeof *codes));
    for (size_t g = 0; g < s->n_grids; g++) {
        const vq_grid *grid = &s->grids[g];
        const size_t cells = (size_t)(grid->height * grid->width);
        char name[96];
        code_grid_name(s->width, s->height, g, name, sizeof name);
        const vq_array rows = {.name = name,
                               .dtype = codes_dtype(grid->codes),
                               .shape = {3, {n, grid->height, grid->width}},
                               .data = w->narrow};
        for (size_t i = 0; i < (size_t)n; i++)
            for (size_t c = 0; c < cells; c++)
                codes_store(rows.dtype, w->narrow, i * cells + c,
                            codes[i * s->per_image + first + c]);
        TRY(lib_writing(p, vq_array_writer_add(w->arrays, &rows)));
        first += cells;
    }
    return DONE;
}

/* ---- index --------------------------------------------------------------- */

/* The name of a class, or its number where classes are only numbered. */
static json_t *class_of(const vq_dataset *data, int64_t index)
{
    if (!data) return json_null();
    const int64_t label = vq_dataset_label(data, index);
    const char *class = vq_dataset_class(data, label);
    char number[24];
    if (class) return fact_text(class);
    if (label < 0) return json_null();
    (void)snprintf(number, sizeof number, "%" PRId64, label);
    return json_string(number);
}

int code_writer_row(program *p, code_writer *w, const char *source, const vq_dataset *data,
                    const vq_loaded *image)
{
    const bool good = image->status == VQ_OK;
    code_size *s = good ? &w->sizes[w->at] : NULL;
    json_t *row = json_pack("{s:o, s:o, s:o}", "source", fact_text(source), "path",
                            fact_text(image_name(source, data, image->index)), "class",
                            class_of(data, image->index));
    if (row && good) {
        (void)json_object_set_new(row, "row", json_integer(s->images++));
        (void)json_object_set_new(row, "width", json_integer(image->width));
        (void)json_object_set_new(row, "height", json_integer(image->height));
    } else if (row && json_object_set_new(row, "skipped", fact_text(image->sentence)) != 0) {
        json_decref(row);
        row = NULL;
    }
    w->images += good;
    w->skipped += !good;
    char *line = row ? json_dumps(row, 0) : NULL;
    json_decref(row);
    if (!line) return fail(p, MACHINE_FAILED, "no memory for a row of the index");
    const int code = output_print(p, &w->index, "%s\n", line);
    free(line);
    return code;
}

/* {"model_hash": ..., "height": H, "width": W, "grids": [...]}; of several sizes, how many. */
static void add_head(text *to, const code_writer *w, const char *arithmetic)
{
    const code_size *s = w->sizes;
    text_add(to,
             "{\"model_hash\": \"%016" PRIx64 "\", \"arithmetic\": \"%s\", \"images\": %" PRId64
             ", \"skipped\": %" PRId64,
             vq_model_hash(w->model), arithmetic, w->images, w->skipped);
    if (w->n_sizes > 1) text_add(to, ", \"sizes\": %zu}", w->n_sizes);
    if (w->n_sizes > 1) return;
    text_add(to, ", \"height\": %" PRId64 ", \"width\": %" PRId64 ", \"grids\": [", s->height,
             s->width);
    for (size_t i = 0; i < s->n_grids; i++)
        text_add(to,
                 "%s{\"name\": \"%s\", \"height\": %" PRId64 ", \"width\": %" PRId64
                 ", \"codes\": %" PRId64 "}",
                 i ? ", " : "", s->grids[i].name, s->grids[i].height, s->grids[i].width,
                 s->grids[i].codes);
    text_add(to, "]}");
}

/* ---- the end ------------------------------------------------------------- */

/* Where there is one size only, its grids need not say it: "28x28.level.0" is "level.0". */
static int name_grids(program *p, code_writer *w)
{
    for (size_t g = 0; w->n_sizes == 1 && g < w->sizes[0].n_grids; g++) {
        char name[96];
        code_grid_name(w->sizes[0].width, w->sizes[0].height, g, name, sizeof name);
        TRY(lib(p, vq_array_writer_rename(w->arrays, name, w->sizes[0].grids[g].name)));
    }
    return DONE;
}

static int commit_arrays(program *p, code_writer *w, const char *arithmetic)
{
    char hash[20], made_with[96], kind[] = "codes";
    char keys[][24] = {"vqvae.arithmetic", "vqvae.kind", "vqvae.model_hash"};
    char *const key_list[] = {keys[0], keys[1], keys[2]};
    char *const values[] = {made_with, kind, hash};
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, vq_model_hash(w->model));
    (void)snprintf(made_with, sizeof made_with, "%s", arithmetic);
    return lib_writing(p, vq_array_writer_commit(w->arrays, key_list, values, w->npy ? 0 : 3));
}

int code_writer_commit(program *p, code_writer *w, const char *arithmetic)
{
    text head = {0};
    int code;
    add_head(&head, w, arithmetic);
    TRY_TO(text_check(p, &head));
    TRY_TO(output_patch(p, &w->index, head.data, head.used));
    TRY_TO(name_grids(p, w));
    TRY_TO(commit_arrays(p, w, arithmetic));
    TRY_TO(output_commit(p, &w->index));
done:
    free(head.data);
    return code;
}

void code_writer_end(program *p, code_writer *w)
{
    (void)p;
    output_abandon(&w->index);
    vq_array_writer_destroy(w->arrays);
    free(w->sizes);
    free(w->narrow);
    *w = (code_writer){0};
}
