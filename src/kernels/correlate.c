/* SPDX-License-Identifier: Apache-2.0
 * kernels/correlate.c -- correlations of any size from whole tiles.
 *
 * A group of panels is multiplied with all places before the next one, so that the panels stay in
 * the second-level cache. Tiles that are not whole are gathered into one of their own. */
#include "kernels/correlate.h"

#include "base/sizes.h"
#include "kernels/kernels.h"
#include <string.h>

static const float zeros[VQ_PANEL * VQ_PANELS_MAX];

/* What an unfinished tile reads and writes in place of the arrays. Where it has no place or channel
 * the numbers are of no account. */
typedef struct edge {
    float start[VQ_PLACES][VQ_PANEL * VQ_PANELS_MAX];
    float residual[VQ_PLACES][VQ_PANEL * VQ_PANELS_MAX];
    float mask[VQ_PLACES][VQ_PANEL * VQ_PANELS_MAX];
    float out[VQ_PLACES][VQ_PANEL * VQ_PANELS_MAX];
} edge;

/* The part of a tile that exists: `places` from `place` on, `channels` from `channel` on. */
typedef struct part {
    size_t place, places, channel, channels;
} part;

static void point_in(const vq_correlation *c, const part *p, vq_correlate_tile *tile)
{
    for (size_t i = 0; i < VQ_PLACES; i++) {
        const size_t place = p->place + (i < p->places ? i : 0);
        tile->in[i] = c->in + c->in_at[place];
    }
}

/* What is written and added comes last in a tile, and no hardware foresees it: fetched at the
 * beginning it is there in time. Chains of 1 x 1 convolutions are so short that it was waited
 * for. */
static void run_whole(const vq_kernels *kernels, const vq_correlation *c, const part *p,
                      vq_correlate_tile *tile)
{
    const float *bias = c->bias ? c->bias + p->channel : zeros;
    for (size_t i = 0; i < VQ_PLACES; i++) {
        const size_t at = c->out_at[p->place + i] + p->channel;
        tile->out[i] = c->out + at;
        tile->start[i] = c->add ? tile->out[i] : bias;
        tile->residual[i] = c->residual ? c->residual + at : NULL;
        tile->mask[i] = c->mask ? c->mask + at : NULL;
        for (size_t j = 0; j < p->channels; j += VQ_PANEL) {
            __builtin_prefetch(c->out + at + j, 1);
            if (c->residual && c->residual != c->out) __builtin_prefetch(c->residual + at + j);
        }
    }
    kernels->correlate(tile);
}

static void copy_row(const float *from, size_t count, float *to)
{
    for (size_t j = 0; j < count; j++) to[j] = from[j];
}

static void run_part(const vq_kernels *kernels, const vq_correlation *c, const part *p,
                     vq_correlate_tile *tile)
{
    edge e;
    memset(e.start, 0, sizeof e.start); /* chains may begin at no bias */
    if (c->mask) memset(e.mask, 0, sizeof e.mask);
    if (c->residual) memset(e.residual, 0, sizeof e.residual);
    for (size_t i = 0; i < VQ_PLACES; i++) {
        tile->start[i] = e.start[i];
        tile->out[i] = e.out[i];
        tile->residual[i] = c->residual ? e.residual[i] : NULL;
        tile->mask[i] = c->mask ? e.mask[i] : NULL;
        if (i >= p->places) continue;
        const size_t at = c->out_at[p->place + i] + p->channel;
        if (c->add) copy_row(c->out + at, p->channels, e.start[i]);
        else if (c->bias) copy_row(c->bias + p->channel, p->channels, e.start[i]);
        if (c->residual) copy_row(c->residual + at, p->channels, e.residual[i]);
        if (c->mask) copy_row(c->mask + at, p->channels, e.mask[i]);
    }
    kernels->correlate(tile);
    for (size_t i = 0; i < p->places; i++)
        copy_row(e.out[i], p->channels, c->out + c->out_at[p->place + i] + p->channel);
}

/* Floats of weights that stay in the first-level cache beside a tile's input. */
enum { CACHED_MAX = 4096 };

/* Panels of a tile: as many as keep the registers busy, but more where chains are short, so that a
 * tile is set up less often. */
static size_t group_of(const vq_kernels *kernels, size_t depth)
{
    const bool shallow = depth * VQ_PANEL * VQ_PANELS_MAX <= CACHED_MAX;
    return shallow ? VQ_PANELS_MAX : kernels->correlate_panels;
}

void vq_correlate(const vq_kernels *kernels, const vq_correlation *c)
{
    const size_t group = group_of(kernels, c->depth) * VQ_PANEL;
    vq_correlate_tile tile = {.taps = c->taps,
                              .run = c->run,
                              .tap_step = c->tap_step,
                              .line_step = c->line * VQ_PANEL,
                              .panel_step = c->depth * VQ_PANEL,
                              .relu = c->relu};
    part p;
    for (p.channel = 0; p.channel < c->channels; p.channel += group) {
        p.channels = vq_smaller(group, c->channels - p.channel);
        tile.weights = c->weights + p.channel * c->depth;
        tile.panels = vq_ceil_div(p.channels, VQ_PANEL);
        for (p.place = 0; p.place < c->places; p.place += VQ_PLACES) {
            p.places = vq_smaller(VQ_PLACES, c->places - p.place);
            point_in(c, &p, &tile);
            if (p.places == VQ_PLACES && p.channels == tile.panels * VQ_PANEL)
                run_whole(kernels, c, &p, &tile);
            else run_part(kernels, c, &p, &tile);
        }
    }
}
