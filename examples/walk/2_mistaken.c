/* SPDX-License-Identifier: Apache-2.0
 * Step 2: the first, mistaken reading. The table is multiplied by before the choice, so its
 * pseudo-inverse is needed to come back. */
#include "pseudo_inverse.h"
#include "walk.h"

enum { PLACES = 10 * 10, DIM = 32, CODES = 128 };

typedef struct reading {
    double input[PLACES * DIM], embed[DIM * CODES], embed_inv[CODES * DIM];
    double dist[PLACES * CODES], onehot[PLACES * CODES], output[PLACES * DIM];
    uint32_t ind[PLACES];
} reading;

/* False where the table has no pseudo-inverse. */
static bool read_wrongly(reading *r)
{
    fill(2, PLACES * DIM, r->input);
    fill(3, DIM * CODES, r->embed);
    if (!pseudo_inverse(DIM, CODES, r->embed, r->embed_inv)) return false;
    multiply(PLACES, DIM, CODES, r->input, r->embed, r->dist); /* z.E, and how far it is from 1 */
    for (int i = 0; i < PLACES * CODES; i++) r->dist[i] = (r->dist[i] - 1.0) * (r->dist[i] - 1.0);
    for (int i = 0; i < PLACES; i++) r->ind[i] = lowest(CODES, r->dist + i * CODES);
    one_hot(PLACES, CODES, r->ind, r->onehot);
    multiply(PLACES, CODES, DIM, r->onehot, r->embed_inv, r->output);
    return true;
}

static int codes_used(const uint32_t *ind)
{
    int used = 0, seen[CODES] = {0};
    for (int i = 0; i < PLACES; i++) used += !seen[ind[i]]++;
    return used;
}

int main(void)
{
    static reading r;
    if (!read_wrongly(&r)) return 1;
    printf("input        (10,10,32)   z_e, as an encoder would give it\n"
           "embed        (32,128)     E\n"
           "embed_inv    (128,32)     E+, its pseudo-inverse\n"
           "dist         (10,10,128)  (z.E - 1)^2\n"
           "embed_ind    (10,10)      argmin of dist\n"
           "embed_onehot (10,10,128)\n"
           "output       (10,10,32)   one-hot times E+\n"
           "embed_ind\n");
    print_codes(10, 10, r.ind);
    printf("%d of 128 codes are ever chosen; mean |input - output|^2 = %.2f\n", codes_used(r.ind),
           squared_distance(PLACES * DIM, r.input, r.output) / PLACES);
    return 0;
}
