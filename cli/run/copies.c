/* SPDX-License-Identifier: Apache-2.0
 * cli/run/copies.c -- images that a training meets twice. */
#include "run/copies.h"
#include <inttypes.h>

/* Where an image of the lists lies: its source, and its name there. */
typedef struct place {
    const char *source, *name;
} place;

static place place_of(const training *t, size_t at)
{
    const size_t n_train = (size_t)t->parts.n_train;
    const bool trained = at < n_train;
    const vq_dataset *data = !trained && t->other_valid ? t->other_valid : t->data;
    const int64_t index = trained ? t->parts.train[at] : t->parts.held[at - n_train];
    return (place){vq_dataset_source(data, index), vq_dataset_name(data, index)};
}

int copies_tell(program *p, const training *t, const uint64_t *hashes)
{
    const int64_t n = t->parts.n_train + t->parts.n_held;
    size_t copies, first[2];
    TRY(lib(p, vq_data_copies(p->ctx, hashes, (size_t)n, &copies, first)));
    if (copies == 0) return DONE;
    const place copy = place_of(t, first[0]), original = place_of(t, first[1]);
    warn(p,
         "%zu of %" PRId64
         " images are copies of others, pixel by pixel, the first of them %s of %s, "
         "the same as %s of %s; remove them, or some that are held out may be trained on",
         copies, n, copy.name, copy.source, original.name, original.source);
    return DONE;
}
