/* SPDX-License-Identifier: Apache-2.0
 * examples/walk/pseudo_inverse.h -- E+ = E^T (E E^T)^-1, the pseudo-inverse of a matrix with
 * independent rows (Penrose 1955), by Cholesky's factorisation E E^T = L L^T. */
#ifndef WALK_PSEUDO_INVERSE_H
#define WALK_PSEUDO_INVERSE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { MOST_ROWS = 32 };

/* L of E E^T, row by row; false where a pivot vanishes: the rows depend on each other. */
static inline bool factorise(size_t rows, size_t columns, const double *e, double *l)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double whole = 0.0;
            for (size_t p = 0; p < columns; p++) whole += e[i * columns + p] * e[j * columns + p];
            double rest = whole;
            for (size_t p = 0; p < j; p++) rest -= l[i * MOST_ROWS + p] * l[j * MOST_ROWS + p];
            if (i == j && !(rest > 1e-9 * whole)) return false;
            l[i * MOST_ROWS + j] = i == j ? sqrt(rest) : rest / l[j * MOST_ROWS + j];
        }
    return true;
}

/* inverse: columns x rows, where columns >= rows and rows <= MOST_ROWS; false where E E^T cannot
 * be inverted. */
static inline bool pseudo_inverse(size_t rows, size_t columns, const double *e, double *inverse)
{
    double l[MOST_ROWS * MOST_ROWS];
    if (!factorise(rows, columns, e, l)) return false;
    for (size_t c = 0; c < columns; c++) { /* solves L L^T x = column c of E */
        double *x = inverse + c * rows;
        for (size_t i = 0; i < rows; i++) {
            x[i] = e[i * columns + c];
            for (size_t p = 0; p < i; p++) x[i] -= l[i * MOST_ROWS + p] * x[p];
            x[i] /= l[i * MOST_ROWS + i];
        }
        for (size_t i = rows; i-- > 0;) {
            for (size_t p = i + 1; p < rows; p++) x[i] -= l[p * MOST_ROWS + i] * x[p];
            x[i] /= l[i * MOST_ROWS + i];
        }
    }
    return true;
}

#endif
