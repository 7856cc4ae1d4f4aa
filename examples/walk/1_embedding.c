/* SPDX-License-Identifier: Apache-2.0
 * Step 1: an embedding is a one-hot matrix times a table. */
#include "walk.h"

enum { ROWS = 10, WIDTH = 3, IDS = 2 * 4 };

static const uint32_t ids[IDS] = {3, 1, 4, 1, 5, 9, 2, 6};

static void embed(const double *table, double *hot, double *out)
{
    one_hot(IDS, ROWS, ids, hot);
    multiply(IDS, ROWS, WIDTH, hot, table, out);
}

/* d_table = hot^T d_out: a row of the table gets the gradients of all places that named it. */
static void gradient(const double *hot, const double *d_out, double *d_table)
{
    double turned[ROWS * IDS];
    turn(IDS, ROWS, hot, turned);
    multiply(ROWS, IDS, WIDTH, turned, d_out, d_table);
}

static void print_row(const char *name, unsigned number, const double *row)
{
    printf("  %s %u: %5.2f %5.2f %5.2f\n", name, number, row[0], row[1], row[2]);
}

int main(void)
{
    double table[ROWS * WIDTH], hot[IDS * ROWS], out[IDS * WIDTH];
    fill(1, ROWS * WIDTH, table);
    embed(table, hot, out);
    printf("ids (2,4) -> one-hot (2,4,10), times table (10,3) -> (2,4,3)\n");
    for (int i = 0; i < IDS; i++) print_row("id", ids[i], out + i * WIDTH);

    float vectors[ROWS * WIDTH], looked_up[IDS * WIDTH];
    double same[IDS * WIDTH];
    vq_context *ctx = open_library();
    to_floats(ROWS * WIDTH, table, vectors);
    vq_codebook *book = make_codebook(ctx, ROWS, WIDTH, 0, vectors);
    check(ctx, vq_codebook_lookup(ctx, book, IDS, ids, looked_up));
    to_doubles(IDS * WIDTH, looked_up, same);
    printf("looked up by the library, without a product: %.2f away\n",
           furthest(IDS * WIDTH, out, same));
    vq_codebook_destroy(ctx, book);
    vq_context_destroy(ctx);

    double d_out[IDS * WIDTH], d_table[ROWS * WIDTH];
    for (int i = 0; i < IDS * WIDTH; i++) d_out[i] = 1.0;
    gradient(hot, d_out, d_table);
    printf("gradient of the sum of all 24 numbers, row by row of the table\n");
    for (unsigned r = 0; r < ROWS; r++) print_row("row", r, d_table + r * WIDTH);
    return 0;
}
