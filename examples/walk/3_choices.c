/* SPDX-License-Identifier: Apache-2.0
 * Step 3, continued: how often the mistaken choice is the right one. */
#include "pseudo_inverse.h"
#include "walk.h"

enum { DIM = 32, CODES = 128, TABLES = 10, VECTORS = 100 };

/* argmin_j (z.E_j - 1)^2 */
static uint32_t mistaken(const double *embed, const double *z)
{
    double y[CODES];
    multiply(1, DIM, CODES, z, embed, y);
    for (int j = 0; j < CODES; j++) y[j] = (y[j] - 1.0) * (y[j] - 1.0);
    return lowest(CODES, y);
}

/* Over TABLES x VECTORS draws of numbers in [-shift, 1 - shift); -1 where E+ does not exist. */
static int count_agreements(double shift)
{
    static double embed[DIM * CODES], inverse[CODES * DIM];
    double z[DIM];
    uint32_t state = 9;
    int agree = 0;
    for (int t = 0; t < TABLES; t++) {
        for (int i = 0; i < DIM * CODES; i++) embed[i] = next_number(&state) - shift;
        if (!pseudo_inverse(DIM, CODES, embed, inverse)) return -1;
        for (int v = 0; v < VECTORS; v++) {
            for (int d = 0; d < DIM; d++) z[d] = next_number(&state) - shift;
            agree += mistaken(embed, z) == nearest(CODES, DIM, z, inverse);
        }
    }
    return agree;
}

int main(void)
{
    printf("argmin (z.E - 1)^2 is argmin |z - E+|^2, in 1000 draws\n"
           "  of numbers between 0 and 1:       %4d times\n"
           "  of numbers between -1/2 and 1/2:  %4d times\n",
           count_agreements(0.0), count_agreements(0.5));
    return 0;
}
