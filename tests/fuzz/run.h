/* SPDX-License-Identifier: Apache-2.0
 * fuzz/run.h -- the folder of a run, for what reads it. */
#ifndef VQ_TESTS_FUZZ_RUN_H
#define VQ_TESTS_FUZZ_RUN_H

#include "fuzz/files.h"
#include "fuzz/verdict.h"
#include "report/report.h"

/**
 * Loads a run whose metrics.jsonl is given, and whose config.json follows a cut; without a cut it
 * is that of the defaults. There is no model and there are no images.
 * @param run  report_run_clear() in any case
 */
int fuzz_run_load(program *p, const uint8_t *bytes, size_t size, report_run *run);
#endif
