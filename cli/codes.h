/* SPDX-License-Identifier: Apache-2.0
 * cli/codes.h -- files of codes: an .npy of one grid or a .safetensors of several, of images of
 * one size or of many, and the index of images beside it. */
#ifndef CLI_CODES_H
#define CLI_CODES_H

#include "files.h"
#include <vqvae/model.h>
#include <vqvae/tensor.h>

/** Codes of images of one size. */
typedef struct code_set {
    vq_grid grids[VQ_MAX_LEVELS]; /* codes: 0 where the file does not tell K */
    size_t n_grids;
    int64_t images;
    size_t per_image;      /* codes of one image over all grids */
    uint32_t *codes;       /* images x per_image, as sessions take them; NULL: not read; free() */
    int64_t height, width; /* of the images; 0: unknown */
    bool in_names;         /* the size begins the names of the grids */
    uint64_t hash;         /* of the model that made them */
    bool has_hash;
    char arithmetic[96]; /* they were made with; "" unknown */
} code_set;

/** Path of the index beside a file of codes: NAME.index.jsonl for NAME.npy,
 *  NAME.safetensors.index.jsonl for NAME.safetensors, as both may be there. */
int index_path(program *p, const char *codes, char to[PATH_ROOM]);
/** Name of a grid in a file of codes of images of several sizes: "640x480.level.0". */
void code_grid_name(int64_t width, int64_t height, size_t level, char *to, size_t size);
/** What a .npy or .safetensors and the index beside it say of the codes: a set for each size of
 *  images, its codes NULL. codes_clear() them. */
int codes_describe(program *p, const char *path, code_set **sets, size_t *n_sets);
/** Reads the codes of sets that codes_describe() gave: of the first images, as many as each still
 *  says. Where grids[].codes is above 0, each code must be below it. */
int codes_read(program *p, const char *path, code_set *sets, size_t n_sets);
/** The smallest of u8, u16 and u32 that holds the codes of a codebook of k. */
vq_dtype codes_dtype(int64_t k);
/** Puts a code at its place in an array of that type. */
void codes_store(vq_dtype dtype, void *to, size_t at, uint32_t code);
void codes_clear(code_set *sets, size_t n_sets);

#endif
