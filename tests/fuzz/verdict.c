/* SPDX-License-Identifier: Apache-2.0
 * fuzz/verdict.c -- exit codes as statuses. */
#include "fuzz/verdict.h"

vq_status fuzz_status(program *p, int code)
{
    if (code == DONE) return VQ_OK;
    const vq_status status = code == MACHINE_FAILED    ? VQ_E_NOMEM
                             : code == BAD_USAGE       ? VQ_E_ARG
                             : fuzz_failed(FUZZ_FILES) ? VQ_E_IO
                                                       : VQ_E_FORMAT;
    return vq_fail(p->ctx, status, "%s", p->error);
}
