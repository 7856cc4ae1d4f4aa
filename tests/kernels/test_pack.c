/* SPDX-License-Identifier: Apache-2.0
 * tests/kernels/test_pack.c -- packing, number by number. */
#include "kernels/pack.h"
#include "tables.h"

/* Lines side by side, lines one after another, and neither. */
enum { ALONG, ACROSS, SPREAD, WAYS };

static void check_pack(const vq_kernels *t, vq_random *random, size_t width, size_t lanes,
                       size_t depth, int way, int shifted)
{
    const size_t lane_step = way == ALONG ? 1 : way == ACROSS ? depth + 3 : 2 * depth + 5;
    const size_t depth_step = way == ALONG ? lanes + 2 : way == ACROSS ? 1 : 2;
    const size_t span = (lanes - 1) * lane_step + depth * depth_step + 1, size = width * depth;
    float *from = guarded(random, span), *shift = guarded(random, depth);
    float *to = guarded(random, size), *expected = guarded_copy(to, size);
    for (size_t p = 0; p < depth; p++)
        for (size_t i = 0; i < width; i++)
            expected[p * width + i] =
                i >= lanes ? 0.0f
                           : from[i * lane_step + p * depth_step] - (shifted ? shift[p] : 0.0f);
    const vq_panel panel = {from, lane_step, depth_step, lanes, depth, shifted ? shift : NULL};
    t->pack(&panel, width, to);
    if (!same_guarded(to, expected, size))
        fail_msg("%s: pack width %zu, %zu lanes, depth %zu, way %d, shift %d", t->name, width,
                 lanes, depth, way, shifted);
    free_guarded(from);
    free_guarded(shift);
    free_guarded(to);
    free_guarded(expected);
}

static void packs_of(const vq_kernels *t)
{
    static const size_t depths[] = {0, 1, 7, 8, 9, 16, 27};
    const size_t widths[] = {t->search_lanes, VQ_PANEL, 3, 6, 11};
    vq_random random = test_stream(2);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t lanes = 1; lanes <= widths[w]; lanes++)
            for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
                for (int way = 0; way < WAYS; way++)
                    for (int shifted = 0; shifted < 2; shifted++)
                        check_pack(t, &random, widths[w], lanes, depths[d], way, shifted);
}

static void test_pack(void **state)
{
    (void)state;
    for_each_table(packs_of);
}

static void panels_of(const vq_kernels *t)
{
    enum { LANES = 75, DEPTH = 37 };
    vq_random random = test_stream(5);
    const size_t width = VQ_PANEL, panels = vq_ceil_div(LANES, width);
    const size_t size = panels * width * DEPTH;
    float *from = guarded(&random, LANES * DEPTH), *shift = guarded(&random, DEPTH);
    float *to = guarded(&random, size), *expected = guarded_copy(to, size);
    for (int along = 0; along < 2; along++) {
        const size_t lane_step = along ? 1 : DEPTH, depth_step = along ? LANES : 1;
        const vq_lines lines = {from, lane_step, depth_step, LANES, DEPTH, shift};
        for (size_t i = 0; i < panels * width; i++)
            for (size_t p = 0; p < DEPTH; p++)
                expected[(i / width * DEPTH + p) * width + i % width] =
                    i < LANES ? from[i * lane_step + p * depth_step] - shift[p] : 0.0f;
        /* In two parts, as threads do. */
        vq_pack_panels(t->pack, &lines, width, 1, panels, to + width * DEPTH);
        vq_pack_panels(t->pack, &lines, width, 0, 1, to);
        if (!same_guarded(to, expected, size)) fail_msg("%s: panels, along %d", t->name, along);
    }
    free_guarded(from);
    free_guarded(shift);
    free_guarded(to);
    free_guarded(expected);
}

static void test_panels(void **state)
{
    (void)state;
    for_each_table(panels_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_panels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
