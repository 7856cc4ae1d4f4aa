/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_metrics.c -- the figures of a run read back: see run.h for the input. */
#include "fuzz/run.h"
#include <math.h>
#include <stdlib.h>

static int read_points(program *p, const report_run *run, const char *key)
{
    point *points = NULL;
    size_t n = 0;
    TRY(report_points(p, run, key, &points, &n));
    FUZZ_CHECK(n <= json_array_size(run->lines));
    for (size_t i = 0; i < n; i++) FUZZ_CHECK(isfinite(points[i].x) && isfinite(points[i].y));
    free(points);
    return DONE;
}

static int read_run(program *p, const report_run *run)
{
    if (run->best) FUZZ_CHECK(isfinite(report_value(run->best, "valid_nmse")));
    TRY(read_points(p, run, "loss"));
    return read_points(p, run, "valid_nmse");
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static program p; /* both are large */
    static report_run run;
    p = (program){.ctx = ctx, .quiet = true};
    int code = fuzz_run_load(&p, bytes, size, &run);
    if (code == DONE) code = read_run(&p, &run);
    report_run_clear(&p, &run);
    return fuzz_status(&p, code);
}
