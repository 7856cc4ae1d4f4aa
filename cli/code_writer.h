/* SPDX-License-Identifier: Apache-2.0
 * cli/code_writer.h -- codes written batch by batch, with the index of images beside them: memory
 * does not grow with how many there are. */
#ifndef CLI_CODE_WRITER_H
#define CLI_CODE_WRITER_H

#include "codes.h"
#include <vqvae/data.h>
#include <vqvae/tensor.h>

/** Images of one size, and what they become. */
typedef struct code_size {
    int64_t height, width, images;
    vq_grid grids[VQ_MAX_LEVELS];
    size_t n_grids, per_image;
} code_size;

typedef struct code_writer {
    const vq_model *model;
    vq_array_writer *arrays;
    output index;
    bool npy;
    code_size *sizes;         /* in the order in which they came */
    size_t n_sizes, room, at; /* at: the size of what is added now */
    int64_t images, skipped;
    void *narrow; /* codes of a batch in the type of the file */
    size_t narrow_bytes;
} code_writer;

/** Begins both files; neither is seen before code_writer_commit(). */
int code_writer_begin(program *p, const char *path, const char *index, const vq_model *model,
                      code_writer *w);
/** From now on images of this size are added. BAD_INPUT for a second size in a .npy.
 *  @param image  names the first of them */
int code_writer_set_size(program *p, code_writer *w, int64_t height, int64_t width,
                         const char *image);
/** Adds the codes of n images, as sessions give them. */
int code_writer_add(program *p, code_writer *w, int64_t n, const uint32_t *codes);
/** Adds the row of the next image that is added, or of one that was left out.
 *  @param data  NULL: the source is an image that could not be opened */
int code_writer_row(program *p, code_writer *w, const char *source, const vq_dataset *data,
                    const vq_loaded *image);
/** Puts codes and index in their places. */
int code_writer_commit(program *p, code_writer *w, const char *arithmetic);
/** Gives up what was not committed. */
void code_writer_end(program *p, code_writer *w);

#endif
