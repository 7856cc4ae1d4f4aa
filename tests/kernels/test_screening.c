/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_screening.c -- the kernels of screening.h, each against its definition: what
 * is rounded and how far, whether the bounds bound, and that the nearest code always passes. */
#include "search_problem.h"

/* ---- rounding ------------------------------------------------------------------------ */

static float pair_number(const uint32_t *pairs, size_t width, size_t p, size_t i)
{
    const uint32_t pair = pairs[p / 2 * width + i];
    const uint32_t bits = p % 2 ? pair & 0xffff0000u : pair << 16;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Columns differ in their scale, up to numbers whose squares overflow or underflow. */
static float *columns(vq_random *random, size_t depth, size_t width)
{
    static const float scales[] = {1.0f, 1e-3f, 1e3f, 1e-20f, 1e-39f, 1e17f, 1e19f, 1e30f, 3e38f};
    float *from = guarded(random, depth * width);
    for (size_t i = 0; i < depth * width; i++) {
        from[i] *= scales[i % width % (sizeof scales / sizeof *scales)];
        if (i % width == 11) from[i] = 1.0f + (float)vq_random_below(random, 8) * 0x1p-9f;
        if (i == width + 5) from[i] = NAN;
        if (i == width + 6) from[i] = INFINITY;
    }
    return from;
}

/* The bounds of one column in double, and that they are not much wider than need be. */
static void check_column(const char *name, size_t depth, const float *from, const uint32_t *pairs,
                         size_t width, size_t i, float length, float gap)
{
    double exact = 0.0, kept = 0.0, lost = 0.0;
    for (size_t p = 0; p < depth; p++) {
        const double number = (double)from[p * width + i];
        const double near = (double)rounded(from[p * width + i]);
        if (!((double)pair_number(pairs, width, p, i) == near) && !isnan(near))
            fail_msg("%s: %.9g is rounded to %.9g", name, number,
                     (double)pair_number(pairs, width, p, i));
        exact += number * number;
        kept += near * near;
        lost += (number - near) * (number - near);
    }
    if (!(exact < 0x1p120)) {
        if (!(gap == INFINITY)) fail_msg("%s: depth %zu: gap %g of huge", name, depth, (double)gap);
        return;
    }
    const double bound = sqrt(lost) + 4.0 * (double)(depth + 8) * 0x1p-24 * sqrt(exact);
    if (!((double)length >= sqrt(kept) && (double)gap >= bound))
        fail_msg("%s: depth %zu: length %.9g below %.9g or gap %.9g below %.9g", name, depth,
                 (double)length, sqrt(kept), (double)gap, bound);
    const double room = 1.0 + (double)(depth + 8) * 0x1p-20;
    if (!((double)length <= sqrt(kept) * room + 0x1p-59 && (double)gap <= bound * room + 0x1p-58))
        fail_msg("%s: depth %zu: length %g or gap %g too wide", name, depth, (double)length,
                 (double)gap);
}

static void check_pack(const vq_kernels *t, vq_random *random, size_t depth, size_t width)
{
    const size_t pairs = t->screening->words(depth) * width;
    float *from = columns(random, depth, width), *to = guarded(random, pairs);
    float *length = guarded(random, width), *gap = guarded(random, width);
    float *old_to = guarded_copy(to, pairs), *old_gap = guarded_copy(gap, width);
    float *old_length = guarded_copy(length, width);
    t->screening->pack(depth, width, from, (uint32_t *)to, length, gap);
    for (size_t i = 0; i < width; i++) {
        check_column(t->name, depth, from, (const uint32_t *)to, width, i, length[i], gap[i]);
        for (size_t p = depth; p < 2 * t->screening->words(depth); p++)
            if (pair_number((const uint32_t *)to, width, p, i) != 0.0f)
                fail_msg("%s: depth %zu: a number after the last is not 0", t->name, depth);
    }
    memcpy(old_to, to, pairs * sizeof *to);
    memcpy(old_length, length, width * sizeof *length);
    memcpy(old_gap, gap, width * sizeof *gap);
    assert_true(same_guarded(to, old_to, pairs) && same_guarded(length, old_length, width) &&
                same_guarded(gap, old_gap, width));
    float *const all[] = {from, to, length, gap, old_to, old_gap, old_length};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static const size_t depths[] = {1, 2, 3, 7, 8, 16, 33, 64, 67, 96, 256, 300};
enum { DEPTHS = sizeof depths / sizeof *depths };

static void packs_of(const vq_kernels *t)
{
    vq_random random = test_stream(50);
    for (size_t d = 0; d < DEPTHS && t->screening; d++)
        for (size_t width = 16; width <= 64; width += 16) check_pack(t, &random, depths[d], width);
}

static void test_pack(void **state)
{
    (void)state;
    for_each_table(packs_of);
}

/* ---- what passes ------------------------------------------------------------------------ */

/* Kinds of codes and vectors; see make_numbers(). */
enum { NORMAL, TIED, COPIES, ALIGNED, SHORT, HUGE_ONES, TINY, FAR, WILD, KINDS };

static float kind_number(vq_random *random, int kind, size_t at)
{
    const float noise = vq_random_normal(random);
    switch (kind) {
    case TIED: return (float)vq_random_below(random, 3);
    /* All round the same way by nearly half a unit, so that errors add up instead of out. */
    case ALIGNED: return 1.0f + 0x1p-7f * ((float)vq_random_below(random, 64) + 0.49f);
    case HUGE_ONES: return noise * (at % 7 == 0 ? 1e38f : 1e30f);
    case TINY: return noise * (at % 5 == 0 ? 1e-20f : 1e-39f);
    case FAR: return 1000.0f + noise;
    case WILD: return at % 97 == 3 ? NAN : at % 101 == 7 ? INFINITY : noise;
    default: return noise;
    }
}

static problem make_problem(vq_random *random, size_t n, size_t dim, size_t n_codes, int kind)
{
    problem p = {n, dim, n_codes, guarded(random, n * dim), guarded(random, n_codes * dim)};
    for (size_t i = 0; i < n * dim; i++) p.x[i] = kind_number(random, kind, i);
    for (size_t i = 0; i < n_codes * dim; i++) p.codes[i] = kind_number(random, kind, i);
    if (kind == WILD) /* some codes and vectors are as they should be */
        for (size_t i = 0; i < n * dim / 2; i++) p.x[i] = vq_random_normal(random);
    for (size_t j = 1; j < n_codes && kind == COPIES; j++)
        if (j % 3) copy_row(p.codes + j * dim, p.codes + vq_random_below(random, j) * dim, dim);
    return p;
}

/* A tile of vectors screened against a codebook, and the scores of the f32 search. */
typedef struct screened {
    const vq_code_index *index;
    size_t lanes;
    float *x, *pairs, *length, *gap, *low, *threshold, *mask;
} screened;

static screened screened_create(vq_random *random, const vq_code_index *index, const problem *p,
                                int kind)
{
    const size_t lanes = index->kernels->search_lanes, dim = index->dim;
    const screened s = {
        .index = index,
        .lanes = lanes,
        .x = guarded(random, dim * lanes),
        .pairs = guarded(random, index->screen.words * lanes),
        .length = guarded(random, lanes),
        .gap = guarded(random, lanes),
        .low = guarded(random, index->panels * lanes),
        .threshold = guarded(random, lanes),
        .mask = guarded(random, index->panels),
    };
    const vq_panel panel = {p->x, dim, 1, lanes, dim, index->centre};
    index->kernels->pack(&panel, lanes, s.x);
    /* Products with vectors this short change scores by about their last bit. */
    for (size_t i = 0; i < dim * lanes && kind == SHORT; i++) s.x[i] *= 0x1p-23f;
    index->kernels->screening->pack(dim, lanes, s.x, (uint32_t *)s.pairs, s.length, s.gap);
    for (size_t i = 0; i < lanes; i++) s.threshold[i] = INFINITY;
    return s;
}

static void screened_destroy(screened *s)
{
    float *const all[] = {s->x, s->pairs, s->length, s->gap, s->low, s->threshold, s->mask};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static void screen_groups(screened *s, size_t begin, size_t end)
{
    const vq_code_index *index = s->index;
    const size_t words = index->screen.words;
    const vq_screen_tile tile = {(const uint32_t *)s->pairs, s->length, s->gap};
    index->kernels->screening->screen(words, &tile,
                                      index->screen.pairs + begin * words * VQ_CODE_PANEL,
                                      index->half + begin * VQ_CODE_PANEL,
                                      index->screen.groups + begin, end - begin,
                                      s->low + begin * s->lanes, s->threshold);
}

/* Least score of the f32 search in a group; +infinity where none is a number below it. */
static float least_score(const screened *s, size_t lane, size_t group)
{
    const vq_code_index *index = s->index;
    const float *codes = index->packed + group * VQ_CODE_PANEL * index->dim;
    float least = INFINITY;
    for (size_t j = 0; j < VQ_CODE_PANEL; j++) {
        float sum = 0.0f;
        for (size_t p = 0; p < index->dim; p++)
            sum = fmaf(codes[p * VQ_CODE_PANEL + j], s->x[p * s->lanes + lane], sum);
        const float score = index->half[group * VQ_CODE_PANEL + j] - sum;
        if (score < least) least = score;
    }
    return least;
}

/* low is the least score of the bf16 products in double less the bound, but for what rounding in
 * f32 takes, which the bound has to cover. */
static void check_low(const screened *s, size_t lane, size_t group, int kind)
{
    const vq_code_index *index = s->index;
    const vq_screen_group *bounds = index->screen.groups + group;
    const float *codes = index->packed + group * VQ_CODE_PANEL * index->dim;
    const double u = 0x1p-24, length = (double)s->length[lane], most = (double)bounds->length;
    const double bound =
        most * (double)s->gap[lane] + (double)bounds->gap * length + (double)bounds->fixed;
    double least = HUGE_VAL, highest = 0.0;
    for (size_t j = 0; j < VQ_CODE_PANEL; j++) {
        const double half = (double)index->half[group * VQ_CODE_PANEL + j];
        double sum = 0.0;
        for (size_t p = 0; p < index->dim; p++)
            sum += (double)rounded(codes[p * VQ_CODE_PANEL + j]) *
                   (double)rounded(s->x[p * s->lanes + lane]);
        least = fmin(least, half - sum);
        if (half < HUGE_VAL) highest = fmax(highest, half);
    }
    if (!(bound < 0x1p100 && fabs(least) < 0x1p100)) return;
    const double low = (double)s->low[group * s->lanes + lane];
    const double most_off = 2.0 * (double)(index->dim + 4) * u * length * most +
                            8.0 * u * (highest + bound) + (double)index->dim * 0x1p-120;
    if (!(fabs(low - (least - bound)) <= most_off))
        fail_msg("%s: dim %zu, kind %d, lane %zu, group %zu: low %.9g, not %.9g - %.9g",
                 index->kernels->name, index->dim, kind, lane, group, low, least, bound);
}

/* low is no more than any score of its group, the threshold no less than the least of all, and
 * so every group that holds the least passes. */
static void check_screened(const screened *s, size_t groups, size_t dim, int kind)
{
    for (size_t i = 0; i < s->lanes; i++) {
        float *least = malloc(groups * sizeof *least), of_all = INFINITY;
        assert_non_null(least);
        for (size_t g = 0; g < groups; g++) {
            least[g] = least_score(s, i, g);
            if (least[g] < of_all) of_all = least[g];
            check_low(s, i, g, kind);
            if (s->low[g * s->lanes + i] > least[g])
                fail_msg("dim %zu, kind %d, lane %zu, group %zu: low %.9g is above the score %.9g",
                         dim, kind, i, g, (double)s->low[g * s->lanes + i], (double)least[g]);
        }
        if (s->threshold[i] < of_all)
            fail_msg("dim %zu, kind %d, lane %zu: threshold %.9g, least score %.9g", dim, kind, i,
                     (double)s->threshold[i], (double)of_all);
        for (size_t g = 0; g < groups; g++)
            if (least[g] == of_all && of_all < INFINITY &&
                !(((const uint32_t *)s->mask)[g] >> i & 1))
                fail_msg("dim %zu, kind %d, lane %zu: group %zu is lost", dim, kind, i, g);
        free(least);
    }
}

static size_t check_pass(vq_random *random, const vq_kernels *t, size_t dim, size_t n_codes,
                         int kind)
{
    vq_context ctx = {.threads = 1, .kernels = t};
    problem p = make_problem(random, t->search_lanes, dim, n_codes, kind);
    built_index b = build_index(&ctx, &p, 1);
    screened s = screened_create(random, &b.index, &p, kind);
    float *const written[] = {s.low, s.threshold, s.mask};
    const size_t groups = b.index.panels, sizes[] = {groups * s.lanes, s.lanes, groups};
    float *before[3];
    for (size_t i = 0; i < 3; i++) before[i] = guarded_copy(written[i], sizes[i]);
    screen_groups(&s, 0, groups / 3);
    screen_groups(&s, groups / 3, groups);
    const size_t passed = t->screening->pass(groups, s.low, s.threshold, (uint32_t *)s.mask);
    check_screened(&s, groups, dim, kind);
    for (size_t i = 0; i < 3; i++) {
        memcpy(before[i], written[i], sizes[i] * sizeof(float));
        assert_true(same_guarded(written[i], before[i], sizes[i]));
        free_guarded(before[i]);
    }
    screened_destroy(&s);
    destroy_index(&b);
    problem_destroy(&p);
    return passed;
}

static void passes_of(const vq_kernels *t)
{
    static const size_t counts[] = {16, 17, 48, 130};
    vq_random random = test_stream(51);
    for (size_t d = 0; d < DEPTHS && t->screening; d++)
        for (int kind = 0; kind < KINDS; kind++)
            check_pass(&random, t, depths[d], counts[(d + (size_t)kind) % 4], kind);
    for (int repeat = 0; repeat < 20 && t->screening; repeat++)
        check_pass(&random, t, 4, 64, SHORT);
    /* Where nothing is special, little passes: the bounds are worth having. */
    if (t->screening) {
        const size_t passed = check_pass(&random, t, 64, 1024, NORMAL);
        assert_in_range(passed, t->search_lanes, t->search_lanes * 64 / 4);
    }
}

static void test_passes(void **state)
{
    (void)state;
    for_each_table(passes_of);
}

static float near_number(vq_random *random)
{
    const uint64_t choice = vq_random_below(random, 12);
    return choice == 0 ? NAN : choice == 1 ? INFINITY : choice == 2 ? -INFINITY : (float)choice;
}

static void masks_of(const vq_kernels *t)
{
    vq_random random = test_stream(52);
    const size_t lanes = t->search_lanes;
    for (size_t count = 0; count < 40 && t->screening; count++) {
        float *low = guarded(&random, count * lanes), *threshold = guarded(&random, lanes);
        float *mask = guarded(&random, count), *expected = guarded_copy(mask, count);
        size_t bits = 0;
        for (size_t i = 0; i < count * lanes; i++) low[i] = near_number(&random);
        for (size_t i = 0; i < lanes; i++) threshold[i] = near_number(&random);
        for (size_t g = 0; g < count; g++) {
            uint32_t word = 0;
            for (size_t i = 0; i < lanes; i++)
                if (!(low[g * lanes + i] > threshold[i])) {
                    word |= UINT32_C(1) << i;
                    bits++;
                }
            memcpy(expected + g, &word, sizeof word);
        }
        assert_int_equal(t->screening->pass(count, low, threshold, (uint32_t *)mask), bits);
        assert_true(same_guarded(mask, expected, count));
        float *const all[] = {low, threshold, mask, expected};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
    }
}

static void test_masks(void **state)
{
    (void)state;
    for_each_table(masks_of);
}

/* ---- scoring again ------------------------------------------------------------------------ */

static float again_number(vq_random *random, int kind)
{
    if (kind == WILD) return near_number(random) - 4.0f;
    return kind == TIED ? (float)vq_random_below(random, 3) : vq_random_normal(random);
}

static void check_again(const vq_kernels *t, vq_random *random, size_t depth, size_t groups,
                        int kind)
{
    const size_t lanes = t->search_lanes, codes = groups * VQ_CODE_PANEL;
    float *x = guarded(random, depth * lanes), *packed = guarded(random, depth * codes);
    float *half = guarded(random, codes), *mask = guarded(random, groups);
    float *best = guarded(random, lanes), *at = guarded(random, lanes);
    for (size_t i = 0; i < depth * lanes; i++) x[i] = again_number(random, kind);
    for (size_t i = 0; i < depth * codes; i++) packed[i] = again_number(random, kind);
    for (size_t i = 0; i < codes; i++) half[i] = again_number(random, kind);
    for (size_t i = 0; i < lanes; i++) {
        best[i] = vq_random_below(random, 3) ? INFINITY : -1.0f;
        ((int32_t *)at)[i] = (int32_t)i;
    }
    float *expected_best = guarded_copy(best, lanes), *expected_at = guarded_copy(at, lanes);
    for (size_t g = 0; g < groups; g++) {
        /* Few, many, none, all. */
        uint32_t word = vq_random_u32(random);
        if (g % 4 == 0) word &= vq_random_u32(random) & vq_random_u32(random);
        if (g % 5 == 3) word = g % 2 ? 0u : UINT32_MAX;
        if (lanes < 32) word &= (UINT32_C(1) << lanes) - 1;
        memcpy(mask + g, &word, sizeof word);
        for (size_t i = 0; i < lanes; i++) {
            if (!(word >> i & 1)) continue;
            /* The plain search of one group, for one lane of it. */
            float all_best[VQ_SEARCH_LANES_MAX];
            int32_t all_at[VQ_SEARCH_LANES_MAX];
            memcpy(all_best, expected_best, lanes * sizeof *all_best);
            memcpy(all_at, expected_at, lanes * sizeof *all_at);
            t->search(depth, x, packed + g * VQ_CODE_PANEL * depth, half + g * VQ_CODE_PANEL,
                      VQ_CODE_PANEL, (int32_t)(1000 + g * VQ_CODE_PANEL), all_best, all_at);
            expected_best[i] = all_best[i];
            ((int32_t *)expected_at)[i] = all_at[i];
        }
    }
    t->screening->again(depth, x, packed, half, groups, (const uint32_t *)mask, 1000, best,
                        (int32_t *)at);
    for (size_t i = 0; i < lanes; i++)
        if (best[i] == expected_best[i]) best[i] = expected_best[i]; /* zeros differ in sign */
    if (!same_guarded(at, expected_at, lanes) || !same_guarded(best, expected_best, lanes))
        fail_msg("%s: again: depth %zu, %zu groups, kind %d", t->name, depth, groups, kind);
    float *const all[] = {x, packed, half, mask, best, at, expected_best, expected_at};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static void agains_of(const vq_kernels *t)
{
    static const int kinds[] = {NORMAL, TIED, WILD};
    vq_random random = test_stream(53);
    for (size_t d = 0; d < DEPTHS && t->screening; d++)
        for (size_t groups = 0; groups < 12; groups++)
            check_again(t, &random, depths[d], groups, kinds[groups % 3]);
}

static void test_again(void **state)
{
    (void)state;
    for_each_table(agains_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
