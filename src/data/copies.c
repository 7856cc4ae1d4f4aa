/* SPDX-License-Identifier: Apache-2.0
 * data/copies.c -- images that are the same as others, told by hashes of their pixels. Of 10^7
 * different images two agree in 64 bits by chance once in 370,000 collections. */
#include <stdlib.h>

#include "base/context.h"
#include <vqvae/data.h>

typedef struct placed_hash {
    uint64_t hash;
    size_t place;
} placed_hash;

static int by_hash_and_place(const void *a, const void *b)
{
    const placed_hash *x = a, *y = b;
    if (x->hash != y->hash) return x->hash > y->hash ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

vq_status vq_data_copies(vq_context *ctx, const uint64_t *hashes, size_t n, size_t *n_copies,
                         size_t first[2])
{
    placed_hash *all = NULL;
    size_t n_known = 0, original = 0;
    *n_copies = 0;
    VQ_TRY(VQ_NEW(ctx, n, &all));
    for (size_t i = 0; i < n; i++)
        if (hashes[i]) all[n_known++] = (placed_hash){hashes[i], i};
    if (n_known) qsort(all, n_known, sizeof *all, by_hash_and_place);
    for (size_t i = 1; i < n_known; i++) {
        if (all[i].hash != all[original].hash) {
            original = i;
            continue;
        }
        if (*n_copies == 0 || all[i].place < first[0]) {
            first[0] = all[i].place;
            first[1] = all[original].place;
        }
        ++*n_copies;
    }
    vq_release(ctx, all);
    return VQ_OK;
}
