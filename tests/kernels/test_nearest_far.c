/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_nearest_far.c -- the search of numbers whose squares f32 has no room for: the
 * same codes as of the same numbers times a power of two, and choices that sums in long double
 * agree with. */
#include "search_problem.h"

/* Vectors by dim by codes: tiles, what is left over of them, one vector alone. */
static const size_t shapes[][3] = {{1, 5, 40}, {19, 3, 50}, {45, 16, 90}, {70, 33, 130}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Multiples of 2^-8 below 2^7: products with powers of two from 2^-140 to 2^120 are exact. */
static problem coarse_problem(vq_random *random, const size_t shape[3], float offset)
{
    problem p = problem_create(random, shape[0], shape[1], shape[2], 0.0f);
    for (size_t i = 0; i < p.n * p.dim; i++) p.x[i] = rintf(p.x[i] * 256.0f) / 256.0f + offset;
    for (size_t i = 0; i < p.n_codes * p.dim; i++)
        p.codes[i] = rintf(p.codes[i] * 256.0f) / 256.0f + offset;
    return p;
}

static void multiply(float *numbers, size_t count, int power)
{
    for (size_t i = 0; i < count; i++) numbers[i] = ldexpf(numbers[i], power);
}

static void check_same(const vq_kernels *t, const problem *p, int screened, int power,
                       const int32_t *expected)
{
    int32_t *idx = nearest_by(p, t, 1 + (power & 1), screened);
    if (memcmp(idx, expected, (p->n + 2) * sizeof *idx) != 0)
        fail_msg("%s: %zu x %zu, %zu codes, times 2^%d: not the same codes", t->name, p->n, p->dim,
                 p->n_codes, power);
    free(idx);
}

static void powers_of(const vq_kernels *t)
{
    static const int powers[] = {-140, -131, -100, -67, -41, -20, 23, 31, 64, 99, 120};
    vq_random random = test_stream(60);
    for (size_t s = 0; s < SHAPES; s++)
        for (int screened = 0; screened < 2; screened++) {
            problem p = coarse_problem(&random, shapes[s], s % 2 ? 100.0f : 0.0f);
            int32_t *expected = nearest_by(&p, t, 1, screened);
            int now = 0;
            for (size_t i = 0; i < sizeof powers / sizeof *powers; now = powers[i++]) {
                multiply(p.x, p.n * p.dim, powers[i] - now);
                multiply(p.codes, p.n_codes * p.dim, powers[i] - now);
                check_same(t, &p, screened, powers[i], expected);
            }
            free(expected);
            problem_destroy(&p);
        }
}

static void test_powers(void **state)
{
    (void)state;
    for_each_table(powers_of);
}

enum { DIM_MOST = 33 };

/* The mean of the codes, about which sums of long double are taken. */
typedef struct middle {
    long double at[DIM_MOST];
    size_t dim;
} middle;

static middle middle_of(const problem *p)
{
    middle m = {.dim = p->dim};
    assert_true(p->dim <= DIM_MOST);
    for (size_t j = 0; j < p->n_codes; j++)
        for (size_t d = 0; d < p->dim; d++) m.at[d] += (long double)p->codes[j * p->dim + d];
    for (size_t d = 0; d < p->dim; d++) m.at[d] /= (long double)p->n_codes;
    return m;
}

static long double product(const middle *m, const float *a, const float *b)
{
    long double sum = 0.0L;
    for (size_t d = 0; d < m->dim; d++)
        sum += ((long double)a[d] - m->at[d]) * ((long double)b[d] - m->at[d]);
    return sum;
}

/* The least of half the squared distances, less what all codes share, is that of the choice, but
 * for rounding as in an ordinary search: chains of D numbers, of products as long as vector and
 * code. */
static void check_choice(const char *name, const problem *p, const middle *m, size_t i,
                         int32_t choice)
{
    const float *x = p->x + i * p->dim;
    long double least = HUGE_VALL, longest = 0.0L, chosen = HUGE_VALL;
    for (size_t j = 0; j < p->n_codes; j++) {
        const float *code = p->codes + j * p->dim;
        const long double square = product(m, code, code);
        const long double score = square / 2.0L - product(m, x, code);
        least = fminl(least, score);
        longest = fmaxl(longest, square);
        if ((int32_t)j == choice) chosen = score;
    }
    longest = sqrtl(longest);
    const long double length = sqrtl(product(m, x, x)) + longest, excess = chosen - least;
    if (!(excess <= 0x1p-22L * (long double)(p->dim + 4) * length * longest))
        fail_msg("%s: %zu x %zu, %zu codes: vector %zu is farther by %Lg from code %d", name, p->n,
                 p->dim, p->n_codes, i, excess, choice);
}

typedef struct range {
    float codes, x, offset; /* by what numbers are multiplied, and what is added to the first */
} range;

/* Vectors among codes of other sizes; subnormal numbers; the largest that there are; a spread that
 * is small beside what all have in common. */
static const range ranges[] = {
    {1.0f, 1e20f, 0.0f},    {1e8f, 1e37f, 0.0f},   {1e-30f, 1.0f, 0.0f},   {1e-38f, 1e37f, 0.0f},
    {1e30f, 1e-30f, 0.0f},  {1e15f, 1e37f, 0.0f},  {1e-43f, 1e-43f, 0.0f}, {6e37f, 6e37f, 0.0f},
    {1e-25f, 1e-25f, 1e3f}, {1e-20f, 1e15f, 1e5f}, {1e5f, 1e5f, 1e30f},    {1e-30f, 1e-30f, 3e38f},
};

static void put_into(problem *p, const range *r)
{
    for (size_t i = 0; i < p->n * p->dim; i++) p->x[i] *= r->x;
    for (size_t i = 0; i < p->n_codes * p->dim; i++) p->codes[i] *= r->codes;
    for (size_t i = 0; i < p->n && r->offset > 0.0f; i++) p->x[i * p->dim] = r->offset;
    for (size_t j = 0; j < p->n_codes && r->offset > 0.0f; j++) p->codes[j * p->dim] = r->offset;
}

/* Every other vector stays as it is beside those that are far, and has the code it has alone. */
static void check_alone(const vq_kernels *t, const problem *p, const int32_t *idx)
{
    for (size_t i = 0; i < p->n; i += 7) {
        const problem one = {1, p->dim, p->n_codes, p->x + i * p->dim, p->codes};
        int32_t *alone = nearest(&one, t, 1);
        assert_int_equal(alone[1], idx[i + 1]);
        free(alone);
    }
}

static void check_range(const vq_kernels *t, const problem *p)
{
    const middle m = middle_of(p);
    for (int screened = 0; screened < 2; screened++) {
        int32_t *idx = nearest_by(p, t, 2, screened);
        for (size_t i = 0; i < p->n; i++) check_choice(t->name, p, &m, i, idx[i + 1]);
        check_alone(t, p, idx);
        free(idx);
    }
}

static void ranges_of(const vq_kernels *t)
{
    vq_random random = test_stream(61);
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
        for (size_t s = 0; s < SHAPES - 1; s++) {
            problem p = problem_create(&random, shapes[s][0], shapes[s][1], shapes[s][2], 0.0f);
            put_into(&p, &ranges[r]);
            check_range(t, &p);
            problem_destroy(&p);
        }
}

static void test_ranges(void **state)
{
    (void)state;
    for_each_table(ranges_of);
}

static void mixed_of(const vq_kernels *t)
{
    vq_random random = test_stream(62);
    problem p = problem_create(&random, 37, 9, 60, 2.0f);
    for (size_t i = 0; i < p.n; i += 2)
        for (size_t d = 0; d < p.dim; d++) p.x[i * p.dim + d] *= i % 4 ? 1e30f : 1e21f;
    check_range(t, &p);
    problem_destroy(&p);
}

static void test_mixed(void **state)
{
    (void)state;
    for_each_table(mixed_of);
}

/* The first of a list is the nearest code. */
static void tops_of(const vq_kernels *t)
{
    vq_random random = test_stream(63);
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        problem p = problem_create(&random, 21, 7, 40, 0.0f);
        put_into(&p, &ranges[r]);
        vq_context *ctx = table_context(t, 1);
        built_index b = build_index(ctx, &p, 0);
        const size_t size = vq_nearest_top_workspace(ctx, &b.index, p.n, 1);
        void *workspace = workspace_create(size);
        int32_t top[21], *expected = nearest(&p, t, 1);
        assert_true(vq_nearest_top(ctx, &b.index, p.n, p.x, 1, top, workspace));
        assert_memory_equal(top, expected + 1, sizeof top);
        free(expected);
        workspace_destroy(workspace, size);
        destroy_index(&b);
        vq_context_destroy(ctx);
        problem_destroy(&p);
    }
}

static void test_top(void **state)
{
    (void)state;
    for_each_table(tops_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powers),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_top),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
