/* SPDX-License-Identifier: Apache-2.0
 * Step 6: argmin written with steps, and what its derivative is. */
#include "walk.h"

enum { MOST = 16, TRIES = 10000 };

static double H(double x)
{
    return x >= 0.0 ? 1.0 : 0.0;
}

static double argmin2(double a, double b)
{
    return H(b - a) * 0 + H(a - b) * 1;
}

static double argmin3(double a, double b, double c)
{
    return H(b - a) * H(c - a) * 0 + H(a - b) * H(c - b) * 1 + H(a - c) * H(b - c) * 2;
}

/* Any number of values: k times the product of all H(x_j - x_k), summed over k. */
static double argmin_of(size_t n, const double *x)
{
    double sum = 0.0;
    for (size_t k = 0; k < n; k++) {
        double product = (double)k;
        for (size_t j = 0; j < n; j++) product *= j == k ? 1.0 : H(x[j] - x[k]);
        sum += product;
    }
    return sum;
}

/* H replaced by a sigmoid: argmin(a, b) for gap = a - b. */
static double soft(double gap, double steepness)
{
    return 1.0 / (1.0 + exp(-steepness * gap));
}

int main(void)
{
    int agree = 0, unmoved = 0;
    uint32_t state = 8;
    for (size_t t = 0; t < TRIES; t++) {
        double x[MOST];
        const size_t n = 2 + t % (MOST - 1);
        for (size_t k = 0; k < n; k++) x[k] = next_number(&state);
        const double before = argmin_of(n, x);
        agree += before == lowest(n, x);
        x[t % n] += 1e-9;
        unmoved += before == argmin_of(n, x);
    }
    printf("argmin(0.3, 0.1) = %.0f, argmin(0.3, 0.5, 0.1) = %.0f\n", argmin2(0.3, 0.1),
           argmin3(0.3, 0.5, 0.1));
    printf("of 10000 draws of 2 to 16 values %d agree with a search,\n"
           "  and %d do not move when one value is nudged\n",
           agree, unmoved);
    printf("ties: argmin(1, 1) = %.0f, argmin(1, 1, 2) = %.0f, argmin(2, 1, 1) = %.0f, "
           "argmin(1, 1, 1) = %.0f\n",
           argmin2(1, 1), argmin3(1, 1, 2), argmin3(2, 1, 1), argmin3(1, 1, 1));
    printf("sigmoids     argmin(0.6, 0.5)      argmin(0.5, 0.5)\n"
           "steepness    value   derivative    value   derivative\n");
    for (double s = 1.0; s <= 1000.0; s *= 10.0) {
        const double apart = soft(0.6 - 0.5, s), tied = soft(0.0, s);
        printf("%9.0f   %6.4f   %10.4f   %6.4f   %10.4f\n", s, apart, s * apart * (1.0 - apart),
               tied, s * tied * (1.0 - tied));
    }
    return 0;
}
