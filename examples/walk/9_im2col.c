/* SPDX-License-Identifier: Apache-2.0
 * Step 9: a convolution is a product with the columns of an image, and its gradient goes back the
 * way the columns came. */
#include "walk.h"

enum { SIDE = 4, KERNEL = 3, OUT = SIDE - KERNEL + 1, PLACES = OUT * OUT, TAPS = KERNEL * KERNEL };

/* The number of the image that tap t of the kernel reads at place p. */
static int read_by(int p, int t)
{
    return (p / OUT + t / KERNEL) * SIDE + p % OUT + t % KERNEL;
}

/* A row for each place of the output, a column for each tap. */
static void im2col(const double *image, double *columns)
{
    for (int i = 0; i < PLACES * TAPS; i++) columns[i] = image[read_by(i / TAPS, i % TAPS)];
}

/* Back: every number goes to where it was read, and those that meet add up. */
static void col2im(const double *columns, double *image)
{
    memset(image, 0, SIDE * SIDE * sizeof *image);
    for (int i = 0; i < PLACES * TAPS; i++) image[read_by(i / TAPS, i % TAPS)] += columns[i];
}

typedef struct numbers {
    double x[SIDE * SIDE], kernel[TAPS], dy[PLACES];                  /* given */
    double columns[PLACES * TAPS], y[PLACES];                         /* forward */
    double dx[SIDE * SIDE], d_kernel[TAPS], d_columns[PLACES * TAPS]; /* backward */
} numbers;

static void convolve(numbers *n)
{
    im2col(n->x, n->columns);
    multiply(PLACES, TAPS, 1, n->columns, n->kernel, n->y);
    multiply(PLACES, 1, TAPS, n->dy, n->kernel, n->d_columns);
    col2im(n->d_columns, n->dx);
    multiply(1, PLACES, TAPS, n->dy, n->columns, n->d_kernel);
}

/* The largest difference of any number from what the library computes. */
static double from_library(const numbers *n)
{
    numbers own;
    convolve_by_library(SIDE, KERNEL, n->x, n->kernel, n->dy, own.y, own.dx, own.d_kernel);
    return fmax(furthest(PLACES, n->y, own.y), fmax(furthest(SIDE * SIDE, n->dx, own.dx),
                                                    furthest(TAPS, n->d_kernel, own.d_kernel)));
}

int main(void)
{
    numbers n = {.kernel = {1, 0, -1, 2, 0, -2, 1, 0, -1}, .dy = {1, 0, 0, 2}};
    for (int i = 0; i < SIDE * SIDE; i++) n.x[i] = i * i % 10;
    convolve(&n);
    print_matrix("image 4x4", SIDE, SIDE, n.x);
    print_matrix("kernel 3x3", KERNEL, KERNEL, n.kernel);
    print_matrix("im2col: 4 places x 9 taps", PLACES, TAPS, n.columns);
    print_matrix("columns . kernel, as 2x2", OUT, OUT, n.y);
    print_matrix("a gradient that arrives, 2x2", OUT, OUT, n.dy);
    print_matrix("col2im of it times the kernel: gradient of the image", SIDE, SIDE, n.dx);
    print_matrix("it times the columns: gradient of the kernel", KERNEL, KERNEL, n.d_kernel);
    printf("furthest from the library's convolution: %.2f\n", from_library(&n));
    return 0;
}
