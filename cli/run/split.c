/* SPDX-License-Identifier: Apache-2.0
 * cli/run/split.c -- which images are held out of training.
 *
 * Every image has a key, the output of splitmix64 (Steele et al. 2014) for the state
 * seed + (i + 1) times its constant; those with the least keys are held out. The rule needs
 * nothing but the seed and the number of images, so a resumed run holds out the same ones and
 * anybody can compute them. */
#include "run/split.h"
#include <stdlib.h>

const char split_rule[] =
    "held out: the images i (from 0) with the least splitmix64 outputs at state seed + (i + 1) * "
    "0x9e3779b97f4a7c15";

enum { ONE_IN = 20, HELD_MAX = 5000 };

typedef struct keyed {
    uint64_t key;
    int64_t index;
} keyed;

static uint64_t key_of(uint64_t seed, int64_t index)
{
    uint64_t z = seed + ((uint64_t)index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int by_index(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    return x->index < y->index ? -1 : x->index > y->index;
}

int64_t split_held(int64_t n)
{
    const int64_t held = n / ONE_IN;
    return held > HELD_MAX ? HELD_MAX : held < 1 ? 1 : held;
}

static int list_of(program *p, const keyed *from, int64_t n, int64_t **out)
{
    void *list = NULL;
    TRY(allocate(p, (size_t)n, sizeof **out, &list));
    *out = list;
    for (int64_t i = 0; i < n; i++) (*out)[i] = from[i].index;
    return DONE;
}

int split_make(program *p, int64_t n, int64_t held, uint64_t seed, split *out)
{
    void *memory = NULL;
    int code;
    *out = (split){.n_train = n - held, .n_held = held};
    TRY(allocate(p, (size_t)n, sizeof(keyed), &memory));
    keyed *images = memory;
    for (int64_t i = 0; i < n; i++) images[i] = (keyed){key_of(seed, i), i};
    if (held > 0) qsort(images, (size_t)n, sizeof *images, by_key);
    qsort(images, (size_t)held, sizeof *images, by_index);
    qsort(images + held, (size_t)(n - held), sizeof *images, by_index);
    TRY_TO(list_of(p, images, held, &out->held));
    TRY_TO(list_of(p, images + held, n - held, &out->train));
done:
    free(memory);
    return code;
}

int split_hold_all(program *p, int64_t n, split *out)
{
    void *list = NULL;
    TRY(allocate(p, (size_t)n, sizeof *out->held, &list));
    free(out->held);
    out->held = list;
    out->n_held = n;
    for (int64_t i = 0; i < n; i++) out->held[i] = i;
    return DONE;
}

int index_add(program *p, index_list *list, int64_t index)
{
    if (list->n == list->room) {
        const int64_t room = list->room ? 2 * list->room : 64;
        int64_t *items = realloc(list->items, (size_t)room * sizeof *items);
        if (!items) return fail(p, MACHINE_FAILED, "no memory for a list of %zu", (size_t)room);
        list->items = items;
        list->room = room;
    }
    list->items[list->n++] = index;
    return DONE;
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void split_drop(int64_t *list, int64_t *n, index_list *dropped)
{
    int64_t kept = 0, at = 0;
    if (dropped->n > 0)
        qsort(dropped->items, (size_t)dropped->n, sizeof *dropped->items, ascending);
    for (int64_t i = 0; i < *n; i++) {
        while (at < dropped->n && dropped->items[at] < list[i]) at++;
        if (at < dropped->n && dropped->items[at] == list[i]) continue;
        list[kept++] = list[i];
    }
    *n = kept;
}

void split_clear(split *s)
{
    free(s->train);
    free(s->held);
    *s = (split){0};
}
