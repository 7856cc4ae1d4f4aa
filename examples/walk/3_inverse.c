/* SPDX-License-Identifier: Apache-2.0
 * Step 3: when multiplying by E+ turns one distance into the other, and when not. */
#include "pseudo_inverse.h"
#include "walk.h"

enum { DIM = 32, CODES = 128 };

typedef struct view {
    double z[DIM], embed[DIM * CODES], inverse[CODES * DIM];
    double inside[CODES * DIM], outside[CODES * DIM], target[CODES * DIM];
    double from_identity;
} view;

/* E of rank 32; or of rank 16, each row twice: E+ is then half that of one set, twice. */
static bool make_table(size_t rank, view *v)
{
    double once[CODES * DIM], product[DIM * DIM], one[DIM * DIM];
    fill(5, rank * CODES, v->embed);
    if (rank < DIM) memcpy(v->embed + rank * CODES, v->embed, rank * CODES * sizeof *v->embed);
    if (!pseudo_inverse(rank, CODES, v->embed, once)) return false;
    for (size_t i = 0; i < CODES * DIM; i++)
        v->inverse[i] = once[i / DIM * rank + i % DIM % rank] * (double)rank / DIM;
    multiply(DIM, CODES, DIM, v->embed, v->inverse, product);
    identity(DIM, one);
    v->from_identity = furthest(DIM * DIM, product, one);
    return true;
}

/* ((z.E - I)^2).(E+)^2, ((z.E - I).E+)^2 and (z - E+)^2, DIM numbers for each code. */
static void look(view *v)
{
    static double y[CODES], gap[CODES * CODES], gap_2[CODES * CODES], inverse_2[CODES * DIM];
    multiply(1, DIM, CODES, v->z, v->embed, y);
    identity(CODES, gap);
    for (int i = 0; i < CODES * CODES; i++) {
        gap[i] = y[i % CODES] - gap[i];
        gap_2[i] = gap[i] * gap[i];
    }
    for (int i = 0; i < CODES * DIM; i++) inverse_2[i] = v->inverse[i] * v->inverse[i];
    multiply(CODES, CODES, DIM, gap_2, inverse_2, v->inside);
    multiply(CODES, CODES, DIM, gap, v->inverse, v->outside);
    for (int i = 0; i < CODES * DIM; i++) {
        v->outside[i] *= v->outside[i];
        v->target[i] = pow(v->z[i % DIM] - v->inverse[i], 2.0);
    }
}

int main(void)
{
    static view v;
    fill(4, DIM, v.z);
    for (size_t rank = DIM; rank >= DIM / 2; rank /= 2) {
        if (!make_table(rank, &v)) return 1;
        look(&v);
        printf("E 32x128 of rank %zu: E.E+ is at most %.2f from the identity\n"
               "  ((z.E - I)^2).(E+)^2  at most %.2f from (z - E+)^2\n"
               "  ((z.E - I).E+)^2      at most %.2f from (z - E+)^2\n",
               rank, v.from_identity, furthest(CODES * DIM, v.inside, v.target),
               furthest(CODES * DIM, v.outside, v.target));
    }
    return 0;
}
