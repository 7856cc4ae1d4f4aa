/* SPDX-License-Identifier: Apache-2.0
 * cli/origins.c -- images that a command names twice, by whatever paths. */
#include "origins.h"
#include <inttypes.h>
#include <stdlib.h>

typedef struct origin_source {
    const char *path;
    const vq_dataset *data; /* NULL: closed since */
    size_t first;           /* place of its first image */
} origin_source;

/* Room for `more` elements beyond n, at least doubled. */
static int make_room(program *p, void **items, size_t size, size_t n, size_t more, size_t *room)
{
    if (more <= *room - n) return DONE;
    const size_t wanted = n + more > 2 * *room ? n + more : 2 * *room;
    void *grown = wanted <= SIZE_MAX / size ? realloc(*items, wanted * size) : NULL;
    if (!grown) return fail(p, MACHINE_FAILED, "no memory for a list of %zu images", wanted);
    *items = grown;
    *room = wanted;
    return DONE;
}

int origins_add(program *p, origins *o, const char *path, const vq_dataset *data, int64_t count,
                bool stays)
{
    void *hashes = o->hashes, *sources = o->sources;
    const size_t all = (size_t)vq_dataset_count(data);
    int code = make_room(p, &sources, sizeof *o->sources, o->n_sources, 1, &o->source_room);
    o->sources = sources;
    if (code == DONE) code = make_room(p, &hashes, sizeof *o->hashes, o->n, all, &o->room);
    o->hashes = hashes;
    TRY(code);
    TRY(lib(p, vq_dataset_origins(p->ctx, data, o->hashes + o->n)));
    o->sources[o->n_sources++] = (origin_source){path, stays ? data : NULL, o->n};
    o->n += (size_t)count;
    return DONE;
}

/* "a.png of FOLDER", or what was named where that is one image. */
static void name_image(const char *path, const vq_dataset *data, int64_t index, char *to,
                       size_t size)
{
    if (vq_dataset_count(data) == 1) (void)snprintf(to, size, "%s", path);
    else
        (void)snprintf(to, size, "%s of %s", vq_dataset_name(data, index),
                       vq_dataset_source(data, index));
}

/* What is to be said about the source was said when it was first opened. */
static vq_status open_again(program *p, const char *path, vq_dataset **out)
{
    const bool quiet = p->quiet;
    vq_data_config config;
    vq_data_config_default(&config);
    config.cache_mb = 0;
    p->quiet = true;
    const vq_status status = vq_dataset_open(p->ctx, path, &config, out);
    p->quiet = quiet;
    return status;
}

static int words_of(program *p, const origins *o, size_t place, char *to, size_t size)
{
    size_t s = o->n_sources - 1;
    while (o->sources[s].first > place) s--;
    const origin_source *source = &o->sources[s];
    const int64_t index = (int64_t)(place - source->first);
    vq_dataset *again = NULL;
    if (!source->data) {
        const vq_status status = open_again(p, source->path, &again);
        if (status == VQ_E_NOMEM) return lib(p, status);
    }
    const vq_dataset *data = again ? again : source->data;
    if (data && index < vq_dataset_count(data)) name_image(source->path, data, index, to, size);
    else (void)snprintf(to, size, "image %" PRId64 " of %s", index, source->path);
    vq_dataset_close(p->ctx, again);
    return DONE;
}

int origins_tell(program *p, const origins *o)
{
    enum { WORDS = 400 };
    char again[WORDS], before[WORDS];
    size_t copies, first[2];
    TRY(lib(p, vq_data_copies(p->ctx, o->hashes, o->n, &copies, first)));
    if (copies == 0) return DONE;
    TRY(words_of(p, o, first[0], again, sizeof again));
    TRY(words_of(p, o, first[1], before, sizeof before));
    warn(p,
         "%zu of %zu images %s named before, perhaps by another path, the first of them %s, read "
         "from the same place as %s",
         copies, o->n, copies == 1 ? "was" : "were", again, before);
    return DONE;
}

void origins_clear(origins *o)
{
    free(o->hashes);
    free(o->sources);
    *o = (origins){0};
}

int origins_check(program *p, const char *path, const vq_dataset *data)
{
    origins o = {0};
    int code = origins_add(p, &o, path, data, vq_dataset_count(data), true);
    if (code == DONE) code = origins_tell(p, &o);
    origins_clear(&o);
    return code;
}
