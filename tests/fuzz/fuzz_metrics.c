/* SPDX-License-Identifier: Apache-2.0
 * fuzz/fuzz_metrics.c -- the figures of a run: read back for a page, and cut for resuming. */
#include "fuzz/files.h"
#include "fuzz/verdict.h"
#include "run/metrics.h"
#include <stdlib.h>
#include <string.h>

enum { STEP = 20 };

/* What is kept are those lines read that are of steps that count; cutting again cuts nothing. */
static int cut(program *p, const char *whole, const json_t *lines)
{
    text kept = {0}, again = {0};
    double seconds, same;
    size_t expected = 0, n = 0;
    int code;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *step = json_object_get(json_array_get(lines, i), "step");
        expected += json_is_integer(step) && json_integer_value(step) <= STEP;
    }
    TRY_TO(metrics_keep(p, whole, STEP, &kept, &seconds));
    for (const char *c = kept.data; c && (c = strchr(c, '\n')); c++) n++;
    FUZZ_CHECK(n == expected && kept.used <= strlen(whole));
    TRY_TO(metrics_keep(p, kept.data ? kept.data : "", STEP, &again, &same));
    FUZZ_CHECK(kept.used == again.used && memcmp(&seconds, &same, sizeof same) == 0);
done:
    free(kept.data);
    free(again.data);
    return code;
}

vq_status fuzz_target(vq_context *ctx, const uint8_t *bytes, size_t size)
{
    static program p; /* large */
    json_t *lines = NULL;
    p = (program){.ctx = ctx, .quiet = true};
    char *whole = fuzz_text(ctx, (fuzz_piece){bytes, size});
    int code = whole ? metrics_read(&p, fuzz_file(0, bytes, size), &lines)
                     : fail(&p, MACHINE_FAILED, "no memory");
    if (code == DONE) code = cut(&p, whole, lines);
    json_decref(lines);
    vq_release(ctx, whole);
    return fuzz_status(&p, code);
}
