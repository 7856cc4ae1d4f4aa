/* SPDX-License-Identifier: Apache-2.0
 * fuzz/run.c -- a run of two files in memory. */
#include "fuzz/run.h"

static const char config[] =
    "{\"model\": {}, \"train\": {}, \"data\": {}, \"run\": {\"data\": \"/images\", "
    "\"valid\": null, \"init\": null, \"backend\": \"portable\", \"precision\": \"f32\", "
    "\"threads\": 1, \"images\": 20, \"held_out\": 1, \"split\": \"one\"}}";

int fuzz_run_load(program *p, const uint8_t *bytes, size_t size, report_run *run)
{
    static bool named;
    fuzz_piece pieces[2];
    if (!named) {
        fuzz_file_name(0, "metrics.jsonl");
        fuzz_file_name(1, "config.json");
        named = true;
    }
    fuzz_split(bytes, size, pieces, 2);
    fuzz_file(0, pieces[0].bytes, pieces[0].size);
    if (pieces[1].size) fuzz_file(1, pieces[1].bytes, pieces[1].size);
    else fuzz_file(1, config, sizeof config - 1);
    return report_run_load(p, FUZZ_FOLDER, 0, run);
}
