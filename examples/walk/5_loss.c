/* SPDX-License-Identifier: Apache-2.0
 * Step 5: one value, three gradients, measured by nudging each number a little. */
#include "walk.h"

enum { N = 4, K = 3, DIM = 2, PLAIN = 0, CODEBOOK, COMMITMENT, TERMS };

static const double z[N * DIM] = {0.1, 0.3, 0.9, 0.2, 0.4, 0.8, 0.7, 0.8};
static const double table[K * DIM] = {0.0, 0.0, 1.0, 0.5, 0.5, 1.0};

/* Mean square of z - z_q; sg() looks at the numbers from before the nudge. */
static double loss(int term, const double *nudged_z, const double *nudged_table)
{
    const double *from = term == CODEBOOK ? z : nudged_z;
    const double *to = term == COMMITMENT ? table : nudged_table;
    double sum = 0.0;
    for (int i = 0; i < N; i++) {
        const uint32_t k = nearest(K, DIM, nudged_z + i * DIM, nudged_table);
        sum += squared_distance(DIM, from + i * DIM, to + k * DIM);
    }
    return sum / (N * DIM);
}

/* Derivatives along all numbers of z, or of the table: a nudge up less a nudge down. */
static void gradient(int term, bool of_table, double *to)
{
    for (int i = 0; i < (of_table ? K : N) * DIM; i++) {
        double value[2], nudged[N * DIM];
        for (int up = 0; up < 2; up++) {
            memcpy(nudged, of_table ? table : z, of_table ? sizeof table : sizeof z);
            nudged[i] += up ? 1e-5 : -1e-5;
            value[up] = of_table ? loss(term, z, nudged) : loss(term, nudged, table);
        }
        to[i] = (value[1] - value[0]) / 2e-5;
    }
}

/* Derivative of z_q along z, and of z + sg(z_q - z), for the first number. */
static void straight_through(double slope[2])
{
    const double nudged[DIM] = {z[0] + 1e-5, z[1]};
    const double before = table[nearest(K, DIM, z, table) * DIM];
    const double after = table[nearest(K, DIM, nudged, table) * DIM];
    slope[0] = (after - before) / 1e-5;
    slope[1] = ((nudged[0] + (before - z[0])) - (z[0] + (before - z[0]))) / 1e-5;
}

int main(void)
{
    static const char *const names[TERMS] = {"|z - z_q|^2", "|sg(z) - z_q|^2", "|z - sg(z_q)|^2"};
    double d_z[N * DIM], d_table[K * DIM], slope[2];
    printf("                   value   length of d/dz   length of d/dtable\n");
    for (int t = 0; t < TERMS; t++) {
        gradient(t, false, d_z);
        gradient(t, true, d_table);
        printf("%-16s  %.4f           %.4f               %.4f\n", names[t], loss(t, z, table),
               sqrt(squared_length(N * DIM, d_z)), sqrt(squared_length(K * DIM, d_table)));
    }
    straight_through(slope);
    printf("derivative of z_q along z: %.1f; of z + sg(z_q - z): %.1f\n", slope[0], slope[1]);
    return 0;
}
