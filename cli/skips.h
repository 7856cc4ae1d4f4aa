/* SPDX-License-Identifier: Apache-2.0
 * cli/skips.h -- images that are left out since they cannot be read. */
#ifndef CLI_SKIPS_H
#define CLI_SKIPS_H

#include "text.h"
#include <jansson.h>
#include <vqvae/data.h>

/** Zero-initialise; skips_clear() it. */
typedef struct skip_list {
    bool strict;     /* the first such image is a failure */
    int64_t n;       /* all of them */
    int64_t folders; /* those that are folders, with nobody knows how many images */
    text rows;       /* a JSON object a line: source, index, path, why */
    json_t *known;   /* the images in it, which epoch after epoch may meet again */
} skip_list;

/** What image `index` of the data is called; where there are none, as the source could not be
 *  opened, the source without its folder. */
const char *image_name(const char *source, const vq_dataset *data, int64_t index);
/** Leaves out one image of the dataset that `source` names (NULL: it could
 *  not be opened), with a warning for each of the first
 *  few; BAD_INPUT, with the sentence, where the list is strict or the image only has another size
 *  than is taken. */
int skip_image(program *p, skip_list *list, const char *source, const vq_dataset *data,
               int64_t index, vq_status status, const char *sentence);
/** Leaves out an input that is one image and could not be opened; any other input is left with the
 *  failure, `code`. @param sentence  out: why */
int skip_input(program *p, skip_list *list, const char *path, int code, char *sentence,
               size_t size);
/** One line about all of them, unless there were none. @param where  names the list, or NULL */
void skips_tell(program *p, const skip_list *list, const char *where);
void skips_clear(skip_list *list);

/** "--strict" of every verb that reads images. */
#define STRICT_HELP "fail at the first image that cannot be read, instead of leaving it out"

#endif
