/* SPDX-License-Identifier: Apache-2.0
 * bench/same_codes/main.c -- the codes and the pixels that a model makes of images, on the public
 * headers alone, so that it is built by a compiler's name where nothing but jansson is at hand:
 *
 *     same_codes MODEL PIXELS.npy IMAGES CPU THREADS BATCH CODES.npy BACK.npy
 *
 * encodes the first IMAGES (0: all) of N,H,W,C bytes with the kernels of CPU, decodes the codes,
 * and writes both. CODES.npy is byte for byte what `vqvae encode` writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vqvae/vqvae.h>

typedef struct work {
    vq_context *ctx;
    vq_model *model;
    vq_session *session;
    vq_array pixels;
    int64_t images, batch;
    size_t per_image;
    uint32_t *codes;
    uint8_t *back;
} work;

static vq_status open_all(work *w, char **words)
{
    vq_session_config config = {.batch = w->batch};
    const vq_context_config context = {.cpu = words[4], .threads = (int)strtol(words[5], NULL, 10)};
    vq_status status = vq_context_create(&context, &w->ctx);
    if (status == VQ_OK) status = vq_model_load(w->ctx, words[1], &w->model);
    if (status == VQ_OK) status = vq_npy_load(w->ctx, words[2], &w->pixels);
    if (status != VQ_OK) return status;
    const int64_t *dim = w->pixels.shape.dim;
    if (w->pixels.shape.rank != 4 || w->pixels.dtype != VQ_U8) return VQ_E_SHAPE;
    if (w->images == 0 || w->images > dim[0]) w->images = dim[0];
    config.height = dim[1];
    config.width = dim[2];
    w->per_image = vq_model_codes(w->model, dim[1], dim[2]);
    w->codes = calloc((size_t)w->images * w->per_image, sizeof *w->codes);
    w->back = calloc((size_t)w->images, (size_t)(dim[1] * dim[2] * dim[3]));
    if (!w->codes || !w->back) return VQ_E_NOMEM;
    return vq_session_create(w->ctx, w->model, &config, &w->session);
}

static vq_status run(work *w)
{
    const int64_t *dim = w->pixels.shape.dim;
    const size_t bytes = (size_t)(dim[1] * dim[2] * dim[3]);
    vq_status status = VQ_OK;
    for (int64_t at = 0, n; status == VQ_OK && at < w->images; at += n) {
        n = w->images - at < w->batch ? w->images - at : w->batch;
        const uint8_t *from = (const uint8_t *)w->pixels.data + (size_t)at * bytes;
        uint32_t *codes = w->codes + (size_t)at * w->per_image;
        status = vq_session_encode(w->session, n, from, codes);
        if (status == VQ_OK)
            status = vq_session_decode(w->session, n, codes, w->back + (size_t)at * bytes);
    }
    return status;
}

/* The smallest of u8, u16 and u32 that holds the codes, in place: a number never grows. */
static vq_dtype narrow(work *w, int64_t codes)
{
    const size_t n = (size_t)w->images * w->per_image;
    for (size_t i = 0; i < n; i++) {
        const uint32_t code = w->codes[i];
        if (codes <= 1 << 8) ((uint8_t *)w->codes)[i] = (uint8_t)code;
        else if (codes <= 1 << 16) {
            const uint16_t two = (uint16_t)code;
            memcpy((unsigned char *)w->codes + 2 * i, &two, sizeof two);
        }
    }
    return codes <= 1 << 8 ? VQ_U8 : codes <= 1 << 16 ? VQ_U16 : VQ_U32;
}

static vq_status save_all(work *w, char **words)
{
    const int64_t *dim = w->pixels.shape.dim;
    char name[] = "";
    vq_grid grids[VQ_MAX_LEVELS];
    if (vq_model_grids(w->model, dim[1], dim[2], grids) != 1) return VQ_E_UNSUPPORTED;
    const vq_array codes = {.name = name,
                            .dtype = narrow(w, grids[0].codes),
                            .shape = {3, {w->images, grids[0].height, grids[0].width}},
                            .data = w->codes};
    const vq_array back = {.name = name,
                           .dtype = VQ_U8,
                           .shape = {4, {w->images, dim[1], dim[2], dim[3]}},
                           .data = w->back};
    const vq_status status = vq_npy_save(w->ctx, words[7], &codes);
    return status == VQ_OK ? vq_npy_save(w->ctx, words[8], &back) : status;
}

int main(int argc, char **argv)
{
    work w = {0};
    if (argc != 9) {
        fprintf(stderr, "usage: %s MODEL PIXELS.npy IMAGES CPU THREADS BATCH CODES.npy BACK.npy\n",
                argv[0]);
        return 2;
    }
    w.images = strtol(argv[3], NULL, 10);
    w.batch = strtol(argv[6], NULL, 10);
    vq_status status = open_all(&w, argv);
    if (status == VQ_OK) status = run(&w);
    if (status == VQ_OK) status = save_all(&w, argv);
    if (status != VQ_OK)
        fprintf(stderr, "same_codes: %s: %s\n", vq_status_name(status),
                w.ctx ? vq_context_error(w.ctx) : "");
    vq_session_destroy(w.session);
    if (w.ctx) vq_array_clear(w.ctx, &w.pixels);
    vq_model_destroy(w.ctx, w.model);
    vq_context_destroy(w.ctx);
    free(w.codes);
    free(w.back);
    return status == VQ_OK ? 0 : 1;
}
