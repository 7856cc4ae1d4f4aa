/* SPDX-License-Identifier: Apache-2.0
 * vqvae/data.h -- libvqvae-data: images out of folders, tars, lists and files of arrays. */
#ifndef VQVAE_DATA_H
#define VQVAE_DATA_H

#include <stdbool.h>
#include <stdint.h>
#include <vqvae/context.h>
#include <vqvae/settings.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What decides random choices about one image: pure input, so any thread may decode it. */
typedef struct vq_data_key {
    uint64_t seed;
    uint64_t epoch;
    uint64_t index; /**< of the image in its source */
} vq_data_key;

/** What becomes of an image whose size is not height x width. */
typedef enum vq_data_fit {
    VQ_FIT_CROP = 0, /**< scaled until it covers the size, then cropped at its centre */
    VQ_FIT_PAD,      /**< scaled until it fits into the size; its edge is repeated around it */
    VQ_FIT_STRETCH,  /**< scaled to the size, whatever becomes of its proportions */
    VQ_FIT_EXACT     /**< refused */
} vq_data_fit;

/** How it is scaled: the filters of Pillow's Image.resize under the same names, to the same
 *  levels but for one in rare ties. All widen when making smaller, so that nothing aliases. */
typedef enum vq_data_filter {
    VQ_FILTER_BILINEAR = 0,
    VQ_FILTER_BICUBIC,
    VQ_FILTER_LANCZOS,
    VQ_FILTER_BOX
} vq_data_filter;

/** Which labels of CIFAR-100 count. */
typedef enum vq_data_labels {
    VQ_LABELS_FINE = 0, /**< 100 classes */
    VQ_LABELS_COARSE    /**< 20 classes */
} vq_data_labels;

/** How stored images become the network's pixels. Defaults and ranges come from one table,
 *  which vq_data_settings_visit() walks. */
typedef struct vq_data_config {
    int64_t height, width; /**< of what is delivered; both 0: as the first image that can be read
                                is stored, and an image of another size is then an error */
    int64_t channels;      /**< 1 grey or 3 colour; 0: as that image is stored */
    int fit;               /**< vq_data_fit, for images of another size */
    int filter;            /**< vq_data_filter */
    int labels;            /**< vq_data_labels */
    bool flip;             /**< mirror left to right, half of the time */
    int64_t crop_pad;      /**< random crop after repeating the edge by so many pixels; 0: none */
    bool augment;          /**< whether flip and crop_pad apply (training) or not (the rest);
                                the caller's choice for each dataset, not a setting */
    int64_t cache_mb;      /**< decoded pixels kept in memory, in MiB; 0: none */
} vq_data_config;

VQ_API void vq_data_config_default(vq_data_config *config);
/** Sets one setting from text: name "flip", value "true".
 *  @return VQ_OK; VQ_E_ARG (no such setting, or a value it does not take) */
VQ_API VQ_MUST_USE vq_status vq_data_config_set(vq_context *ctx, vq_data_config *config,
                                                const char *name, const char *value);
/** Reads a JSON object over a configuration already filled; absent settings keep their values.
 *  @return VQ_OK; VQ_E_ARG (the sentence names the setting) */
VQ_API VQ_MUST_USE vq_status vq_data_config_read(vq_context *ctx, const char *json,
                                                 vq_data_config *config);
/** JSON text of every setting; *json is released by vq_data_free(). */
VQ_API VQ_MUST_USE vq_status vq_data_config_write(vq_context *ctx, const vq_data_config *config,
                                                  char **json);
/** Calls `visit` for every setting, in order. */
VQ_API void vq_data_settings_visit(vq_setting_visit visit, void *user);

/** Images with random access. Safe to read from several threads that bring a context each. */
typedef struct vq_dataset vq_dataset;

/**
 * Opens a dataset by looking at it:
 * - a folder of images (subfolders are classes), or a .tar of images (or its .gz), in order of
 *   their names, byte by byte; files that are no PNG, JPEG or WebP by name are left out;
 * - a list of images, NAME.txt: a path a line, seen from the list's folder, then perhaps a tab and
 *   a class; in the order of the lines;
 * - an IDX file or its .gz (labels beside it are found by name), or a folder of them;
 * - a CIFAR-10 or CIFAR-100 file, NAME.bin, or a folder of them; the authors' files of names beside
 *   it give the classes;
 * - a .npy of uint8 (N,H,W,C) or (N,H,W), or an .npz with such an array called x, images or arr_0
 *   and perhaps whole numbers y, labels or arr_1;
 * - one image.
 *
 * `PATH:part` names a top folder (train, test) of a tree or tar, the train/t10k half of a folder of
 * IDX files, the train/test half of one of CIFAR files, or the arrays x_part and y_part (or
 * part_x, part_y) of an .npz. Where there are several and none is named, that is an error.
 * @param out  owned by the caller; NULL on failure
 * @return VQ_OK; VQ_E_IO; VQ_E_FORMAT; VQ_E_ARG (no such part, or a part must be named);
 *         VQ_E_UNSUPPORTED; VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_dataset_open(vq_context *ctx, const char *path,
                                             const vq_data_config *config, vq_dataset **out);
/** The same for several sources as one dataset: the images of the first, then of the next. Classes
 *  of one name are one class, numbered as first met; where some have names, those that are only
 *  numbered are called by their numbers. The same source twice is VQ_E_ARG. */
VQ_API VQ_MUST_USE vq_status vq_dataset_open_all(vq_context *ctx, const char *const *paths,
                                                 size_t n_paths, const vq_data_config *config,
                                                 vq_dataset **out);
VQ_API void vq_dataset_close(vq_context *ctx, vq_dataset *dataset);

/** The same images delivered at another size, without a cache.
 *  @param dataset  must outlive the new one
 *  @param out      closed by vq_dataset_close(); NULL on failure */
VQ_API VQ_MUST_USE vq_status vq_dataset_resized(vq_context *ctx, const vq_dataset *dataset,
                                                int64_t height, int64_t width, vq_dataset **out);

VQ_API int64_t vq_dataset_count(const vq_dataset *dataset);
/** Height, width, channels of what is delivered. */
VQ_API void vq_dataset_size(const vq_dataset *dataset, int64_t size[3]);
/** Name of image i as its container names it ("train/cat/0001.jpg", "17"). */
VQ_API const char *vq_dataset_name(const vq_dataset *dataset, int64_t index);
/** The source that image i came from, as it was named when the dataset was opened. */
VQ_API const char *vq_dataset_source(const vq_dataset *dataset, int64_t index);
/** Class of image i, from 0; -1 where classes are unknown. */
VQ_API int64_t vq_dataset_label(const vq_dataset *dataset, int64_t index);
/** Name of a class, or NULL. */
VQ_API const char *vq_dataset_class(const vq_dataset *dataset, int64_t label);

/** Writes height*width*channels bytes of image `index`, augmented as the key says where the
 *  configuration asks for it. Thread-safe.
 *  @return VQ_OK; VQ_E_FORMAT, VQ_E_IO or VQ_E_UNSUPPORTED naming the image; VQ_E_SHAPE (it has
 *          another size than is taken); VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_dataset_get(vq_context *ctx, const vq_dataset *dataset,
                                            int64_t index, vq_data_key key, uint8_t *out);

/** Follows a pass over many images. The functions are called by the thread that asked for the
 *  pass; those left NULL mean: go on, and fail at the first image that cannot be read. */
typedef struct vq_data_pass {
    /** Now and then, with how many images were read: false ends the pass with VQ_E_CANCELLED. */
    bool (*go_on)(void *user, uint64_t images);
    /** For each image that cannot be read, in order: true leaves it out, false ends the pass with
     *  this failure. VQ_E_SHAPE: it has another size than is taken. */
    bool (*skip)(void *user, int64_t index, vq_status status, const char *sentence);
    void *user;
    /** Unless NULL, takes a hash of the pixels of each listed image as it is delivered: its XXH3 of
     *  64 bits, 0 where it was left out. Equal images have equal hashes. */
    uint64_t *hashes;
} vq_data_pass;

/** Mean and variance of all pixels of the listed images over all channels about one mean, on
 *  [0,1], without augmentation; the same bits for any number of threads. Fills the cache.
 *  @param pass  NULL: runs to the end or to the first image that cannot be read
 *  @return VQ_OK; VQ_E_FORMAT, also where no image can be read; VQ_E_IO; VQ_E_UNSUPPORTED;
 *          VQ_E_SHAPE; VQ_E_CANCELLED; VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_dataset_moments(vq_context *ctx, const vq_dataset *dataset,
                                                const int64_t *indices, size_t n_indices,
                                                const vq_data_pass *pass, double *mean,
                                                double *variance);

/** Takes a hash of where each image is read from, whatever paths lead there: its file, and its
 *  place where that holds several. 0 where there is no file. It costs a look at each file.
 *  @param hashes  out: vq_dataset_count() of them; equal ones are of one image named twice
 *  @return VQ_OK; VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_dataset_origins(vq_context *ctx, const vq_dataset *dataset,
                                                uint64_t *hashes);

/** Finds images that are the same as one before them, by hashes that vq_dataset_moments() or
 *  vq_dataset_origins() took.
 *  @param n_copies  how many they are
 *  @param first     places of the first of them and of what it is a copy of; as it was where there
 *                   are none
 *  @return VQ_OK; VQ_E_NOMEM */
VQ_API VQ_MUST_USE vq_status vq_data_copies(vq_context *ctx, const uint64_t *hashes, size_t n,
                                            size_t *n_copies, size_t first[2]);

/* ---- batches made beside the training -------------------------------------- */

/** Says which image is item `slot` of batch `step`, pure in its arguments. */
typedef void (*vq_order_fn)(const void *order, int64_t step, int64_t slot, int64_t *index,
                            uint64_t *epoch);

typedef struct vq_loader vq_loader;

/**
 * Starts as many threads as the context has, which prepare batches ahead. What a batch holds does
 * not depend on how many there are.
 * @param order       called from the loader's threads, by several at a time; its memory must
 *                    outlive the loader
 * @param first_step  the first batch delivered
 * @param ahead       batches prepared beyond the one in use, 1..64; 0: as many as take 16 MiB, but
 *                    at least 2
 */
VQ_API VQ_MUST_USE vq_status vq_loader_create(vq_context *ctx, const vq_dataset *dataset,
                                              vq_order_fn order, const void *order_state,
                                              uint64_t seed, int64_t batch, int64_t first_step,
                                              int ahead, vq_loader **out);
/** Whether vq_loader_next() delivers batches with images in them that cannot be read, their places
 *  filled with another image of the batch. At first it does not, and fails there. */
VQ_API void vq_loader_set_skip(vq_loader *loader, bool skip);
/** The next batch: batch*height*width*channels bytes, valid until the next call. Waits for it. */
VQ_API VQ_MUST_USE vq_status vq_loader_next(vq_context *ctx, vq_loader *loader,
                                            const uint8_t **pixels);
/** Item `slot` of the batch that vq_loader_next() gave last. */
typedef struct vq_loaded {
    int64_t index;         /**< of the image in its dataset */
    int64_t height, width; /**< as stored; 0: not known, as the pixels lay in the cache */
    vq_status status;      /**< VQ_OK; or why it could not be read, as vq_dataset_get() says */
    const char *sentence;  /**< "" or that failure in words; valid until the next batch */
} vq_loaded;
VQ_API vq_loaded vq_loader_item(const vq_loader *loader, int64_t slot);
/** Bytes of the batches that a loader of `ahead` 0 holds. */
VQ_API size_t vq_loader_bytes(const vq_dataset *dataset, int64_t batch);
/** Seconds that vq_loader_next has waited so far. */
VQ_API double vq_loader_waited(const vq_loader *loader);
VQ_API void vq_loader_destroy(vq_context *ctx, vq_loader *loader);

/* ---- single images ---------------------------------------------------------- */

/** Whether a path is by its name that of an image that is not hidden: PNG, JPEG and WebP, and
 *  formats that are not read, so that such a file is named as an image that could not be read. */
VQ_API bool vq_image_named(const char *path);

typedef struct vq_image {
    int64_t height, width, channels; /**< channels: 1 or 3 */
    uint8_t *pixels;                 /**< rows top down, channels interleaved; owned */
} vq_image;

/**
 * Decodes PNG, JPEG or still WebP: EXIF orientation applied, alpha composed over white, 16 bits
 * rounded to 8, palettes expanded, CMYK and YCCK as Adobe stores them mixed to RGB. At most 2^28
 * pixels and 500 scans; a size that so few bytes cannot hold is refused before memory is taken.
 * @param out  released by vq_image_clear(); zero on failure
 * @return VQ_OK; VQ_E_FORMAT (damaged, cut short, or no image); VQ_E_UNSUPPORTED (another format,
 *         animated, too large); VQ_E_NOMEM
 */
VQ_API VQ_MUST_USE vq_status vq_image_decode(vq_context *ctx, const void *bytes, size_t size,
                                             vq_image *out);
VQ_API VQ_MUST_USE vq_status vq_image_load(vq_context *ctx, const char *path, vq_image *out);
/** PNG bytes with fixed settings: equal pixels give equal bytes. *png is released by
 *  vq_data_free(). */
VQ_API VQ_MUST_USE vq_status vq_image_encode_png(vq_context *ctx, const vq_image *image,
                                                 unsigned char **png, size_t *size);
VQ_API VQ_MUST_USE vq_status vq_image_save(vq_context *ctx, const char *path,
                                           const vq_image *image);
VQ_API void vq_image_clear(vq_context *ctx, vq_image *image);
VQ_API void vq_data_free(vq_context *ctx, void *memory);

#ifdef __cplusplus
}
#endif
#endif
