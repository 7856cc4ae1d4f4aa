/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_nearest_moved.c -- searches that leave out what earlier ones have shown to be
 * far: the codes of plain searches after every move, on every table and any number of threads. */
#include "search_problem.h"

enum { MOVES = 7 };

/* Codes drift by less and less; a few jump, some stay, some become copies of others. */
static void move_codes(problem *p, vq_random *random, int move)
{
    const float step = 0.5f / (float)(move * move + 1);
    for (size_t k = 0; k < p->n_codes; k++) {
        float *code = p->codes + k * p->dim;
        const uint64_t choice = vq_random_below(random, 40);
        const float *other = p->codes + vq_random_below(random, p->n_codes) * p->dim;
        if (choice == 0) memmove(code, other, p->dim * sizeof *code);
        if (choice == 1) copy_row(code, p->x + vq_random_below(random, p->n) * p->dim, p->dim);
        for (size_t d = 0; choice > 20 && d < p->dim; d++)
            code[d] += step * vq_random_normal(random);
    }
}

typedef struct tracked {
    vq_code_track track;
    void *memory;
    size_t size;
} tracked;

/* One search of each kind, which must agree; idx holds the codes of the search before. */
static void search_both(const problem *p, vq_context *ctx, tracked *t, int32_t *idx, int move)
{
    built_index b = build_index(ctx, p, 0);
    if (!t->memory) {
        t->size = vq_code_track_plan(&b.index, p->n, &t->track);
        t->memory = workspace_create(t->size);
        vq_code_track_start(ctx, &b.index, p->x, t->memory, &t->track);
    }
    const size_t size = vq_nearest_moved_workspace(ctx, &b.index, &t->track);
    void *workspace = workspace_create(size);
    int32_t *expected = nearest(p, ctx->kernels, 1);
    vq_nearest_moved(ctx, &b.index, &t->track, p->x, idx, workspace);
    for (size_t i = 0; i < p->n; i++)
        if (idx[i] != expected[i + 1])
            fail_msg("%s: %zu x %zu, %zu codes, move %d: vector %zu has code %d, not %d",
                     ctx->kernels->name, p->n, p->dim, p->n_codes, move, i, idx[i],
                     expected[i + 1]);
    free(expected);
    workspace_destroy(workspace, size);
    destroy_index(&b);
}

static void follow(problem *p, vq_random *random, const vq_kernels *kernels, int threads)
{
    vq_context *ctx = table_context(kernels, threads);
    tracked t = {.memory = NULL};
    int32_t *idx = calloc(p->n, sizeof *idx);
    for (int move = 0; move < MOVES; move++) {
        search_both(p, ctx, &t, idx, move);
        /* What is searched first may be any code: a centroid without vectors is given one. */
        if (move == 3) idx[0] = (int32_t)p->n_codes - 1;
        move_codes(p, random, move);
    }
    workspace_destroy(t.memory, t.size);
    vq_context_destroy(ctx);
    free(idx);
}

static const size_t shapes[][3] = {
    {1, 1, 1}, {300, 2, 130}, {130, 64, 512}, {70, 17, 2100}, {1300, 8, 300}, {90, 300, 90},
};
static const float offsets[] = {0.0f, 100.0f, 1000.0f};

static void moves_of(const vq_kernels *t)
{
    vq_random random = test_stream(73);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        problem p =
            problem_create(&random, shapes[s][0], shapes[s][1], shapes[s][2], offsets[s % 3]);
        follow(&p, &random, t, 1 + (int)(s % 3));
        problem_destroy(&p);
    }
}

static void test_moves(void **state)
{
    (void)state;
    for_each_table(moves_of);
}

/* Lengths that differ a lot, that overflow, that underflow, and that are no numbers. */
static void odd_lengths_of(const vq_kernels *t)
{
    static const float scales[] = {1e-42f, 1e-20f, 1e6f, 1e17f, 1e19f, 1e25f, 3e38f};
    vq_random random = test_stream(74);
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++)
        for (int everything = 0; everything < 2; everything++) {
            problem p = problem_create(&random, 100, 5, 90, 0.0f);
            for (size_t i = 0; i < p.n * p.dim; i++)
                if (everything || i / p.dim % 10 == 3) p.x[i] *= scales[s];
            for (size_t i = 0; i < p.n_codes * p.dim; i++)
                if (everything || i / p.dim % 30 == 7) p.codes[i] *= scales[s];
            if (s == 2) p.codes[4 * p.dim] = NAN;
            follow(&p, &random, t, 1);
            problem_destroy(&p);
        }
}

static void test_odd_lengths(void **state)
{
    (void)state;
    for_each_table(odd_lengths_of);
}

/* Vectors that lie around codes: most of the search is left out, and what is left suffices. */
static void leaves_out_of(const vq_kernels *kernels)
{
    vq_random random = test_stream(75);
    problem p = problem_create(&random, 400, 16, 640, 0.0f);
    vq_context *ctx = table_context(kernels, 1);
    tracked t = {.memory = NULL};
    int32_t *idx = calloc(p.n, sizeof *idx);
    for (size_t i = 0; i < p.n; i++)
        for (size_t d = 0; d < p.dim; d++)
            p.x[i * p.dim + d] = p.codes[i * p.dim + d] + 0.1f * vq_random_normal(&random);
    search_both(&p, ctx, &t, idx, 0);
    search_both(&p, ctx, &t, idx, 1);
    size_t within = 0, all = 0;
    for (size_t i = 0; i < p.n; i++)
        for (size_t g = 0; g < t.track.groups; g++, all++) {
            const size_t at = i / t.track.block * t.track.block * t.track.groups +
                              g * t.track.block + i % t.track.block;
            within += t.track.lower[at] < 1.0f;
        }
    assert_true(within < all / 4);
    workspace_destroy(t.memory, t.size);
    vq_context_destroy(ctx);
    free(idx);
    problem_destroy(&p);
}

static void test_leaves_out(void **state)
{
    (void)state;
    for_each_table(leaves_out_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_odd_lengths),
        cmocka_unit_test(test_leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
