/* SPDX-License-Identifier: Apache-2.0
 * Step 4: the right reading. What was called E+ is the table; nothing is inverted. */
#include "walk.h"

enum { PLACES = 10 * 10, DIM = 32, CODES = 128 };

typedef struct reading {
    double z_e[PLACES * DIM], embed[CODES * DIM], onehot[PLACES * CODES], z_q[PLACES * DIM];
    uint32_t q[PLACES];
} reading;

static void read_rightly(reading *r)
{
    double distance[CODES];
    fill(6, PLACES * DIM, r->z_e);
    fill(7, CODES * DIM, r->embed);
    for (int i = 0; i < PLACES; i++) { /* q(z|x) = argmin_j |z - e_j| */
        for (int j = 0; j < CODES; j++)
            distance[j] = squared_distance(DIM, r->z_e + i * DIM, r->embed + j * DIM);
        r->q[i] = lowest(CODES, distance);
    }
    one_hot(PLACES, CODES, r->q, r->onehot);
    multiply(PLACES, CODES, DIM, r->onehot, r->embed, r->z_q); /* z_q = one-hot . embed */
}

/* Places where the library's quantiser chooses the same code. */
static int same_in_library(const reading *r)
{
    float z_e[PLACES * DIM], embed[CODES * DIM];
    uint32_t codes[PLACES];
    vq_context *ctx = open_library();
    to_floats(PLACES * DIM, r->z_e, z_e);
    to_floats(CODES * DIM, r->embed, embed);
    vq_codebook *book = make_codebook(ctx, CODES, DIM, 0, embed);
    check(ctx, vq_codebook_nearest(ctx, book, PLACES, z_e, codes, NULL));
    vq_codebook_destroy(ctx, book);
    vq_context_destroy(ctx);
    return count_same(PLACES, codes, r->q);
}

int main(void)
{
    static reading r;
    read_rightly(&r);
    printf("z_e (10,10,32), embed (128,32) -> q(z|x) (10,10)\n");
    print_codes(10, 10, r.q);
    printf("one-hot (10,10,128) times embed -> z_q (10,10,32); mean |z_e - z_q|^2 = %.2f\n",
           squared_distance(PLACES * DIM, r.z_e, r.z_q) / PLACES);
    printf("the library's quantiser chooses the same code at %d of 100 places\n",
           same_in_library(&r));
    return 0;
}
